"""A training in stages from start to package, interrupted and not, with the network that needs them."""

import time
from dataclasses import replace
from functools import cache

import pytest
import torch
from tests.learning.jobs.signals import press
from tests.learning.training.test_stacking import First, Second

from leanseg.datasets import Fold, Splits, write_splits
from leanseg.inference import predict_cases
from leanseg.learning import networks
from leanseg.learning.export.torch_engine import build_network
from leanseg.learning.jobs.cross_validation import cross_validate
from leanseg.learning.jobs.training import Limits, resume, start
from leanseg.learning.networks import registry
from leanseg.learning.networks.stacked import StackedNetwork
from leanseg.learning.training import display
from leanseg.learning.training.stacking import OneSubjectError
from leanseg.packages import Package
from leanseg.plans import Inference, Network, Sparsity
from leanseg.progress import Progress

STEPS = 20
SPARSE = Sparsity(density=0.5)


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


@pytest.fixture(scope="module", autouse=True)
def toy():
    """A stacked network so small that its trainings take seconds."""
    facts = networks.NetworkFacts(name="toy_stack", source="these tests", divisor=(1, 1, 1))
    networks.register(facts)(lambda in_channels, out_channels: StackedNetwork(First(), Second()))
    yield
    del registry._registered["toy_stack"]


def changed(plan, network, sparsity, patch=(8, 8, 8), tile=(18, 18, 18)):
    training = plan.training.model_copy(update={"patch": patch, "sparsity": sparsity})
    update = {"network": Network(name=network), "training": training, "inference": Inference(tile=tile)}
    return plan.model_copy(update=update)


@pytest.fixture(scope="module")
def one_fold(balls, tmp_path_factory):
    """Four cases to train and one to validate."""
    *training, validation = (case.name for case in balls.cases)
    file = tmp_path_factory.mktemp("splits") / "splits.json"
    write_splits(file, Splits(seed=0, folds=(Fold(training=tuple(training), validation=(validation,)),)))
    return file


@pytest.fixture(scope="module")
def whole(balls, plan, one_fold, tmp_path_factory):
    """A function that gives the uninterrupted training of the toy, dense or sparse."""

    @cache
    def trained(sparsity):
        root = tmp_path_factory.mktemp("run") / "whole"
        toy_plan = changed(plan, "toy_stack", sparsity)
        return start(balls, toy_plan, root, limits(STEPS), splits=one_fold, progress=Progress())

    return trained


def checkpoint(root):
    return torch.load(root / "checkpoints" / "last.ckpt", weights_only=True)


def same(ours, theirs):
    """Whether two nests of dictionaries, lists, tensors and plain values are equal to the last bit."""
    if isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(same(ours[key], theirs[key]) for key in theirs)
    if isinstance(theirs, list | tuple):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    return torch.equal(ours, theirs) if isinstance(theirs, torch.Tensor) else ours == theirs


def interrupted_and_resumed(balls, plan, root, splits, monkeypatch, until):
    """The stage in which a training of `plan` was interrupted, and how it ended after it was resumed."""
    monkeypatch.setattr(display, "_SECONDS_BETWEEN", 0.0)
    stopped = start(balls, plan, root, limits(STEPS), splits=splits, progress=Listener(until))
    monkeypatch.undo()
    assert stopped.record.state == "interrupted"
    assert Package.read(stopped.folder.package).plan == plan  # usable all the same
    # Told only now, and without effect: by themselves these patients would be divided otherwise.
    patients = ("a", "a", "b", "b", "c")
    cases = [replace(case, subject=patient) for case, patient in zip(balls.cases, patients, strict=True)]
    told = replace(balls, cases=tuple(cases))
    return checkpoint(root)["stacking"]["stage"], resume(told, root, limits(), progress=Progress())


def assert_same_training(ours, theirs):
    stored, expected = checkpoint(ours.folder.root), checkpoint(theirs.folder.root)
    assert stored.keys() == expected.keys()
    for key in {"state_dict", "average", "stacking", "optimizer_states", "sparsity"} & expected.keys():
        assert same(stored[key], expected[key]), key
    assert ours.record.results["dice/ball"] == theirs.record.results["dice/ball"]


@pytest.mark.parametrize(
    ("sparsity", "until", "stage"),
    [(None, 0.6, 1), (SPARSE, 0.2, 0), (SPARSE, 0.6, 1), (SPARSE, 0.9, 2)],
)
def test_a_run_interrupted_in_any_stage_goes_on_bit_for_bit(
    sparsity, until, stage, whole, balls, plan, one_fold, tmp_path, monkeypatch
):
    toy_plan = changed(plan, "toy_stack", sparsity)
    found, finished = interrupted_and_resumed(balls, toy_plan, tmp_path / "run", one_fold, monkeypatch, until)
    assert found == stage
    assert_same_training(finished, whole(sparsity))
    assert any(name.startswith("copies.") for name in checkpoint(tmp_path / "run")["state_dict"])


@pytest.mark.slow
def test_a_sparse_vfn_trains_is_resumed_exported_and_predicts(balls, plan, one_fold, tmp_path, monkeypatch):
    sparse = changed(plan, "vfn", Sparsity(density=0.3), (16, 16, 16), (32, 32, 32))
    listener = Listener()
    outcome = start(balls, sparse, tmp_path / "whole", limits(STEPS), splits=one_fold, progress=listener)
    assert [note for note in listener.notes if "part" in note] == [
        "The first part of the network has learned; copies of it learn, each from half of the cases",
        "The second part of the network begins to learn",
    ]
    package = Package.read(outcome.folder.package)
    assert package.weights().keys() == build_network(sparse).state_dict().keys()  # without the copies
    parity = package.manifest.measured["parity"]
    assert len(parity) == 2
    assert all(engine["label_agreement"] > 0.999 for engine in parity.values())
    for name, alive in package.masks().items():
        assert alive.sum() == round(0.3 * alive.size)
        assert not package.weights()[name][~alive].any()
    assert predict_cases(package, balls.cases[:1], tmp_path / "out").done == ("ball0",)
    tables = {path.name for path in (outcome.folder.root / "logs").glob("*.csv")}
    assert tables == {"metrics.csv", "sparsity.csv", "sparsity-copy0.csv", "sparsity-copy1.csv"}
    stage, finished = interrupted_and_resumed(balls, sparse, tmp_path / "run", one_fold, monkeypatch, 0.6)
    assert stage == 1
    assert_same_training(finished, outcome)


def test_one_subject_is_refused_before_anything_is_written(balls, plan, tmp_path):
    one = replace(balls, cases=tuple(replace(case, subject=f"s{case.name == 'ball0'}") for case in balls.cases))
    for train in (start, cross_validate):
        with pytest.raises(OneSubjectError):
            train(one, changed(plan, "toy_stack", None), tmp_path / "run", limits(STEPS), folds=2, progress=Progress())
    assert not any(tmp_path.iterdir())
