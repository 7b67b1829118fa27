"""First memory models of the two processes: the training run and the prediction of one case.

A base that importing takes, weights, activations by exact count, and what the allocator needs beyond them. The
constants were measured on Linux with torch 2.13 and OpenVINO 2026; training prints how far off the model was.
"""

import math

from leanseg.learning.costing.network_costs import NetworkCosts

Size = tuple[int, int, int]

_TRAINING_BASE = 540_000_000  # torch, Lightning, MONAI, blosc2 imported and one small step taken
_COPIES = 5  # weights, gradients, two moments of AdamW, the running average
_FRAGMENTATION = 1.5  # what malloc and oneDNN's reorderings take beyond the tensors
_STAGED_BATCHES = 4  # patches being cut and augmented while the network works, in fp32
_PREDICTION_BASE = 160_000_000  # Python, numpy, nibabel and OpenVINO's plugin
_WEIGHT_COPIES = 4  # the graph as read and as compiled, both in fp32, and the file's bytes while reading
_CUDA_CONTEXT = 700_000_000
_FLOAT = 4


def training_ram(costs: NetworkCosts, patch: Size, batch: int, channels: int) -> int:
    """Return the expected peak RSS in bytes of training on batches of (channels, *patch) on the CPU."""
    voxels = batch * math.prod(patch)
    activations = costs.training_per_voxel * voxels * _FRAGMENTATION
    staged = _STAGED_BATCHES * voxels * (channels + 1) * _FLOAT
    return round(_TRAINING_BASE + _COPIES * _FLOAT * costs.parameters + activations + staged)


def training_vram(costs: NetworkCosts, patch: Size, batch: int) -> int:
    """Return the expected peak in bytes of a GPU's memory: as on the CPU without the process, plus CUDA's context."""
    activations = costs.training_per_voxel * batch * math.prod(patch) * _FRAGMENTATION
    return round(_CUDA_CONTEXT + _COPIES * _FLOAT * costs.parameters + activations)


def validation_ram(costs: NetworkCosts, tile: Size, scan_voxels: int, channels: int, classes: int) -> int:
    """Return the expected RSS in bytes of the training process while it predicts a case of `scan_voxels` voxels."""
    activations = costs.prediction_per_voxel * math.prod(tile)
    scan = scan_voxels * _FLOAT * (2 * channels + classes + 1)
    return round(_TRAINING_BASE + _COPIES * _FLOAT * costs.parameters + activations + scan)


def prediction_ram(costs: NetworkCosts, tile: Size, scan_voxels: int, channels: int, classes: int) -> int:
    """Return the expected peak RSS in bytes of predicting a scan of `scan_voxels` voxels tile by tile on the CPU.

    The scan is held as read and as resampled, the fused logits and their weights in fp32 for every class.
    """
    activations = costs.prediction_per_voxel * math.prod(tile)
    scan = scan_voxels * _FLOAT * (2 * channels + classes + 1)
    return round(_PREDICTION_BASE + _WEIGHT_COPIES * _FLOAT * costs.parameters + activations + scan)
