"""The battery that every registered network has to pass."""

import io
import math
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from leanseg.errors import InputError
from leanseg.learning import networks

GOLDEN = Path(__file__).parents[2] / "golden" / "networks.npz"

every_network = pytest.mark.parametrize("name", networks.names())


def small(name):
    """(D, H, W) that `name` takes without padding."""
    return tuple(2 * divisor for divisor in networks.facts(name).divisor)


def made(name, in_channels=2, out_channels=3):
    torch.manual_seed(0)
    return networks.create(name, in_channels, out_channels)


@every_network
def test_logits_have_the_size_of_the_volume(name):
    size = small(name)
    assert made(name)(torch.randn(2, 2, *size)).shape == (2, 3, *size)


@every_network
def test_every_parameter_gets_a_finite_gradient(name):
    network = made(name)
    network(torch.randn(2, 2, *small(name))).square().mean().backward()
    for parameter_name, parameter in network.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert torch.isfinite(parameter.grad).all(), parameter_name
        # Even a bias before a batch norm, which has no effect: rounding is left of its gradient.
        assert parameter.grad.any(), parameter_name


@every_network
@pytest.mark.parametrize("size", [(5, 37, 22), (1, 16, 31), (3, 33, 48)])
def test_odd_sizes_and_single_slices_are_accepted(name, size):
    network = made(name).eval()
    assert network(torch.randn(1, 2, *size)).shape == (1, 3, *size)


@every_network
def test_odd_sizes_give_what_padding_with_zeros_outside_gives(name):
    network = made(name).eval()
    depth, height, width = small(name)
    x = torch.randn(1, 2, depth, height - 3, width - 5)
    padded = torch.nn.functional.pad(x, (0, 5, 0, 3))
    assert torch.allclose(network(x), network(padded)[..., :-3, :-5], atol=1e-6)


@every_network
def test_evaluation_is_deterministic_and_leaves_the_network_alone(name):
    network = made(name).eval()
    x = torch.randn(1, 2, *small(name))
    before = {key: value.clone() for key, value in network.state_dict().items()}
    assert torch.equal(network(x), network(x))
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())


@every_network
def test_volumes_of_a_batch_never_mix(name):
    network = made(name).eval()
    x = torch.randn(2, 2, *small(name), requires_grad=True)
    network(x)[0].sum().backward()
    assert x.grad[0].any()
    assert not x.grad[1].any()


@every_network
def test_weights_are_saved_and_loaded(name, tmp_path):
    network, other = made(name).eval(), networks.create(name, 2, 3).eval()
    torch.save(network.state_dict(), tmp_path / "weights.pt")
    other.load_state_dict(torch.load(tmp_path / "weights.pt", weights_only=True))
    x = torch.randn(1, 2, *small(name))
    assert torch.equal(network(x), other(x))


@every_network
@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning")
def test_the_exported_graph_gives_the_same_logits(name, depth):
    divisor = networks.facts(name).divisor
    network = made(name).eval()
    x = torch.randn(1, 2, depth * divisor[0], *divisor[1:])
    file = io.BytesIO()
    torch.onnx.export(network, (x,), file, input_names=["volume"], dynamo=False)
    assert "Pad" not in {node.op_type for node in onnx.load_from_string(file.getvalue()).graph.node}
    (logits,) = onnxruntime.InferenceSession(file.getvalue()).run(None, {"volume": x.numpy()})
    assert np.abs(logits - network(x).detach().numpy()).max() < 1e-4


@every_network
@pytest.mark.parametrize("shape", [(2, 4, 16, 16), (1, 3, 4, 16, 16)])
def test_tensors_of_the_wrong_shape_are_refused(name, shape):
    with pytest.raises(InputError, match="2 input channels"):
        made(name)(torch.zeros(shape))


@every_network
def test_facts_are_complete(name):
    facts = networks.facts(name)
    assert facts.name == name
    assert facts.source
    assert all(option.meaning for option in facts.options.values())


@every_network
def test_logits_are_those_of_the_day_they_were_stored(name):
    """Weights and input are formulas, so that no random generator of another version plays a part."""
    with np.load(GOLDEN) as golden:
        assert name in golden, f"store it once: python {__file__}"
        stored = golden[name]
    assert np.allclose(fingerprint(name), stored, atol=1e-4)


def fingerprint(name):
    network = made(name).eval()
    for i, tensor in enumerate(network.state_dict().values()):
        if tensor.is_floating_point():
            wave = torch.sin(torch.arange(tensor.numel(), dtype=torch.float64) * 1.7 + i).reshape(tensor.shape)
            spread = (2 / tensor[0].numel()) ** 0.5 if tensor.dim() > 1 else 0.2
            tensor.copy_(wave * spread + (tensor.dim() == 1))
    size = small(name)
    x = torch.cos(torch.arange(2 * math.prod(size), dtype=torch.float64) * 0.9).reshape(1, 2, *size).float()
    with torch.no_grad():
        return network(x).numpy().ravel()[::41]


if __name__ == "__main__":
    np.savez_compressed(GOLDEN, **{name: fingerprint(name) for name in networks.names()})
