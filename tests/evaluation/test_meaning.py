import json
import os

import numpy as np
import pytest

from leanseg.datasets import Dataset, Region, documents
from leanseg.evaluation.meaning import Meaning, judged, meaning_beside, meaning_in

LABELS = {"background": 0, "oedema": 2, "core": 1}


def beside(tmp_path, *records):
    for number, record in enumerate(records):
        text = record if isinstance(record, str) else json.dumps(record)
        (tmp_path / f"case_{number}.json").write_text(text)
    return meaning_beside([tmp_path / f"case_{number}.nii.gz" for number in range(len(records))])


def test_a_data_set_names_regions_what_is_ignored_and_other_values(tmp_path):
    regions = {"core": Region(values=(1,), written=1)}
    dataset = Dataset("d", tmp_path, ("MRI",), LABELS, (), regions=regions, ignore=7)
    meaning = meaning_in(dataset)
    assert (meaning.targets, meaning.ignore) == ({"core": (1,)}, 7)
    assert meaning.known == (0, 1, 2, 7)


def test_a_sidecar_names_them_too(tmp_path):
    record = {"labels": LABELS, "targets": {"all": [1, 2], "core": [1]}, "ignore": 7}
    meaning = beside(tmp_path, record)
    assert (meaning.targets, meaning.ignore) == ({"all": (1, 2), "core": (1,)}, 7)
    assert meaning.known == (0, 1, 2, 7)


def test_an_older_sidecar_names_classes_which_come_by_rising_value(tmp_path):
    meaning = beside(tmp_path, {"labels": LABELS})
    assert list(meaning.targets.items()) == [("core", (1,)), ("oedema", (2,))]
    assert meaning.ignore is None


@pytest.mark.parametrize(
    "record",
    [
        "no JSON",
        "[]",
        "[" * 100_000,
        {},
        {"labels": {"a": "1"}},
        {"labels": {"a": 10**25}},
        '{"labels": {"a": 1' + "0" * 5000 + "}}",
        {"labels": {"a": -1}},
        {"labels": {"a": True}},
        {"labels": {f"class {value}": value for value in range(1, 3000)}},
        {"labels": LABELS, "targets": {"all": [65_536]}},
        {"labels": LABELS, "targets": {"all": [1]}, "ignore": 2**70},
        {"labels": LABELS, "targets": {str(value): list(range(value, value + 900)) for value in (1, 901)}},
        {"labels": LABELS, "targets": []},
        {"labels": LABELS, "targets": {"all": 1}},
        {"labels": LABELS, "targets": {"all": []}},
        {"labels": LABELS, "targets": {"all": ["1"]}},
        {"labels": LABELS, "targets": {"all": [1]}, "ignore": "7"},
    ],
)
def test_a_sidecar_that_says_nothing_of_use_is_passed_over(tmp_path, record):
    assert beside(tmp_path, record) == Meaning({})
    assert beside(tmp_path, record, {"labels": LABELS}).targets == {"core": (1,), "oedema": (2,)}


def test_a_pipe_and_a_huge_file_are_passed_over_without_waiting(tmp_path, monkeypatch):
    monkeypatch.setattr(documents, "LARGEST_BYTES", 1000)
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "huge.json").write_text(json.dumps({"labels": LABELS}) + " " * 1000)
    (tmp_path / "sound.json").write_text(json.dumps({"labels": {"organ": 3}}))
    meaning = meaning_beside([tmp_path / f"{name}.nii.gz" for name in ("pipe", "huge", "sound")])
    assert meaning.targets == {"organ": (3,)}


def test_ignored_voxels_become_background_in_both_maps_and_files_stay_as_they_are():
    prediction, reference = np.array([[1, 2, 7, 1]], np.uint8), np.array([[7, 1, 1, 0]], np.uint16)
    predicted, referred = judged(prediction, reference, 7)
    assert (predicted.tolist(), referred.tolist()) == ([[0, 2, 7, 1]], [[0, 1, 1, 0]])
    assert (predicted.dtype, referred.dtype) == (np.uint8, np.uint16)
    assert reference[0, 0] == 7


@pytest.mark.parametrize("ignore", [None, 9])
def test_without_ignored_voxels_nothing_is_copied(ignore):
    maps = np.ones((2, 3, 3), np.uint8)
    assert all(one.base is maps for one in judged(*maps, ignore))
