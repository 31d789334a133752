import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import naive
from consensus_onnx_kernels import noise

KEY = np.array([0xDEADBEEFCAFEBABE, 0x0123456789ABCDEF], np.uint64)
words = st.integers(0, 2**64 - 1)


@given(words, words, st.integers(0, 2**62), st.integers(1, 700))
@settings(max_examples=40, deadline=None)
def test_bits_are_those_of_numpys_philox(k0, k1, first, k):
    key = np.array([k0, k1], np.uint64)
    rows = noise.random_bits(key, first, 2, k)
    for p in range(2):
        raw = np.random.Philox(key=key, counter=[0, 0, first + p, 0]).random_raw((k + 63) // 64)
        assert np.array_equal(rows[p], np.unpackbits(raw.view(np.uint8), bitorder="little")[:k])


def test_published_words():
    """The known answer of the generator's authors (Random123) for counter 0 and key 0."""
    numpy_first_counter = np.array([2**64 - 1] * 4, np.uint64)  # NumPy adds one before the first block
    zero = np.random.Philox(key=[0, 0], counter=numpy_first_counter).random_raw(1)[0]
    assert zero == 0x16554D9ECA36314C
    words = np.zeros((4, 1), np.uint64)
    noise._encrypt(noise._round_keys(np.zeros(2, np.uint64)), *words, 1)
    assert words[:, 0].tolist() == [0x16554D9ECA36314C, 0xDB20FE9D672D0FDC, 0xD7E772CEE186176B, 0x7E68B68AEC7BA23B]


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 1023, 1024, 1030])
def test_twins_agree(n):
    assert np.array_equal(noise.random_bits(KEY, 7, 3, n), naive.random_bits(KEY, 7, 3, n))
    np.testing.assert_allclose(noise.standard_normal(KEY, 7, 2, n), naive.standard_normal(KEY, 7, 2, n), rtol=1e-6)


def test_empty_draws():
    assert noise.random_bits(KEY, 0, 0, 5).shape == (0, 5)
    assert noise.standard_normal(KEY, 0, 3, 0).shape == (3, 0)


@given(st.integers(0, 1000), st.lists(st.integers(1, 5), min_size=1, max_size=4), st.integers(1, 80))
@settings(max_examples=30, deadline=None)
def test_batches_do_not_matter(first, counts, n):
    starts = first + np.cumsum([0, *counts[:-1]])
    for draw in (noise.random_bits, noise.standard_normal):
        whole = draw(KEY, first, sum(counts), n)
        parts = [draw(KEY, int(start), count, n) for start, count in zip(starts, counts, strict=True)]
        assert np.array_equal(whole, np.concatenate(parts))


def test_shorter_rows_are_prefixes():
    assert np.array_equal(noise.random_bits(KEY, 3, 2, 60), noise.random_bits(KEY, 3, 2, 300)[:, :60])
    assert np.array_equal(noise.standard_normal(KEY, 3, 2, 61), noise.standard_normal(KEY, 3, 2, 302)[:, :61])


def test_threads_do_not_matter(monkeypatch):
    expected = noise.standard_normal(KEY, 5, 3, 4001)
    monkeypatch.setattr(noise, "PARALLEL_FROM", 0)
    before = numba.get_num_threads()
    try:
        for threads in (1, before):
            numba.set_num_threads(threads)
            assert np.array_equal(noise.standard_normal(KEY, 5, 3, 4001), expected)
    finally:
        numba.set_num_threads(before)


def test_series_are_as_exact_as_the_c_library():
    """Of 400,000 normals each is within a rounding of float32 of what the library's functions give."""
    count = 400_000 if not numba.config.DISABLE_JIT else 4000
    raw = np.random.Philox(key=KEY, counter=[0, 0, 1, 0]).random_raw(count)
    radius = np.sqrt(-2 * np.log(((raw[::2] >> np.uint64(11)) + np.uint64(1)) / 2**53))
    angle = 2 * np.pi * ((raw[1::2] >> np.uint64(11)) / 2**53)
    expected = np.column_stack([radius * np.cos(angle), radius * np.sin(angle)]).ravel()
    np.testing.assert_allclose(noise.standard_normal(KEY, 1, 1, count)[0], expected, rtol=2e-7, atol=1e-14)


@pytest.mark.parametrize("word", [0, 2**64 - 1, 2**63, 2**62, 3 * 2**62, 2**61, 2**11, 2**64 - 2**11])
def test_edges_of_the_series(word):
    out = np.zeros(4, np.float32)
    words = np.array([word], np.uint64)
    noise._normal_pairs(words, words, 1, out)
    radius = np.sqrt(-2 * np.log(((word >> 11) + 1) / 2**53))
    angle = 2 * np.pi * ((word >> 11) / 2**53)
    np.testing.assert_allclose(out[:2], [radius * np.cos(angle), radius * np.sin(angle)], rtol=2e-7, atol=1e-14)


def test_normals_are_standard_normal():
    drawn = noise.standard_normal(KEY, 0, 4, 10_000)
    assert drawn.dtype == np.float32
    flat = drawn.astype(np.float64).ravel()
    assert stats.kstest(flat, "norm").pvalue > 0.01
    assert abs(flat.mean()) < 3 / np.sqrt(flat.size)
    assert abs(flat.var() - 1) < 3 * np.sqrt(2 / flat.size)
    assert abs(stats.skew(flat)) < 3 * np.sqrt(6 / flat.size)
    assert abs(stats.kurtosis(flat)) < 3 * np.sqrt(24 / flat.size)
    # Samples, and the cosine and sine of one pair, are uncorrelated.
    assert np.abs(np.corrcoef(drawn) - np.eye(4)).max() < 4 / np.sqrt(10_000)
    assert abs(np.corrcoef(flat[::2], flat[1::2])[0, 1]) < 4 / np.sqrt(flat.size / 2)


def test_the_distribution_check_can_fail():
    drawn = noise.standard_normal(KEY, 0, 4, 10_000).ravel() * np.float32(1.03)
    assert stats.kstest(drawn, "norm").pvalue < 0.01


def test_bits_are_fair_and_independent():
    rows = noise.random_bits(KEY, 0, 2000, 100).astype(float)
    assert abs(rows.mean() - 0.5) < 3 * 0.5 / np.sqrt(rows.size)
    assert np.abs(np.corrcoef(rows.T) - np.eye(100)).max() < 5 / np.sqrt(2000)


def test_keys_give_other_streams():
    for other in ([1, 0], [0, 1]):
        drawn = noise.random_bits(np.array(other, np.uint64), 0, 1, 640)
        assert 200 < (drawn != noise.random_bits(np.zeros(2, np.uint64), 0, 1, 640)).sum() < 440
