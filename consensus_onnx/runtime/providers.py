"""Which execution provider serves a session: asked for, and really used."""

from __future__ import annotations

from typing import Literal, TypeAlias

from consensus_onnx.errors import ModelError

Provider: TypeAlias = Literal["auto", "cpu", "cuda"]

_ORT_NAMES = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}

# Deterministic and exact on CUDA where the provider offers the choice: no TF32, the heuristic algorithm search
# (exhaustive differs between runs by about 1e-6 and costs 300 times more per new shape), memory as it is needed.
_CUDA_OPTIONS = {
    "use_tf32": "0",
    "cudnn_conv_algo_search": "HEURISTIC",
    "arena_extend_strategy": "kSameAsRequested",
}


def available_providers() -> tuple[str, ...]:
    """Return the providers a session can really use on this machine, best first.

    ONNX Runtime's own `get_available_providers` names what it was compiled with, a GPU or not; this asks its device
    list, which is honest.
    """
    import onnxruntime

    present = {device.ep_name for device in onnxruntime.get_ep_devices()}
    return tuple(name for name in ("cuda", "cpu") if _ORT_NAMES[name] in present)


def provider_options(provider: Provider) -> list[tuple[str, dict[str, str]]]:
    """Return ONNX Runtime's provider list for a choice, strictest first.

    Raises
    ------
    ModelError
        If CUDA is asked for and cannot be used here: never a silent fallback to the CPU.
    """
    usable = available_providers()
    if provider == "cuda" and "cuda" not in usable:
        raise ModelError(
            "provider cuda was asked for, but ONNX Runtime finds no usable CUDA device here; install the extra "
            "`consensus-onnx[cuda]` and check the driver, or use --provider cpu"
        )
    options: list[tuple[str, dict[str, str]]] = []
    if provider == "cuda" or (provider == "auto" and "cuda" in usable):
        options.append((_ORT_NAMES["cuda"], dict(_CUDA_OPTIONS)))
    options.append((_ORT_NAMES["cpu"], {}))
    return options


def provider_name(ort_name: str) -> str:
    """Return our short name of an ONNX Runtime provider: 'cpu', 'cuda', or its own name in lower case."""
    for short, name in _ORT_NAMES.items():
        if name == ort_name:
            return short
    return ort_name.removesuffix("ExecutionProvider").lower()
