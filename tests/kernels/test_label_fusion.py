import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leanseg.kernels import labels_of_scores, resample, resample_labels

pytestmark = pytest.mark.usefixtures("way")

SHAPES = st.tuples(*[st.integers(1, 8)] * 3)


@given(classes=st.integers(1, 6), old=SHAPES, new=SHAPES, half=st.booleans(), seed=st.integers(0, 1000))
@settings(deadline=None, max_examples=60)
def test_labels_are_the_argmax_of_the_resampled_scores(classes, old, new, half, seed):
    import torch

    scores = np.random.default_rng(seed).normal(size=(classes, *old)).astype(np.float16 if half else np.float32)
    enlarging = all(a <= b for a, b in zip(old, new, strict=True))
    if enlarging:
        naive = torch.nn.functional.interpolate(
            torch.from_numpy(scores.astype(np.float64))[None], size=new, mode="trilinear", align_corners=False
        )[0].numpy()
    else:
        naive = resample(scores, new)
    labels = labels_of_scores(scores, new)
    chosen = np.take_along_axis(naive, labels[None].astype(np.int64), axis=0)[0]
    np.testing.assert_allclose(chosen, naive.max(axis=0), atol=1e-5)


def test_exact_ties_go_to_the_lowest_class():
    scores = np.zeros((4, 2, 3, 3), dtype=np.float32)
    scores[1:3, 0] = 1.0
    for shape in ((2, 3, 3), (2, 3, 6)):
        assert (labels_of_scores(scores, shape)[0] == 1).all()
        assert (labels_of_scores(scores, shape)[1] == 0).all()


def test_scores_below_zero_compete_as_they_are():
    scores = np.full((3, 1, 2, 2), -5.0, dtype=np.float32)
    scores[2] = -1.0
    assert (labels_of_scores(scores, (2, 4, 4)) == 2).all()


def test_more_than_256_classes_get_16_bits():
    scores = np.zeros((300, 1, 1, 2), dtype=np.float32)
    scores[299, ..., 0] = 1
    labels = labels_of_scores(scores, (1, 1, 2))
    assert labels.dtype == np.uint16
    assert labels.ravel().tolist() == [299, 0]
    assert labels_of_scores(scores[:256], (1, 1, 2)).dtype == np.uint8


@given(
    written=st.lists(st.integers(1, 400), min_size=1, max_size=5),
    old=SHAPES,
    new=SHAPES,
    same=st.booleans(),
    seed=st.integers(0, 1000),
)
@settings(deadline=None, max_examples=60)
def test_regions_are_painted_in_order_where_their_resampled_logit_is_above_zero(written, old, new, same, seed):
    new = old if same else new
    scores = np.random.default_rng(seed).normal(size=(len(written), *old)).astype(np.float32)
    scores[np.random.default_rng(seed).random(scores.shape) < 0.2] = 0  # is not above 0
    expected = np.zeros(new, dtype=int)
    for value, logit in zip(written, resample(scores, new), strict=True):
        for place in np.ndindex(new):
            if logit[place] > 0:
                expected[place] = value
    labels = labels_of_scores(scores, new, written)
    assert labels.dtype == (np.uint8 if max(written) < 256 else np.uint16)
    np.testing.assert_array_equal(labels, expected)


def test_a_region_without_a_value_is_refused():
    with pytest.raises(ValueError, match="3 regions and 2 values"):
        labels_of_scores(np.zeros((3, 1, 1, 1), dtype=np.float32), (1, 1, 1), [1, 2])


@pytest.mark.parametrize("regions", [False, True])
def test_memory_does_not_grow_with_the_classes(monkeypatch, regions):
    monkeypatch.setattr("leanseg.kernels.label_painting.cores", lambda: 1)

    def peak(classes):
        scores = np.zeros((classes, 24, 24, 24), dtype=np.float16)
        tracemalloc.start()
        labels_of_scores(scores, (64, 128, 128), range(1, classes + 1) if regions else None)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    assert peak(20) < peak(2) + 2**20  # the kernel in C works in less than that
    assert peak(20) < 20 * 64 * 128 * 128 * 4 / 3


@given(old=SHAPES, new=SHAPES, seed=st.integers(0, 1000))
@settings(deadline=None, max_examples=40)
def test_resampled_labels_are_the_argmax_of_their_one_hot_volumes(old, new, seed):
    labels = np.random.default_rng(seed).choice([0, 1, 3], size=old).astype(np.uint8)
    shares = resample(np.stack([labels == k for k in range(4)]).astype(np.float32), new)
    result = resample_labels(labels, new)
    chosen = np.take_along_axis(shares, result[None].astype(np.int64), axis=0)[0]
    np.testing.assert_allclose(chosen, shares.max(axis=0), atol=1e-6)


@pytest.mark.parametrize("shape", [(3, 4, 5), (6, 8, 10), (1, 2, 5)])
def test_a_constant_label_map_stays_constant(shape):
    assert (resample_labels(np.full((3, 4, 5), 7, dtype=np.uint16), shape) == 7).all()
