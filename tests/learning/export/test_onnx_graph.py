"""Every network of the registry becomes a graph that a package may hold."""

import onnx
import pytest

from leanseg.learning import networks
from leanseg.learning.export.onnx_graph import OPSET, export_onnx
from leanseg.packages.graphs import check_graph

TILE = (16, 32, 32)

# Of those that are too large for a test, or whose poolings the tile does not fit: packages have tiles that do.
SMALL = {name: {"feature_size": 8, "depths": [1, 1, 1, 1]} for name in ("deformuxnet", "uxnet")}
SMALL["e2enet"] = {"base": 8, "pools": [[2, 2, 2]] * 4}


@pytest.mark.parametrize("name", networks.names())
def test_every_network_becomes_a_graph_within_the_bounds_of_a_package(name):
    graph = export_onnx(networks.create(name, 2, 3, **SMALL.get(name, {})), 2, TILE)
    check_graph(graph, given=(1, 2, *TILE), wanted=(1, 3, *TILE))


@pytest.mark.parametrize(("name", "opset"), [("deformuxnet", 20), ("uxnet", OPSET)])
def test_the_operator_set_is_the_one_that_the_networks_layers_need(name, opset):
    graph = export_onnx(networks.create(name, 1, 2, **SMALL[name]), 1, (16, 16, 32))
    model = onnx.load_from_string(graph)
    assert [known.version for known in model.opset_import] == [opset]
    assert ("GridSample" in {node.op_type for node in model.graph.node}) == (name == "deformuxnet")
