"""One training run: Lightning's trainer with our callbacks."""

import contextlib
import logging
import multiprocessing
import signal
import threading
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Trainer, seed_everything
from torch import nn

from leanseg.learning.layers.memory_format import channels_last
from leanseg.learning.layers.sound_convolution import sound_convolutions
from leanseg.learning.training.averaging import Averaging
from leanseg.learning.training.cache import CachedCase
from leanseg.learning.training.checkpoints import LastCheckpoint
from leanseg.learning.training.clock import Clock, WallClock
from leanseg.learning.training.curves import Curves
from leanseg.learning.training.deformations import Deformations
from leanseg.learning.training.display import Display
from leanseg.learning.training.milestones import Milestones
from leanseg.learning.training.module import SegmentationModule
from leanseg.learning.training.patches import patch_loader
from leanseg.learning.training.sparsifying import Sparsifying
from leanseg.learning.training.staging import Staging
from leanseg.learning.training.stopping import Aborted, Stopping
from leanseg.learning.training.validation import Validation
from leanseg.learning.training.waiting import Waiting, waited_share
from leanseg.machine import cores, keep_freed_memory
from leanseg.plans import Plan
from leanseg.progress import Progress

_LIGHTNING_PRECISION = {"fp32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}
_MOST_WORKERS = 8


@dataclass(frozen=True)
class Fitted:
    """How a training run ended. waited: share of the time of training, all parts of it, that it waited for patches."""

    steps: int
    interrupted: bool
    waited: float = 0.0


@dataclass(frozen=True)
class TrainingState:
    """Where a run keeps its checkpoints and logs."""

    root: Path

    @property
    def last(self) -> Path:
        """The checkpoint to resume from."""
        return self.root / "checkpoints" / "last.ckpt"

    @property
    def logs(self) -> Path:
        """Curves, as a table and for TensorBoard."""
        return self.root / "logs"

    @property
    def masks(self) -> Path:
        """How the masks of a sparse training changed, as a table."""
        return self.logs / "sparsity.csv"

    @property
    def best(self) -> Path:
        """The best averaged weights."""
        return self.root / "checkpoints" / "best.ckpt"


def fit(
    network: nn.Module,
    cases: Sequence[CachedCase],
    validation: Validation,
    plan: Plan,
    clock: Clock,
    state: TrainingState,
    *,
    device: str,
    precision: str,
    progress: Progress,
    deformations: Deformations | None = None,
) -> Fitted:
    """Train `network` until the clock says so, resuming from the run's last checkpoint if there is one.

    deformations: what patches are read through, where scans were registered. device: cpu or cuda. precision: fp32, bf16
    or fp16. Logs go to state.root/logs as CSV and TensorBoard files.
    """
    resume = state.last if state.last.exists() else None
    stored: dict[str, Any] = torch.load(resume, weights_only=True, map_location="cpu") if resume else {}
    steps_done = int(stored.get("global_step", 0))
    halves_before = stored.get("stacking", {}).get("halves")
    waited_before = waited_share(stored)
    del stored
    if resume and clock.progress(steps_done) >= 1:
        return Fitted(steps_done, interrupted=False, waited=waited_before)  # only what comes after training is left
    seed_everything(plan.training.seed, workers=True, verbose=False)
    _quieten()
    keep_freed_memory()
    targets = list(plan.data.targets)
    curves = Curves(state.logs, ["loss", "learning_rate", "dice/mean", *(f"dice/{target}" for target in targets)])
    stopping = Stopping(clock, progress)
    milestones = Milestones(validation, clock, stopping, curves, targets, state.best)
    module = SegmentationModule(sound_convolutions(channels_last(network)), plan.data, plan.training, clock)
    # The order matters: the average first, which others look at; masks change when it is judged; the checkpoint last,
    # which stores what they found.
    display = Display(progress, clock, milestones, curves)
    sparsifying = [Sparsifying(module.sparse, clock, state.masks)] if module.sparse else []
    staging: list[Staging] = []
    if stacking := module.stacking:
        staging = [Staging(stacking, clock, progress)]
        sparsifying += [
            Sparsifying(sparse, clock, state.masks.with_stem(f"sparsity-copy{number}"), average)
            for number, (sparse, average) in enumerate(zip(stacking.sparse, stacking.averages, strict=False))
        ]
    loader = patch_loader(
        cases,
        plan,
        steps_done=steps_done,
        workers=_workers(device),
        pin=device == "cuda",
        halves=module.stacking.divide(cases, halves_before) if module.stacking else None,
        deformations=deformations,
    )
    waiting = Waiting(loader)
    callbacks = [
        Averaging(),
        waiting,
        stopping,
        *staging,
        milestones,
        *sparsifying,
        display,
        LastCheckpoint(state.last),
    ]
    trainer = Trainer(
        accelerator="gpu" if device == "cuda" else "cpu",
        devices=1,
        precision=_LIGHTNING_PRECISION[precision],  # type: ignore[arg-type]
        max_epochs=-1,
        gradient_clip_val=plan.training.gradient_clip,
        logger=curves.tensorboard,
        callbacks=callbacks,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        deterministic="warn" if device == "cuda" and not isinstance(clock, WallClock) else None,
        benchmark=device == "cuda" and isinstance(clock, WallClock),
    )
    try:
        with _signals_restored():
            trainer.fit(module, loader, ckpt_path=resume, weights_only=True)
    except Aborted:
        raise KeyboardInterrupt from None
    return Fitted(trainer.global_step, interrupted=stopping.interrupted, waited=waiting.share)


@contextlib.contextmanager
def _signals_restored() -> Iterator[None]:
    """Let nobody's handler of Ctrl-C and SIGTERM outlive the block.

    Lightning's own would: it ignores SIGTERM and holds the trainer, and with it every decoded case.
    """
    ours = threading.current_thread() is threading.main_thread()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)} if ours else {}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _workers(device: str) -> int:
    """Return the number of loader processes.

    Two cores are better left to the network: making patches takes a few per cent of a step. And processes must be
    forked, which Windows cannot and macOS should not: otherwise each would copy the decoded cases.
    """
    if multiprocessing.get_start_method() != "fork":
        return 0
    return max(0, min(_MOST_WORKERS, cores() - (1 if device == "cuda" else 2)))


def _quieten() -> None:
    """Keep Lightning's advice off the screen: what matters is shown by our own display."""
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="pytorch_lightning")
    warnings.filterwarnings("ignore", module="lightning_fabric")
