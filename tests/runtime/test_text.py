"""Text from strangers is shown, never obeyed; failed allocations are known by their words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consensus_onnx.runtime.memory import ran_out_of_memory, tells_of_memory
from consensus_onnx.runtime.text import printable


@given(st.text(max_size=500), st.integers(10, 400))
def test_printable_text_is_one_short_line(text: str, limit: int) -> None:
    line = printable(text, limit)
    assert len(line) <= limit
    assert line == "" or line.isprintable()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b]0;owned\x07\x1b[31mred", "?]0;owned??[31mred"),
        ("abc\u202egnp.exe", "abc?gnp.exe"),
        ("two\r\nlines\tand  more", "two lines and more"),
        ("\u2066\u200b\x00\x85", "???"),
        ("Größe <b>", "Größe <b>"),
    ],
)
def test_what_a_terminal_would_obey_is_taken_out(text: str, expected: str) -> None:
    assert printable(text) == expected


@pytest.mark.parametrize(
    "words",
    [
        "[ONNXRuntimeError] : 1 : FAIL : BFCArena::AllocateRawInternal Failed to allocate memory for requested buffer",
        "std::bad_alloc",
        "CUDA error: out of memory",
        "Available memory of 4 is smaller than requested bytes of 8",
        "CUDNN_STATUS_ALLOC_FAILED",
        "CUBLAS_STATUS_ALLOC_FAILED",
        "Unable to allocate 298. GiB for an array with shape (200000, 200000)",
        "[Errno 12] Cannot allocate memory",
    ],
)
def test_words_of_memory(words: str) -> None:
    assert tells_of_memory(words)


def test_the_cause_counts_and_other_errors_do_not() -> None:
    error = ValueError("no use")
    error.__cause__ = MemoryError()
    assert ran_out_of_memory(error)
    assert not ran_out_of_memory(ValueError("the input has rank 3"))
