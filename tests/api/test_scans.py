"""What counts as one scan, and what is refused instead of guessed."""

import nibabel
import numpy as np
import pytest

from leanseg.api.images import NotAnImageError
from leanseg.api.scans import Files, NotFilesError, NotOneScanError, ScanChannelsError, one_scan, scan_paths
from leanseg.volumes import GeometryMismatchError

ONE, TWO = ("MR",), ("T1", "T2")
EYE = np.eye(4)


def test_a_folder_is_not_one_scan(tmp_path):
    for given in (tmp_path, [tmp_path]):
        with pytest.raises(NotOneScanError) as refused:
            one_scan(given, ONE)
        assert "leanseg.predict(package, scans, out)" in refused.value.fix


@pytest.mark.parametrize("channels", [ONE, TWO])
def test_a_list_of_files_is_the_channels_of_one_scan_and_never_several_scans(channels):
    paths = ["a.nii.gz", "b.nii.gz", "c.nii.gz"]
    with pytest.raises(ScanChannelsError) as refused:
        one_scan(paths, channels)
    assert "3 files" in refused.value.what
    assert "leanseg.predict(package, scans, out)" in refused.value.fix


@pytest.mark.parametrize(
    "names", [("p1_0000", "p2_0000"), ("p_0001", "p_0000"), ("p_0000", "p_0000"), ("p_0000", "q_0001")]
)
def test_names_that_count_channels_must_agree_with_their_order(names):
    with pytest.raises(NotOneScanError, match=names[0]):
        one_scan([f"{name}.nii.gz" for name in names], TWO)


@pytest.mark.parametrize("names", [("p_0000", "p_0001"), ("t1", "t2"), ("p_0000", "flair")])
def test_other_names_are_taken_in_the_order_given(names):
    found = one_scan([f"{name}.nii.gz" for name in names], TWO)
    assert isinstance(found, Files)
    assert [path.name for path in found.files] == [f"{name}.nii.gz" for name in names]


def test_channels_on_different_grids_are_refused(tmp_path, save_scan):
    paths = [save_scan(tmp_path / f"{side}.nii", np.zeros((4, 4, side), np.float32)) for side in (4, 5)]
    with pytest.raises(GeometryMismatchError):
        one_scan(paths, TWO).read(None, None)


@pytest.mark.parametrize("given", [[], ()])
def test_no_scan_at_all_is_refused(given):
    for take in (lambda: one_scan(given, ONE), lambda: scan_paths(given)):
        with pytest.raises(NotAnImageError, match="names no scan"):
            take()


@pytest.mark.parametrize("shape", [(3, 4, 5, 6), (2, 4, 5, 6)])
def test_an_array_has_one_channel_for_each_of_the_plan(shape):
    with pytest.raises(ScanChannelsError, match="the plan has 1: MR"):
        one_scan((np.zeros(shape), EYE), ONE)


def test_an_array_with_its_channels_last_is_told_how_to_turn_it():
    with pytest.raises(ScanChannelsError) as refused:
        one_scan((np.zeros((4, 5, 6, 2)), EYE), TWO)
    turned = eval(refused.value.fix.split(" puts ")[0], {"numpy": np, "array": np.zeros((4, 5, 6, 2))})
    assert one_scan((turned, EYE), TWO).image.channels == 2


def test_images_of_nibabel_have_their_channels_last():
    assert one_scan(nibabel.Nifti1Image(np.zeros((4, 5, 6, 2)), EYE), TWO).image.channels == 2
    with pytest.raises(ScanChannelsError):
        one_scan(nibabel.Nifti1Image(np.zeros((2, 4, 5, 6)), EYE), TWO)


@pytest.mark.parametrize("given", [np.zeros((3, 3, 3)), (np.zeros((3, 3, 3)), EYE), None, ["a.nii", EYE]])
def test_only_files_have_names_to_write_under(given):
    with pytest.raises(NotFilesError):
        scan_paths(given)
