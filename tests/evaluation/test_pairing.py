import json

import pytest

from leanseg.datasets.cases import DuplicateCaseError
from leanseg.evaluation.pairing import NoCommonCaseError, NothingToJudgeError, find_pairs


def folder_with(place, *names):
    place.mkdir(parents=True, exist_ok=True)
    for name in names:
        (place / name).touch()
    return place


def test_cases_are_matched_by_name_whatever_the_suffix(tmp_path):
    predictions = folder_with(tmp_path / "p", "a.nii.gz", "b.mha", "x.nii.gz", "notes.txt")
    references = folder_with(tmp_path / "r", "a.nrrd", "b.nii.gz", "c.nii.gz")
    pairing = find_pairs(predictions, references)
    found = {pair.name: (pair.prediction and pair.prediction.name, pair.reference.name) for pair in pairing.pairs}
    assert found == {"a": ("a.nii.gz", "a.nrrd"), "b": ("b.mha", "b.nii.gz"), "c": (None, "c.nii.gz")}
    assert [path.name for path in pairing.ignored] == ["x.nii.gz"]
    assert pairing.meaning.targets == {}


def test_a_data_set_brings_its_labels_images_and_names(tmp_path):
    predictions = folder_with(tmp_path / "p", "one.nii.gz")
    root = folder_with(tmp_path / "d")
    folder_with(root / "imagesTr", "one_0000.nii.gz", "one_0001.nii.gz", "two_0000.nii.gz", "two_0001.nii.gz")
    folder_with(root / "labelsTr", "one.nii.gz", "two.nii.gz")
    description = {
        "channel_names": {"0": "T1", "1": "T2"},
        "labels": {"background": 0, "spleen": 2, "liver": 1},
        "numTraining": 2,
        "file_ending": ".nii.gz",
    }
    (root / "dataset.json").write_text(json.dumps(description))
    pairing = find_pairs(predictions, root)
    assert pairing.meaning.targets == {"liver": (1,), "spleen": (2,)}
    assert [pair.image.name for pair in pairing.pairs] == ["one_0000.nii.gz", "two_0000.nii.gz"]
    assert [pair.prediction is None for pair in pairing.pairs] == [False, True]


def test_sidecars_name_the_classes(tmp_path):
    predictions = folder_with(tmp_path / "p", "a.nii.gz", "b.nii.gz")
    references = folder_with(tmp_path / "r", "a.nii.gz")
    (predictions / "a.json").write_text("not JSON")
    (predictions / "b.json").write_text(json.dumps({"labels": {"background": 0, "liver": 3}, "seconds": 1.5}))
    assert find_pairs(predictions, references).meaning.targets == {"liver": (3,)}


def test_a_folder_of_images_gives_the_first_channel_of_each_case(tmp_path):
    predictions = folder_with(tmp_path / "p", "a.nii.gz", "b.nii.gz")
    images = folder_with(tmp_path / "i", "a_0000.nii.gz", "a_0001.nii.gz", "b.nii.gz")
    pairs = find_pairs(predictions, predictions, images).pairs
    assert [pair.image.name for pair in pairs] == ["a_0000.nii.gz", "b.nii.gz"]


def test_two_files_of_one_name_are_refused(tmp_path):
    twice = folder_with(tmp_path / "p", "a.nii.gz", "a.mha")
    once = folder_with(tmp_path / "r", "a.nii.gz")
    for pair in ((twice, once), (once, twice)):
        with pytest.raises(DuplicateCaseError):
            find_pairs(*pair)


@pytest.mark.parametrize("role", ["missing", "empty", "file"])
def test_a_folder_without_label_maps_is_refused(tmp_path, role):
    full, broken = folder_with(tmp_path / "full", "a.nii.gz"), tmp_path / role
    if role == "empty":
        broken.mkdir()
    elif role == "file":
        broken.touch()
    for pair in ((full, broken), (broken, full)):
        with pytest.raises(NothingToJudgeError) as caught:
            find_pairs(*pair)
        assert str(broken) in caught.value.what
        assert caught.value.exit_code == 2


def test_folders_without_a_common_name_are_refused(tmp_path):
    predictions, references = folder_with(tmp_path / "p", "a.nii.gz"), folder_with(tmp_path / "r", "b.nii.gz")
    with pytest.raises(NoCommonCaseError) as caught:
        find_pairs(predictions, references)
    assert "'a'" in caught.value.what
    assert "'b'" in caught.value.what
