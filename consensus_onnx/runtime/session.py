"""The only maker of ONNX Runtime sessions, with the options that were measured to matter."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from onnx import ModelProto

from consensus_onnx.arrays import AnyArray
from consensus_onnx.config import check_settings, setting
from consensus_onnx.errors import ModelError
from consensus_onnx.runtime.providers import Provider, provider_name, provider_options
from consensus_onnx.runtime.telemetry import disable_telemetry
from consensus_onnx.runtime.text import first_line

# Written out because a file from a stranger must not choose for us. Function expansion by default takes 239 s on a
# 10^5-fold nested model, folding 1.8 GB on a 152-byte one; a renamed .ort file would load as ORT's own format.
_SESSION_ENTRIES = {
    "session.load_model_format": "ONNX",
    "session.function_expansion_node_limit": "10000",
    "session.function_expansion_byte_limit": "268435456",
    "optimization.constant_folding_max_output_size_in_bytes": "67108864",
    # A session's threads else look out for work for a while after a run, on cores that another session or a kernel of
    # ours has begun to use: a draw of SmoothGrad takes MobileNetV1-0.25 2.6 ms so, and 1.8 if they stop; MobileNetV2
    # 14.4 and 14.1, ViT-Ti/16 37.4 and 36.1. Bare passes take the same (tests/benchmarks/waiting_threads.py).
    "session.force_spinning_stop": "1",
}
_PLANNED_NODES = 10_000
_LEVELS = {
    "none": "ORT_DISABLE_ALL",
    "basic": "ORT_ENABLE_BASIC",
    "extended": "ORT_ENABLE_EXTENDED",
    "all": "ORT_ENABLE_ALL",
}


@dataclass(frozen=True)
class RuntimeSettings:
    """How models are executed; on the CPU none of it but `optimisation` changes a single bit of the results."""

    provider: Provider = setting(
        "auto", "where models run; cuda fails if no GPU can be used", choices=("auto", "cpu", "cuda")
    )
    threads: int = setting(0, "threads of one model's session; 0 takes every core of the process", minimum=0)
    batch: int = setting(0, "pictures per pass; 0 chooses: 32 on CUDA, on the CPU what a short timing finds", minimum=0)
    optimisation: Literal["none", "basic", "extended", "all"] = setting(
        "all", "ONNX Runtime's graph optimisation level", choices=("none", "basic", "extended", "all")
    )

    def __post_init__(self) -> None:
        check_settings(self)

    @property
    def all_threads(self) -> int:
        """How many threads a session gets: as set, or one per core of the process."""
        return self.threads or len(os.sched_getaffinity(0))

    def batch_for(self, provider: str) -> int:
        """Return the pictures per forward pass: as set, or what suits the provider."""
        # Small batches stay in cache on a CPU: MobileNetV2 394 images/s at 4, 310 at 32 (2 cores).
        return self.batch or (32 if provider == "cuda" else 4)


@dataclass(frozen=True)
class Serialised:
    """A model as bytes, and its number of nodes: what is opened of a model that is not needed any longer."""

    data: bytes
    nodes: int


def serialise(model: ModelProto) -> Serialised:
    """Return a model as bytes; without the ModelProto, its weights are in memory once less while a session opens."""
    return Serialised(model.SerializeToString(), len(model.graph.node))


def open_session(model: ModelProto | Serialised | bytes | Path, settings: RuntimeSettings | None = None) -> Any:
    """Open an ONNX Runtime session.

    Parameters
    ----------
    model : ModelProto, Serialised, bytes or Path
        The model; a path is the only form that may have external data.
    settings : RuntimeSettings, optional
        Provider, threads, optimisation level.

    Returns
    -------
    onnxruntime.InferenceSession
        A session whose first provider is the one asked for.

    Raises
    ------
    ModelError
        If the model cannot be loaded, or the provider asked for is not the one that runs it.
    """
    disable_telemetry()
    import onnxruntime

    settings = settings or RuntimeSettings()
    options = onnxruntime.SessionOptions()
    # Fatal only: what fails in this session is raised, and told once; provider failures go to ORT's default logger.
    options.log_severity_level = 4
    options.intra_op_num_threads = settings.threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, _LEVELS[settings.optimisation])
    # The arena saves 5-10 % of the time and costs memory (DeiT-tiny, LIME and SmoothGrad: 1010 MB, 690 without);
    # patterns would be kept for every batch size and explainer.
    options.enable_cpu_mem_arena = True
    options.enable_mem_pattern = False
    # To plan which buffers serve twice takes ONNX Runtime the square of the nodes: over 40 s of CPU for the 24,000 of a
    # gradient through unrolled LSTMs (sequencer2d_s), where all the rest of opening takes 17.
    source = serialise(model) if isinstance(model, ModelProto) else model
    options.enable_mem_reuse = not (isinstance(source, Serialised) and source.nodes > _PLANNED_NODES)
    for key, value in _SESSION_ENTRIES.items():
        options.add_session_config_entry(key, value)
    wanted = provider_options(settings.provider)
    try:
        given = source.data if isinstance(source, Serialised) else str(source) if isinstance(source, Path) else source
        session = onnxruntime.InferenceSession(given, options, providers=wanted, enable_fallback=0)
    except Exception as error:  # ORT raises its own classes, MemoryError, ValueError and UnicodeDecodeError alike
        where = f"{model}: " if isinstance(model, Path) else ""
        raise ModelError(f"{where}ONNX Runtime cannot load this model: {first_line(error)}") from error
    used = session.get_providers()[0]
    if used != wanted[0][0]:
        raise ModelError(
            f"provider {provider_name(wanted[0][0])} was asked for, but ONNX Runtime runs the model on "
            f"{provider_name(used)}; check the CUDA libraries, or use --provider cpu"
        )
    return session


def provider_of(session: Any) -> str:
    """Return the provider that really runs a session: 'cpu', 'cuda'."""
    return provider_name(session.get_providers()[0])


def on_device(array: AnyArray, provider: str) -> Any:
    """Return an array as an OrtValue where a provider's models run, 'cpu' or 'cuda'."""
    disable_telemetry()
    import onnxruntime

    return onnxruntime.OrtValue.ortvalue_from_numpy(np.asarray(array, order="C"), provider, 0)


def runtime_version() -> str:
    """Return the major.minor version of ONNX Runtime, the part that may change results."""
    disable_telemetry()
    import onnxruntime

    return ".".join(str(onnxruntime.__version__).split(".")[:2])
