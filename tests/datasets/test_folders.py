import numpy as np
import pytest

from leanseg.datasets import check_dataset, open_folders
from leanseg.errors import InputError


@pytest.fixture
def folders(tmp_path, write_volume, new_image, new_label):
    def write(images, labels):
        for index, name in enumerate(images):
            write_volume(tmp_path / "scans" / f"{name}.nii.gz", new_image(index))
        for index, name in enumerate(labels):
            write_volume(tmp_path / "masks" / f"{name}.nii.gz", new_label(index) * np.uint8(3))
        return tmp_path / "scans", tmp_path / "masks"

    return write


def test_pairs_are_found_by_name_and_classes_by_reading(folders):
    dataset = open_folders(*folders(["b", "a"], ["a", "b"]))
    assert [case.name for case in dataset.cases] == ["a", "b"]
    assert dataset.labels == {"background": 0, "label_3": 3, "label_6": 6}
    assert dataset.channels == ("channel_0",)


def test_channels_are_grouped(folders):
    dataset = open_folders(*folders(["a_0000", "a_0001", "b_0000", "b_0001"], ["a", "b"]))
    assert [[path.name for path in case.images] for case in dataset.cases] == [
        ["a_0000.nii.gz", "a_0001.nii.gz"],
        ["b_0000.nii.gz", "b_0001.nii.gz"],
    ]


def test_digits_that_the_labels_have_too_are_part_of_the_name(folders):
    dataset = open_folders(*folders(["scan_0000", "scan_0001"], ["scan_0000", "scan_0001"]))
    assert [(case.name, len(case.images)) for case in dataset.cases] == [("scan_0000", 1), ("scan_0001", 1)]


def test_files_without_a_partner_are_named_by_the_check(folders):
    dataset = open_folders(*folders(["a", "b", "scan_2019"], ["a", "c"]))
    missing = {problem.case for problem in check_dataset(dataset).problems if problem.kind == "missing file"}
    assert missing == {"b", "c", "scan_2019"}


def test_a_missing_channel_is_named_by_the_check(folders):
    dataset = open_folders(*folders(["a_0000", "a_0001", "b_0000"], ["a", "b"]))
    (problem,) = [problem for problem in check_dataset(dataset).problems if problem.kind == "missing file"]
    assert (problem.case, "b_0001" in problem.what) == ("b", True)


def test_without_labels_all_cases_are_unlabelled(folders):
    images, _ = folders(["a", "b"], [])
    dataset = open_folders(images)
    assert (dataset.cases, [case.name for case in dataset.unlabelled]) == ((), ["a", "b"])


def test_folders_without_a_single_pair_are_refused(folders):
    with pytest.raises(InputError) as caught:
        open_folders(*folders(["a", "b"], ["x", "y"]))
    assert "'a'" in caught.value.what
    assert "'x'" in caught.value.what


def test_two_label_maps_of_one_name_are_refused(folders, write_volume, new_label):
    images, labels = folders(["a"], ["a"])
    write_volume(labels / "a.nii", new_label(0))
    with pytest.raises(InputError):
        open_folders(images, labels)


def test_scans_in_place_of_labels_are_refused(folders, write_volume):
    images, labels = folders(["a"], ["a"])
    write_volume(labels / "a.nii.gz", np.arange(600, dtype=np.int16).reshape(6, 10, 10))
    with pytest.raises(InputError) as caught:
        open_folders(images, labels)
    assert "wrong way round" in caught.value.fix


def test_a_folder_without_scans_is_refused(folders, tmp_path):
    images, labels = folders(["a"], ["a"])
    for pair in ((tmp_path / "nowhere", labels), (images, tmp_path)):
        with pytest.raises(InputError):
            open_folders(*pair)
