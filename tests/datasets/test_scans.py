import pytest

from leanseg.datasets import find_cases
from leanseg.errors import InputError


def touch(folder, *names):
    folder.mkdir(exist_ok=True, parents=True)
    for name in names:
        (folder / name).touch()
    return folder


def found(*paths):
    return {case.name: [path.name for path in case.images] for case in find_cases(paths)}


def test_a_file_is_a_case_named_without_suffix(tmp_path):
    touch(tmp_path, "head.nii.gz", "head.2.mha")
    assert found(tmp_path / "head.nii.gz") == {"head": ["head.nii.gz"]}
    assert found(tmp_path / "head.2.mha") == {"head.2": ["head.2.mha"]}


def test_channels_of_one_case_are_grouped_in_order(tmp_path):
    touch(tmp_path, "a_0001.nii.gz", "a_0000.nii.gz", "b_0000.nii.gz", "b_0001.nii.gz", "notes.txt", "._a_0000.nii.gz")
    expected = {name: [f"{name}_0000.nii.gz", f"{name}_0001.nii.gz"] for name in "ab"}
    assert found(tmp_path) == expected
    assert found(*sorted(tmp_path.glob("[ab]_*"), reverse=True)) == expected


def test_four_digits_that_do_not_count_from_zero_belong_to_the_name(tmp_path):
    touch(tmp_path, "scan_2019.nii.gz", "scan_2020.nii.gz")
    assert list(found(tmp_path)) == ["scan_2019", "scan_2020"]


def test_a_gap_between_channels_is_refused(tmp_path):
    touch(tmp_path, "a_0000.nii.gz", "a_0002.nii.gz")
    with pytest.raises(InputError) as caught:
        find_cases([tmp_path])
    assert "0001" in caught.value.what


def test_a_data_set_gives_its_unlabelled_cases_before_its_labelled_ones(decathlon):
    written = decathlon(2)
    assert list(found(written.root)) == ["case_a", "case_b"]
    written.describe(test=["./imagesTs/new.nii.gz"])
    assert list(found(written.root)) == ["new"]


def test_files_folders_and_data_sets_can_be_mixed(decathlon, tmp_path):
    touch(tmp_path / "one", "x.nii.gz")
    touch(tmp_path / "two", "y.nrrd")
    names = list(found(tmp_path / "two", decathlon(1).root, tmp_path / "one" / "x.nii.gz"))
    assert names == ["case_a", "x", "y"]


@pytest.mark.parametrize(
    "names", [("a.nii.gz", "a.nii"), ("a.nii.gz", "a_0000.nii.gz"), ("a_0000.nii.gz", "a_0000.mha")]
)
def test_two_scans_of_one_name_are_refused(tmp_path, names):
    touch(tmp_path, *names)
    with pytest.raises(InputError) as caught:
        find_cases([tmp_path])
    assert "'a'" in caught.value.what


def test_the_same_name_in_two_folders_is_refused(tmp_path):
    one, two = touch(tmp_path / "one", "a.nii.gz"), touch(tmp_path / "two", "a.nii.gz")
    with pytest.raises(InputError):
        find_cases([one, two])
    with pytest.raises(InputError):
        find_cases([one, one / "a.nii.gz"])


@pytest.mark.parametrize("name", ["missing.nii.gz", "notes.txt", "empty"])
def test_what_is_no_scan_is_refused_by_name(tmp_path, name):
    touch(tmp_path, "notes.txt")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError) as caught:
        find_cases([tmp_path / name])
    assert name in caught.value.what


def test_a_folder_of_folders_suggests_the_one_with_scans(tmp_path):
    touch(tmp_path / "scans", "a.nii.gz")
    with pytest.raises(InputError) as caught:
        find_cases([tmp_path])
    assert str(tmp_path / "scans") in caught.value.fix
