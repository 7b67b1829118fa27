"""Let the masks of a sparse training take part in every step."""

from pathlib import Path
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer
from torch.optim import Optimizer

from leanseg.learning.sparsity import SparseTraining
from leanseg.learning.training.clock import Clock, WallClock
from leanseg.learning.training.module import SegmentationModule
from leanseg.learning.training.weight_average import WeightAverage


class Sparsifying(Callback):
    """Mask gradients, weights and moments in each step, and write what became of the masks to the CSV file `table`.

    It must come after those that judge the weights: kernels that have just grown are still zero, and those that have
    just died are missed for a few steps. average: of the weights that are masked; None for that of the module.
    """

    def __init__(self, sparse: SparseTraining, clock: Clock, table: Path, average: WeightAverage | None = None) -> None:
        self._sparse = sparse
        self._average = average
        self._clock = clock
        self._table = table

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Mask weights and moments whenever the optimiser has changed them, before anybody looks at them."""
        trainer.optimizers[0].register_step_post_hook(lambda optimizer, *_: self._sparse.apply(optimizer))

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:  # noqa: ARG002
        """The gradients are there, of their true size, and not clipped yet."""
        step = trainer.global_step + 1
        progress = self._clock.progress(step)
        if isinstance(self._clock, WallClock):
            progress = trainer.strategy.broadcast(progress)  # processes that train together must agree on the time
        self._sparse.before_step(step, progress)

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """Update the masks where it is time; what is dead then is dead in the averaged weights at once."""
        assert isinstance(pl_module, SegmentationModule)
        if self._sparse.update(trainer.optimizers[0]):
            self._sparse.mask((self._average or pl_module.average).tensors)

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:  # noqa: ARG002
        """Write the table, so that it ends where the checkpoint does."""
        if trainer.is_global_zero:
            self._sparse.history.write(self._table)
