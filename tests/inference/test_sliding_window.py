import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leanseg.inference.sliding_window import fuse, gaussian, pad_to_tile, tile_starts, windows

SIZES = st.tuples(*[st.integers(1, 17)] * 3)
TILES = st.tuples(*[st.integers(1, 8)] * 3)
OVERLAPS = st.sampled_from([0.0, 0.25, 0.5, 0.75, 0.9])


def voxelwise(tile):
    """A network that looks at one voxel at a time, so tiling must not change what it gives."""
    return np.concatenate([tile[:, :1] * 2 - 1, np.abs(tile[:, :1]), tile.sum(axis=1, keepdims=True) ** 2], axis=1)


@given(size=SIZES, tile=TILES, overlap=OVERLAPS, channels=st.integers(1, 2), seed=st.integers(0, 1000))
@settings(deadline=None, max_examples=60)
def test_a_voxelwise_network_gives_the_same_with_and_without_tiles(size, tile, overlap, channels, seed):
    image = np.random.default_rng(seed).normal(size=(channels, *size)).astype(np.float32)
    np.testing.assert_allclose(fuse(voxelwise, image, tile, overlap), voxelwise(image[None])[0], rtol=1e-5, atol=1e-5)


@given(size=st.integers(1, 300), tile=st.integers(1, 70), overlap=st.floats(0, 0.95))
@settings(deadline=None, max_examples=200)
def test_tiles_cover_the_axis_with_the_overlap_asked_for_and_none_too_many(size, tile, overlap):
    starts = tile_starts(size, tile, overlap)
    assert starts[0] == 0
    assert max(size, tile) == starts[-1] + tile
    gaps = np.diff(starts)
    most = max(1, np.floor(tile * (1 - overlap) + 1e-9))
    assert (gaps >= 1).all()
    assert (gaps <= most).all()
    if len(gaps):
        assert gaps.max() - gaps.min() <= 1
        assert (len(starts) - 2) * most + tile < size


@given(size=st.integers(1, 100), tile=st.integers(1, 40), overlap=OVERLAPS)
@settings(deadline=None, max_examples=100)
def test_weights_sum_to_one_everywhere(size, tile, overlap):
    total = np.zeros(max(size, tile))
    for window in windows(max(size, tile), tile, overlap):
        assert (window.weights > 0).all()
        total[window.place] += window.weights
    np.testing.assert_allclose(total, 1, atol=1e-6)


def test_overlapping_tiles_are_averaged_by_gaussian_weights():
    def position(tile):
        position.calls += 1
        return np.full_like(tile, position.calls)

    position.calls = 0
    size, tile = (5, 4, 6), (4, 4, 4)
    scores = fuse(position, np.zeros((1, *size), dtype=np.float32), tile, 0.5)[0]
    weights, expected = np.zeros(size), np.zeros(size)
    bell = np.exp(-0.5 * ((np.indices(tile) - 1.5) ** 2).sum(axis=0) / 0.5**2)
    for call, (d, w) in enumerate(itertools.product((0, 1), (0, 2)), start=1):
        weights[d : d + 4, :, w : w + 4] += bell
        expected[d : d + 4, :, w : w + 4] += bell * call
    np.testing.assert_allclose(scores, expected / weights, rtol=1e-5)


def test_the_middle_of_a_tile_weighs_most():
    bell = gaussian(8)
    assert bell.argmax() in (3, 4)
    np.testing.assert_allclose(bell, bell[::-1])
    assert bell.min() > 0
    assert gaussian(1) == pytest.approx(1)


def test_a_small_image_is_centred_in_zeros():
    padded, inside = pad_to_tile(np.ones((2, 3, 4, 9), dtype=np.float32), (6, 4, 5))
    assert padded.shape == (2, 6, 4, 9)
    assert padded[:, 1:4].min() == 1
    assert padded[:, 0].max() == padded[:, 4:].max() == 0
    assert inside == (slice(1, 4), slice(0, 4), slice(0, 9))


def test_the_network_is_given_whole_contiguous_tiles():
    def checked(tile):
        assert tile.shape == (1, 1, 4, 5, 6)
        assert tile.dtype == np.float32
        assert tile.flags.c_contiguous
        return tile

    image = np.zeros((1, 9, 3, 7), dtype=np.float32)
    assert fuse(checked, image, (4, 5, 6), 0.5).shape == image.shape


@given(size=st.integers(1, 60), tile=st.integers(1, 30), overlap=OVERLAPS)
@settings(deadline=None, max_examples=60)
def test_constant_weights_count_every_tile_over_a_voxel_alike(size, tile, overlap):
    found = windows(max(size, tile), tile, overlap, "constant")
    counts = np.zeros(max(size, tile))
    for window in found:
        counts[window.place] += 1
    for window in found:
        np.testing.assert_allclose(window.weights, 1 / counts[window.place], rtol=1e-6)


def test_tiles_are_blended_as_asked():
    def numbered(tile):
        numbered.calls += 1
        return np.full_like(tile, numbered.calls)

    numbered.calls = 0
    scores = fuse(numbered, np.zeros((1, 6, 4, 4), dtype=np.float32), (4, 4, 4), 0.5, blending="constant")
    np.testing.assert_allclose(scores[0, :, 0, 0], [1, 1, 1.5, 1.5, 2, 2])
