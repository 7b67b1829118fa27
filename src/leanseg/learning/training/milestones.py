"""Validate the averaged weights at fixed points of the way and keep the best of them."""

import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_lightning import Callback, LightningModule, Trainer

from leanseg.learning.training.clock import Clock, WallClock
from leanseg.learning.training.curves import Curves
from leanseg.learning.training.module import SegmentationModule
from leanseg.learning.training.stopping import Stopping
from leanseg.learning.training.validation import Validation
from leanseg.storage import whole_file

_PARTS = 10  # validations per training: enough to see the curve, at a few per cent of the time
_LARGEST_SHARE = 0.1  # of the time since the one before, or a validation is left out


class Milestones(Callback):
    """Run `validation` whenever another tenth of the way is done, and at the end.

    Where time is limited, one that would take more than a tenth of the time since the last is left out.
    The best averaged weights so far lie in `best`, a file of tensors and plain numbers, with the masks they had.
    """

    def __init__(
        self, validation: Validation, clock: Clock, stopping: Stopping, curves: Curves, targets: list[str], best: Path
    ) -> None:
        self.best_dice = -math.inf
        self.last: NDArray[np.float64] | None = None
        self._seconds = validation.seconds  # that the next one will take, about
        self._ended = time.monotonic()
        self._curves = curves
        self._validation = validation
        self._clock = clock
        self._stopping = stopping
        self._targets = targets
        self._best = best
        self._passed = 0
        self._validated_step = -1

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """Validate when a milestone was passed."""
        part = int(self._clock.progress(trainer.global_step) * _PARTS)
        if self._passed < part < _PARTS:
            self._passed = part
            if self._is_affordable():
                self._validate(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Validate what training ended with, unless somebody is waiting for it to stop."""
        if not self._stopping.interrupted and self._validated_step != trainer.global_step:
            self._validate(trainer, pl_module)

    def state_dict(self) -> dict[str, Any]:
        """Return plain numbers for the checkpoint."""
        return {"best_dice": self.best_dice, "passed": self._passed}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from them."""
        self.best_dice = state_dict["best_dice"]
        self._passed = state_dict["passed"]

    def _is_affordable(self) -> bool:
        return not isinstance(self._clock, WallClock) or (
            self._seconds <= _LARGEST_SHARE * (time.monotonic() - self._ended)
        )

    def _validate(self, trainer: Trainer, module: LightningModule) -> None:
        assert isinstance(module, SegmentationModule)
        if self._validation.is_empty:
            return  # there is no best: the last weights are kept
        started = time.monotonic()
        self.last = self._validation(module.average.tensors)
        mean = float(np.nanmean(self.last)) if np.isfinite(self.last).any() else 0.0
        if mean > self.best_dice:
            self.best_dice = mean
            self._save(module, trainer.global_step, mean)
        scores = {f"dice/{target}": float(value) for target, value in zip(self._targets, self.last, strict=True)}
        self._curves.log(trainer.global_step, {**scores, "dice/mean": mean})
        self._validated_step = trainer.global_step
        self._ended = time.monotonic()
        self._seconds = self._ended - started

    def _save(self, module: SegmentationModule, step: int, mean: float) -> None:
        with whole_file(self._best) as temporary:
            plain = {name: tensor.detach().cpu() for name, tensor in module.average.tensors.items()}
            masks = module.sparse.masks if module.sparse else None
            torch.save({"weights": plain, "masks": masks, "step": step, "dice": mean}, temporary)
