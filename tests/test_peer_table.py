"""The page of tests/benchmarks/peer_comparison.py says what its numbers say, without any peer installed."""

from __future__ import annotations

from typing import Any

from benchmarks.peer_table import comparison_page


def entry(task: str, tool: str, seconds: list[float], peak: float, **more: Any) -> dict[str, Any]:
    return {"task": task, "tool": tool, "batch": 4, "seconds": seconds, "peak_mb": peak, "open_mb": 100, **more}


def document(**ours: Any) -> dict[str, Any]:
    same = {"with_ours": 0.72, "with_itself": 0.81, "ours_with_itself": 0.64}
    entries = [
        entry("lime", "onnxruntime", [2.0, 1.0], 150),
        entry("lime", "ours, lime", [1.5, 1.25], 300),
        entry("lime", "lime", [3.0, 2.5], 350, **same),
        entry("lime", "captum, lime", [4.0, 5.0], 800),
        entry("lime", "pytorch", [2.0, 2.5], 500),
        entry("smoothgrad", "onnxruntime", [0.1], 150),
        entry("smoothgrad", "ours, smoothgrad", [0.4], 400) | ours,
        entry("smoothgrad", "captum, smoothgrad", [0.5], 500),
    ]
    network = {"title": "TinyNet", "superpixels": 72, "loads": [0.1, 1.9], "entries": entries}
    return {
        "machine": {"processor": "a chip", "cores": 2, "memory_gb": 24.6, "system": "Linux"},
        "versions": {"our": {"numpy": "2.4.6", "onnxruntime": ""}},
        "options": {"rows": 500, "draws": 50, "rounds": 2, "threads": 2},
        "networks": [network],
    }


def test_times_are_the_least_of_the_rounds_and_multiples_of_the_bare_passes() -> None:
    page = comparison_page(document())
    assert (
        "| LIME, 500 rows: seconds, multiple of ONNX Runtime's bare passes (of PyTorch's) | TinyNet |\n|---|---|\n"
        in page
    )
    assert "| ours | 1.25 s, 1.25 |" in page
    assert "| lime, its defaults (batch 10) | 2.50 s, 2.50 |" in page
    assert "| captum, its defaults (batch 1) | 4.00 s, 4.00 (2.00) |" in page
    assert "| SmoothGrad, 50 draws: peak memory in MB (before the first explanation); batch | TinyNet |" in page
    assert "| ours | 400 (100); 4 |" in page
    assert "numpy 2.4.6." in page
    assert "onnxruntime ," not in page


def test_agreement_is_freed_of_noise() -> None:
    assert "| TinyNet, lime | 0.720 | 0.810 | 0.640 | 1.000 |" in comparison_page(document())


def test_losses_are_said() -> None:
    assert comparison_page(document()).endswith("Where a peer wins: nowhere in this run.\n")
    page = comparison_page(document(seconds=[0.75], peak_mb=900))
    assert "- TinyNet, smoothgrad: captum, best batch takes 0.50 s, ours 0.75 s." in page
    assert "- TinyNet, smoothgrad: captum, best batch takes 500 MB, ours 900 MB." in page
