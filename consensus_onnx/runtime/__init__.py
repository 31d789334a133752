"""The one door to ONNX Runtime: providers, session options, no telemetry."""

from consensus_onnx.runtime.providers import Provider, available_providers
from consensus_onnx.runtime.session import RuntimeSettings, on_device, open_session, runtime_version, serialise

__all__ = [
    "Provider",
    "RuntimeSettings",
    "available_providers",
    "on_device",
    "open_session",
    "runtime_version",
    "serialise",
]
