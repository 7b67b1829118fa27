import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest

from leanseg.learning.costing import (
    NetworkCosts,
    decoded_bytes,
    judging_ram,
    network_costs,
    prediction_ram,
    training_ram,
    training_vram,
)

COSTS = NetworkCosts(
    parameters=10**6, macs_per_voxel=1.0, saved_per_voxel=700.0, training_per_voxel=800.0, prediction_per_voxel=300.0
)

# A training loop with what the trainer imports, loss and optimiser alike, in a process of its own.
LOOP = """
import json, torch, pytorch_lightning, monai.transforms, blosc2
from leanseg.machine import peak_rss_bytes
from leanseg.learning import networks
from leanseg.learning.costing import autocast
from leanseg.learning.layers.memory_format import channels_last
from leanseg.learning.training.loss import SegmentationLoss
from leanseg.plans import Data
shape, precision = {shape}, {precision!r}
network = channels_last(networks.create("distill_dsm_unet", 1, 3))
loss = SegmentationLoss(Data(name="toy", channels=("MR",), labels={{"background": 0, "one": 1, "two": 2}}))
optimiser = torch.optim.AdamW(network.parameters())
for step in range(2):
    image, labels = torch.randn(shape), torch.randint(0, 3, (shape[0], *shape[2:]))
    optimiser.zero_grad()
    with autocast("cpu", precision):
        logits = network(image)
    loss(logits, labels).backward()
    optimiser.step()
print(json.dumps(peak_rss_bytes()))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="resident memory is counted differently elsewhere")
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_predicted_training_peak_is_within_a_quarter_of_the_measured_one(precision):
    patch, batch = (16, 96, 96), 2
    code = LOOP.format(shape=(batch, 1, *patch), precision=precision)
    # One thread: on a busy machine, threads that wait for one another are many times slower.
    alone = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=alone)
    measured = json.loads(done.stdout)
    predicted = training_ram(network_costs("distill_dsm_unet", 1, 3, {}, precision), patch, batch, 1)
    assert predicted == pytest.approx(measured, rel=0.25)


@pytest.mark.parametrize(
    ("channels", "classes", "patch", "tile", "scan", "cases", "measured"),
    [
        pytest.param(1, 3, (36, 48, 32), (42, 64, 48), 150_000, [(36, 50, 35)] * 208, 1.041e9, id="Hippocampus"),
        pytest.param(2, 5, (29, 96, 96), (29, 160, 240), 8_928_000, [(155, 240, 240)] * 4, 3.028e9, id="BraTS"),
        pytest.param(
            2, 5, (58, 112, 112), (145, 176, 160), 8_928_000, [(139, 170, 129)] * 4, 6.58e9, id="BraTS, cropped"
        ),
    ],
)
def test_the_measured_peaks_of_whole_runs_are_met_within_a_fifth(channels, classes, patch, tile, scan, cases, measured):
    costs = network_costs("distill_dsm_unet", channels, classes, {}, "bf16")
    training = training_ram(costs, patch, 2, channels)
    judging = judging_ram(costs, tile, scan, channels, classes)
    assert training + judging + decoded_bytes(cases, channels, classes) == pytest.approx(measured, rel=0.2)


def test_training_memory_grows_with_patch_batch_and_weights():
    base = training_ram(COSTS, (16, 32, 32), 2, 1)
    assert training_ram(COSTS, (32, 32, 32), 2, 1) > base
    assert training_ram(COSTS, (16, 32, 32), 4, 1) == training_ram(COSTS, (32, 32, 32), 2, 1)
    assert training_ram(COSTS, (16, 32, 32), 2, 3) > base
    assert training_vram(COSTS, (16, 32, 32), 4) > training_vram(COSTS, (16, 32, 32), 2)


def test_copies_for_training_take_as_much_as_other_weights_and_nothing_afterwards():
    """Weights, gradients, two moments and the average, 4 bytes each."""
    copied = replace(COSTS, copied_parameters=10**6)
    for model in (training_ram, training_vram):
        sizes = ((16, 32, 32), 2, 1)[: 3 if model is training_ram else 2]
        assert model(copied, *sizes) - model(COSTS, *sizes) == 5 * 4 * 10**6
    predicted = ((16, 32, 32), 10**6, 1, 2)
    assert prediction_ram(copied, *predicted) == prediction_ram(COSTS, *predicted)


def test_prediction_memory_grows_with_tile_scan_channels_and_classes():
    base = prediction_ram(COSTS, (16, 32, 32), 10**6, 1, 2)
    assert prediction_ram(COSTS, (32, 32, 32), 10**6, 1, 2) > base
    assert prediction_ram(COSTS, (16, 32, 32), 10**7, 1, 2) > base
    assert prediction_ram(COSTS, (16, 32, 32), 10**6, 2, 2) > base
    assert prediction_ram(COSTS, (16, 32, 32), 10**6, 1, 5) - base == 3 * 4 * 10**6
