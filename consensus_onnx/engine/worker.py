"""The worker process: one job, commands in, answers out.

Imported before the environment is ready: nothing here may import numpy, numba or ONNX Runtime at the top.
"""

from __future__ import annotations

import json
import os
import pickle
import signal
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from consensus_onnx.engine.jobs import Job

_MOST_WRITTEN = 100_000_000  # bytes of a file that a worker without an output of its own may write: what it prints


@dataclass(frozen=True)
class Start:
    """What a worker is given.

    Attributes
    ----------
    job : bytes
        The pickled job, made by the supervisor.
    threads : int
        Cores it may use.
    scratch : str
        Its private folder.
    memory : int or None
        Bytes it may take; None sets no limit.
    environment : dict of str to str
        The supervisor's.
    """

    job: bytes
    threads: int
    scratch: str
    memory: int | None
    environment: dict[str, str]


def serve(connection: Connection, start: Start) -> None:
    """Run a job until the supervisor hangs up; the target of a process.

    Everything that is imported is imported, and everything that the process does not need is given up, before a byte
    of a model or a picture is read.
    """
    network = _prepare_process(start)
    from consensus_onnx.engine.services import service_of
    from consensus_onnx.engine.wire import Message, encode

    def answer(make: Callable[[], Message], **more: object) -> None:
        try:
            made = make()
            data = encode(Message({**made.header, **more}, made.arrays))
        except Exception as error:  # told to the supervisor, which decides what it costs
            data = encode(Message({"error": _error_of(error), **more}))
        connection.send_bytes(data)

    try:
        job = pickle.loads(start.job)
    except Exception as error:
        hint = "an explainer of one's own must stand in a module that worker processes can import"
        problem = ValueError(f"{type(error).__name__}: {error} ({hint})")
        connection.send_bytes(encode(Message({"error": _error_of(problem)})))
        return
    contained = _contain(job, start, network)
    service = service_of(job)
    answer(service.opening, contained=contained)
    while True:
        try:
            command = json.loads(connection.recv_bytes())
        except EOFError:
            return
        answer(partial(service.handle, command))


def _prepare_process(start: Start) -> str:
    """Make a quiet process of its own group, deaf to Ctrl-C (the supervisor ends it), with its share of cores.

    Returns what keeps it from the network.
    """
    from consensus_onnx.engine.containment import leave_network
    from consensus_onnx.engine.scratch import said_file

    os.environ.clear()  # of the process it was forked from, which may have begun long before
    os.environ.update(start.environment)
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    os.environ["TMPDIR"] = start.scratch
    for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ[name] = str(start.threads)
    # They would start threads when they are imported, and a thread is contained only if it starts later than that.
    for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})
    os.setpgid(0, 0)
    said = os.open(said_file(Path(start.scratch)), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(said, 1)
    os.dup2(said, 2)
    os.close(said)
    network = leave_network()
    _die_with_parent()
    return network


def _contain(job: Job, start: Start, network: str) -> dict[str, str]:
    import resource

    from consensus_onnx.engine.confines import confines_of
    from consensus_onnx.engine.containment import contain
    from consensus_onnx.engine.jobs import GradientJob, RandomisingJob
    from consensus_onnx_kernels.compilation import keep_compiled_in_memory, use_threads

    keep_compiled_in_memory()
    if not isinstance(job, GradientJob | RandomisingJob):
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (_MOST_WRITTEN, hard))
    report = contain(confines_of(job, Path(start.scratch), start.memory), network)
    _die_with_parent()  # a change of rights can forget it
    use_threads(start.threads)  # not before: it may start them
    return report


def _die_with_parent() -> None:
    """Ask Linux to kill this process when its parent ends, however it ends; elsewhere closing pipes must do."""
    import ctypes
    import sys

    if sys.platform == "linux":
        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)


def _error_of(error: Exception) -> dict[str, str]:
    """Return an error as it is told: its text, and its kind as `answers.Trouble` names them."""
    from consensus_onnx.errors import ConsensusError, RejectedModelError, UnsupportedOperatorError
    from consensus_onnx.runtime.memory import ran_out_of_memory
    from consensus_onnx.runtime.text import first_line

    text = first_line(error, 2000)
    if not isinstance(error, (ConsensusError, ValueError)):
        text = f"{type(error).__name__}: {text}"
    if isinstance(error, RejectedModelError):
        kind = "rejected"
    elif isinstance(error, UnsupportedOperatorError):
        kind = "unsupported"
    else:
        kind = "oom" if ran_out_of_memory(error) else "error"
    return {"text": text, "kind": kind}
