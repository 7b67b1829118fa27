"""Images in memory are checked as strictly as files."""

import nibabel
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from leanseg.api.images import NotAnImageError, image_of
from leanseg.volumes import Geometry, NotFiniteError, Volume
from leanseg.volumes.errors import (
    BrokenAffineError,
    ShearedAffineError,
    TooManyVoxelsError,
    UnsupportedVoxelTypeError,
)

EYE = np.eye(4)
CUBE = np.zeros((3, 4, 5), np.float32)


def changed(row, column, value):
    affine = np.eye(4)
    affine[row, column] = value
    return affine


@pytest.mark.parametrize(
    ("affine", "error"),
    [
        (np.eye(3), BrokenAffineError),
        (np.zeros((4, 4)), BrokenAffineError),
        (changed(1, 1, 0), BrokenAffineError),
        (changed(0, 3, np.nan), BrokenAffineError),
        (changed(0, 0, np.inf), BrokenAffineError),
        (changed(3, 0, 1), BrokenAffineError),
        (changed(3, 3, 2), BrokenAffineError),
        (changed(0, 1, 0.1), ShearedAffineError),
        (np.eye(4).astype(complex), BrokenAffineError),
        (np.eye(4).astype(str), BrokenAffineError),
        (1.5, BrokenAffineError),
        ((1.0, 1.0, 1.5), BrokenAffineError),
        (None, BrokenAffineError),
        ([[1, 0], [0]], NotAnImageError),
        (CUBE, BrokenAffineError),  # a second channel in the place of the affine
    ],
)
def test_an_affine_that_does_not_place_voxels_is_refused(affine, error):
    with pytest.raises(error) as refused:
        image_of((CUBE, affine))
    assert refused.value.what
    assert refused.value.fix


@pytest.mark.parametrize("dtype", [complex, object, "U1", "S1", "M8[s]", [("red", "u1")]])
def test_voxels_that_are_no_real_numbers_are_refused(dtype):
    with pytest.raises(UnsupportedVoxelTypeError):
        image_of((np.zeros((2, 2, 2), dtype), EYE)).scan()


@pytest.mark.parametrize("shape", [(), (3,), (3, 3), (0, 3, 3), (1, 3, 3, 0), (1, 1, 3, 3, 3)])
def test_arrays_that_are_no_3d_image_are_refused(shape):
    with pytest.raises(NotAnImageError, match="shape"):
        image_of((np.zeros(shape), EYE))


@pytest.mark.parametrize("given", [CUBE, [CUBE, EYE], (CUBE, EYE, EYE), ([[[1.0]]], EYE), None, 3, {"image": CUBE}])
def test_what_does_not_say_where_its_voxels_lie_is_no_image(given):
    with pytest.raises(NotAnImageError):
        image_of(given)


def test_an_array_alone_is_told_what_is_missing():
    with pytest.raises(NotAnImageError) as refused:
        image_of(CUBE)
    assert "affine" in refused.value.what
    assert "(array, affine)" in refused.value.fix


@given(
    array=arrays(np.float32, (3, 2, 4), elements=st.sampled_from([0.0, 1.5, np.nan, np.inf, -np.inf])),
    filling=st.sampled_from([0.0, -3.5]),
)
def test_voxels_that_are_not_finite_are_refused_or_replaced_and_the_array_is_left_alone(array, filling):
    before = array.copy()
    image = image_of((array, EYE))
    expected = np.where(np.isfinite(array), array, np.float32(filling))
    np.testing.assert_array_equal(image.scan(nan=filling), expected[None])
    np.testing.assert_array_equal(array, before)
    if np.isfinite(array).all():
        np.testing.assert_array_equal(image.scan(), array[None])
    else:
        with pytest.raises(NotFiniteError) as refused:
            image.scan()
        first = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        assert str(first) in refused.value.what


def test_numbers_too_large_for_float32_are_not_finite_as_in_files(tmp_path, save_scan):
    from leanseg.volumes import read_channels

    array = np.full((2, 2, 2), 1e300)
    with pytest.raises(NotFiniteError):
        read_channels([save_scan(tmp_path / "large.nii", array)])
    with pytest.raises(NotFiniteError):
        image_of((array, EYE)).scan()


def test_the_cap_on_voxels_holds_before_they_are_read():
    class Huge:
        shape = (10**5, 10**5, 10**5)
        affine = EYE

        @property
        def dataobj(self):
            return self

        def __array__(self, dtype=None, copy=None):
            raise AssertionError("it was read")

    with pytest.raises(TooManyVoxelsError):
        image_of(Huge()).scan()
    with pytest.raises(TooManyVoxelsError):
        image_of((CUBE, EYE)).scan(max_voxels=59)
    assert image_of((CUBE, EYE)).scan(max_voxels=60).shape == (1, 3, 4, 5)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((3, 4), (1, 3, 4, 1)), ((3, 4, 5), (1, 3, 4, 5)), ((3, 4, 5, 1, 1), (1, 3, 4, 5)), ((3, 4, 5, 2), (2, 3, 4, 5))],
)
def test_images_of_nibabel_have_the_dimensions_of_their_files(shape, expected):
    array = np.random.default_rng(0).normal(size=shape)
    image = image_of(nibabel.Nifti1Image(array, np.diag([2.0, 3.0, 4.0, 1.0])))
    channels = image.scan()
    assert channels.shape == (image.channels, *image.geometry.shape) == expected
    np.testing.assert_array_equal(np.moveaxis(channels, 0, -1).ravel(), array.astype(np.float32).ravel())
    assert image.geometry.spacing == (2, 3, 4)


def test_an_image_of_nibabel_without_an_affine_is_refused():
    with pytest.raises(BrokenAffineError):
        image_of(nibabel.spatialimages.SpatialImage(CUBE, None))


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_a_file_that_nibabel_finds_broken_only_when_it_reads_is_refused(suffix, tmp_path, save_scan):
    path = save_scan(tmp_path / f"cut{suffix}", np.random.default_rng(0).normal(size=(20, 20, 20)))
    path.write_bytes(path.read_bytes()[:-5000])
    image = image_of(nibabel.load(path))
    with pytest.raises(NotAnImageError) as refused:
        image.scan()
    assert f"cut{suffix}" in refused.value.what


def test_masked_arrays_are_refused_because_their_mask_would_be_lost():
    masked = np.ma.masked_greater(np.arange(27.0).reshape(3, 3, 3), 5)
    with pytest.raises(NotAnImageError) as refused:
        image_of((masked, EYE))
    assert ".filled(0)" in refused.value.fix


def test_a_volume_is_an_image():
    affine = np.diag([1.0, 2.0, 3.0, 1.0])
    image = image_of(Volume(CUBE, Geometry(CUBE.shape, affine)))
    assert image.geometry == Geometry((3, 4, 5), affine)


def test_a_tensor_of_torch_is_an_array():
    import torch

    array = torch.arange(24, dtype=torch.int16).reshape(2, 3, 4)
    np.testing.assert_array_equal(image_of((array, torch.eye(4))).scan()[0], array.numpy())
