import json
import subprocess
import sys

import numpy as np
import pytest

import leanseg
from leanseg.api.choices import TooFewError
from leanseg.evaluation.stress.catalogue import UnknownStressError
from leanseg.evaluation.stress.contestants import OtherClassesError


@pytest.fixture
def shades(tmp_path, save_scan):
    """A data set of two cases that the threshold package segments without a fault."""
    root, entries = tmp_path / "shades", []
    for number in range(2):
        labels = np.zeros((10, 10, 10), np.uint8)
        labels[1 + number : 5 + number, 2:8, 2:8] = 2
        labels[5 + number : 7 + number, 3:7, 3:7] = 5
        image = np.select([labels == 5, labels == 2], [2.0, 0.5], -1.0).astype(np.float32)
        for kind, array in (("images", image), ("labels", labels)):
            save_scan(root / kind / f"case{number}.nii.gz", array, np.eye(4))
        entries.append({"image": f"./images/case{number}.nii.gz", "label": f"./labels/case{number}.nii.gz"})
    named = {"0": "background", "2": "grey", "5": "white"}
    described = {"name": "shades", "modality": {"0": "MR"}, "labels": named, "training": entries, "test": []}
    (root / "dataset.json").write_text(json.dumps(described))
    return root


@pytest.fixture
def thresholds(make_package, tmp_path):
    return make_package(tmp_path / "thresholds", tile=(10, 10, 10)).path


@pytest.mark.parametrize("stress", ["noise, motion", ["noise", "motion"]])
def test_one_package_and_some_stresses(thresholds, shades, tmp_path, stress):
    found = leanseg.stress(str(thresholds), shades, tmp_path / "out", stress=stress, levels=1)
    assert isinstance(found, leanseg.StressTest)
    assert list(found.record["stresses"]) == ["noise", "motion"]
    assert found.record["cases"] == ["case0", "case1"]


def test_plain_folders_have_the_classes_of_the_package(thresholds, shades, tmp_path):
    whole = leanseg.stress(thresholds, shades, tmp_path / "whole", stress="noise", levels=1)
    (shades / "dataset.json").unlink()
    found = leanseg.stress(
        thresholds, shades / "labels", tmp_path / "out", images=shades / "images", stress="noise", levels=1
    )
    assert found.record["cases"] == whole.record["cases"]
    assert [cost.drop.mean for cost in found.findings.costs] == [cost.drop.mean for cost in whole.findings.costs]


def test_plain_folders_of_other_values_are_refused(thresholds, shades, tmp_path, save_scan):
    (shades / "dataset.json").unlink()
    save_scan(shades / "labels" / "case0.nii.gz", np.full((10, 10, 10), 7, np.uint8), np.eye(4))
    with pytest.raises(OtherClassesError, match="label_7"):
        leanseg.stress(thresholds, shades / "labels", tmp_path / "out", images=shades / "images")


@pytest.mark.parametrize("count", ["levels", "cases"])
def test_none_of_something_is_refused(thresholds, shades, tmp_path, count):
    with pytest.raises(TooFewError):
        leanseg.stress(thresholds, shades, tmp_path / "out", **{count: 0})


def test_an_empty_name_is_refused(thresholds, shades, tmp_path):
    with pytest.raises(UnknownStressError):
        leanseg.stress(thresholds, shades, tmp_path / "out", stress="noise,")


def test_torch_is_not_imported(thresholds, shades, tmp_path):
    code = (
        "import sys; import leanseg; "
        f"leanseg.stress({str(thresholds)!r}, {str(shades)!r}, {str(tmp_path / 'out')!r}, levels=1, cases=1, "
        "stress='noise,motion,deformation'); "
        "print({'torch', 'monai', 'onnx', 'pytorch_lightning'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
