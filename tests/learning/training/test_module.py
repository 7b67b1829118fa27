import copy

import pytest
import torch
from torch import nn

from leanseg.learning.training.clock import StepClock
from leanseg.learning.training.module import SegmentationModule
from leanseg.plans import Data, Training

DATA = Data(name="toy", channels=("MR",), labels={"background": 0, "one": 1, "two": 2})


class Levels(nn.Module):
    """Two levels of logits, as a network under deep supervision returns them."""

    def __init__(self):
        super().__init__()
        self.head = nn.Conv3d(1, 3, 1)
        self.norm = nn.BatchNorm3d(3)

    def forward(self, x):
        fine = self.norm(self.head(x))
        return [fine, nn.functional.avg_pool3d(fine, 2)]


def module(network, **settings):
    return SegmentationModule(network, DATA, Training(patch=(4, 4, 4), **settings), StepClock(10))


def batch():
    torch.manual_seed(0)
    return torch.randn(2, 1, 4, 4, 4), torch.randint(0, 3, (2, 4, 4, 4))


def dice_and_cross_entropy(logits, labels):
    """The definition, in float64: 1 - mean soft Dice of the foreground over the batch, plus mean cross-entropy."""
    shares = logits.double().softmax(1)
    dice = []
    for index in range(1, logits.shape[1]):
        truth = (labels == index).double()
        overlap = (shares[:, index] * truth).sum()
        dice.append((2 * overlap + 1e-5) / (shares[:, index].sum() + truth.sum() + 1e-5))
    entropy = -shares.log().gather(1, labels[:, None]).mean()
    return 1 - sum(dice) / len(dice) + entropy


def test_the_loss_is_dice_plus_cross_entropy():
    network = nn.Conv3d(1, 3, 1)
    image, labels = batch()
    loss = module(network).training_step((image, labels), 0)
    assert loss.item() == pytest.approx(dice_and_cross_entropy(network(image), labels).item(), abs=1e-5)


def test_deeper_levels_count_half_as_much():
    network = Levels()
    image, labels = batch()
    fine, coarse = network(image)
    small = labels[:, 1::2, 1::2, 1::2]  # nearest-exact takes the voxel at the centre, rounding up
    expected = (2 * dice_and_cross_entropy(fine, labels) + dice_and_cross_entropy(coarse, small)) / 3
    assert module(network).training_step((image, labels), 0).item() == pytest.approx(expected.item(), abs=1e-4)


def test_biases_and_norms_are_not_decayed():
    network = Levels()
    groups = module(network, weight_decay=0.5).configure_optimizers().param_groups
    decayed = [parameter for group in groups if group["weight_decay"] for parameter in group["params"]]
    assert [id(parameter) for parameter in decayed] == [id(network.head.weight)]
    assert sum(len(group["params"]) for group in groups) == len(list(network.parameters()))


def test_levels_count_what_the_plan_says():
    network = Levels()
    image, labels = batch()
    fine, coarse = network(image)
    small = labels[:, 1::2, 1::2, 1::2]
    expected = (dice_and_cross_entropy(fine, labels) + 0.25 * dice_and_cross_entropy(coarse, small)) / 1.25
    found = module(network, deep_supervision=0.25).training_step((image, labels), 0)
    assert found.item() == pytest.approx(expected.item(), abs=1e-4)


def test_everything_is_decayed_where_the_plan_says_so():
    network = Levels()
    (group,) = module(network, weight_decay=0.5, weight_decay_of="all").configure_optimizers().param_groups
    assert group["weight_decay"] == 0.5
    assert len(group["params"]) == len(list(network.parameters()))


def stepped(network, reference, **settings):
    """The weights of `network` after three steps of the plan's optimiser, and of a copy after those of `reference`."""
    theirs = copy.deepcopy(network)
    optimisers = (
        module(network, weight_decay_of="all", **settings).configure_optimizers(),
        reference(theirs.parameters()),
    )
    for one, optimiser in zip((network, theirs), optimisers, strict=True):
        for step in range(3):
            optimiser.zero_grad()
            (one.weight * (step + 1.5)).square().sum().backward()
            optimiser.step()
    return network.weight, theirs.weight


@pytest.mark.parametrize(
    ("settings", "reference"),
    [
        ({}, lambda each: torch.optim.AdamW(each, lr=3e-3, betas=(0.9, 0.99), weight_decay=1e-2)),
        (
            {"optimiser": "adam", "betas": (0.8, 0.95), "weight_decay": 0.1, "learning_rate": 0.02},
            lambda each: torch.optim.Adam(each, lr=0.02, betas=(0.8, 0.95), weight_decay=0.1),
        ),
        (
            {"optimiser": "sgd", "momentum": 0.7, "weight_decay": 0.1, "learning_rate": 0.02},
            lambda each: torch.optim.SGD(each, lr=0.02, momentum=0.7, nesterov=True, weight_decay=0.1),
        ),
        (
            {"optimiser": "sgd", "momentum": 0.7, "nesterov": False, "weight_decay": 0, "learning_rate": 0.02},
            lambda each: torch.optim.SGD(each, lr=0.02, momentum=0.7),
        ),
        (
            {"optimiser": "sgd", "momentum": 0.0, "weight_decay": 0, "learning_rate": 0.02},
            lambda each: torch.optim.SGD(each, lr=0.02),
        ),
    ],
)
def test_the_optimiser_is_torchs_of_that_name(settings, reference):
    torch.manual_seed(0)
    ours, theirs = stepped(nn.Linear(3, 2, bias=False), reference, **settings)
    assert torch.equal(ours, theirs)


def test_each_tensors_gradient_is_limited_by_itself():
    network = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    for size, parameter in enumerate(network.parameters(), start=1):
        parameter.grad = torch.full_like(parameter, 0.1 * size**3)
    before = [parameter.grad.clone() for parameter in network.parameters()]
    module(network, gradient_clip_of="each").configure_gradient_clipping(None, 1.0, None)
    for parameter, was in zip(network.parameters(), before, strict=True):
        expected = was * min(1, 1 / was.norm())
        torch.testing.assert_close(parameter.grad, expected, rtol=1e-4, atol=1e-6)


def test_no_limit_leaves_each_tensors_gradient_alone():
    network = nn.Linear(4, 4)
    network.weight.grad = torch.full_like(network.weight, 100.0)
    module(network, gradient_clip=None, gradient_clip_of="each").configure_gradient_clipping(None, None, None)
    assert (network.weight.grad == 100).all()
