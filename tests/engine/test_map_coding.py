"""What a map loses by being kept small stays within the bounds that are stated, whatever its range."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from consensus_onnx.arrays import Float32Array, Float64Array
from consensus_onnx.engine import map_coding
from consensus_onnx.engine.map_coding import STEPS, UncodableError, decode_map, encode_map

SMALLEST = float(np.finfo(np.float32).smallest_subnormal)
ROUNDED = float(np.finfo(np.float32).eps)  # what writing a number as float32 may cost

shapes = hnp.array_shapes(min_dims=2, max_dims=2, max_side=6)
finite = st.floats(width=32, allow_nan=False, allow_infinity=False)
maps = hnp.arrays(np.float32, shapes, elements=finite)
# The maps that occur: one range each, far above what float16 holds or far below.
ranged = st.builds(
    lambda values, exponent: np.float32(values * 10.0**exponent),
    hnp.arrays(np.float64, shapes, elements=st.floats(0, 1)),
    st.integers(-30, 30),
)
errors = hnp.arrays(
    np.float32, shapes, elements=st.one_of(st.floats(0, width=32), st.sampled_from([math.nan, math.inf]))
)


def there_and_back(name: str, pixel_map: Float32Array, form: str) -> Float32Array:
    """Code a map, take the coding through JSON as a receipt does, and decode it."""
    coded = encode_map(name, pixel_map, form)  # type: ignore[arg-type]
    assert coded.codes.dtype == form
    coding = json.loads(json.dumps(coded.coding, allow_nan=False))
    found = decode_map(coded.codes, coding) if coding else coded.codes
    assert found.dtype == np.float32
    assert found.shape == pixel_map.shape
    return found


def lost(pixel_map: Float32Array, found: Float32Array) -> Float64Array:
    assert np.isfinite(found).all()
    return np.asarray(np.abs(found.astype(np.float64) - pixel_map))


@given(maps)
def test_float32_loses_nothing(pixel_map: Float32Array) -> None:
    assert there_and_back("values", pixel_map, "float32").tobytes() == pixel_map.tobytes()


@given(st.one_of(maps, ranged))
def test_float16_loses_a_2048th(pixel_map: Float32Array) -> None:
    exact = np.abs(pixel_map.astype(np.float64))
    bound = np.maximum(np.maximum(exact / 2048, exact.max() / 2**38), SMALLEST)
    assert (lost(pixel_map, there_and_back("values", pixel_map, "float16")) <= bound).all()


@given(st.one_of(maps, ranged))
def test_uint8_values_lose_what_is_stated(pixel_map: Float32Array) -> None:
    exact = pixel_map.astype(np.float64)
    first, last = (math.copysign(math.sqrt(abs(end)), end) for end in (exact.min(), exact.max()))
    step = (last - first) / STEPS
    bound = step * np.sqrt(np.abs(exact)) + step**2 / 2
    found = there_and_back("values", pixel_map, "uint8")
    assert (lost(pixel_map, found) <= bound * (1 + 1e-9) + np.abs(exact) * ROUNDED + SMALLEST).all()
    assert (found.min(), found.max()) == (pixel_map.min(), pixel_map.max())


@given(st.one_of(maps, ranged))
def test_uint8_keeps_the_order_of_values(pixel_map: Float32Array) -> None:
    order = np.argsort(pixel_map, axis=None, kind="stable")
    assert (np.diff(there_and_back("values", pixel_map, "uint8").ravel()[order]) >= 0).all()


@given(errors)
def test_uint8_errors_keep_three_quarters_zero_infinity_and_nan(pixel_map: Float32Array) -> None:
    found = there_and_back("standard_error", pixel_map, "uint8")
    known = np.isfinite(pixel_map)
    assert (found[~known].tobytes(), (found[pixel_map == 0] == 0).all()) == (pixel_map[~known].tobytes(), True)
    largest = float(pixel_map[known].max(initial=0))
    exact = pixel_map[known].astype(np.float64)
    told = exact > largest * 1e-44
    assert (lost(pixel_map[known], found[known])[told] <= exact[told] * (0.25 + ROUNDED) + SMALLEST).all()


@given(errors)
def test_float16_errors_keep_infinity_and_nan(pixel_map: Float32Array) -> None:
    found = there_and_back("standard_error", pixel_map, "float16")
    known = np.isfinite(pixel_map)
    assert found[~known].tobytes() == pixel_map[~known].tobytes()
    assert np.isfinite(found[known]).all()


@pytest.mark.parametrize("form", ["float16", "uint8"])
@pytest.mark.parametrize("number", [0.0, 7.25, -3.0, 1e-42])
def test_a_map_of_one_number_stays_it(form: str, number: float) -> None:
    pixel_map = np.full((3, 2), number, np.float32)
    assert (there_and_back("values", pixel_map, form) == pixel_map).all()


def test_uint8_errors_keep_how_much_noise_there_is() -> None:
    drawn = np.random.default_rng(0).lognormal(0, 0.5, (300, 300)).astype(np.float32)
    found = there_and_back("standard_error", drawn, "uint8")
    assert np.square(found, dtype=np.float64).mean() == pytest.approx(
        np.square(drawn, dtype=np.float64).mean(), rel=0.03
    )


def test_a_negative_error_is_refused_not_folded() -> None:
    with pytest.raises(UncodableError, match=r"standard_error: holds -0.5, and storage.maps uint8 knows none below 0"):
        encode_map("standard_error", np.array([[1, -0.5]], np.float32), "uint8")


def test_codes_that_no_map_has_are_refused() -> None:
    coded = encode_map("values", np.array([[1, 2]], np.float32), "uint8")
    with pytest.raises(ValueError, match="are none of this version"):
        decode_map(np.full_like(coded.codes, STEPS + 1), coded.coding)
    with pytest.raises(ValueError, match="are none of this version"):
        decode_map(coded.codes, ("log", 1.0))


def test_a_wrong_decoder_breaks_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even steps between the ends instead of between their roots: the property above must not hold of them."""
    monkeypatch.setattr(map_coding, "_steps", lambda low, high: np.linspace(low, high, STEPS + 1))
    with pytest.raises(AssertionError):
        test_uint8_values_lose_what_is_stated()


def test_the_bytes_are_known() -> None:
    """Computed by hand: roots 0 and 2 are 100 steps apart, 1 lies at step 50; errors fall to 0.6 of the last a code."""
    coded = encode_map("values", np.array([[0, 4, 1, 1.03]], np.float32), "uint8")
    assert coded.coding == ("steps", 0.0, 4.0)
    assert coded.codes.tolist() == [[0, 100, 50, 51]]
    coded = encode_map("standard_error", np.array([[9, 5, 3.3, 0, np.inf, np.nan]], np.float32), "uint8")
    assert coded.coding == ("ratios", 9.0)
    assert coded.codes.tolist() == [[253, 252, 251, 0, 254, 255]]
    coded = encode_map("values", np.array([[1e6, 0.5e6]], np.float32), "float16")
    assert coded.coding == ("scaled", -6)
    assert coded.codes.tolist() == [[15624.0, 7812.0]]  # in the nearest steps of 8 and 4
