"""Let the stages of a stacked network follow the clock."""

from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer

from leanseg.learning.training.clock import Clock
from leanseg.learning.training.module import SegmentationModule
from leanseg.learning.training.stacking import Stacking
from leanseg.progress import Progress

_NOTES = {
    1: "The first part of the network has learned; copies of it learn, each from half of the cases",
    2: "The second part of the network begins to learn",
}


class Staging(Callback):
    """Begin the next stage before the step at which it is time."""

    def __init__(self, stacking: Stacking, clock: Clock, progress: Progress) -> None:
        self._stacking = stacking
        self._clock = clock
        self._progress = progress

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """Lightning calls this before the module's own hook, which sets the learning rate of the stage."""
        assert isinstance(pl_module, SegmentationModule)
        if self._stacking.enter(self._clock.progress(trainer.global_step), pl_module.average):
            self._progress.note(_NOTES[self._stacking.stage])
