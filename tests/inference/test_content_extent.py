import nibabel
import numpy as np
import pytest

from leanseg.errors import InputError
from leanseg.inference.content_extent import content_shape
from leanseg.kernels import content_box
from leanseg.volumes import read_channels


def blob(shape, box, background=0, seed=0):
    image = np.full(shape, background, dtype=np.int16)
    image[box] = np.random.default_rng(seed).integers(1, 100, image[box].shape)
    return image


def saved(path, image, slope=None):
    nifti = nibabel.Nifti1Image(image, np.eye(4))
    if slope:
        nifti.header.set_slope_inter(slope, -5)
    nibabel.save(nifti, path)
    return path


def by_definition(paths, nan=None):
    array, _ = read_channels(paths, nan=nan)
    return tuple(side.stop - side.start for side in content_box(array))


INNER = np.s_[2:9, 5:6, 1:7]
OTHER = np.s_[4:11, 0:3, 3:8]


@pytest.mark.parametrize("background", [0, -1024, 7])
@pytest.mark.parametrize("end", [".nii", ".nii.gz"])
def test_the_box_is_that_of_the_whole_scan(tmp_path, background, end):
    paths = [saved(tmp_path / f"a{end}", blob((12, 13, 9), INNER, background))]
    assert content_shape(paths) == by_definition(paths) == (7, 1, 6)


def test_channels_are_joined(tmp_path):
    paths = [
        saved(tmp_path / "a.nii", blob((12, 13, 9), INNER)),
        saved(tmp_path / "b.nii", blob((12, 13, 9), OTHER, background=3), slope=2.5),
    ]
    assert content_shape(paths) == by_definition(paths) == (9, 6, 7)


def test_channels_of_one_file_are_joined(tmp_path):
    channels = [blob((12, 13, 9), INNER), blob((12, 13, 9), OTHER)]
    paths = [saved(tmp_path / "a.nii.gz", np.stack(channels, axis=-1))]
    assert content_shape(paths) == by_definition(paths) == (9, 6, 7)


def test_six_corners_make_a_background_and_five_do_not(tmp_path):
    image = blob((6, 7, 8), np.s_[2:4, 2:4, 2:4], background=9)
    image[0, 0, 0] = image[-1, 0, 0] = 1
    six = [saved(tmp_path / "six.nii", image)]
    image[0, -1, 0] = 1
    five = [saved(tmp_path / "five.nii", image)]
    assert content_shape(six) == by_definition(six)
    assert content_shape(five) == by_definition(five) == (6, 7, 8)


def test_an_empty_scan_is_all_kept(tmp_path):
    paths = [saved(tmp_path / "a.nii", np.zeros((4, 5, 6), dtype=np.int16))]
    assert content_shape(paths) == by_definition(paths) == (4, 5, 6)


def test_what_takes_the_place_of_nan_is_what_counts(tmp_path):
    image = blob((6, 7, 8), np.s_[2:4, 2:4, 2:4]).astype(np.float32)
    image[5, 6, 7] = np.nan
    paths = [saved(tmp_path / "a.nii", image)]
    assert content_shape(paths, nan=0) == by_definition(paths, nan=0) == (2, 2, 2)


def test_a_frame_of_nan_hides_nothing_from_whoever_refuses_it(tmp_path):
    image = np.full((8, 8, 8), np.nan, np.float32)
    image[2:6, 2:6, 2:6] = 1
    assert content_shape([saved(tmp_path / "a.nii", image)]) == (8, 8, 8)


def test_a_damaged_file_is_refused(tmp_path):
    path = saved(tmp_path / "a.nii.gz", blob((40, 41, 42), np.s_[2:30, 2:30, 2:30]))
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(InputError):
        content_shape([path])
