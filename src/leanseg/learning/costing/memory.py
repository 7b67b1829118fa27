"""First memory models of the two processes: the training run and the prediction of one case.

A base that importing takes, weights, activations by exact count, and what the allocator needs beyond them. The
constants were measured on Linux with torch 2.13 and OpenVINO 2026; training prints how far off the model was.

A training run is the sum of its stages, because the allocator keeps what one of them has freed and the next finds it
in pieces of the wrong size. Measured peaks of whole runs of distill_dsm_unet in bf16 with batch 2, and the sums:

- Hippocampus (patch 36 x 48 x 32, tile 42 x 64 x 48): 1.04 GB, 1.01 GB
- BraTS (two channels, patch 29 x 96 x 96, tile 29 x 160 x 240): 3.03 GB, 3.22 GB
- BraTS, cropped (patch 58 x 112 x 112, tile 145 x 176 x 160): 6.58 GB, 7.32 GB
"""

import math
from collections.abc import Iterable

from leanseg.learning.costing.network_costs import NetworkCosts

Size = tuple[int, int, int]

# One small run from cache to report: torch, Lightning, MONAI, blosc2, OpenVINO, ONNX Runtime, scipy, matplotlib.
_TRAINING_BASE = 650_000_000
_COPIES = 5  # weights, gradients, two moments of AdamW, the running average
_FRAGMENTATION = 1.5  # what malloc and oneDNN's reorderings take beyond the tensors
_ENGINES = 3  # torch, OpenVINO and ONNX Runtime are compared on a tile, and each keeps what it took
_STAGED_BATCHES = 4  # patches being cut and augmented while the network works, in fp32
_PREDICTION_BASE = 160_000_000  # Python, numpy and OpenVINO's plugin
_WEIGHT_COPIES = 4  # the graph as read and as compiled, both in fp32, and the file's bytes while reading
_CUDA_CONTEXT = 700_000_000
_FLOAT = 4


def training_ram(costs: NetworkCosts, patch: Size, batch: int, channels: int) -> int:
    """Return the expected peak RSS in bytes of training on batches of (channels, *patch) on the CPU.

    A whole run takes `judging_ram` on top, and `decoded_bytes` where cases are kept in memory.
    """
    voxels = batch * math.prod(patch)
    activations = costs.training_per_voxel * voxels * _FRAGMENTATION
    staged = _STAGED_BATCHES * voxels * (channels + 1) * _FLOAT
    return round(_TRAINING_BASE + _COPIES * _FLOAT * _trained(costs) + activations + staged)


def training_vram(costs: NetworkCosts, patch: Size, batch: int) -> int:
    """Return the expected peak in bytes of a GPU's memory: as on the CPU without the process, plus CUDA's context."""
    activations = costs.training_per_voxel * batch * math.prod(patch) * _FRAGMENTATION
    return round(_CUDA_CONTEXT + _COPIES * _FLOAT * _trained(costs) + activations)


def _trained(costs: NetworkCosts) -> int:
    return costs.parameters + costs.copied_parameters


def judging_ram(costs: NetworkCosts, tile: Size, scan_voxels: int, channels: int, outputs: int) -> int:
    """Return what export, comparison of the engines and judging a scan of `scan_voxels` voxels add to a training run.

    In bytes of RSS.
    """
    return round(_ENGINES * costs.prediction_per_voxel * math.prod(tile)) + _scan_bytes(scan_voxels, channels, outputs)


def decoded_bytes(sizes: Iterable[Size], channels: int, labels: int) -> int:
    """Return what preprocessed cases of `sizes` take in memory: channels in float32, labels in 8 or 16 bits.

    labels: how many there are, with those that are ignored.
    """
    return sum(map(math.prod, sizes)) * (channels * _FLOAT + (1 if labels <= 256 else 2))


def prediction_ram(costs: NetworkCosts, tile: Size, scan_voxels: int, channels: int, outputs: int) -> int:
    """Return the expected peak RSS in bytes of predicting a scan of `scan_voxels` voxels tile by tile on the CPU."""
    activations = costs.prediction_per_voxel * math.prod(tile)
    scan = _scan_bytes(scan_voxels, channels, outputs)
    return round(_PREDICTION_BASE + _WEIGHT_COPIES * _FLOAT * costs.parameters + activations + scan)


def _scan_bytes(voxels: int, channels: int, outputs: int) -> int:
    """The scan as read and as resampled, the fused logits of every output, and one array of work, all in fp32."""
    return voxels * _FLOAT * (2 * channels + outputs + 1)
