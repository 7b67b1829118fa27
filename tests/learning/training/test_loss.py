"""Both losses against MONAI's, and ignored voxels against a batch in which they do not exist."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.losses import DiceCELoss, DiceLoss
from torch import nn

from leanseg.datasets.targets import Region
from leanseg.learning.training.loss import SegmentationLoss
from leanseg.plans import Data

# Values are no indices: 3, 7, 8 are 1, 2, 3 in the cache, and ignored voxels are 4.
LABELS = {"background": 0, "edema": 3, "core": 7, "enhancing": 8}
REGIONS = {
    "whole": Region(values=(3, 7, 8), written=3),
    "tumour": Region(values=(7, 8), written=7),
    "enhancing": Region(values=(8,), written=8),
}
MEMBERS = {"whole": {1, 2, 3}, "tumour": {2, 3}, "enhancing": {3}}
IGNORED = len(LABELS)


def data(regions=False, ignore=None, labels=LABELS):
    return Data(name="toy", channels=("MR",), labels=labels, regions=REGIONS if regions else {}, ignore=ignore)


def batch(seed, shape=(2, 3, 4, 5), outputs=4, most=4):
    random = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(shape[0], outputs, *shape[1:], dtype=torch.float64, generator=random)
    return logits.requires_grad_(), torch.randint(0, most, shape, generator=random)


def in_regions(labels):
    """One channel of 1 and 0 per region, (B, R, D, H, W)."""
    found = [sum((labels == index).double() for index in members) for members in MEMBERS.values()]
    return torch.stack(found, dim=1)


def monai_of_classes(logits, labels):
    loss = DiceCELoss(softmax=True, to_onehot_y=True, include_background=False, batch=True)
    return loss(logits, labels[:, None])


def monai_of_regions(logits, labels):
    # Not DiceCELoss(sigmoid=True): for more than one channel its second part is a softmax cross-entropy.
    truth = in_regions(labels)
    return DiceLoss(sigmoid=True, batch=True)(logits, truth) + nn.BCEWithLogitsLoss()(logits, truth)


def without_ignored(logits, labels):
    """The voxels that count, one after the other along D."""
    counted = labels != IGNORED
    return logits.movedim(1, -1)[counted].T[None, :, :, None, None], labels[counted][None, :, None, None]


def value_and_gradient(loss, logits, labels):
    value = loss(logits, labels)
    (gradient,) = torch.autograd.grad(value, logits)
    return value.detach(), gradient


def assert_same(ours, theirs):
    for one, other in zip(ours, theirs, strict=True):
        assert one.dtype == torch.float64
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-14)


SEEDS = st.integers(0, 2**32)
SHAPES = st.tuples(st.integers(1, 3), *[st.integers(1, 5)] * 3)
few = settings(deadline=None, max_examples=25)


@few
@given(seed=SEEDS, shape=SHAPES, classes=st.integers(2, 9))
def test_the_loss_of_classes_is_monais(seed, shape, classes):
    logits, labels = batch(seed, shape, classes, classes)
    loss = SegmentationLoss(data(labels={f"class {index}": index for index in range(classes)}))
    assert_same(value_and_gradient(loss, logits, labels), value_and_gradient(monai_of_classes, logits, labels))


@few
@given(seed=SEEDS, shape=SHAPES)
def test_the_loss_of_regions_is_monais(seed, shape):
    logits, labels = batch(seed, shape, len(REGIONS))
    ours = value_and_gradient(SegmentationLoss(data(regions=True)), logits, labels)
    assert_same(ours, value_and_gradient(monai_of_regions, logits, labels))


@pytest.mark.parametrize(("regions", "monai"), [(False, monai_of_classes), (True, monai_of_regions)])
@few
@given(seed=SEEDS, shape=SHAPES)
def test_ignored_voxels_might_as_well_not_be_there(regions, monai, seed, shape):
    logits, labels = batch(seed, shape, len(REGIONS) if regions else len(LABELS), IGNORED + 1)
    labels.view(-1)[0] = 1  # one voxel counts
    ours = value_and_gradient(SegmentationLoss(data(regions, ignore=9)), logits, labels)
    value = monai(*without_ignored(logits, labels))
    assert_same(ours, (value.detach(), *torch.autograd.grad(value, logits)))
    assert not ours[1].movedim(1, -1)[labels == IGNORED].any()


@pytest.mark.parametrize("regions", [False, True])
def test_nothing_is_lost_and_nothing_learned_where_all_is_ignored(regions):
    logits, labels = batch(0, outputs=len(REGIONS) if regions else len(LABELS))
    loss = SegmentationLoss(data(regions, ignore=9))
    value, gradient = value_and_gradient(loss, logits, torch.full_like(labels, IGNORED))
    assert value == 0
    assert not gradient.any()


@pytest.mark.parametrize("regions", [False, True])
def test_a_set_with_ignored_voxels_loses_the_same_where_there_are_none(regions):
    logits, labels = batch(1, outputs=len(REGIONS) if regions else len(LABELS))
    with_ignored, without = (SegmentationLoss(data(regions, ignore)) for ignore in (9, None))
    assert_same(value_and_gradient(with_ignored, logits, labels), value_and_gradient(without, logits, labels))


@pytest.mark.parametrize("regions", [False, True])
def test_a_low_precision_ends_at_the_logits(regions):
    logits, labels = batch(2, (2, 6, 20, 20), len(REGIONS) if regions else len(LABELS), IGNORED + 1)
    loss = SegmentationLoss(data(regions, ignore=9))
    rough = logits.detach().bfloat16().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        value = loss(rough, labels)
    value.backward()
    expected, gradient = value_and_gradient(loss, rough.detach().double().requires_grad_(), labels)
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(expected.item(), rel=1e-5)
    torch.testing.assert_close(rough.grad, gradient.bfloat16(), rtol=0.01, atol=1e-9)


@pytest.mark.parametrize("regions", [False, True])
def test_very_sure_networks_do_not_overflow(regions):
    logits, labels = batch(3, outputs=len(REGIONS) if regions else len(LABELS))
    loss = SegmentationLoss(data(regions))
    value, gradient = value_and_gradient(loss, (logits * 1e4).float(), labels)
    assert torch.isfinite(value)
    assert torch.isfinite(gradient).all()


def test_the_gradient_is_scaled_by_what_comes_after_the_loss():
    logits, labels = batch(4)
    (once,) = torch.autograd.grad(SegmentationLoss(data())(logits, labels), logits)
    (thrice,) = torch.autograd.grad(3 * SegmentationLoss(data())(logits, labels), logits)
    torch.testing.assert_close(thrice, 3 * once)


def dice_by_definition(shares, truth, squared):
    """1 - mean soft Dice of the channels (B, K, D, H, W) over the batch; V-Net squares what the denominator sums."""
    dice = []
    for channel in range(shares.shape[1]):
        found, true = shares[:, channel], truth[:, channel]
        size = (found**2 + true**2).sum() if squared else (found + true).sum()
        dice.append((2 * (found * true).sum() + 1e-5) / (size + 1e-5))
    return 1 - sum(dice) / len(dice)


@pytest.mark.parametrize("background", [False, True])
@pytest.mark.parametrize("squared", [False, True])
@few
@given(seed=SEEDS, shape=SHAPES)
def test_dice_alone_is_its_definition_with_and_without_background_and_squares(background, squared, seed, shape):
    def definition(logits, labels):
        truth = nn.functional.one_hot(labels, 4).movedim(-1, 1).double()
        first = 0 if background else 1
        return dice_by_definition(logits.softmax(1)[:, first:], truth[:, first:], squared)

    logits, labels = batch(seed, shape)
    ours = SegmentationLoss(data(), entropy=False, background=background, squared=squared)
    assert_same(value_and_gradient(ours, logits, labels), value_and_gradient(definition, logits, labels))


@pytest.mark.parametrize("squared", [False, True])
@few
@given(seed=SEEDS, shape=SHAPES)
def test_dice_of_regions_alone_is_its_definition(squared, seed, shape):
    def definition(logits, labels):
        return dice_by_definition(logits.sigmoid(), in_regions(labels), squared)

    logits, labels = batch(seed, shape, outputs=3)
    ours = SegmentationLoss(data(regions=True), entropy=False, squared=squared)
    assert_same(value_and_gradient(ours, logits, labels), value_and_gradient(definition, logits, labels))


def test_background_joins_dice_beside_the_cross_entropy():
    logits, labels = batch(0)
    loss = DiceCELoss(softmax=True, to_onehot_y=True, include_background=True, batch=True)
    theirs = value_and_gradient(lambda found, truth: loss(found, truth[:, None]), logits, labels)
    assert_same(value_and_gradient(SegmentationLoss(data(), background=True), logits, labels), theirs)
