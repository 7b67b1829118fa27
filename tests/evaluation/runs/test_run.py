import json

import numpy as np
import pytest

from leanseg.datasets.documents import DocumentError
from leanseg.evaluation.runs.run import read_run
from leanseg.packages import CorruptPackageError
from leanseg.plans.network_facts import own_network


def test_a_run_is_what_its_folder_says(new_run):
    run = read_run(new_run("dense", 0.9, network="dynunet"), "a name")
    assert (run.name, run.state, run.fold, run.data[0]) == ("a name", "done", 0, "/data/shades")
    assert (run.steps, run.peak_rss_bytes, run.budget_minutes) == (90, 2e9, 2.0)
    assert run.minutes == pytest.approx(1.8)
    assert set(run.options) == set(own_network("dynunet").options)
    assert run.judged.foreground.n == 12
    # A 1x1x1 convolution from 1 to 3 channels.
    assert (run.costs.parameters, run.costs.macs_per_voxel, run.costs.density) == (1000, 3.0, 1.0)
    assert run.sparsity == "none"


def test_of_a_sparse_network_what_the_masks_keep_is_told(new_run):
    mask = np.array([[True], [False], [False]])
    tensors = {"weights": np.zeros((3, 1, 1, 1, 1), np.float32)}, {"weights": mask}
    run = read_run(new_run("sparse", masks=tensors), "sparse")
    assert run.sparsity == "static"
    assert run.costs.density == pytest.approx(1 / 3)
    assert run.costs.kept_parameters == 1000 - 2
    assert (run.costs.macs_per_voxel, run.costs.kept_macs_per_voxel) == (3.0, 1.0)


def test_an_unfinished_run_says_what_it_can(new_run):
    folder = new_run("running", judged=False, state="running", network="from a plug-in", options={"depth": 3})
    for path in (folder / "package").iterdir():
        path.unlink()
    run = read_run(folder, "running")
    assert run.judged is None
    assert run.costs is None
    assert run.curves
    assert run.options == {"depth": 3}


def test_the_folds_of_a_cross_validation_are_one_run(new_run, tmp_path):
    folds = [new_run(f"all/fold_{number}", 0.8, fold=number) for number in range(2)]
    (folds[0] / "validation").rename(tmp_path / "all" / "validation")
    for name in ("plan.json", "splits.json"):
        (folds[0] / name).rename(tmp_path / "all" / name)
        (tmp_path / "all" / "fold_0" / name).write_bytes((folds[1] / name).read_bytes())
    record = {"dataset": "/data", "minutes": 1.0, "device": "cpu", "state": "done"}
    (tmp_path / "all" / "cross_validation.json").write_text(json.dumps(record))
    run = read_run(tmp_path / "all", "all")
    assert run.fold is None
    assert len(run.curves) == 2
    assert run.steps == 90
    assert len(run.judged.cases) == 12
    assert run.costs.parameters == 1000


def test_a_broken_record_is_refused(new_run):
    folder = new_run("broken")
    (folder / "run.json").write_text('{"state": "lost"}')
    with pytest.raises(DocumentError, match=r"run\.json"):
        read_run(folder, "broken")


def test_a_changed_package_is_refused(new_run):
    folder = new_run("changed")
    (folder / "package" / "model.onnx").write_bytes(b"changed")
    with pytest.raises(CorruptPackageError):
        read_run(folder, "changed")
