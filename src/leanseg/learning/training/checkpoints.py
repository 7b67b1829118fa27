"""Keep the state of training on disk, so that nothing but the last minute is ever lost."""

import time
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer

from leanseg.storage import whole_file

_SECONDS_BETWEEN = 60.0


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
