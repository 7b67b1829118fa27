import copy

import pytest
import torch
from torch import nn

from leanseg.learning.costing import Calibration, autocast, calibrate, fastest_precision
from leanseg.learning.costing.precision import fastest_of, precisions, seconds_per_step


def network():
    return nn.Sequential(nn.Conv3d(1, 4, 3, padding=1), nn.BatchNorm3d(4), nn.Conv3d(4, 2, 1))


@pytest.mark.parametrize(
    ("seconds", "fastest"),
    [
        ({"fp32": 1.0, "bf16": 0.5}, "bf16"),
        ({"fp32": 1.0, "bf16": 0.97}, "fp32"),
        ({"fp32": 1.0, "bf16": 4.0}, "fp32"),
        ({"fp32": 1.0, "fp16": 0.2}, "fp16"),
    ],
)
def test_a_lower_precision_must_be_worth_it(seconds, fastest):
    assert fastest_of(seconds) == fastest


def test_measuring_leaves_the_network_as_it_was():
    measured = network()
    before = copy.deepcopy(measured.state_dict())
    assert fastest_precision(measured, (2, 1, 4, 16, 16), patience=0.01) in precisions("cpu")
    assert all(torch.equal(value, before[key]) for key, value in measured.state_dict().items())
    assert all(parameter.grad is None for parameter in measured.parameters())


def test_measuring_never_takes_more_than_a_small_patch():
    class Watched(nn.Module):
        largest = 0

        def __init__(self):
            super().__init__()
            self.inner = network()

        def forward(self, x):
            Watched.largest = max(Watched.largest, x[:, 0].numel())
            return self.inner(x)

    fastest_precision(Watched(), (8, 1, 64, 256, 256), patience=0.01)
    assert Watched.largest == 2 * 16 * 48 * 48


def test_lists_of_logits_are_measured_too():
    class Deep(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = network()

        def forward(self, x):
            finest = self.inner(x)
            return [finest, finest[..., ::2, ::2]]

    assert seconds_per_step(Deep(), (2, 1, 4, 8, 8), ["fp32"], patience=0.01)["fp32"] > 0


def test_autocast_computes_in_the_precision_asked_for():
    x = torch.randn(1, 1, 4, 8, 8)
    for precision, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        with autocast("cpu", precision):
            assert network()(x).dtype == dtype


@pytest.mark.slow
def test_calibration_describes_this_machine():
    found = calibrate("distill_dsm_unet", 1, 3, {})
    assert isinstance(found, Calibration)
    assert found.precision in precisions(found.device)
    assert found.training_rate > 0
    assert found.prediction_rate > 0
    assert found.ram > 2**30
    assert (found.vram > 0) == torch.cuda.is_available()
