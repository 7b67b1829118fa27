import torch

from leanseg.learning.layers import fold_slices, unfold_slices


def test_slices_of_one_volume_stand_in_a_row():
    volumes = torch.arange(2 * 3 * 4 * 5 * 6).reshape(2, 3, 4, 5, 6)
    slices = fold_slices(volumes)
    for volume in range(2):
        for depth in range(4):
            assert torch.equal(slices[volume * 4 + depth], volumes[volume, :, depth])


def test_unfolding_takes_folding_back():
    volumes = torch.arange(2 * 3 * 4 * 5 * 6).reshape(2, 3, 4, 5, 6)
    assert torch.equal(unfold_slices(fold_slices(volumes), 4), volumes)
