import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leanseg.kernels import resample

SHAPES = st.tuples(*[st.integers(1, 9)] * 3)


def axis_by_definition(values, new):
    """Weighted mean under a triangle centred on each output voxel, border voxels repeated; one line of float64."""
    old = len(values)
    half_width = max(1.0, old / new)
    result = []
    for i in range(new):
        centre = (i + 0.5) * old / new - 0.5
        total = weight_sum = 0.0
        for j in range(-3 * old - 3, 4 * old + 3):
            weight = max(0.0, 1 - abs(j - centre) / half_width)
            total += weight * values[min(max(j, 0), old - 1)]
            weight_sum += weight
        result.append(total / weight_sum)
    return result


def by_definition(volume, shape):
    for axis, size in enumerate(shape):
        volume = np.apply_along_axis(axis_by_definition, axis, volume, size)
    return volume


@given(old=SHAPES, new=SHAPES, channels=st.integers(1, 2), seed=st.integers(0, 1000))
@settings(deadline=None, max_examples=30)
def test_resampling_agrees_with_its_definition_in_float64(old, new, channels, seed):
    volumes = np.random.default_rng(seed).normal(size=(channels, *old))
    result = resample(volumes.astype(np.float32), new)
    assert result.dtype == np.float32
    assert result.flags.c_contiguous
    for volume, resampled in zip(volumes, result, strict=True):
        np.testing.assert_allclose(resampled, by_definition(volume, new), atol=3e-6)


@given(old=SHAPES, grown=st.tuples(*[st.integers(0, 130)] * 3), seed=st.integers(0, 1000))
@settings(deadline=None, max_examples=25)
def test_enlarging_agrees_with_torch(old, grown, seed):
    import torch

    new = tuple(size + more for size, more in zip(old, grown, strict=True))
    volumes = np.random.default_rng(seed).normal(size=(2, *old)).astype(np.float32)
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(volumes)[None].double(), size=new, mode="trilinear", align_corners=False
    )
    np.testing.assert_allclose(resample(volumes, new), expected[0].numpy(), atol=3e-6)


def test_slabs_of_a_large_volume_join_without_a_seam(monkeypatch):
    volume = np.random.default_rng(0).normal(size=(1, 23, 17, 40)).astype(np.float32)
    whole = resample(volume, (50, 33, 21))
    monkeypatch.setattr("leanseg.kernels.resampling._SLAB_BYTES", 3 * 4 * 33 * 40)
    monkeypatch.setattr("leanseg.kernels.resampling._BLOCK", 5)
    np.testing.assert_allclose(resample(volume, (50, 33, 21)), whole, atol=1e-6)


def test_views_with_any_strides_are_resampled_like_their_copies():
    volume = np.random.default_rng(1).normal(size=(2, 5, 6, 7)).astype(np.float32)
    for order in itertools.permutations((1, 2, 3)):
        view = volume.transpose(0, *order)[:, ::-1]
        np.testing.assert_array_equal(resample(view, (4, 9, 6)), resample(view.copy(), (4, 9, 6)))


def test_equal_shapes_are_passed_on_untouched():
    volume = np.random.default_rng(2).normal(size=(1, 4, 5, 6)).astype(np.float32)
    assert resample(volume, (4, 5, 6)) is volume


def test_shrinking_keeps_the_mean_where_sampling_would_lose_it():
    stripes = np.zeros((1, 8, 8, 64), dtype=np.float32)
    stripes[..., ::4] = 1
    inner = resample(stripes, (8, 8, 16))[..., 1:-1]
    assert inner == pytest.approx(0.25, abs=1e-6)
