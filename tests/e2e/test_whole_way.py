"""The whole way on made-up data, by the commands a user types."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest
from nibabel.orientations import axcodes2ornt, inv_ornt_aff, io_orientation, ornt_transform

DATA = Path(__file__).parents[2] / "../shared/data"
BLOCKADE = """
import importlib.abc, os, sys

class Forbidden(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "monai", "pytorch_lightning", "onnx", "blosc2"}:
            sys.stderr.write(f"FORBIDDEN import {name}\\n")
            os._exit(99)

def watch(event, arguments):
    if event in {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"}:
        sys.stderr.write(f"FORBIDDEN {event} {arguments}\\n")
        os._exit(99)

sys.meta_path.insert(0, Forbidden())
sys.addaudithook(watch)
"""


def labels_in(folder, name):
    return np.asarray(nibabel.load(folder / f"{name}.nii.gz").dataobj)


def engine_of(folder, name):
    return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))["engine"].split()[0]


def dice(found, truth, value):
    return 2 * ((found == value) & (truth == value)).sum() / ((found == value).sum() + (truth == value).sum())


@pytest.fixture(scope="module")
def predicted(leanseg, trained, scans, new_cases, tmp_path_factory):
    """Label maps of the new scans. They hold structures: where all voxels are alike, everything agrees."""
    out = tmp_path_factory.mktemp("predicted") / "out"
    done = leanseg("predict", trained, scans, "-o", out)
    assert done.code == 0, done.err
    for name in new_cases:
        assert len(np.unique(labels_in(out, name))) > 1
    return out


@pytest.fixture(scope="module")
def hippocampi(tmp_path_factory):
    """A folder with three real scans."""
    source = DATA / "Task04_Hippocampus" / "imagesTr"
    if not source.is_dir():
        pytest.skip("Task04_Hippocampus is not in shared/data")
    folder = tmp_path_factory.mktemp("hippocampi")
    for scan in sorted(source.glob("hippocampus_*.nii.gz"))[:3]:
        shutil.copy(scan, folder)
    return folder


def test_a_run_holds_its_package_its_record_and_its_report(trained):
    for name in ("plan.json", "model.safetensors", "model.onnx", "card.md", "manifest.json"):
        assert (trained / "package" / name).is_file()
    assert json.loads((trained / "run.json").read_text(encoding="utf-8"))["state"] == "done"
    assert (trained / "validation").is_dir()
    assert not (trained / "cache").exists()


def test_info_describes_scans_for_people_and_machines(leanseg, scans):
    files = sorted(scans.iterdir())
    for_people = leanseg("info", *files)
    for_machines = leanseg("info", *files, "--json")
    assert for_people.code == for_machines.code == 0
    assert all(file.name in for_people.out for file in files)
    told = json.loads(for_machines.out)
    assert [entry["shape"] for entry in told] == [[26, 30, 22]] * 2
    assert told[0]["spacing_mm"] == [1.0, 1.0, 1.5]


def test_a_sound_data_set_passes_the_check(leanseg, dataset):
    done = leanseg("check", dataset, "--json")
    assert done.code == 0
    assert json.loads(done.out)["cases"] == 6


def test_splits_can_be_edited_and_are_then_used(leanseg, dataset, plan, tmp_path):
    assert leanseg("split", dataset, "--folds", "3", "-o", tmp_path / "splits.json").code == 0
    splits = json.loads((tmp_path / "splits.json").read_text(encoding="utf-8"))
    assert len(splits["folds"]) == 3
    splits["folds"][0]["training"].append(splits["folds"][0]["validation"][0])
    (tmp_path / "splits.json").write_text(json.dumps(splits), encoding="utf-8")
    options = ("--plan", plan, "--steps", "2", "--splits", tmp_path / "splits.json")
    done = leanseg("train", dataset, *options, "-o", tmp_path / "run")
    assert done.code == 2
    assert splits["folds"][0]["validation"][0] in done.err
    assert not (tmp_path / "run").exists()


def test_every_prediction_has_the_grid_of_its_scan_and_a_sidecar(predicted, scans):
    for scan in scans.iterdir():
        image, labels = nibabel.load(scan), nibabel.load(predicted / scan.name)
        assert labels.shape == image.shape
        np.testing.assert_array_equal(labels.affine, image.affine)
        assert set(np.unique(np.asarray(labels.dataobj))) <= {0, 1, 2}
        sidecar = json.loads((predicted / scan.name.replace(".nii.gz", ".json")).read_text(encoding="utf-8"))
        assert {"engine", "precision", "seconds"} <= set(sidecar)


def test_a_trained_network_finds_the_structures_of_new_scans(predicted, new_cases):
    for name, (_, truth) in new_cases.items():
        found = labels_in(predicted, name)
        assert min(dice(found, truth, value) for value in (1, 2)) > 0.3


@pytest.mark.parametrize("engine", ["onnxruntime", "torch"])
def test_engines_agree(engine, leanseg, trained, scans, new_cases, predicted, tmp_path):
    done = leanseg("predict", trained, scans, "--engine", engine, "-o", tmp_path / "out")
    assert done.code == 0, done.err
    for name in new_cases:
        assert (engine_of(predicted, name), engine_of(tmp_path / "out", name)) == ("openvino", engine)
        assert (labels_in(tmp_path / "out", name) == labels_in(predicted, name)).mean() > 0.999


def test_engines_agree_on_real_scans(leanseg, trained, hippocampi, tmp_path):
    engines = ("openvino", "onnxruntime", "torch")
    for engine in engines:
        done = leanseg("predict", trained, hippocampi, "--engine", engine, "-o", tmp_path / engine)
        assert done.code == 0, done.err
    for scan in hippocampi.iterdir():
        name = scan.name.removesuffix(".nii.gz")
        first, *others = (labels_in(tmp_path / engine, name) for engine in engines)
        assert len(np.unique(first)) > 1
        assert [(other == first).mean() > 0.999 for other in others] == [True, True]


def test_a_run_and_its_package_and_its_zip_predict_the_same(leanseg, trained, scans, predicted, tmp_path):
    packed = tmp_path / "model.zip"
    assert leanseg("pack", trained, "-o", packed).code == 0
    for model, out in ((trained / "package", tmp_path / "a"), (packed, tmp_path / "b")):
        done = leanseg("predict", model, scans / "new_0.nii.gz", "-o", out)
        assert done.code == 0, done.err
        np.testing.assert_array_equal(labels_in(out, "new_0"), labels_in(predicted, "new_0"))


@pytest.mark.parametrize("axes", ["RAS", "LPI", "SAR"])
def test_a_turned_scan_gets_the_same_labels_turned(axes, leanseg, trained, scans, predicted, save_scan, tmp_path):
    image = nibabel.load(scans / "new_0.nii.gz")
    turn = ornt_transform(io_orientation(image.affine), axcodes2ornt(axes))
    turned = nibabel.orientations.apply_orientation(np.asarray(image.dataobj), turn)
    save_scan(tmp_path / "new_0.nii.gz", turned, image.affine @ inv_ornt_aff(turn, image.shape))
    done = leanseg("predict", trained, tmp_path / "new_0.nii.gz", "-o", tmp_path / "out")
    assert done.code == 0, done.err
    expected = nibabel.orientations.apply_orientation(labels_in(predicted, "new_0"), turn)
    assert (labels_in(tmp_path / "out", "new_0") == expected).mean() > 0.999


def test_predicting_neither_imports_torch_nor_opens_a_connection(trained, scans, tmp_path):
    (tmp_path / "hook").mkdir()
    (tmp_path / "hook" / "sitecustomize.py").write_text(BLOCKADE, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "hook")}
    check = [sys.executable, "-c", "import torch"]
    assert subprocess.run(check, env=environment, capture_output=True, check=False).returncode == 99
    command = [sys.executable, "-m", "leanseg", "predict", str(trained), str(scans), "-o", str(tmp_path / "out")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "new_1.nii.gz").is_file()


def test_a_perfect_prediction_scores_one(leanseg, dataset, tmp_path):
    done = leanseg("evaluate", dataset / "labelsTr", dataset / "labelsTr", "-o", tmp_path / "report")
    assert done.code == 0, done.err
    scores = json.loads((tmp_path / "report" / "metrics.json").read_text(encoding="utf-8"))
    assert "1.000" in done.out
    assert scores
    assert (tmp_path / "report" / "metrics.csv").is_file()


def test_a_missing_prediction_counts_as_failed_and_is_listed(leanseg, dataset, tmp_path):
    shutil.copytree(dataset / "labelsTr", tmp_path / "out")
    (tmp_path / "out" / "scan_02.nii.gz").unlink()
    done = leanseg("evaluate", tmp_path / "out", dataset, "-o", tmp_path / "report")
    assert done.code == 4
    assert "scan_02" in done.out + done.err
    assert list((tmp_path / "report").glob("*.png"))


def test_training_is_planned_on_the_way_where_no_plan_is_given(leanseg, dataset, tmp_path):
    options = ("--network", "distill_dsm_unet", "--steps", "2", "--json")
    done = leanseg("train", dataset, *options, "-o", tmp_path / "run")
    assert done.code == 0, done.err
    assert json.loads(done.out)["state"] == "done"


def test_the_users_own_data_goes_the_whole_way_in_the_demo(leanseg, dataset, tmp_path):
    done = leanseg("demo", "--data", dataset, "--minutes", "0.5", "-o", tmp_path / "demo")
    assert done.code == 0, done.err
    commands = [line.split()[2] for line in done.out.splitlines() if line.startswith("$ leanseg")]
    assert commands == ["check", "plan", "train", "predict", "evaluate"]
    judged = {path.name for path in (tmp_path / "demo" / "held-out" / "images").iterdir()}
    assert {path.name for path in (tmp_path / "demo" / "predictions").glob("*.nii.gz")} == judged
    assert "not a medical device" in " ".join(done.out.split())
    assert done.out.count("validation/report") == 1  # training names its report once
    assert list((tmp_path / "demo" / "report").glob("*.png"))
