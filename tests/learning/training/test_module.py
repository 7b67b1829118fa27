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
