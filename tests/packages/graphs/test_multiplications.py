import math

import pytest
import torch
from torch import nn

from leanseg.learning.costing.network_costs import count_macs
from leanseg.learning.export.onnx_graph import export_onnx
from leanseg.learning.networks import create, divisor
from leanseg.packages.graphs import MalformedModelError, multiply_accumulates


class Small(nn.Module):
    """Every kind of layer that counts, and some that do not."""

    def __init__(self):
        super().__init__()
        self.down = nn.Conv3d(1, 4, 3, stride=2, padding=1)
        self.depthwise = nn.Conv3d(4, 4, 3, padding=1, groups=4)
        self.norm = nn.InstanceNorm3d(4, affine=True)
        self.up = nn.ConvTranspose3d(4, 2, 2, stride=2)

    def forward(self, x):
        return self.up(torch.relu(self.norm(self.depthwise(self.down(x)))))


def test_macs_are_those_of_the_definition():
    graph = export_onnx(Small().eval(), 1, (8, 8, 8))
    down, depthwise, up = 4 * 27 * 4**3, 4 * 27 * 4**3, 4 * 4**3 * 2 * 8
    assert multiply_accumulates(graph) == down + depthwise + up
    assert multiply_accumulates(graph, {"down.weight": 0.25, "no such weight": 0.0}) == down / 4 + depthwise + up


@pytest.mark.parametrize("name", ["distill_dsm_unet", "e2enet"])
def test_macs_of_a_network_are_those_that_torch_counts(name):
    options = {"base": 8} if name == "e2enet" else {}
    tile = tuple(2 * part for part in divisor(name, **options))
    torch.manual_seed(0)
    graph = export_onnx(create(name, 1, 3, **options).eval(), 1, tile)
    counted = count_macs(lambda: create(name, 1, 3, **options), (1, 1, *tile))
    assert math.isclose(multiply_accumulates(graph), counted, rel_tol=1e-9)


def test_what_is_no_graph_is_refused():
    with pytest.raises(MalformedModelError):
        multiply_accumulates(b"nothing")
