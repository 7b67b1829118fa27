from copy import deepcopy
from functools import partial

import numpy as np
import pytest
import torch

from leanseg.datasets.targets import Region
from leanseg.inference import fuse, open_engine
from leanseg.inference.engines import EngineError
from leanseg.inference.engines.onnxruntime_engine import OnnxRuntimeEngine
from leanseg.inference.engines.openvino_engine import OpenVinoEngine
from leanseg.learning import networks
from leanseg.learning.export.onnx_graph import export_onnx
from leanseg.learning.export.packaging import NoEngineError, export
from leanseg.learning.export.parity import ParityError, compare_engines, require_parity
from leanseg.learning.export.torch_engine import (
    NoSuchDeviceError,
    SwappableEngine,
    TorchEngine,
    build_network,
    resolve_device,
)
from leanseg.learning.training.module import sparse_training
from leanseg.packages import Package
from leanseg.plans import Data, Inference, Network, Normalisation, Plan, Preprocessing, Sparsity, Training

TILE = (5, 32, 16)


@pytest.fixture(scope="module")
def plan():
    return Plan(
        data=Data(name="toy", channels=("T1", "T2"), labels={"background": 0, "a": 3, "b": 7}),
        preprocessing=Preprocessing(spacing=(2, 1, 1), normalisation=(Normalisation(), Normalisation())),
        network=Network(name="distill_dsm_unet", options={"alpha": 0.25}),
        training=Training(patch=TILE),
        inference=Inference(tile=TILE),
    )


@pytest.fixture(scope="module")
def weights(plan):
    """Random weights with batch statistics that are not the trivial ones, so that folding them is tested."""
    torch.manual_seed(0)
    network = build_network(plan).train()
    for _ in range(3):
        network(torch.randn(2, 2, *TILE) * 2 + 1)
    return network.state_dict()


@pytest.fixture(scope="module")
def package(plan, weights, tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "package"
    tile = np.random.default_rng(1).normal(size=(1, 2, *TILE)).astype(np.float32)
    export(plan, weights, tile).write(path, {"training": {"steps": 3}}, {"a": "Dice 0.5"})
    return Package.read(path)


def test_every_engine_says_what_the_network_says(package, plan):
    tile = np.random.default_rng(0).normal(size=(1, 2, *TILE)).astype(np.float32)
    expected = TorchEngine.from_package(package, "cpu")(tile)
    assert expected.shape == (1, 3, *TILE)
    for name in ("openvino", "onnxruntime"):
        assert np.allclose(open_engine(package, name)(tile), expected, atol=1e-4)


def test_a_package_says_what_was_measured_and_warns(package):
    assert package.manifest.measured["training"] == {"steps": 3}
    assert package.manifest.measured["parameters"] == 1_115_606 + 17  # section 5 of the specification, one class more
    card = package.card()
    assert "Not a medical device" in card
    assert "| 7 | b |" in card
    assert "Dice 0.5" in card


def test_a_sparse_network_has_masks_and_says_what_they_keep(plan, weights, tmp_path):
    sparse = sparse_training(
        network := build_network(plan), plan.data, plan.training.model_copy(update={"sparsity": Sparsity(density=0.25)})
    )
    tile = np.zeros((1, 2, *TILE), np.float32)
    export(plan, network.state_dict(), tile, sparse.masks).write(tmp_path / "package", {}, {})
    package = Package.read(tmp_path / "package")
    found = package.masks()
    assert found.keys() == sparse.masks.keys()
    assert all(np.array_equal(found[name], alive.numpy()) for name, alive in sparse.masks.items())
    facts = package.manifest.measured["sparsity"]
    assert (facts["alive"], facts["kernels"]) == (sum(map(np.sum, found.values())), sum(map(np.size, found.values())))
    dead = sum((~alive).sum() * weights[name][0, 0].numel() for name, alive in found.items())
    assert facts["parameters"] == package.manifest.measured["parameters"] - dead
    (line,) = [line for line in package.card().splitlines() if "density" in line]
    assert f"{facts['alive']:,} of {facts['kernels']:,} kernels" in line
    assert f"{facts['parameters']:,} parameters left" in line


def test_a_dense_network_has_no_masks_and_its_card_does_not_speak_of_them(package):
    assert package.masks() == {}
    assert "sparsity" not in package.manifest.measured
    assert "density" not in package.card()


def test_swapped_weights_are_used(plan, weights):
    engine = SwappableEngine(build_network(plan))
    image = np.random.default_rng(0).normal(size=(2, *TILE)).astype(np.float32)
    first = fuse(engine.with_weights(weights), image, TILE, 0.5)
    zeros = {name: torch.zeros_like(tensor) for name, tensor in weights.items()}
    assert np.abs(first).max() > 0
    assert np.abs(fuse(engine.with_weights(zeros), image, TILE, 0.5)).max() == 0


def test_an_engine_that_disagrees_is_named(package):
    tile = np.random.default_rng(0).normal(size=(1, 2, *TILE)).astype(np.float32)
    reference = TorchEngine.from_package(package, "cpu")

    class Upside:
        name, precision = "upside-down", "fp32"

        def __call__(self, tile):
            return -reference(tile)

    with pytest.raises(ParityError, match="upside-down"):
        require_parity(compare_engines(tile, reference, {"upside": Upside})[0])


def wrong_weight(network):
    network.backbone[1][0].convolution.weight.data[0] *= -1


def missing_norm(network):
    network.backbone[0][0].norm = torch.nn.LeakyReLU(0.01)


class Turned(torch.nn.Module):
    """A network that takes height for width."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        return self.network(x.transpose(3, 4)).transpose(3, 4)


@pytest.mark.parametrize("fault", [wrong_weight, missing_norm, Turned])
@pytest.mark.parametrize("engine", [OpenVinoEngine, OnnxRuntimeEngine])
def test_a_graph_that_is_another_network_is_refused_and_the_right_one_is_not(fault, engine):
    torch.manual_seed(0)
    network = networks.create("e2enet", 1, 3, base=8, pools=((2, 2, 2), (2, 2, 2)))
    tile = np.zeros((1, 1, 16, 16, 16), np.float32)
    tile[..., 4:12, 4:12, 4:12] = np.random.default_rng(0).normal(size=(8, 8, 8))
    other = deepcopy(network)
    other = fault(other) or other
    right, wrong = (
        compare_engines(tile, TorchEngine(network), {"engine": partial(engine, export_onnx(one, 1, (16, 16, 16)))})[0]
        for one in (network, other)
    )
    require_parity(right)
    with pytest.raises(ParityError, match="gives other labels than torch"):
        require_parity(wrong)


class Fixed:
    """An engine that gives the same logits for every tile."""

    name, precision = "fixed", "fp32"

    def __init__(self, logits):
        self.logits = np.array(logits, dtype=np.float32).reshape(1, 2, 4, 1, 1)

    def __call__(self, tile):
        return self.logits


def test_regions_agree_where_all_of_them_do():
    tile = np.zeros((1, 1, 4, 1, 1), np.float32)
    reference = Fixed([[2, 2, -2, -2], [1, -1, 1, -1]])
    other = Fixed([[1, -3, -1, 0.5], [3, -2, 2, -1]])  # the second and the fourth voxel are in other regions
    agreement = {
        regions: compare_engines(tile, reference, {"other": lambda other=other: other}, regions=regions)[0]["fixed"][
            "label_agreement"
        ]
        for regions in (True, False)
    }
    assert agreement == {True: 0.5, False: 0.25}  # as classes, only the third has the same highest score


def test_a_package_of_regions_has_an_output_for_each_and_says_what_it_writes(plan, tmp_path):
    regions = {"both": Region(values=(3, 7), written=3), "b": Region(values=(7,), written=7)}
    data = plan.data.model_copy(update={"regions": regions, "ignore": 9})
    of_regions = plan.model_copy(update={"data": data})
    tile = np.random.default_rng(1).normal(size=(1, 2, *TILE)).astype(np.float32)
    exported = export(of_regions, build_network(of_regions).state_dict(), tile)
    exported.write(tmp_path / "package", {}, {})
    package = Package.read(tmp_path / "package")
    assert open_engine(package, "onnxruntime")(tile).shape == (1, 2, *TILE)
    assert all(found["label_agreement"] > 0.999 for found in exported.parity.values())
    card = package.card()
    assert "| 3 | a |" in card
    assert "| both | 3, 7 | 3 |" in card
    assert "| b | 7 | 7 |" in card
    assert "value 9" in card


def test_a_card_of_classes_does_not_speak_of_regions(package):
    assert "region" not in package.card()


def deforming(plan):
    network = Network(name="deformuxnet", options={"feature_size": 4, "depths": [1, 1, 1, 1]})
    return plan.model_copy(update={"network": network, "inference": Inference(tile=(16, 32, 16))})


def test_an_engine_that_cannot_read_the_graph_is_replaced_in_the_plan_and_on_the_card(plan, tmp_path):
    planned = deforming(plan)
    tile = np.random.default_rng(1).normal(size=(1, 2, *planned.inference.tile)).astype(np.float32)
    exported = export(planned, build_network(planned).state_dict(), tile)
    exported.write(tmp_path / "package", {}, {})
    package = Package.read(tmp_path / "package")
    assert planned.inference.engine == "openvino"
    assert package.plan.inference.engine == "onnxruntime"
    assert exported.remark in package.card()
    assert [name.split()[0] for name in exported.parity] == ["onnxruntime"]
    assert all(found["label_agreement"] == 1 for found in exported.parity.values())
    expected = TorchEngine.from_package(package, "cpu")(tile)
    assert np.abs(open_engine(package, package.plan.inference.engine)(tile) - expected).max() < 1e-5
    with pytest.raises(EngineError, match="openvino cannot use this model"):
        open_engine(package, "openvino")


def test_a_planned_engine_that_reads_the_graph_stays(plan, weights):
    planned = plan.model_copy(update={"inference": plan.inference.model_copy(update={"engine": "onnxruntime"})})
    exported = export(planned, weights, np.zeros((1, 2, *TILE), np.float32))
    assert exported.plan == planned
    assert exported.remark == ""
    assert len(exported.parity) == 2


def test_a_network_that_no_engine_reads_is_refused_with_what_they_say(plan, weights, monkeypatch):
    monkeypatch.setattr("leanseg.learning.export.packaging.export_onnx", lambda *_: b"no graph")
    with pytest.raises(NoEngineError, match=r"distill_dsm_unet: openvino cannot use .*; onnxruntime cannot use"):
        export(plan, weights, np.zeros((1, 2, *TILE), np.float32))


def test_an_absent_gpu_is_said(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve_device("auto") == "cpu"
    with pytest.raises(NoSuchDeviceError):
        resolve_device("cuda")
    with pytest.raises(NoSuchDeviceError):
        resolve_device("abacus")
