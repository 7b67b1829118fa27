"""Every network of the registry becomes a graph that a package may hold."""

import pytest

from leanseg.learning import networks
from leanseg.learning.export.onnx_graph import export_onnx
from leanseg.packages.graphs import check_graph

TILE = (16, 32, 32)


@pytest.mark.parametrize("name", networks.names())
def test_every_network_becomes_a_graph_within_the_bounds_of_a_package(name):
    graph = export_onnx(networks.create(name, 2, 3), 2, TILE)
    check_graph(graph, given=(1, 2, *TILE), wanted=(1, 3, *TILE))
