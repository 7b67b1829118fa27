"""When training ends: the clock has run out, somebody pressed Ctrl-C, or the loss is no number any more."""

import signal
import threading
from types import FrameType
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer

from leanseg.errors import InputError
from leanseg.learning.training.clock import Clock
from leanseg.progress import Progress

_CHECK_EVERY = 50  # steps between looks at the loss: reading it makes a GPU wait


class DivergedError(InputError):
    """The loss became NaN or infinite."""

    def __init__(self, step: int) -> None:
        super().__init__(
            what=f"training diverged: the loss is not a number at step {step}",
            why="weights that are not numbers cannot get better",
            fix="lower training.learning_rate in the plan, to a third for example, or set training.precision to fp32",
        )


class Aborted(BaseException):
    """Ctrl-C was pressed twice. Not a KeyboardInterrupt, which Lightning would turn into an exit code of its own."""


class Stopping(Callback):
    """End training after the step in which the clock runs out, or after the first Ctrl-C or SIGTERM.

    The second Ctrl-C raises Aborted at once.
    """

    def __init__(self, clock: Clock, progress: Progress) -> None:
        self.interrupted = False
        self._clock = clock
        self._progress = progress
        self._previous: dict[int, Any] = {}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Start the clock: progress counts from the first step, not from the start of the command."""
        # Not earlier: Lightning sets a handler of its own for SIGTERM, which would end the process without a package.
        if threading.current_thread() is threading.main_thread():
            self._previous = {number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM)}
        self._clock.start()

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, outputs: Any, *_: Any) -> None:  # noqa: ARG002
        """Stop, or raise DivergedError."""
        if self.interrupted or self._clock.progress(trainer.global_step) >= 1:
            trainer.should_stop = True
        looked_at = trainer.should_stop or trainer.global_step % _CHECK_EVERY == 0
        if looked_at and not torch.isfinite(outputs["loss"]):
            raise DivergedError(trainer.global_step)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:  # noqa: ARG002
        """Give the signals back."""
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}

    def _note(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        if self.interrupted:
            raise Aborted
        self.interrupted = True
        self._progress.note("Stopping after this step; press Ctrl-C once more to give up the package")
