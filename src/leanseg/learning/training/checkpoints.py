"""Keep the state of training on disk, so that nothing but the last minute is ever lost."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import nn

from leanseg.errors import InputError
from leanseg.learning.sparsity import OtherMasksError, SparseTraining
from leanseg.storage import whole_file

_SECONDS_BETWEEN = 60.0


class OtherNetworkError(InputError):
    """The stored weights are not those of the network that the plan names."""

    def __init__(self, difference: str) -> None:
        super().__init__(
            what=f"the stored training is one of another network than the plan's: {difference}",
            why="a training goes on with the weights that it has",
            fix="put network in plan.json back as it was, or start a new run with another -o",
        )


def refuse_other(checkpoint: Mapping[str, Any], network: nn.Module, sparse: SparseTraining | None) -> None:
    """Raise OtherNetworkError or OtherMasksError when `checkpoint` was not stored by a training of `network`."""
    stored = {name: tuple(tensor.shape) for name, tensor in checkpoint["average"]["tensors"].items()}
    for name, tensor in network.state_dict().items():
        if (shape := stored.pop(name, None)) != tuple(tensor.shape):
            raise OtherNetworkError(f"{name} has shape {tuple(tensor.shape)}, it had {shape or 'none'}")
    if stored:
        raise OtherNetworkError(f"it had {next(iter(stored))}, which is not there any more")
    masks = checkpoint.get("sparsity")
    if (masks is None) != (sparse is None):
        raise OtherMasksError("it was dense" if masks is None else "it was sparse")
    if sparse is not None and masks is not None:
        sparse.refuse_other(masks)


class LastCheckpoint(Callback):
    """Write `path` every minute and when training ends, whole or not at all: tensors and plain types only.

    Once the loss is no number any more nothing is written, so that what is there can be resumed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._written = time.monotonic()

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, outputs: Any, *_: Any) -> None:  # noqa: ARG002
        """Write when a minute has passed."""
        if time.monotonic() - self._written >= _SECONDS_BETWEEN and torch.isfinite(outputs["loss"]):
            self.write(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Write what training ended with."""
        self.write(trainer)

    def write(self, trainer: Trainer) -> None:
        """Write now."""
        with whole_file(self._path) as temporary:
            trainer.save_checkpoint(temporary)
        self._written = time.monotonic()
