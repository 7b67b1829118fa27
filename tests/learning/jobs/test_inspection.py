import json

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save

import leanseg
from leanseg.errors import InputError
from leanseg.learning.export.torch_engine import build_network
from leanseg.learning.inspection.receptive_field import BlindNetworkError
from leanseg.learning.jobs.inspection import NotALookError, SeveralNetworksError
from leanseg.learning.layers import DepthwiseDeformableConv3d
from leanseg.packages import Package, write_package
from leanseg.plans import Inference, Network, Normalisation
from leanseg.storage import OutputNotEmptyError

SPACING = (1.0, 1.0, 1.0)


@pytest.fixture
def scan():
    """A bright ball in noise, (X, Y, Z) with its affine."""
    rng = np.random.default_rng(0)
    ball = ((np.indices((16, 14, 12)) - 6) ** 2).sum(axis=0) < 20
    return (3 * ball + rng.normal(size=ball.shape)).astype(np.float32), np.eye(4)


@pytest.fixture
def packaged(plan, tmp_path):
    """A function that makes a package of an untrained network; its graph is never opened."""

    def make(network, *, members=1, channels=("MR",), change=None, **options):
        made = plan.model_copy(
            update={
                "network": Network(name=network, options=options),
                "inference": Inference(tile=(16, 16, 16)),
                "data": plan.data.model_copy(update={"channels": channels}),
                "preprocessing": plan.preprocessing.model_copy(
                    update={"normalisation": (Normalisation(),) * len(channels)}
                ),
            }
        )
        torch.manual_seed(0)
        built = build_network(made)
        if change:
            change(built)
        weights = save({name: tensor.contiguous() for name, tensor in built.state_dict().items()})
        graph = _graph(len(channels), made.data.outputs, made.inference.tile)
        return write_package(
            tmp_path / "package",
            plan=made,
            weights=[weights] * members,
            onnx=[graph] * members,
            card="# none\n",
            facts={},
        )

    return make


def _graph(channels, outputs, tile):
    """A 1x1x1 convolution: a package needs some graph that fits its plan."""
    from onnx import TensorProto, helper, numpy_helper

    weights = numpy_helper.from_array(np.zeros((outputs, channels, 1, 1, 1), dtype=np.float32), "weights")
    node = helper.make_node("Conv", ["image", "weights"], ["scores"])
    taken = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, channels, *tile])
    given = helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, outputs, *tile])
    graph = helper.make_graph([node], "network", [taken], [given], [weights])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


def test_a_run_is_looked_into_as_it_was_trained(whole, scan, tmp_path):
    found = leanseg.look(whole.folder.fold(0).root, scan, tmp_path / "out", positions=2, device="cpu")
    assert found.pictures == ("receptive_field.png", "exchange.png")
    assert found.absent == ("distill_dsm_unet has no deformable convolution: there are no offsets to draw",)
    record = json.loads((tmp_path / "out" / "look.json").read_text())
    assert record["hash"] == Package.read(whole.folder.fold(0).root).hash
    assert [layer["kind"] for layer in record["exchange"]] == ["distilling shift"] * 8
    for layer in record["exchange"]:
        for kind in ("energy", "influence", "weights"):
            assert sum(layer[kind].values()) == pytest.approx(1)
    axes = record["receptive_field"]["axes"]
    for axis in axes.values():
        assert sum(axis["share"]) == pytest.approx(1)
    assert axes["D"]["along"] == "inferior-superior"
    assert sum(record["receptive_field"]["share_of_channels"].values()) == pytest.approx(1)
    for picture in found.pictures:
        with Image.open(tmp_path / "out" / picture) as image:
            assert image.width > 1000


def test_a_network_of_slices_sees_nothing_of_its_neighbours(packaged, scan, tmp_path):
    found = leanseg.look(packaged("unet2d"), scan, tmp_path / "out", positions=3, device="cpu")
    assert found.record["receptive_field"]["axes"]["D"]["within_mm"] == {"0.5": 0.0, "0.95": 0.0}
    assert found.record["exchange"] is None
    assert len(found.absent) == 2
    assert found.pictures == ("receptive_field.png",)


def test_offsets_of_zero_are_told_as_such(packaged, scan, tmp_path):
    found = leanseg.look(packaged("deformuxnet", feature_size=8), scan, tmp_path / "out", positions=1, device="cpu")
    assert found.pictures == ("receptive_field.png", "offsets.png")
    layers = found.record["offsets"]
    assert len(layers) == 8
    assert {layer["length_mm"]["largest"] for layer in layers} == {0.0}
    assert layers[0]["voxel_mm"] == [2.0, 2.0, 2.0]
    assert layers[-1]["voxel_mm"] == [16.0, 16.0, 16.0]


def test_offsets_that_are_known_are_measured_in_mm(packaged, scan, tmp_path):
    def move(network):
        for module in network.modules():
            if isinstance(module, DepthwiseDeformableConv3d):
                module.offset.bias.data.view(27, 3)[:] = torch.tensor([0.0, 0.5, 0.0])

    package = packaged("deformuxnet", change=move, feature_size=8)
    found = leanseg.look(package, scan, tmp_path / "out", positions=1, device="cpu")
    assert found.record["offsets"][0]["length_mm"]["mean"] == pytest.approx(1.0)  # half a voxel of 2 mm
    assert found.record["offsets"][-1]["mean_mm_along_DHW"] == pytest.approx([0, 8.0, 0])


def test_channels_that_do_not_matter_have_no_share(packaged, scan, tmp_path):
    def ignore_second(network):
        first = next(module for module in network.modules() if isinstance(module, torch.nn.Conv3d | torch.nn.Conv2d))
        first.weight.data[:, 1] = 0

    package = packaged("unet2d", channels=("T1", "T2"), change=ignore_second)
    array, affine = scan
    found = leanseg.look(package, (np.stack([array, array]), affine), tmp_path / "out", positions=1, device="cpu")
    assert found.record["receptive_field"]["share_of_channels"] == {"T1": 1.0, "T2": 0.0}


def head_of(network):
    """The last convolution, which makes the logits."""
    return [module for module in network.modules() if isinstance(module, torch.nn.Conv3d | torch.nn.Conv2d)][-1]


def test_where_nothing_is_found_places_are_spread_over_the_scan(packaged, scan, tmp_path):
    def find_nothing(network):
        head_of(network).bias.data[0] += 1000

    found = leanseg.look(packaged("unet2d", change=find_nothing), scan, tmp_path / "out", positions=5, device="cpu")
    assert found.record["segmented"] is False
    places = {tuple(place) for place in found.record["positions"]}
    assert len(places) == 5
    assert (6, 7, 8) in places  # the middle: the plan's grid has superior, anterior, right
    assert all(0 <= at < size for place in places for at, size in zip(place, (12, 14, 16), strict=True))


def test_a_network_that_does_not_look_at_the_scan_is_refused(packaged, scan, tmp_path):
    def blind(network):
        head_of(network).weight.data.zero_()

    with pytest.raises(BlindNetworkError):
        leanseg.look(packaged("unet2d", change=blind), scan, tmp_path / "out", positions=1, device="cpu")
    assert not (tmp_path / "out").exists()


def test_a_scan_with_other_channels_is_refused(packaged, scan, tmp_path):
    package = packaged("unet2d", channels=("T1", "T2"))
    with pytest.raises(InputError, match="1 channel"):
        leanseg.look(package, scan, tmp_path / "out", device="cpu")
    assert not (tmp_path / "out").exists()


def test_an_ensemble_is_refused(packaged, scan, tmp_path):
    with pytest.raises(SeveralNetworksError):
        leanseg.look(packaged("unet2d", members=2), scan, tmp_path / "out", device="cpu")


def test_other_peoples_folders_stay(packaged, scan, tmp_path):
    package, out = packaged("unet2d"), tmp_path / "out"
    out.mkdir()
    (out / "thesis.txt").write_text("mine")
    with pytest.raises(OutputNotEmptyError):
        leanseg.look(package, scan, out, device="cpu")
    with pytest.raises(NotALookError):
        leanseg.look(package, scan, out, device="cpu", overwrite=True)
    assert (out / "thesis.txt").read_text() == "mine"


def test_an_earlier_look_is_replaced_on_demand(packaged, scan, tmp_path):
    package, out = packaged("unet2d"), tmp_path / "out"
    leanseg.look(package, scan, out, positions=1, device="cpu")
    with pytest.raises(OutputNotEmptyError):
        leanseg.look(package, scan, out, positions=1, device="cpu")
    leanseg.look(package, scan, out, positions=2, device="cpu", overwrite=True)
    assert len(json.loads((out / "look.json").read_text())["positions"]) == 2
