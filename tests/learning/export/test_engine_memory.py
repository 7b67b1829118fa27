import pytest
import torch

from leanseg.inference.engine_memory import EngineMemory, NotMeasuredError, TileMemory
from leanseg.learning.export import engine_memory
from leanseg.learning.export.engine_memory import measured_memory
from leanseg.learning.export.onnx_graph import export_onnx, weight_bytes
from leanseg.learning.export.torch_engine import build_network
from leanseg.packages import Package
from leanseg.plans import Data, Inference, Network, Normalisation, Plan, Preprocessing, Training

TILE = (6, 32, 64)


@pytest.fixture(scope="module")
def plan():
    return Plan(
        data=Data(name="toy", channels=("T1",), labels={"background": 0, "a": 1}),
        preprocessing=Preprocessing(spacing=(1, 1, 1), normalisation=(Normalisation(),)),
        network=Network(name="distill_dsm_unet", options={"alpha": 0.25}),
        training=Training(patch=TILE),
        inference=Inference(tile=TILE),
    )


@pytest.fixture(scope="module")
def exported(plan):
    torch.manual_seed(0)
    network = build_network(plan)
    return network, weight_bytes(network.state_dict()), export_onnx(network, 1, TILE)


def test_the_plans_tile_and_half_of_it_are_measured(plan, exported, monkeypatch):
    def measure(package, engine):
        assert engine == "openvino"
        tile = Package.read(package.path).plan.inference.tile  # its graph is checked against this
        return TileMemory(tile, process=1, opening=2, opened=2, computing=100 + tile[0] * tile[1] * tile[2])

    monkeypatch.setattr(engine_memory, "measure", measure)
    found = EngineMemory.from_facts(measured_memory(plan, *exported)["openvino"])
    assert [one.tile for one in found.tiles] == [(3, 16, 32), TILE]
    assert found.at((1, 1, 50)).computing == 150


def test_what_cannot_be_measured_here_is_left_to_whoever_needs_it(plan, exported, monkeypatch):
    def measure(_, engine):
        raise NotMeasuredError(engine, "no room")

    monkeypatch.setattr(engine_memory, "measure", measure)
    assert measured_memory(plan, *exported) == {}
