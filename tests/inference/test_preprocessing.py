import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leanseg.inference.canvas import Canvas
from leanseg.inference.preprocessing import (
    GridTooLargeError,
    UnknownLabelError,
    WrongChannelsError,
    prepare,
    prepare_labels,
)
from leanseg.inference.streaming import FinishedSlab
from leanseg.plans import Normalisation, Preprocessing
from leanseg.volumes import Geometry

ORIENTATIONS = [
    (order, signs) for order in itertools.permutations(range(3)) for signs in itertools.product((1, -1), repeat=3)
]


def geometry_of(shape, spacing=(1.0, 1.0, 1.0), orientation=((0, 1, 2), (1, 1, 1))):
    order, signs = orientation
    affine = np.eye(4)
    affine[:3, :3] = 0
    for axis, (body, sign) in enumerate(zip(order, signs, strict=True)):
        affine[body, axis] = sign * spacing[axis]
    return Geometry(shape, affine)


def plain(spacing=(1.0, 1.0, 1.0), crop=False, channels=1, scheme="none", orientation="SAR"):
    return Preprocessing(
        spacing=spacing,
        crop_to_content=crop,
        orientation=orientation,
        normalisation=(Normalisation(scheme=scheme),) * channels,
    )


def painted(prepared, scores, written=None):
    canvas = Canvas(prepared.grid, np.dtype(np.uint16), len(scores), written=written)
    canvas.paint(FinishedSlab(0, scores, scores))
    return canvas.labels


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_any_of_the_48_orientations_comes_out_the_same_and_goes_back(orientation):
    order, signs = orientation
    body = np.random.default_rng(0).integers(0, 3, size=(4, 5, 6))  # grows to Right, Anterior, Superior
    scan = body.transpose(order)[tuple(slice(None, None, sign) for sign in signs)]
    prepared = prepare(scan[None].astype(np.float32), geometry_of(scan.shape, orientation=orientation), plain())
    np.testing.assert_array_equal(prepared.array[0], body.transpose(2, 1, 0))
    scores = np.stack([prepared.array[0] == k for k in range(3)]).astype(np.float32)
    np.testing.assert_array_equal(painted(prepared, scores), scan)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_labels_lie_in_memory_as_they_are_made(orientation):
    shape = (2, 3, 4)
    grid = prepare(np.ones((1, *shape), np.float32), geometry_of(shape, orientation=orientation), plain()).grid
    zeros = grid.zeros(np.dtype(np.uint16))
    assert zeros.shape == shape
    assert zeros.dtype == np.uint16
    assert not zeros.any()
    strides = np.abs(grid.kept(zeros).strides)
    assert strides.tolist() == sorted(strides, reverse=True)


def test_outside_the_content_box_the_label_is_background():
    scan = np.zeros((2, 8, 9, 10), dtype=np.float32)
    scan[0, 2:5, 3:6, 4:8] = 1
    scan[1, 2:6, 3:4, 4:5] = 1
    prepared = prepare(scan, geometry_of((8, 9, 10)), plain(crop=True, channels=2))
    assert prepared.array.shape == (2, 4, 3, 4)
    labels = painted(prepared, np.stack([np.zeros((4, 3, 4)), np.ones((4, 3, 4))]).astype(np.float32))
    expected = np.zeros((8, 9, 10))
    expected[2:6, 3:6, 4:8] = 1
    np.testing.assert_array_equal(labels, expected)


def test_regions_are_written_on_the_grid_of_the_scan_and_nothing_outside_its_content():
    scan = np.zeros((1, 8, 9, 10), dtype=np.float32)
    scan[0, 2:5, 3:6, 4:8] = 1
    prepared = prepare(scan, geometry_of((8, 9, 10)), plain(crop=True))
    scores = np.ones((2, *prepared.grid.shape), dtype=np.float32)
    scores[1, :2] = -1  # the lower half
    labels = painted(prepared, scores, (1, 300))
    expected = np.zeros((8, 9, 10))
    expected[2:5, 3:6, 4:6] = 1
    expected[2:5, 3:6, 6:8] = 300
    np.testing.assert_array_equal(labels, expected)


def test_an_empty_scan_is_not_cropped():
    prepared = prepare(np.zeros((1, 3, 4, 5), dtype=np.float32), geometry_of((3, 4, 5)), plain(crop=True))
    assert prepared.array.shape == (1, 5, 4, 3)


def test_statistics_are_those_of_the_cropped_box():
    scan = np.zeros((1, 9, 9, 9), dtype=np.float32)
    scan[0, 3:6, 3:6, 3:6] = np.random.default_rng(0).uniform(10, 20, size=(3, 3, 3))
    array = prepare(scan, geometry_of((9, 9, 9)), plain(crop=True, scheme="zscore")).array
    assert array.mean() == pytest.approx(0, abs=1e-5)
    assert array.std() == pytest.approx(1, abs=1e-5)


@given(
    shape=st.tuples(*[st.integers(1, 12)] * 3),
    spacing=st.tuples(*[st.floats(0.3, 5)] * 3),
    target=st.tuples(*[st.floats(0.3, 5)] * 3),
    orientation=st.sampled_from(ORIENTATIONS),
)
@settings(deadline=None, max_examples=60)
def test_the_grid_covers_the_same_extent_and_labels_return_on_the_grid_of_the_scan(shape, spacing, target, orientation):
    geometry = geometry_of(shape, spacing, orientation)
    prepared = prepare(np.ones((1, *shape), dtype=np.float32), geometry, plain(spacing=target))
    order = orientation[0]
    for axis, body in enumerate((2, 1, 0)):
        in_file = order.index(body)
        millimetres = shape[in_file] * spacing[in_file]
        size = prepared.array.shape[1 + axis]
        assert abs(size * target[axis] - millimetres) <= max(target[axis], 0.011 * millimetres)
    np.testing.assert_allclose(prepared.array, 1, atol=1e-5)
    assert painted(prepared, np.zeros((2, *prepared.grid.shape), dtype=np.float32)).shape == shape


@given(value=st.floats(-5, 5, width=32), target=st.tuples(*[st.floats(0.4, 2.5)] * 3))
@settings(deadline=None, max_examples=30)
def test_what_surrounds_the_content_stays_one_number(value, target):
    scan = np.full((1, 14, 15, 16), value, dtype=np.float32)
    scan[0, 5:9, 5:10, 6:9] = value + 3
    found = prepare(scan, geometry_of(scan.shape[1:]), plain(spacing=target)).array[0]
    around = [face for axis in range(3) for face in np.moveaxis(found, axis, 0)[[0, -1]]]
    for face in around:
        np.testing.assert_array_equal(face, np.float32(value))
    assert found.max() > value + 0.5


def test_spacing_within_one_percent_is_not_resampled():
    scan = np.random.default_rng(0).normal(size=(1, 20, 20, 150)).astype(np.float32)
    prepared = prepare(scan, geometry_of((20, 20, 150), (1.009, 0.992, 1.005)), plain())
    np.testing.assert_array_equal(prepared.array[0], scan[0].transpose(2, 1, 0))


def test_a_ramp_stays_a_ramp_in_millimetres():
    scan = np.broadcast_to(np.arange(40, dtype=np.float32) * 2 + 1, (6, 6, 40))[None]  # mm from the lower border
    array = prepare(np.ascontiguousarray(scan), geometry_of((6, 6, 40), (1, 1, 2)), plain(spacing=(1.6, 1, 1))).array
    assert array.shape == (1, 50, 6, 6)
    np.testing.assert_allclose(array[0, 1:-1, 0, 0], (np.arange(50) * 1.6 + 0.8)[1:-1], rtol=1e-5)


def test_labels_take_the_way_of_their_scan():
    values = (0, 7, 300)
    labels = np.random.default_rng(3).choice(values, size=(6, 7, 8)).astype(np.uint16)
    geometry = geometry_of((6, 7, 8), (1, 1, 1), ((2, 0, 1), (-1, 1, -1)))
    prepared = prepare((labels + 1)[None].astype(np.float32), geometry, plain())
    indices = prepare_labels(labels, prepared.grid, values)
    assert indices.dtype == np.uint8
    np.testing.assert_array_equal(np.array(values)[indices] + 1, prepared.array[0])


def test_labels_are_resampled_by_largest_share():
    labels = np.zeros((1, 1, 6), dtype=np.uint8)
    labels[..., 3:] = 2
    grid = prepare(np.ones((1, 1, 1, 6)), geometry_of((1, 1, 6)), plain(spacing=(0.5, 1, 1))).grid
    assert prepare_labels(labels, grid, (0, 2)).ravel().tolist() == [0] * 6 + [1] * 6


def test_what_is_ignored_gets_an_index_of_its_own_behind_the_classes():
    labels = np.random.default_rng(3).choice([0, 7, 9], size=(6, 7, 8)).astype(np.uint8)
    grid = prepare(np.ones((1, 6, 7, 8)), geometry_of((6, 7, 8)), plain()).grid
    indices = prepare_labels(labels, grid, (0, 7), ignore=9)
    np.testing.assert_array_equal(np.array([0, 7, 9])[indices], labels.transpose(2, 1, 0))


def test_a_class_and_what_is_ignored_share_a_resampled_border():
    labels = np.array([[[0, 0, 0, 9, 9, 9]]], dtype=np.uint8)
    grid = prepare(np.ones((1, 1, 1, 6)), geometry_of((1, 1, 6)), plain(spacing=(0.5, 1, 1))).grid
    assert prepare_labels(labels, grid, (0, 2), ignore=9).ravel().tolist() == [0] * 6 + [2] * 6


def test_an_unknown_label_value_is_named():
    grid = prepare(np.ones((1, 2, 2, 2)), geometry_of((2, 2, 2)), plain()).grid
    with pytest.raises(UnknownLabelError, match="value 9"):
        prepare_labels(np.full((2, 2, 2), 9, dtype=np.uint8), grid, (0, 1))


def test_a_missing_channel_is_refused():
    with pytest.raises(WrongChannelsError, match="1 channel where the plan has 2"):
        prepare(np.ones((1, 2, 2, 2)), geometry_of((2, 2, 2)), plain(channels=2))


def test_an_absurd_spacing_is_refused_before_memory_is_taken():
    with pytest.raises(GridTooLargeError, match="100000 x 100000 x 100000"):
        prepare(np.ones((1, 2, 2, 2)), geometry_of((2, 2, 2), (5e4,) * 3), plain())


def test_the_scan_is_left_as_it_is():
    scan = np.random.default_rng(0).normal(size=(1, 4, 5, 6)).astype(np.float32)
    before = scan.copy()
    prepare(scan, geometry_of((4, 5, 6)), plain(scheme="zscore", spacing=(2, 1, 1)))
    np.testing.assert_array_equal(scan, before)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.7, 0.9, 2.5)])
def test_without_a_spacing_every_scan_keeps_its_own(spacing):
    scan = np.random.default_rng(0).integers(0, 3, size=(4, 5, 6)).astype(np.float32)
    prepared = prepare(scan[None], geometry_of(scan.shape, spacing=spacing), plain(spacing=None))
    np.testing.assert_array_equal(prepared.array[0], scan.transpose(2, 1, 0))
