"""Tell a `Progress` how training goes, a few times per second at most."""

import time
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer

from leanseg.learning.training.clock import Clock, told
from leanseg.learning.training.curves import Curves
from leanseg.learning.training.milestones import Milestones
from leanseg.machine import rss_bytes
from leanseg.plans import show_bytes
from leanseg.progress import Progress

_SECONDS_BETWEEN = 0.5
_SMOOTHING = 0.9  # of the loss shown: single batches jump


class Display(Callback):
    """Show step, loss, Dice, time left and memory; note loss and learning rate in the curves."""

    def __init__(self, progress: Progress, clock: Clock, milestones: Milestones, curves: Curves) -> None:
        self._curves = curves
        self._began = time.monotonic()
        self._began_at = 0.0  # progress at that time
        self._progress = progress
        self._clock = clock
        self._milestones = milestones
        self._shown = 0.0
        self._loss: float | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Remember where this run begins."""
        self._began = time.monotonic()
        self._began_at = self._clock.progress(trainer.global_step)

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, outputs: Any, *_: Any) -> None:  # noqa: ARG002
        """Show, when the last time is long enough ago."""
        now = time.monotonic()
        if now - self._shown < _SECONDS_BETWEEN:
            return
        self._shown = now
        loss = float(outputs["loss"])
        self._loss = loss if self._loss is None else _SMOOTHING * self._loss + (1 - _SMOOTHING) * loss
        facts = {"step": str(trainer.global_step), "loss": f"{self._loss:.3f}"}
        if self._milestones.last is not None:
            facts["Dice"] = f"{self._milestones.best_dice:.3f}"
        facts["RAM"] = show_bytes(rss_bytes())
        progress = min(1.0, self._clock.progress(trainer.global_step))
        facts["left"] = self._left(progress)
        self._progress.status("Training", progress, facts)
        rate = trainer.optimizers[0].param_groups[0]["lr"]
        self._curves.log(trainer.global_step, {"loss": self._loss, "learning_rate": rate})

    def _left(self, progress: float) -> str:
        """Return how long training will go on, from how far it has come since it began (or was resumed)."""
        done = progress - self._began_at
        seconds = (1 - progress) * (time.monotonic() - self._began) / done if done > 0 else 0.0
        return told(seconds)
