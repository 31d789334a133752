"""Runs jobs in worker processes, several side by side, and turns whatever happens to one into its own failure."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import pickle
import signal
import time
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, TypeAlias

from consensus_onnx.engine.jobs import Job
from consensus_onnx.engine.wire import Message, decode
from consensus_onnx.engine.worker import serve

_LEAVING = 5.0  # seconds a worker may take to end once the connection is closed

Command: TypeAlias = Mapping[str, Any]
Script: TypeAlias = Generator[Command, Message, None]


class WorkerError(Exception):
    """A worker that crashed, hung or spoke nonsense; thrown into its script.

    Attributes
    ----------
    status : str
        'crashed(SIGNAL)', 'timeout(stage)' or 'bad_output'.
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


@dataclass(frozen=True)
class Limits:
    """Wall-clock limits in seconds: for starting and opening, and for one command."""

    opening: float = 300.0
    command: float = 1800.0


@dataclass
class _Running:
    task: Task
    process: SpawnProcess
    connection: Connection
    stage: str
    deadline: float


def run_tasks(tasks: Iterable[Task], workers: int, limits: Limits) -> None:
    """Run tasks in order of appearance, at most `workers` at a time; returns when all have ended.

    A task's failure is thrown into its own script as `WorkerError` and touches no other. Whatever leaves this
    function early (Ctrl-C among them) kills all workers first.

    Parameters
    ----------
    tasks : iterable of Task
        Started lazily, one by one.
    workers : int
        Processes side by side; the cores are shared out among them.
    limits : Limits
        After which a silent worker is killed.
    """
    waiting = iter(tasks)
    threads = threads_per_worker(workers)
    running: list[_Running] = []
    try:
        while True:
            while len(running) < workers and (task := next(waiting, None)) is not None:
                running.append(_start(task, threads, limits))
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


def _start(task: Task, threads: int, limits: Limits) -> _Running:
    next(task.script)  # to its first, empty command: the opening is answered unasked
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs, pickle.dumps(task.job), threads), daemon=True)
    with _ctrl_c_later():
        process.start()
    theirs.close()
    return _Running(task, process, ours, "opening", time.monotonic() + limits.opening)


@contextlib.contextmanager
def _ctrl_c_later() -> Iterator[None]:
    """Hold SIGINT back: a process started here inherits that, so Ctrl-C cannot hit it before it ignores the signal."""
    resource_tracker.ensure_running()  # multiprocessing starts it with the first process, and lets SIGINT through then
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


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
    worker.deadline = time.monotonic() + limits.command
    with contextlib.suppress(OSError):  # it died meanwhile; the next look at the connection tells how
        worker.connection.send_bytes(json.dumps(command).encode())
    return True


def _hear(worker: _Running) -> Message | None:
    """Return a worker's message, None if it has nothing to say yet."""
    if worker.connection.poll():
        try:
            data = worker.connection.recv_bytes()
        except (EOFError, OSError):
            worker.process.join(timeout=_LEAVING)
            if worker.process.is_alive():
                raise WorkerError("bad_output", f"it hung up during {worker.stage} and lived on; killed") from None
            raise _death(worker) from None
        try:
            return decode(data)
        except (ValueError, KeyError, TypeError) as error:
            raise WorkerError("bad_output", f"its worker sent what cannot be read: {error}") from error
    if time.monotonic() >= worker.deadline:
        raise WorkerError(f"timeout({worker.stage})", f"no answer within the limit during {worker.stage}; killed")
    return None


def _death(worker: _Running) -> WorkerError:
    code = worker.process.exitcode or 0
    if code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        return WorkerError(f"crashed({name})", f"its process was killed by {name} during {worker.stage}")
    hint = '; put the audit of a script under `if __name__ == "__main__":`' if worker.stage == "opening" else ""
    return WorkerError(f"crashed(exit {code})", f"its process ended with exit code {code} during {worker.stage}{hint}")


def _kill(worker: _Running) -> None:
    if worker.process.is_alive():
        worker.process.kill()
    worker.process.join()
    worker.connection.close()
