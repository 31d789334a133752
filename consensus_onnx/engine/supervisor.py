"""Runs jobs in worker processes, several side by side, and turns whatever happens to one into its own failure."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import pickle
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Any, TypeAlias

from consensus_onnx.engine.inbox import Inbox
from consensus_onnx.engine.jobs import Job
from consensus_onnx.engine.limits import Limits
from consensus_onnx.engine.scratch import last_words, make_scratch, remove_scratch, sweep_abandoned
from consensus_onnx.engine.wire import LARGEST_MESSAGE, Message, decode
from consensus_onnx.engine.worker import Start, serve
from consensus_onnx.runtime.memory import tells_of_memory
from consensus_onnx.runtime.text import printable

_ENDING = (signal.SIGINT, signal.SIGTERM)
_LEAVING = 5.0  # seconds a worker may take to end once the connection is closed

Command: TypeAlias = Mapping[str, Any]
Script: TypeAlias = Generator[Command, Message, None]


class WorkerError(Exception):
    """A worker that crashed, hung or spoke nonsense; thrown into its script.

    Attributes
    ----------
    status : str
        'crashed(SIGNAL)', 'timeout(stage)', 'oom' or 'bad_output'.
    """

    def __init__(self, status: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True)
class Task:
    """A job and the script that talks to its worker.

    Attributes
    ----------
    job : Job
        What the worker is started for.
    script : generator
        Yields commands and is sent the answers; the first answer, the opening, comes before the first command, so
        the first thing it yields must be an empty command. When it returns, the worker is dismissed.
    """

    job: Job
    script: Script


@dataclass
class _Running:
    task: Task
    process: ForkServerProcess
    connection: Connection
    inbox: Inbox
    scratch: Path
    stage: str
    limit: float
    deadline: float
    ended: bool = False


def run_tasks(next_task: Callable[[], Task | None], workers: int, limits: Limits) -> None:
    """Run tasks, at most `workers` at a time; returns when there is no other and all have ended.

    A task's failure is thrown into its own script as `WorkerError` and touches no other. Whatever leaves this
    function early (Ctrl-C among them) kills all workers first.

    Parameters
    ----------
    next_task : callable
        Asked whenever a worker could be started; None says that there is nothing to start now. A script that ends
        may put work back: it is asked again after each.
    workers : int
        Processes side by side; the cores are shared out among them.
    limits : Limits
        After which a silent worker is killed, and beyond which it gets no memory.
    """
    sweep_abandoned()
    threads = threads_per_worker(workers)
    running: list[_Running] = []
    try:
        while True:
            while len(running) < workers and (task := next_task()) is not None:
                _start(task, threads, limits, running)
            if not running:
                return
            _wait(running)
            for worker in tuple(running):
                if not _advance(worker, limits):
                    running.remove(worker)
    finally:
        for worker in running:
            _kill(worker)


def threads_per_worker(workers: int) -> int:
    """Return each worker's share of the cores this process may use."""
    return max(1, len(os.sched_getaffinity(0)) // workers)


def _start(task: Task, threads: int, limits: Limits, running: list[_Running]) -> None:
    next(task.script)  # to its first, empty command: the opening is answered unasked
    with _signals_later():  # until the worker is on the list of those that are killed should one arrive
        context = _context()
        scratch = make_scratch()
        ours, theirs = context.Pipe()
        start = Start(pickle.dumps(task.job), threads, str(scratch), limits.memory, dict(os.environ))
        process = context.Process(target=serve, args=(theirs, start), daemon=True)
        try:
            process.start()
        except BaseException:
            ours.close()
            remove_scratch(scratch)
            raise
        finally:
            theirs.close()
        inbox = Inbox(ours, LARGEST_MESSAGE)
        deadline = time.monotonic() + limits.opening
        running.append(_Running(task, process, ours, inbox, scratch, "opening", limits.opening, deadline))


def _context() -> ForkServerContext:
    """Return where workers come from: a process with everything imported and nothing else done, forked for each.

    Importing takes a second of each worker's time otherwise. ONNX Runtime is not among it, so that no thread and no
    session of it is ever forked; nor has that process seen a byte of a model.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["consensus_onnx.engine.services", "consensus_onnx.engine.confines"])
    with _one_thread():
        forkserver.ensure_running()
    return context


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Let linear algebra libraries that a child process imports start no threads: they would not be forked."""
    names = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _signals_later() -> Iterator[None]:
    """Hold back what would end this process: a half-started worker would complain, or be left behind.

    A process started here inherits that, so Ctrl-C cannot hit it before it ignores the signal. Blocking alone would not
    do: the system gives a signal to any thread that does not block it, and Python then handles it in this one.
    """
    resource_tracker.ensure_running()  # multiprocessing starts it with the first process, and lets signals through then
    arrived: list[int] = []
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    handlers: dict[signal.Signals, Any] = {}
    if threading.current_thread() is threading.main_thread():  # elsewhere nothing is raised, nor may this be set
        handlers = {number: handler for number in _ENDING if (handler := signal.getsignal(number)) is not None}
    for number in handlers:
        signal.signal(number, lambda number, frame: arrived.append(number))
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if arrived:
            signal.raise_signal(arrived[0])


def _wait(running: list[_Running]) -> None:
    """Sleep until a worker speaks, dies or runs out of time."""
    soonest = min(worker.deadline for worker in running)
    wait([worker.connection for worker in running], timeout=max(0.0, soonest - time.monotonic()))


def _advance(worker: _Running, limits: Limits) -> bool:
    """Take up what a worker has to say; False when it is done with."""
    try:
        message = _hear(worker)
        if message is None:
            return True
        command = worker.task.script.send(message)
    except StopIteration:
        worker.connection.close()
        worker.process.join(timeout=_LEAVING)
        _kill(worker)
        return False
    except WorkerError as failure:
        _kill(worker)
        try:
            worker.task.script.throw(failure)
        except StopIteration:
            return False
        raise RuntimeError("a script went on after its worker had failed") from failure
    worker.stage = str(command.get("do", "work"))
    worker.limit, worker.deadline = limits.command, time.monotonic() + limits.command
    with contextlib.suppress(OSError):  # it died meanwhile; the next look at the connection tells how
        worker.connection.send_bytes(json.dumps(command).encode())
    return True


def _hear(worker: _Running) -> Message | None:
    """Return a worker's message, None if it has nothing to say yet."""
    try:
        data = worker.inbox.take()
        message = decode(data) if data is not None else None
    except (EOFError, OSError):
        worker.process.join(timeout=_LEAVING)
        if worker.process.is_alive():
            raise WorkerError("bad_output", f"it hung up during {worker.stage} and lived on; killed") from None
        raise _death(worker) from None
    except (ValueError, KeyError, TypeError) as error:
        raise WorkerError("bad_output", f"its worker sent what cannot be read: {printable(str(error))}") from error
    if message is not None:
        return message
    if time.monotonic() >= worker.deadline:
        reason = f"no answer within the limit of {worker.limit:g} s during {worker.stage}; killed"
        raise WorkerError(f"timeout({worker.stage})", reason)
    return None


def _death(worker: _Running) -> WorkerError:
    """Say how a worker ended, with the last it printed."""
    words = last_words(worker.scratch)
    line = next((line for line in reversed(words.splitlines()) if line.strip()), "")
    said = f" ({printable(line, 200)})" if line else ""
    code = worker.process.exitcode or 0
    if code >= 0:
        hint = '; put the audit of a script under `if __name__ == "__main__":`' if worker.stage == "opening" else ""
        reason = f"its process ended with exit code {code} during {worker.stage}{said}{hint}"
        return WorkerError(f"crashed(exit {code})", reason)
    name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
    status = "oom" if tells_of_memory(words) else f"crashed({name})"
    if name == "SIGKILL" and not said:
        said = " (perhaps because the machine ran out of memory)"
    return WorkerError(status, f"its process was killed by {name} during {worker.stage}{said}")


def _kill(worker: _Running) -> None:
    """End a worker and whatever it has started, and clear away what it leaves."""
    if worker.ended:
        return
    if worker.process.pid is not None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(worker.process.pid, signal.SIGKILL)  # its group; it has none before `serve` makes one
    if worker.process.is_alive():
        worker.process.kill()
    worker.process.join()
    worker.ended = True
    worker.process.close()
    worker.connection.close()
    remove_scratch(worker.scratch)
