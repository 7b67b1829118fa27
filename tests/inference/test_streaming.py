import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leanseg.inference.sliding_window import fuse
from leanseg.inference.streaming import finished_slabs, roll_axis, rolled, streaming_bytes
from leanseg.progress import Progress

SIZES = st.tuples(*[st.integers(1, 17)] * 3)
TILES = st.tuples(*[st.integers(1, 8)] * 3)
OVERLAPS = st.sampled_from([0.0, 0.25, 0.5, 0.75, 0.9])
AXES = [0, 1, 2]


def network(tile):
    """Two numbers per voxel that depend on what is in the tile, and on where in it the voxel is; in reused memory."""
    place = np.arange(tile[0, 0].size, dtype=np.float32).reshape(tile.shape[2:]) / tile[0, 0].size
    network.result = np.stack([tile.sum(axis=1) * (1 + place), tile[:, 0] - place * tile.mean()], axis=1)
    return network.result


def image_of(size, seed=0, channels=2):
    return np.random.default_rng(seed).normal(size=(channels, *size)).astype(np.float32)


def collected(slabs, size, axis):
    """All slices (F, D, H, W), and which part of `before` was there with each slab."""
    order, at = rolled(axis), 0
    parts, befores = [], []
    for slab in slabs:
        assert slab.first == at
        at += slab.array.shape[1]
        parts.append(slab.array.copy())
        befores.append(slab.with_before.copy())
    assert at == size[axis]
    whole = np.concatenate(parts, axis=1)
    assert whole.shape[1:] == tuple(size[other] for other in order)
    return np.moveaxis(whole, 1, 1 + axis), whole, befores


@given(
    size=SIZES, tile=TILES, overlap=OVERLAPS, blending=st.sampled_from(["gaussian", "constant"]),
    before=st.integers(0, 5), seed=st.integers(0, 100),
)  # fmt: skip
@settings(deadline=None, max_examples=50)
def test_slabs_along_any_axis_are_what_fusing_gives_and_each_slice_comes_once(
    size, tile, overlap, blending, before, seed
):
    image = image_of(size, seed)
    expected = fuse(network, image, tile, overlap, blending=blending)
    for axis in AXES:
        slabs = finished_slabs(network, image, tile, overlap, blending, axis=axis, before=before)
        found, whole, befores = collected(slabs, size, axis)
        if axis == 0:
            np.testing.assert_array_equal(found, expected)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
        stop = 0
        for part in befores:
            first = max(0, stop - before)
            stop = first + part.shape[1]
            np.testing.assert_array_equal(part, whole[:, first:stop])


@pytest.mark.parametrize(
    ("size", "tile", "axis"),
    [((9, 9, 9), (4, 4, 4), 0), ((8, 20, 20), (8, 8, 10), 1), ((8, 20, 30), (8, 8, 8), 2), ((3, 4, 5), (8, 8, 8), 0)],
)
def test_the_axis_is_the_one_with_the_smallest_row_of_tiles(size, tile, axis):
    assert roll_axis(size, tile) == axis


@pytest.mark.parametrize(("size", "tile"), [((60, 40, 30), (8, 16, 16)), ((20, 30, 70), (16, 16, 16))])
@pytest.mark.parametrize("before", [0, 3])
def test_memory_is_what_was_announced_and_does_not_grow_along_the_axis(size, tile, before):
    axis = roll_axis(size, tile)
    longer = tuple(2 * length if at == axis else length for at, length in enumerate(size))
    assert streaming_bytes(size, tile, 0.5, 12, before) == streaming_bytes(longer, tile, 0.5, 12, before)
    answer = np.ones((1, 12, *tile), dtype=np.float32)
    image = image_of(longer, channels=1)
    tracemalloc.start()
    try:
        for _ in finished_slabs(lambda _: answer, image, tile, 0.5, axis=axis, before=before):
            pass
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    announced = streaming_bytes(longer, tile, 0.5, 12, before)
    assert 0.9 * announced < peak < announced + 4 * answer[0, 0].size + 100_000


def test_one_tile_needs_no_memory_and_is_handed_out_as_it_came():
    size = (4, 5, 6)
    assert streaming_bytes(size, (8, 8, 8), 0.5, 100) == 0
    (slab,) = finished_slabs(network, image_of(size), (8, 8, 8), 0.5)
    assert np.shares_memory(slab.array, network.result)
    assert slab.array.shape == (2, *size)


def test_progress_sees_every_tile_when_it_is_done():
    class Counting(Progress):
        seen, ended = 0, False

        def track(self, items, doing, total=None):
            assert (doing, total) == ("here", 18)
            for item in items:
                yield item
                self.seen += 1
            self.ended = True

    progress = Counting()
    slabs = finished_slabs(network, image_of((8, 7, 6)), (4, 4, 4), 0.5, progress=progress, doing="here")
    assert [progress.seen for _ in slabs] == [5, 11, 18]  # a step is done when the next is asked for
    assert progress.ended


def test_axes_are_turned_in_their_order():
    assert [rolled(axis) for axis in AXES] == [(0, 1, 2), (1, 0, 2), (2, 0, 1)]
