import pytest
import torch
from torch import nn

from leanseg.learning.inspection.slice_exchange import ExchangeMeter, slice_parts
from leanseg.learning.layers import (
    DistillDepthShift,
    HardDepthShift,
    ResidualDepthShift,
    centred_parts,
    fold_slices,
    insert_depth_shift,
    restricted_depth_shift,
)
from leanseg.learning.networks.e2enet_block import IN_PLANE, Block


def metered(network, x, score=lambda y: y.sum()):
    meter = ExchangeMeter()
    x = x.clone().requires_grad_()
    with meter.watching(network):
        score(network(x)).backward()
    return meter.exchanges()


def equal(channels, depth=4):
    """Volumes in which every voxel has the square 1."""
    return torch.sign(torch.randn(1, channels, depth, 3, 3))


def test_a_hard_shift_of_equal_channels_hands_on_what_does_not_fall_out():
    (found,) = metered(nn.Sequential(HardDepthShift(8)), equal(8, depth=4))
    # Of 4 slices: a quarter of the channels for three of them, twice, and half of the channels for all four.
    total = 2 * 2 * 3 + 4 * 4
    assert found.energy == pytest.approx({-1: 6 / total, 0: 16 / total, 1: 6 / total})
    assert found.influence == pytest.approx(found.energy)
    assert found.weights is None
    assert (found.layer, found.kind, found.channels) == ("0", "hard shift", 8)


def test_a_residual_shift_keeps_its_input_and_twice_what_stays():
    (found,) = metered(nn.Sequential(ResidualDepthShift(4)), equal(4, depth=2))
    # Kept: two channels once and two doubled (square 4), in both slices; moved: one channel each way, once.
    kept, moved = 2 * (2 * 1 + 2 * 4), 1
    assert found.energy == pytest.approx({-1: moved / (kept + 2), 0: kept / (kept + 2), 1: moved / (kept + 2)})


def test_the_parts_of_a_hand_made_distilling_shift_are_known():
    shift = DistillDepthShift(4, alpha=1.0)
    nn.init.zeros_(shift.distill.weight)
    nn.init.zeros_(shift.distill.bias)
    # F passes channel 0 three times as large, B passes channel 1, R keeps channels 2 and 3 twice as large.
    for out, factor in enumerate((3.0, 1.0, 2.0, 2.0)):
        shift.distill.weight.data[out, out, 1, 1] = factor
    (found,) = metered(nn.Sequential(shift), equal(4, depth=3))
    forward, backward, kept = 2 * 9, 2 * 1, 3 * 2 * 4
    total = forward + backward + kept
    assert found.energy == pytest.approx({-1: forward / total, 0: kept / total, 1: backward / total})
    assert found.influence == pytest.approx({-1: 6 / 20, 0: 12 / 20, 1: 2 / 20})
    assert found.weights == pytest.approx({-1: 9 / 18, 0: 8 / 18, 1: 1 / 18})


def test_a_distilling_shift_that_has_learned_nothing_weighs_a_quarter_a_half_a_quarter():
    shift = DistillDepthShift(16, alpha=0.5)
    nn.init.ones_(shift.distill.weight)
    (found,) = metered(nn.Sequential(shift), torch.randn(1, 16, 3, 4, 4))
    assert found.weights == pytest.approx({-1: 0.25, 0: 0.5, 1: 0.25})


@pytest.mark.parametrize("layer", [HardDepthShift(8), ResidualDepthShift(8), DistillDepthShift(8, alpha=0.5)])
@pytest.mark.parametrize("depth", [1, 2, 5])
def test_the_parts_add_up_to_the_output(layer, depth):
    torch.manual_seed(0)
    x = torch.randn(2 * depth, 8, 4, 4)
    with torch.no_grad():
        parts = slice_parts(layer, x, depth)
        assert torch.allclose(sum(parts.values()), layer(x, depth), atol=1e-6)
    assert depth > 1 or not (parts[-1].any() or parts[1].any())


def test_parts_come_from_the_slice_that_they_are_named_after():
    x = torch.zeros(5, 8, 2, 2)
    x[2] = 1
    parts = slice_parts(HardDepthShift(8), x, 5)
    assert [slice_.any().item() for slice_ in parts[-1]] == [False, False, False, True, False]
    assert [slice_.any().item() for slice_ in parts[0]] == [False, False, True, False, False]
    assert [slice_.any().item() for slice_ in parts[1]] == [False, True, False, False, False]


def test_the_restricted_shift_is_told_slice_by_slice():
    torch.manual_seed(0)
    parts = centred_parts(10, 5)
    block = Block((4, 6), 3, kernel=IN_PLANE, shift=lambda channels: centred_parts(channels, 5))
    flows = torch.randn(1, 4, 6, 3, 3), torch.randn(1, 6, 6, 3, 3)
    moved = restricted_depth_shift(torch.cat(flows, dim=1), 5)

    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.block = block

        def forward(self, x):
            return self.block(x + flows[0], flows[1])

    (found,) = metered(Both(), torch.zeros_like(flows[0]))
    energies, start = {}, 0
    for channels, slices in parts:
        energies[-slices] = float((moved[:, start : start + channels] ** 2).sum())
        start += channels
    assert found.energy == pytest.approx({at: value / sum(energies.values()) for at, value in energies.items()})
    assert set(found.energy) == {-2, -1, 0, 1, 2}
    assert sum(found.influence.values()) == pytest.approx(1)


def test_influence_sees_that_nobody_listens():
    class Deaf(nn.Module):
        """Shifts, and then looks at the channels that stay alone."""

        def __init__(self):
            super().__init__()
            self.shift = HardDepthShift(8)

        def forward(self, x):
            return self.shift(x)[:, 4:]

    (found,) = metered(Deaf(), equal(8))
    assert found.influence == {-1: 0.0, 0: 1.0, 1: 0.0}
    assert found.energy[-1] > 0


def test_shifts_inserted_into_a_network_of_others_are_found():
    plain = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.Conv2d(8, 2, 1))
    network = insert_depth_shift(plain, ["0"], slice_shape=(1, 6, 6), shift=HardDepthShift)
    (found,) = metered(network, torch.randn(1, 1, 4, 6, 6))
    assert found.channels == 8
    assert 0 < found.energy[-1] < 0.5


def test_tiles_add_up():
    network = nn.Sequential(HardDepthShift(4))
    meter = ExchangeMeter()
    with meter.watching(network):
        for x in (torch.ones(1, 4, 3, 1, 1), torch.zeros(1, 4, 3, 1, 1)):
            x.requires_grad_()
            network(x).sum().backward()
    (found,) = meter.exchanges()
    (alone,) = metered(network, torch.ones(1, 4, 3, 1, 1))
    assert found == alone


def test_slices_with_their_depth_are_metered_as_volumes():
    shift = HardDepthShift(4)
    volume = torch.randn(1, 4, 3, 2, 2)

    class Folded(nn.Module):
        def __init__(self):
            super().__init__()
            self.shift = shift

        def forward(self, x):
            return self.shift(fold_slices(x), depth=3)

    (folded,) = metered(Folded(), volume, score=lambda y: (y**2).sum())
    (whole,) = metered(nn.ModuleDict({"shift": shift})["shift"], volume, score=lambda y: (y**2).sum())
    assert folded.energy == pytest.approx(whole.energy)
    assert folded.influence == pytest.approx(whole.influence)
