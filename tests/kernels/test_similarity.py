import numpy as np
import pytest

import naive
from consensus_onnx_kernels import similarity

RNG = np.random.default_rng(0)
VALUES = RNG.normal(size=(5, 30))
REFERENCES = RNG.normal(size=(5, 30))


@pytest.mark.parametrize("name", ["cosine", "distance"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_twins_agree_for_one_reference_and_for_one_each(name, dtype):
    values = VALUES.astype(dtype)
    twin = getattr(naive, name)
    each = [twin(v.astype(float), r) for v, r in zip(values, REFERENCES, strict=True)]
    np.testing.assert_allclose(getattr(similarity, name)(values, REFERENCES), each, rtol=1e-12)
    one = [twin(v.astype(float), REFERENCES[1]) for v in values]
    np.testing.assert_allclose(getattr(similarity, name)(values, REFERENCES[1:2]), one, rtol=1e-12)


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_cosine_does_not_depend_on_scales(scale):
    expected = similarity.cosine(VALUES, REFERENCES)
    np.testing.assert_allclose(similarity.cosine(VALUES * scale, REFERENCES / scale), expected, rtol=1e-12)


def test_cosine_stays_within_one_and_zero_has_none():
    values = np.array([[0.1, 0.2, 0.3], [-0.1, -0.2, -0.3], [0.0, 0.0, 0.0]])
    cosines = similarity.cosine(values, values[:1])
    assert cosines[0] <= 1.0
    assert cosines[0] == pytest.approx(1.0)
    assert cosines[1] >= -1.0
    assert np.isnan(cosines[2])
    assert np.isnan(similarity.cosine(values, np.zeros((1, 3)))).all()
