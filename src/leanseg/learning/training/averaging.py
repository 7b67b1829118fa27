"""Let the averaged weights follow the network, step by step."""

from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer

from leanseg.learning.training.module import SegmentationModule


class Averaging(Callback):
    """Update the module's averages after each step.

    It must be the first callback: Lightning calls the callbacks' hooks before the module's own, and those that
    validate or store the average would see the one of the step before.
    """

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:  # noqa: ARG002
        """Move the average towards the network's weights."""
        assert isinstance(pl_module, SegmentationModule)
        pl_module.average.update(pl_module.network)
        if pl_module.stacking:
            pl_module.stacking.follow()
