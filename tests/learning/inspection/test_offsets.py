import itertools

import numpy as np
import pytest
import torch
from torch import nn

from leanseg.learning.inspection.offsets import record_offsets
from leanseg.learning.layers import DepthwiseDeformableConv3d


def recorded(layer, x):
    with record_offsets(layer) as found:
        layer(x)
    return found


def test_offsets_of_zero_are_the_regular_grid():
    layer = DepthwiseDeformableConv3d(2)
    (found,) = recorded(nn.Sequential(layer), torch.randn(1, 2, 4, 5, 6))
    assert found.layer == "0"
    assert found.shape == (4, 5, 6)
    regular = [(1 + d, 2 + h, 3 + w) for d, h, w in itertools.product((-1, 0, 1), repeat=3)]
    assert found.positions((1, 2, 3)).tolist() == [list(map(float, tap)) for tap in regular]
    assert found.lengths((1.0, 1.0, 1.0)).max() == 0


def test_positions_are_where_the_layer_looks():
    """A tap alone, at a whole voxel: the output depends on exactly the voxel of its position."""
    layer = DepthwiseDeformableConv3d(1)
    nn.init.zeros_(layer.weight)
    tap, voxel = 5, (2, 3, 3)
    layer.weight.data.view(-1)[tap] = 1
    layer.offset.bias.data.view(27, 3)[tap] = torch.tensor([1.0, -2.0, 1.0])
    x = torch.randn(1, 1, 5, 6, 7, requires_grad=True)
    (found,) = recorded(layer, x)
    layer(x)[(0, 0, *voxel)].backward()
    # At whole voxels the layer's derivative by x is 1 at the sample; the offsets do not depend on x here.
    seen = [tuple(map(int, at)) for at in torch.nonzero(x.grad[0, 0])]
    assert seen == [tuple(map(int, found.positions(voxel)[tap]))]


def test_offsets_follow_the_scan_voxel_by_voxel():
    torch.manual_seed(0)
    layer = DepthwiseDeformableConv3d(3)
    nn.init.normal_(layer.offset.weight)
    x = torch.randn(2, 3, 3, 4, 5)
    (found,) = recorded(layer, x)
    by_hand = torch.einsum("oc,cdhw->odhw", layer.offset.weight[:, :, 0, 0, 0], x[0]).detach().numpy()
    np.testing.assert_allclose(found.moves.reshape(81, 3, 4, 5), by_hand, atol=1e-5)


def test_axes_that_do_not_move_have_offsets_of_zero():
    layer = DepthwiseDeformableConv3d(2, axes=(0, 2))
    nn.init.ones_(layer.offset.bias)
    (found,) = recorded(layer, torch.randn(1, 2, 3, 3, 3))
    assert (found.moves[:, 1] == 0).all()
    assert found.moves[:, [0, 2]] == pytest.approx(1)


def test_lengths_are_in_mm_of_the_feature_map():
    layer = DepthwiseDeformableConv3d(1)
    layer.offset.bias.data.view(27, 3)[:] = torch.tensor([1.0, 0.0, 2.0])
    (found,) = recorded(layer, torch.randn(1, 1, 2, 2, 2))
    assert found.lengths((3.0, 1.0, 2.0)) == pytest.approx(5)


def test_watching_ends_with_the_block_and_changes_nothing():
    layer = DepthwiseDeformableConv3d(1)
    x = torch.randn(1, 1, 3, 3, 3)
    with record_offsets(layer) as found:
        watched = layer(x)
    assert torch.equal(layer(x), watched)
    assert len(found) == 1


def test_a_network_without_deformable_layers_has_none():
    assert recorded(nn.Conv3d(1, 1, 3), torch.randn(1, 1, 4, 4, 4)) == []
