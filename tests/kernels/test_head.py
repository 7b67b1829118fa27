import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leanseg.kernels import Head


@given(
    outputs=st.integers(1, 9),
    features=st.integers(1, 9),
    shape=st.lists(st.integers(0, 4), max_size=4),
    half=st.booleans(),
)
@settings(deadline=None, max_examples=40)
def test_scores_are_those_of_a_1x1x1_convolution(outputs, features, shape, half):
    random = np.random.default_rng(0)
    weights, bias = random.normal(size=(outputs, features)), random.normal(size=outputs)
    array = random.normal(size=(features, *shape)).astype(np.float16 if half else np.float32)
    scores = Head(weights, bias).scores(array)
    assert scores.dtype == np.float32
    expected = np.einsum("kf,f...->k...", weights, array.astype(np.float64)) + bias.reshape(-1, *[1] * len(shape))
    np.testing.assert_allclose(scores, expected, atol=1e-5)


@pytest.mark.parametrize(("weights", "bias"), [((3, 2), (2,)), ((3,), (3,)), ((0, 2), (0,)), ((3, 0), (3,))])
def test_weights_and_bias_that_do_not_fit_are_refused(weights, bias):
    with pytest.raises(ValueError, match="are not"):
        Head(np.zeros(weights, np.float32), np.zeros(bias, np.float32))
