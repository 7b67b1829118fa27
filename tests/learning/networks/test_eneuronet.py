import contextlib

import numpy as np
import onnxruntime
import openvino
import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from leanseg.errors import InputError
from leanseg.learning import networks
from leanseg.learning.costing.network_costs import count_macs, count_parameters, saved_bytes
from leanseg.learning.export.onnx_graph import export_onnx
from leanseg.learning.networks.eneuronet import ENeuroNet
from leanseg.learning.training.loss import SegmentationLoss
from leanseg.plans import Data

BRAIN = (1, 1, 160, 192, 224)
RELEASED = {"norm": "none", "shortcut_up": "deconv", "released_decoder": True}


def made(in_channels=1, out_channels=31, **options):
    return networks.create("eneuronet", in_channels, out_channels, **options)


@pytest.mark.parametrize(
    ("make", "parameters"),
    [
        (lambda: made(faithful=True), 1_806_143),
        (lambda: made(faithful=True, out_channels=36), 1_810_808),
        (lambda: made(faithful=True, out_channels=107), 1_882_447),
        (lambda: ENeuroNet(1, 107, head_channels=32, **RELEASED), 1_809_547),
        (lambda: made(norm="none", head_channels=None), 1_665_759),
        (lambda: made(norm="none", head_channels=None, shortcut_up="deconv"), 1_665_759),
        (lambda: ENeuroNet(2, 3, head_channels=16, **RELEASED), 1_792_659),  # DFNet, as its checkpoint counts
    ],
)
def test_parameters_are_those_of_the_specification(make, parameters):
    assert count_parameters(make) == parameters


@pytest.mark.parametrize(
    ("make", "giga"),
    [
        (lambda: made(faithful=True), 263.0),
        (lambda: made(norm="none", head_channels=None), 258.5),
        (lambda: made(faithful=True, out_channels=107), 787),
        (lambda: ENeuroNet(1, 107, head_channels=32, **RELEASED), 286),
    ],
)
def test_multiplications_of_a_brain_are_those_of_the_specification(make, giga):
    assert count_macs(make, BRAIN) / 1e9 == pytest.approx(giga, abs=0.1)


def test_the_facts_count_the_network_as_it_is_made():
    counted = networks.facts("eneuronet").counted
    assert counted.parameters == count_parameters(made)
    assert counted.macs == count_macs(made, BRAIN)


def test_the_stages_have_the_parameters_of_the_released_table():
    network = made(faithful=True)
    stages = [*network.stem[:2], *network.encoder, *network.decoder]
    stages += [layer for layer in network.head if isinstance(layer, nn.Conv3d | nn.ConvTranspose3d)]
    counted = [sum(parameter.numel() for parameter in stage.parameters()) for stage in stages]
    assert counted == [448, 13_856, 24_128, 126_080, 744_704, 695_424, 121_920, 24_096, 27_680, 26_815, 992]
    assert sum(counted) == 1_806_143


def test_the_released_decoder_never_teaches_half_of_its_first_channels():
    torch.manual_seed(0)
    network = made(faithful=True, out_channels=3)
    network(torch.randn(2, 1, 32, 32, 32)).square().sum().backward()
    still = sum(int((parameter.grad == 0).sum()) for parameter in network.parameters())
    assert still == 140_384


def test_without_these_channels_the_decoder_computes_the_same():
    torch.manual_seed(0)
    released = made(faithful=True, out_channels=3).double().eval()
    clean = made(norm="none", head_channels=None, shortcut_up="deconv", out_channels=3).double().eval()
    weights = clean.state_dict()
    clean.load_state_dict({name: value[: len(weights[name])] for name, value in released.state_dict().items()})
    x = torch.randn(1, 1, 16, 32, 16, dtype=torch.float64)
    assert torch.allclose(clean(x), released(x), atol=1e-12)


def test_the_released_network_takes_no_other_norm_head_or_shortcut():
    for option, value in (("norm", "instance"), ("head_channels", 16)):
        with pytest.raises(InputError, match=f"option {option} .* faithful is true") as caught:
            made(faithful=True, **{option: value})
        assert option in caught.value.fix
    assert count_parameters(lambda: made(faithful=True, norm="none", head_channels=None)) == 1_806_143


@pytest.mark.parametrize("norm", ["none", "instance", "group"])
def test_training_computes_what_evaluation_does(norm):
    network, x = made(out_channels=3, norm=norm), torch.randn(2, 1, 32, 32, 32)
    assert torch.equal(network.train()(x), network.eval()(x))


def test_dropout_acts_at_its_54_places_in_training_only():
    network, x = made(out_channels=3, dropout=0.3), torch.randn(1, 1, 16, 16, 16)
    places = []
    for layer in network.modules():
        if isinstance(layer, nn.Dropout3d):
            layer.register_forward_hook(lambda _layer, inputs, output: places.append(not output.equal(inputs[0])))
    network(x)
    assert len(places) == 54
    assert sum(places) > 40  # with few channels all may stay
    assert torch.equal(network.eval()(x), network(x))


@pytest.mark.parametrize("options", [{}, {"faithful": True}, {"dropout": 0.3}])
def test_checkpoints_change_neither_the_logits_nor_the_gradients(options):
    x = torch.randn(1, 1, 16, 32, 16)
    found = []
    for checkpoint in (False, True):
        torch.manual_seed(0)
        network = made(out_channels=3, checkpoint=checkpoint, **options).double().train()
        logits = network(x.double())
        logits.square().sum().backward()
        found.append([logits, *(parameter.grad for parameter in network.parameters())])
    for kept, recomputed in zip(*found, strict=True):
        assert torch.allclose(kept, recomputed, rtol=1e-9, atol=1e-12)


def saved_in_a_step(shape, *, data, **options):
    """Bytes that forward and loss of `shape` (1, 1, D, H, W) with 31 classes keep for the backward pass, weights apart.

    data: on real tensors instead of tensors without data.
    """
    labels = {f"class {value}": value for value in range(31)}
    loss = SegmentationLoss(Data(name="brain", channels=("MR",), labels=labels))
    saved = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        saved[storage._cdata] = storage  # holding it, so that no address is used twice
        return tensor

    with contextlib.nullcontext() if data else FakeTensorMode():
        network, image = made(**options), torch.zeros(shape)
        truth = torch.zeros((shape[0], *shape[2:]), dtype=torch.long)
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            lost = loss(network(image), truth)
        assert lost.requires_grad
        for own in (image, truth, *network.parameters()):
            saved.pop(own.untyped_storage()._cdata, None)
    return sum(storage.nbytes() for storage in saved.values())


@pytest.mark.parametrize("options", [{}, {"faithful": True}])
def test_a_step_on_a_whole_brain_keeps_at_most_2_7_gigabytes(options):
    kept = saved_in_a_step(BRAIN, data=False, checkpoint=True, **options)
    assert kept <= 2.7e9
    assert kept > 31 * 160 * 192 * 224 * 4  # softmax of 31 classes is among it: nothing went uncounted
    assert saved_in_a_step(BRAIN, data=False, **options) > 2 * kept


def test_what_a_step_keeps_without_data_is_what_it_keeps_with_data():
    for checkpoint in (False, True):
        kept = [saved_in_a_step((1, 1, 32, 32, 32), data=data, checkpoint=checkpoint) for data in (False, True)]
        assert kept[0] == pytest.approx(kept[1], rel=0.01)


def test_half_precision_keeps_little_more_than_half():
    full, half = (saved_bytes(made, (1, 1, 64, 64, 64), precision) for precision in ("fp32", "bf16"))
    assert 0.45 < half / full < 0.65


def openvino_logits(graph, x):
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(graph), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return compiled([x])[0]


@pytest.mark.parametrize("options", [{}, {"faithful": True}])
def test_both_engines_compute_the_same_logits(options):
    torch.manual_seed(0)
    network = made(2, 3, **options).eval()
    x = torch.randn(1, 2, 16, 32, 16)
    graph = export_onnx(network, 2, tuple(x.shape[2:]))
    with torch.no_grad():
        logits = network(x).numpy()
    (found,) = onnxruntime.InferenceSession(graph).run(None, {"image": x.numpy()})
    assert np.abs(found - logits).max() < 1e-4
    assert np.abs(openvino_logits(graph, x.numpy()) - logits).max() < 1e-4
