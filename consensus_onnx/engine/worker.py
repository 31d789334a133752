"""The worker process: one job, commands in, answers out.

Imported before the environment is ready: nothing here may import numpy, numba or ONNX Runtime at the top.
"""

from __future__ import annotations

import json
import os
import pickle
import signal
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection


def serve(connection: Connection, job_bytes: bytes, threads: int) -> None:
    """Run a job until the supervisor hangs up; the target of a spawned process.

    Parameters
    ----------
    connection : Connection
        To the supervisor.
    job_bytes : bytes
        The pickled job, made by the supervisor.
    threads : int
        Cores this process may use.
    """
    _prepare_process(threads)
    from consensus_onnx.engine.services import service_of
    from consensus_onnx.engine.wire import Message, encode

    def answer(make: Callable[[], Message]) -> None:
        try:
            data = encode(make())
        except Exception as error:  # told to the supervisor, which decides what it costs
            data = encode(Message({"error": _error_of(error)}))
        connection.send_bytes(data)

    try:
        service = service_of(pickle.loads(job_bytes))
    except Exception as error:
        hint = "an explainer of one's own must stand in a module that worker processes can import"
        problem = ValueError(f"{type(error).__name__}: {error} ({hint})")
        connection.send_bytes(encode(Message({"error": _error_of(problem)})))
        return
    answer(service.opening)
    while True:
        try:
            command = json.loads(connection.recv_bytes())
        except EOFError:
            return
        answer(partial(service.handle, command))


def _prepare_process(threads: int) -> None:
    """Quiet, bound to its parent's life, deaf to Ctrl-C (the supervisor ends it), and with its share of cores."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(threads)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _die_with_parent()


def _die_with_parent() -> None:
    """Ask Linux to kill this process when its parent ends, however it ends; elsewhere closing pipes must do."""
    import ctypes
    import sys

    if sys.platform == "linux":
        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)


def _error_of(error: Exception) -> dict[str, object]:
    from consensus_onnx.errors import ConsensusError, UnsupportedOperatorError
    from consensus_onnx.runtime.session import first_line

    text = first_line(error, 2000)
    if not isinstance(error, (ConsensusError, ValueError)):
        text = f"{type(error).__name__}: {text}"
    return {"text": text, "unsupported": isinstance(error, UnsupportedOperatorError)}
