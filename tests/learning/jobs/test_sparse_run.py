"""A sparse training from start to package, interrupted and not."""

import csv
import json
import shutil
import time

import numpy as np
import pytest
import torch
from tests.learning.jobs.signals import press

from leanseg.learning.export.torch_engine import TorchEngine, build_network
from leanseg.learning.jobs import ensemble
from leanseg.learning.jobs.training import Limits, resume, start
from leanseg.learning.sparsity import NothingToMaskError, OtherMasksError
from leanseg.learning.training import display
from leanseg.learning.training.checkpoints import OtherNetworkError
from leanseg.packages import Package
from leanseg.plans import Network, Sparsity
from leanseg.progress import Progress

STEPS = 12  # updates after 5 and 10


def limits(steps=None):
    return Limits(time.monotonic(), steps=steps, device="cpu")


def changed(plan, **sparsity):
    training = plan.training.model_copy(update={"sparsity": Sparsity(**sparsity)})
    return plan.model_copy(update={"training": training})


class Halfway(Progress):
    """Presses Ctrl-C once, when training has come halfway: between the two updates."""

    pressed = False

    def status(self, doing, share, facts):
        if share >= 0.5 and not self.pressed:
            self.pressed = True
            press(2)


@pytest.fixture(scope="module")
def sparse(plan):
    return changed(plan, density=0.3)


@pytest.fixture(scope="module")
def whole(balls, sparse, tmp_path_factory):
    return start(balls, sparse, tmp_path_factory.mktemp("run") / "whole", limits(STEPS), progress=Progress())


@pytest.fixture(scope="module")
def stopped(balls, sparse, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(display, "_SECONDS_BETWEEN", 0.0)
        return start(balls, sparse, tmp_path_factory.mktemp("run") / "stopped", limits(STEPS), progress=Halfway())


@pytest.fixture
def copied(stopped, tmp_path):
    shutil.copytree(stopped.folder.root, tmp_path / "run")
    return tmp_path / "run"


def checkpoint(root):
    return torch.load(root / "checkpoints" / "last.ckpt", weights_only=True)


def table(root):
    with (root / "logs" / "sparsity.csv").open() as file:
        return list(csv.DictReader(file))


def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(whole, stopped, copied, balls):
    assert [row["step"] for row in table(stopped.folder.root)] == ["0", "5"]
    finished = resume(balls, copied, limits(), progress=Progress())
    ours, theirs = checkpoint(copied), checkpoint(whole.folder.root)
    for kind in (lambda found: found["state_dict"], lambda found: found["average"]["tensors"]):
        assert all(torch.equal(kind(ours)[name], kind(theirs)[name]) for name in kind(theirs))
    masks = theirs["sparsity"]["masks"]
    assert all(torch.equal(ours["sparsity"]["masks"][name], masks[name]) for name in masks)
    moments = [found["optimizer_states"][0]["state"] for found in (ours, theirs)]
    for number, values in moments[1].items():
        assert all(torch.equal(values[name], moments[0][number][name]) for name in values)
    assert table(copied) == table(whole.folder.root)
    assert [row["step"] for row in table(copied)] == ["0", "5", "10"]
    assert finished.record.results["dice/ball"] == whole.record.results["dice/ball"]


def test_the_package_has_masks_of_exact_density_and_zeros_where_they_say(whole, sparse):
    package = Package.read(whole.folder.package)
    weights, masks = package.weights(), package.masks()
    kept, kernels = 0, 0
    for name, alive in masks.items():
        assert alive.sum() == round(0.3 * alive.size)
        assert not weights[name][~alive].any()
        kept, kernels = kept + alive.sum(), kernels + alive.size
    learnt = sum(np.count_nonzero(weights[name].any(axis=(2, 3))) for name in masks)
    assert learnt >= 0.98 * kept  # what was judged is not what has just begun to grow
    facts = package.manifest.measured["sparsity"]
    assert facts["density"] == kept / kernels == pytest.approx(0.3, abs=1e-3)
    dead = sum((~alive).sum() * weights[name][0, 0].size for name, alive in masks.items())
    assert facts["parameters"] == sum(parameter.numel() for parameter in build_network(sparse).parameters()) - dead
    assert f"density {facts['density']:.4g}" in package.card()
    TorchEngine.from_package(package, "cpu")


def test_masks_and_averaged_weights_of_the_checkpoint_agree(whole):
    stored = checkpoint(whole.folder.root)
    for name, alive in stored["sparsity"]["masks"].items():
        assert not stored["average"]["tensors"][name][~alive].any()
        assert not stored["state_dict"][f"network.{name}"][~alive].any()


def test_what_became_of_the_masks_is_a_table_and_a_picture(whole):
    rows = table(whole.folder.root)
    assert len({row["density"] for row in rows}) == 1
    assert "<svg" in (whole.folder.root / "logs" / "sparsity.svg").read_text()


def test_an_ensemble_keeps_the_masks_of_its_folds(whole, stopped, balls, tmp_path):
    members = [Package.read(outcome.folder.package) for outcome in (whole, stopped)]
    together = ensemble._write_scores(tmp_path / "scores", members, {}, {})
    for number, member in enumerate(members):
        assert all(np.array_equal(together.masks(number)[name], alive) for name, alive in member.masks().items())
    alive = sum(member.manifest.measured["sparsity"]["alive"] for member in members)
    assert together.manifest.measured["sparsity"]["alive"] == alive
    ensemble._averaged_weights(members, balls.cases[0]).write(tmp_path / "weights", {}, {})
    mean = Package.read(tmp_path / "weights")
    first, second = (member.masks() for member in members)
    assert all(np.array_equal(alive, first[name] | second[name]) for name, alive in mean.masks().items())
    assert not any(mean.weights()[name][~alive].any() for name, alive in mean.masks().items())


@pytest.mark.parametrize(
    ("edit", "error", "said"),
    [
        (lambda plan: plan["training"]["sparsity"].update(density=0.2), OtherMasksError, "density is 0.2, it was 0.3"),
        (lambda plan: plan["training"].update(sparsity=None), OtherMasksError, "it was sparse"),
        (lambda plan: plan["network"].update(options={"alpha": 0.25}), OtherNetworkError, "distill"),
        (lambda plan: plan["network"].update(name="unet2d"), OtherNetworkError, "not there any more"),
    ],
)
def test_a_run_is_not_resumed_with_another_network_or_other_masks(edit, error, said, copied, balls):
    document = json.loads((copied / "plan.json").read_text())
    edit(document)
    (copied / "plan.json").write_text(json.dumps(document))
    before = (copied / "run.json").read_bytes()
    with pytest.raises(error) as refused:
        resume(balls, copied, limits(), progress=Progress())
    assert said in refused.value.what
    assert (copied / "run.json").read_bytes() == before


def test_what_cannot_be_masked_is_refused_before_anything_is_written(balls, plan, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "leanseg.learning.jobs.training.build_network", lambda plan: torch.nn.Conv3d(1, plan.data.outputs, 1)
    )
    with pytest.raises(NothingToMaskError):
        start(balls, changed(plan), tmp_path / "run", limits(1), progress=Progress())
    wrong = changed(plan, distribution="released").model_copy(update={"network": Network(name="unet2d")})
    monkeypatch.undo()
    with pytest.raises(Exception, match="released"):
        start(balls, wrong, tmp_path / "run", limits(1), progress=Progress())
    assert not (tmp_path / "run").exists()
