"""The stages of a stacked network, on toy networks and toy cases."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pytorch_lightning import Callback, Trainer
from torch import nn

from leanseg.datasets import Case
from leanseg.learning.networks.stacked import StackedNetwork
from leanseg.learning.training.averaging import Averaging
from leanseg.learning.training.cache import CachedCase
from leanseg.learning.training.clock import StepClock
from leanseg.learning.training.module import SegmentationModule
from leanseg.learning.training.patches import patch_loader
from leanseg.learning.training.sparsifying import Sparsifying
from leanseg.learning.training.stacking import OneSubjectError, OtherCasesError, halves_of
from leanseg.learning.training.staging import Staging
from leanseg.plans import Data, Inference, Network, Normalisation, Plan, Preprocessing, Sparsity, Training
from leanseg.progress import Progress

STEPS = 20
DATA = Data(name="toy", channels=("MR",), labels={"background": 0, "one": 1})


class First(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv3d(1, 6, 3, padding=1), nn.BatchNorm3d(6), nn.ReLU(), nn.Conv3d(6, 6, 1), nn.ReLU()
        )
        self.heads = nn.ModuleList([nn.Conv3d(6, 2, 1), nn.Conv3d(6, 2, 3, padding=1)])

    def forward(self, x):
        features = self.body(x)
        return [head(features) for head in self.heads]


class Second(nn.Module):
    def __init__(self):
        super().__init__()
        self.fuse = nn.Sequential(nn.Conv3d(5, 4, 1), nn.BatchNorm3d(4), nn.Conv3d(4, 4, 1), nn.Conv3d(4, 2, 1))

    def forward(self, x, answers):
        return self.fuse(torch.cat([x, *answers], dim=1))


def plan(**training):
    return Plan(
        data=DATA,
        preprocessing=Preprocessing(spacing=(1, 1, 1), normalisation=(Normalisation(),)),
        network=Network(name="toy"),
        training=Training(patch=(4, 4, 4), **training),
        inference=Inference(tile=(8, 8, 8)),
    )


def case(number, seed=None):
    random = np.random.default_rng(number if seed is None else seed)
    image = random.normal(size=(1, 6, 6, 6)).astype(np.float32)
    labels = (image[0] + random.normal(size=(6, 6, 6)) > 0).astype(np.uint8)
    foreground = np.argwhere(labels == 1).astype(np.int32)
    return CachedCase(f"case{number}", image, labels, (foreground,))


class Watcher(Callback):
    """Notes before every step the stage, the learning rate and all weights."""

    def __init__(self):
        self.seen = []

    def on_train_batch_end(self, trainer, module, *_):
        rate = trainer.optimizers[0].param_groups[0]["lr"]
        state = {name: tensor.clone() for name, tensor in module.state_dict().items()}
        self.seen.append((module.stacking.stage, rate, state))


def fitted(cases, *, steps=STEPS, **training):
    """Train the toy network; returns the module and what a watcher saw after every step."""
    torch.manual_seed(0)
    made = plan(**training)
    clock = StepClock(steps)
    module = SegmentationModule(nn.Sequential(StackedNetwork(First(), Second())), DATA, made.training, clock)
    watcher = Watcher()
    masking = [
        Sparsifying(sparse, clock, "nowhere", average)
        for sparse, average in zip(module.stacking.sparse, module.stacking.averages, strict=False)
    ]
    trainer = Trainer(
        accelerator="cpu",
        max_steps=steps,
        gradient_clip_val=made.training.gradient_clip,
        callbacks=[Averaging(), Staging(module.stacking, clock, Progress()), *masking, watcher],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    halves = module.stacking.divide(cases)
    trainer.fit(module, patch_loader(cases, made, steps_done=0, workers=0, pin=False, halves=halves))
    return module, watcher.seen


@given(st.lists(st.integers(0, 5), min_size=2, max_size=20).filter(lambda found: len(set(found)) > 1))
def test_halves_keep_subjects_together_and_none_is_empty(subjects):
    cases = [Case(f"c{n}", (), subject=f"s{subject}") for n, subject in enumerate(subjects)]
    halves = halves_of(cases)
    assert set(halves) == {0, 1}
    assert len(set(zip(subjects, halves, strict=True))) == len(set(subjects))
    largest = max(subjects.count(subject) for subject in subjects)
    assert abs(halves.count(0) - halves.count(1)) <= largest


def test_cases_without_subjects_take_turns():
    assert halves_of([case(number) for number in range(5)]) == [0, 1, 0, 1, 0]


@pytest.mark.parametrize("cases", [[case(0)], [replace(case(0), subject="a"), replace(case(1), subject="a")]])
def test_one_subject_cannot_be_divided(cases):
    with pytest.raises(OneSubjectError, match="one subject"):
        halves_of(cases)


def test_a_training_that_goes_on_keeps_its_halves_and_its_cases():
    stacking = SegmentationModule(StackedNetwork(First(), Second()), DATA, plan().training, StepClock(STEPS)).stacking
    cases = [replace(case(number), subject=subject) for number, subject in enumerate("aabb")]
    assert stacking.divide(cases) == [0, 0, 1, 1]
    before = stacking.state()["halves"]
    assert stacking.divide([case(number) for number in range(4)], before) == [0, 0, 1, 1]
    for others in (cases[:3], [*cases, case(4)]):
        with pytest.raises(OtherCasesError, match="not those"):
            stacking.divide(others, before)


@pytest.mark.parametrize("changed", [0, 1])
@pytest.mark.parametrize("sparsity", [None, Sparsity(density=0.5, interval=2)])
def test_what_answers_about_a_case_has_never_seen_it(changed, sparsity):
    """Another scan in the place of a case changes nothing of the copy that answers about it, not the last bit.

    The limit on gradients is low enough to matter: one limit for both copies would tell one what the other saw.
    """
    cases = [case(0), case(1)]
    others = [case(number, seed=100 if number == changed else None) for number in range(2)]
    (ours, _), (theirs, _) = (fitted(each, gradient_clip=0.05, batch=3, sparsity=sparsity) for each in (cases, others))
    for number, (copy, other) in enumerate(zip(ours.copies, theirs.copies, strict=True)):
        state, its = copy.state_dict(), other.state_dict()
        same = all(torch.equal(state[name], its[name]) for name in state)
        assert same == (number == changed)
    first, its = (module.network[0].first.state_dict() for module in (ours, theirs))
    assert not all(torch.equal(first[name], its[name]) for name in first)


def test_the_second_part_is_given_the_answers_of_the_copies_in_the_order_of_the_batch():
    module, _ = fitted([case(0), case(1)])
    image = torch.randn(5, 1, 4, 4, 4)
    halves = torch.tensor([1, 0, 0, 1, 1])
    found = module.stacking.unseen_answers(image, halves)
    for item, half in enumerate(halves.tolist()):
        with torch.no_grad():
            expected = module.copies[half](image[item : item + 1])
        assert all(
            torch.allclose(answer[item : item + 1], own, atol=1e-6) for answer, own in zip(found, expected, strict=True)
        )
    assert not torch.allclose(found[0][:1], module.copies[0](image[:1])[0], atol=1e-3)
    alone = module.stacking.unseen_answers(image[:1], halves[:1])  # a batch of one half only
    assert torch.allclose(alone[0], found[0][:1], atol=1e-6)


def moved(before, after, prefix):
    return any(not torch.equal(before[name], after[name]) for name in before if name.startswith(prefix))


def test_parts_learn_in_turn_and_the_others_are_left_alone():
    _, seen = fitted([case(0), case(1)])
    assert [stage for stage, *_ in seen] == [0] * 8 + [1] * 8 + [2] * 4
    prefixes = ("network.0.first", "copies", "network.0.second")
    for (stage, _, before), (after_stage, _, after) in itertools.pairwise(seen):
        if stage == after_stage:
            for number, prefix in enumerate(prefixes):
                assert moved(before, after, prefix) == (number == stage)


def test_the_learning_rate_rises_and_falls_in_every_stage():
    _, seen = fitted([case(0), case(1)], warmup=0.25)
    rates = [[rate for own, rate, _ in seen if own == stage] for stage in range(3)]
    for stage in rates:
        assert stage[0] == pytest.approx(3e-6)
        assert max(stage) == pytest.approx(3e-3)
        assert stage[-1] < max(stage)


def test_what_has_learned_goes_on_with_its_averaged_weights():
    """By the definition: decay (1 + n) / (10 + n) after n steps, each stage from its own beginning."""
    module, seen = fitted([case(0), case(1)])
    for stage, prefix in ((0, "network.0.first.heads.0.weight"), (1, "copies.1.heads.0.weight")):
        steps = [state[prefix] for own, _, state in seen if own == stage]
        before = seen[0][2] if stage else None
        average = (before or start())[prefix]
        for number, weights in enumerate(steps):
            decay = (1 + number) / (10 + number)
            average = decay * average + (1 - decay) * weights
        final = seen[-1][2][prefix]
        assert torch.allclose(final, average, atol=1e-6)
        assert not torch.allclose(final, steps[-1], atol=1e-6)
    own = {f"network.{name}": tensor for name, tensor in module.average.tensors.items()}
    assert torch.equal(own["network.0.first.heads.0.weight"], seen[-1][2]["network.0.first.heads.0.weight"])


def start():
    torch.manual_seed(0)
    network = nn.Sequential(StackedNetwork(First(), Second()))
    return {f"network.{name}": tensor for name, tensor in network.state_dict().items()}


def test_no_stage_is_left_out_when_time_flies():
    module = SegmentationModule(
        nn.Sequential(StackedNetwork(First(), Second())), DATA, plan().training, StepClock(STEPS)
    )
    entered = [module.stacking.enter(0.99, module.average) for _ in range(4)]
    assert entered == [True, True, False, False]
    assert module.stacking.stage == 2


def test_copies_are_masked_like_the_network_and_only_the_learning_masks_change():
    module, seen = fitted([case(0), case(1)], sparsity=Sparsity(density=0.5, interval=2))
    for copy, sparse in zip(module.copies, module.stacking.sparse, strict=True):
        assert sparse.masks.keys() == {"body.3.weight"}
        alive = sparse.masks["body.3.weight"]
        assert alive.sum() == 18
        assert not copy.get_parameter("body.3.weight")[~alive].any()
        assert [row[0] for row in sparse.history.rows] == [0, 9, 11, 13, 15]
    assert seen[-1][0] == 2
