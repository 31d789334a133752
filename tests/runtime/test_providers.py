"""The provider asked for is the one that runs, or there is an error."""

from __future__ import annotations

from typing import Any

import onnxruntime
import pytest

import consensus_onnx as co
from consensus_onnx.runtime import available_providers, open_session
from consensus_onnx.runtime.providers import provider_name, provider_options
from consensus_onnx.runtime.session import provider_of
from tiny_models import TinyNet

MODEL = TinyNet().model()
no_gpu = pytest.mark.skipif("cuda" in available_providers(), reason="a usable CUDA device is here")


class Device:
    def __init__(self, ep_name: str) -> None:
        self.ep_name = ep_name


@pytest.fixture
def fake_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ONNX Runtime claim a GPU that no session can be opened on."""
    devices = [Device("CPUExecutionProvider"), Device("CUDAExecutionProvider")]
    monkeypatch.setattr(onnxruntime, "get_ep_devices", lambda: devices)


def test_the_cpu_is_always_there() -> None:
    assert available_providers()[-1] == "cpu"
    assert provider_options("cpu") == [("CPUExecutionProvider", {})]
    assert provider_of(open_session(MODEL, co.RuntimeSettings(provider="cpu"))) == "cpu"


@no_gpu
def test_cuda_without_a_gpu_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(co.ModelError) as caught:
        open_session(MODEL, co.RuntimeSettings(provider="cuda"))
    assert str(caught.value) == (
        "provider cuda was asked for, but ONNX Runtime finds no usable CUDA device here; install the extra "
        "`consensus-onnx[cuda]` and check the driver, or use --provider cpu"
    )


@no_gpu
def test_auto_without_a_gpu_is_the_cpu() -> None:
    assert provider_of(open_session(MODEL, co.RuntimeSettings(provider="auto"))) == "cpu"


@no_gpu
@pytest.mark.usefixtures("fake_gpu")
@pytest.mark.parametrize("provider", ["cuda", "auto"])
def test_a_silent_fallback_of_the_runtime_is_an_error(provider: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """ONNX Runtime opens a CPU session where CUDA fails, and prints that; so what really runs is looked at."""
    real = onnxruntime.InferenceSession

    def falling_back(source: Any, options: Any, providers: Any, **rest: Any) -> Any:
        assert providers[0][0] == "CUDAExecutionProvider"
        assert rest == {"enable_fallback": 0}
        return real(source, options, providers=["CPUExecutionProvider"])

    monkeypatch.setattr(onnxruntime, "InferenceSession", falling_back)
    with pytest.raises(
        co.ModelError, match=r"provider cuda was asked for, but ONNX Runtime runs the model on cpu; check"
    ):
        open_session(MODEL, co.RuntimeSettings(provider=provider))


@pytest.mark.usefixtures("fake_gpu")
def test_cuda_is_asked_to_be_exact() -> None:
    (name, options), fallback = provider_options("cuda")
    assert name == "CUDAExecutionProvider"
    assert options["use_tf32"] == "0"
    assert options["cudnn_conv_algo_search"] == "HEURISTIC"
    assert fallback[0] == "CPUExecutionProvider"


@pytest.mark.parametrize(
    ("long", "short"),
    [("CPUExecutionProvider", "cpu"), ("CUDAExecutionProvider", "cuda"), ("OpenVINOExecutionProvider", "openvino")],
)
def test_short_names(long: str, short: str) -> None:
    assert provider_name(long) == short
