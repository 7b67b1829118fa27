"""A training in stages from start to package, interrupted and not, with the network that needs them."""

import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.learning.jobs.signals import press

from leanseg.datasets import make_splits
from leanseg.inference import predict_cases
from leanseg.learning.jobs.cross_validation import cross_validate
from leanseg.learning.jobs.training import Limits, resume, start
from leanseg.learning.training import display
from leanseg.learning.training.stacking import OneSubjectError
from leanseg.packages import Package
from leanseg.plans import Inference, Network, Sparsity
from leanseg.progress import Progress

STEPS = 20


def limits(steps=None):
    return Limits(time.monotonic(), steps=steps, device="cpu")


class Listener(Progress):
    """Keeps the notes, and presses Ctrl-C once when a share of the training is done."""

    def __init__(self, until=2.0):
        self.until = until
        self.notes = []

    def status(self, doing, share, facts):
        if share >= self.until:
            self.until = 2.0
            press(2)

    def note(self, message):
        self.notes.append(message)


@pytest.fixture(scope="module", params=[None, Sparsity(density=0.3)], ids=["dense", "sparse"])
def stacked(plan, request):
    return plan.model_copy(
        update={
            "network": Network(name="vfn"),
            "training": plan.training.model_copy(update={"patch": (16, 16, 16), "sparsity": request.param}),
            "inference": Inference(tile=(32, 32, 32)),
        }
    )


@pytest.fixture(scope="module")
def whole(balls, stacked, tmp_path_factory):
    listener = Listener()
    outcome = start(balls, stacked, tmp_path_factory.mktemp("run") / "whole", limits(STEPS), progress=listener)
    return outcome, listener.notes


def checkpoint(root):
    return torch.load(root / "checkpoints" / "last.ckpt", weights_only=True)


def same(ours, theirs):
    """Whether two nests of dictionaries, lists, tensors and plain values are equal to the last bit."""
    if isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(same(ours[key], theirs[key]) for key in theirs)
    if isinstance(theirs, list | tuple):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    return torch.equal(ours, theirs) if isinstance(theirs, torch.Tensor) else ours == theirs


@pytest.mark.parametrize(("until", "stage"), [(0.2, 0), (0.6, 1), (0.9, 2)])
def test_a_run_interrupted_in_any_stage_goes_on_bit_for_bit(until, stage, whole, balls, stacked, tmp_path, monkeypatch):
    monkeypatch.setattr(display, "_SECONDS_BETWEEN", 0.0)
    stopped = start(balls, stacked, tmp_path / "run", limits(STEPS), progress=Listener(until))
    assert checkpoint(tmp_path / "run")["stacking"]["stage"] == stage
    assert Package.read(stopped.folder.package).plan == stacked  # usable all the same
    monkeypatch.undo()
    finished = resume(balls, tmp_path / "run", limits(), progress=Progress())
    ours, theirs = checkpoint(tmp_path / "run"), checkpoint(whole[0].folder.root)
    assert ("sparsity" in theirs) == (stacked.training.sparsity is not None)
    for key in {"state_dict", "average", "stacking", "optimizer_states", "sparsity"} & theirs.keys():
        assert same(ours[key], theirs[key]), key
    assert any(name.startswith("copies.") for name in theirs["state_dict"])
    assert finished.record.results["dice/ball"] == whole[0].record.results["dice/ball"]


def test_the_package_holds_the_network_without_the_copies_and_every_engine_agrees(whole, balls, stacked, tmp_path):
    outcome, notes = whole
    package = Package.read(outcome.folder.package)
    assert not any("copies" in name for name in package.weights())
    assert all(engine["label_agreement"] > 0.999 for engine in package.manifest.measured["parity"].values())
    assert len(package.manifest.measured["parity"]) == 2
    assert [note for note in notes if "part" in note] == [
        "The first part of the network has learned; copies of it learn, each from half of the cases",
        "The second part of the network begins to learn",
    ]
    summary = predict_cases(package, balls.cases[:1], tmp_path / "out")
    assert summary.done == ("ball0",)
    logs = {path.name for path in (outcome.folder.root / "logs").glob("*.csv")}
    copies = {"sparsity.csv", "sparsity-copy0.csv", "sparsity-copy1.csv"} if stacked.training.sparsity else set()
    assert logs == {"metrics.csv", *copies}
    for name, alive in package.masks().items() if copies else ():
        assert alive.sum() == round(0.3 * alive.size)
        assert not package.weights()[name][~alive].any()
    assert np.isfinite(outcome.record.results["dice/ball"])


def test_one_subject_is_refused_before_anything_is_written(balls, stacked, tmp_path):
    one = replace(balls, cases=tuple(replace(case, subject=f"s{case.name == 'ball0'}") for case in balls.cases))
    assert len(make_splits(one, 2).folds) == 2
    for train in (start, cross_validate):
        with pytest.raises(OneSubjectError):
            train(one, stacked, tmp_path / "run", limits(STEPS), folds=2, progress=Progress())
    assert not (tmp_path / "run").exists()
