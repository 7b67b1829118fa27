import numpy as np
import pytest
import torch
from tests.learning.training.registration_stand_in import case, register, scan

from leanseg.learning.augmentation.elastic import ElasticDeformation
from leanseg.learning.augmentation.registered import RegisteredDeformation
from leanseg.learning.training import deformations
from leanseg.learning.training.deformations import Deformations, ReadyFlows
from leanseg.learning.training.flows import FlowStore
from leanseg.learning.training.pairs import partners
from leanseg.learning.training.patches import PatchDataset, straight_region
from leanseg.learning.training.registering import register_pairs
from leanseg.plans import (
    Augmentation,
    Data,
    Elastic,
    Inference,
    Network,
    Normalisation,
    Plan,
    Preprocessing,
    RandomContrast,
    RegistrationMix,
    Training,
)

MIX = Augmentation(
    affine_probability=0,
    intensity_probability=0,
    elastic=Elastic(probability=1 / 3, sigma=1.0),
    registration=RegistrationMix(partners=2),
)


@pytest.fixture
def cases(tmp_path):
    return [case(tmp_path, f"case{number}", number) for number in range(2)]


@pytest.fixture
def of_each(cases, tmp_path):
    others = [scan(tmp_path, f"other{number}", 20 + number, shape=(9, 9, 8)) for number in range(4)]
    return [partners(each.scan, others, number=2, seed=0, registration="") for each in cases]


@pytest.fixture
def store(tmp_path):
    return FlowStore(tmp_path / "flows", 10**6)


def registered(of_each, store):
    list(register_pairs([pair for pairs in of_each for pair in pairs], store, register, intensities=False))


def kinds(made, cases, number=600):
    drawn = [made.draw(at, at % 2, cases[at % 2]) for at in range(number)]
    return [type(each.bending) if each else None for each in drawn]


def plan(augmentation=MIX, **training):
    return Plan(
        data=Data(name="toy", channels=("MR",), labels={"background": 0, "one": 1}),
        preprocessing=Preprocessing(spacing=(1, 1, 1), normalisation=(Normalisation(),)),
        network=Network(name="unet2d"),
        training=Training(patch=(4, 6, 5), augmentation=augmentation, **training),
        inference=Inference(tile=(4, 16, 16)),
    )


def test_a_third_each_is_registered_elastic_and_left_as_it_is(cases, of_each, store):
    registered(of_each, store)
    found = kinds(Deformations(MIX, 0, ReadyFlows(of_each, store, growing=False)), cases)
    for kind in (RegisteredDeformation, ElasticDeformation, None):
        assert found.count(kind) / len(found) == pytest.approx(1 / 3, abs=0.06)


def test_partners_are_drawn_evenly_and_velocities_between_their_limits(cases, of_each, store):
    registered(of_each, store)
    flows = ReadyFlows(of_each, store, growing=False)
    made = Deformations(MIX, 0, flows)
    drawn = [found.bending for at in range(600) if (found := made.draw(at, 0, cases[0]))]
    used = [each._flow for each in drawn if isinstance(each, RegisteredDeformation)]
    files = [str(flow.offsets.filename) for flow in used]
    assert len(set(files)) == 2
    assert files.count(files[0]) / len(files) == pytest.approx(0.5, abs=0.1)
    # The weight of the whole velocity, v (2 v - 1), is 0 at half of it and 1 at all of it.
    weights = [each._weights[1] for each in drawn if isinstance(each, RegisteredDeformation)]
    assert 0 <= min(weights) < 0.1
    assert 0.9 < max(weights) <= 1


def test_what_is_not_there_yet_is_not_waited_for(cases, of_each, store, monkeypatch):
    monkeypatch.setattr(deformations, "_LOOK_AGAIN", 0.0)
    made = Deformations(MIX, 0, ReadyFlows(of_each, store, growing=True))
    before = kinds(made, cases)
    assert RegisteredDeformation not in before
    assert before.count(ElasticDeformation) / len(before) == pytest.approx(2 / 3, abs=0.06)
    registered(of_each, store)
    assert RegisteredDeformation in kinds(made, cases)


def test_a_run_that_goes_on_draws_what_an_uninterrupted_one_does(cases, of_each, store):
    registered(of_each, store)
    flows = ReadyFlows(of_each, store, growing=False)
    whole = PatchDataset(cases, plan(), Deformations(MIX, 0, flows))
    first = [whole[number] for number in range(30)]
    again = PatchDataset(cases, plan(), Deformations(MIX, 0, ReadyFlows(of_each, store, growing=False)))
    for number in range(29, 14, -1):
        assert all(torch.equal(ours, theirs) for ours, theirs in zip(again[number], first[number], strict=True))


def test_patches_that_are_not_bent_are_those_of_a_plan_without_deformations(cases):
    still = Augmentation(affine_probability=0, intensity_probability=0)
    bent, straight = PatchDataset(cases, plan()), PatchDataset(cases, plan(still))
    same = [torch.equal(bent[number][0], straight[number][0]) for number in range(60)]
    assert 0.5 < np.mean(same) < 0.8


def test_a_bent_patch_around_a_label_holds_it(tmp_path):
    """One voxel is labelled, and 27 around it as bright: where they went a patch is centred."""
    made = case(tmp_path, "one", 0, shape=(24, 24, 24))
    labels = np.zeros((24, 24, 24), np.uint8)
    labels[14:17, 9:12, 9:12] = 1
    foreground = (np.array([[15, 10, 10]], np.int32),)
    bent = Augmentation(affine_probability=0, intensity_probability=0, elastic=Elastic(probability=1, sigma=2.0))
    one = type(made)("one", made.image, labels, foreground, scan=made.scan)
    patches = PatchDataset([one], plan(bent, foreground_share=1))
    shown = [int(patches[number][1][1:3, 2:4, 1:4].sum()) > 0 for number in range(30)]
    assert np.mean(shown) > 0.9  # now and then a voxel went out of the scan


def test_a_patch_that_is_not_moved_is_the_one_of_the_scan_bit_for_bit(cases):
    from leanseg.learning.training.deformations import Drawn
    from leanseg.learning.training.patches import bent_region

    still = Drawn(ElasticDeformation(cases[0].shape, torch.zeros(3, 2, 2, 2)))
    for corner in [(0, 0, 0), (-3, 2, 5), (6, 7, 8)]:
        ours, theirs = bent_region(cases[0], still, corner, (4, 5, 6)), straight_region(cases[0], corner, (4, 5, 6))
        assert all(torch.equal(*both) for both in zip(ours, theirs, strict=True))


def test_intensities_are_taken_over_with_the_shape(cases, of_each, store):
    list(register_pairs(of_each[0], store, register, intensities=True))
    settings = MIX.model_copy(update={"registration": RegistrationMix(share=1, intensities=True), "elastic": None})
    flows = ReadyFlows(of_each[:1], store, growing=False)
    for file in store.folder.glob("*/intensities.npy"):
        np.save(file, np.add(np.load(file), [[[0]], [[1000]]]))  # what every value becomes
    patches = PatchDataset(cases[:1], plan(settings, foreground_share=1), Deformations(settings, 0, flows))
    assert float(patches[0][0].max()) > 500


def test_a_bent_patch_gets_its_contrast_afterwards(cases):
    bent = MIX.model_copy(update={"elastic": Elastic(probability=1, sigma=1.0), "registration": None})
    both = bent.model_copy(update={"contrast": RandomContrast(probability=1)})
    for number in range(4):
        (image, labels), (made_up, same) = (PatchDataset(cases, plan(each))[number] for each in (bent, both))
        assert torch.equal(labels, same)
        assert not torch.equal(image, made_up)
