"""What is optimised: network, loss and optimiser as a Lightning module."""

from functools import partial
from typing import Any

import torch
from pytorch_lightning import LightningModule
from torch import Tensor, nn

from leanseg.learning.sparsity import SparseTraining
from leanseg.learning.training.clock import Clock
from leanseg.learning.training.loss import SegmentationLoss
from leanseg.learning.training.schedule import learning_rate_factor
from leanseg.learning.training.stacking import stacking_of
from leanseg.learning.training.weight_average import WeightAverage
from leanseg.plans import Data, Training


class SegmentationModule(LightningModule):
    """Train `network` as `settings` say; learning rate by the clock, weights averaged.

    sparse: the masks of its kernels, where it is trained sparsely; its first weights are masked, the averaged ones too.
    Deep supervision: when the network returns a list of logits (finest first), level i counts
    settings.deep_supervision**i, normalised: with 0.5 these are 1, 1/2, 1/4 and so on over their sum.
    stacking: the stages of a network whose parts learn in turn.
    """

    def __init__(self, network: nn.Module, data: Data, settings: Training, clock: Clock) -> None:
        super().__init__()
        self.network = network
        self.clock = clock
        self.stacking = stacking_of(network, settings.ema, partial(sparse_training, data=data, settings=settings))
        self.copies = self.stacking.copies if self.stacking else nn.ModuleList()
        self.sparse = sparse_training(network, data, settings)
        self.average = WeightAverage(network, settings.ema)
        self._settings = settings
        self._loss = SegmentationLoss(
            data,
            entropy=settings.loss == "dice_ce",
            background=settings.dice_background,
            squared=settings.dice_squared,
        )

    def training_step(self, batch: tuple[Tensor, ...], batch_index: int) -> Tensor:  # noqa: ARG002
        """Return the loss of one batch: image (B, C, D, H, W), indices of labels (B, D, H, W).

        Of a stacked network also (B,), the half of the cases that each item is from.
        """
        if self.stacking:
            image, labels, halves = batch
            return self.stacking.loss(image, labels, halves, self._loss_of)
        image, labels = batch
        return self._loss_of(self.network(image), labels)

    def _loss_of(self, outputs: Tensor | list[Tensor], labels: Tensor) -> Tensor:
        """Return the loss of logits, or of a list of them, finest first."""
        levels = outputs if isinstance(outputs, list) else [outputs]
        weights = [self._settings.deep_supervision**level for level in range(len(levels))]
        losses = [weight * self._level_loss(logits, labels) for logits, weight in zip(levels, weights, strict=True)]
        return torch.stack(losses).sum() / sum(weights)

    def _level_loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        size = logits.shape[2:]
        if size != labels.shape[1:]:
            labels = nn.functional.interpolate(labels[:, None].float(), size=size, mode="nearest-exact")[:, 0].long()
        loss: Tensor = self._loss(logits, labels)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return the plan's optimiser; unless the plan says so, biases and norm parameters are not decayed."""
        settings = self._settings
        parameters = [parameter for parameter in self.parameters() if parameter.requires_grad]
        if settings.weight_decay_of == "all":
            groups = [{"params": parameters, "weight_decay": settings.weight_decay}]
        else:
            groups = [
                {"params": [p for p in parameters if p.ndim > 1], "weight_decay": settings.weight_decay},
                {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
            ]
        match settings.optimiser:
            case "adamw":
                return torch.optim.AdamW(groups, lr=settings.learning_rate, betas=settings.betas)
            case "adam":
                return torch.optim.Adam(groups, lr=settings.learning_rate, betas=settings.betas)
            case "sgd":
                nesterov = settings.nesterov and settings.momentum > 0
                return torch.optim.SGD(groups, lr=settings.learning_rate, momentum=settings.momentum, nesterov=nesterov)

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Limit the norm of all gradients together, or of each tensor's alone."""
        if gradient_clip_val is None:
            return
        if self._settings.gradient_clip_of == "each":
            for parameter in self.parameters():
                nn.utils.clip_grad_norm_([parameter], gradient_clip_val)
        elif self.stacking:
            # Together the gradients of one copy would tell the other about cases that it must not see.
            for learner in (self.network, *self.copies):
                nn.utils.clip_grad_norm_(learner.parameters(), gradient_clip_val)
        else:
            self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)

    def on_train_batch_start(self, batch: Any, batch_index: int) -> None:  # noqa: ARG002
        """Set the learning rate for this step."""
        settings = self._settings
        progress = self.clock.progress(self.global_step)
        if self.stacking:
            progress = self.stacking.within(progress)
        factor = learning_rate_factor(progress, settings.warmup, settings.schedule)
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = settings.learning_rate * factor

    def on_fit_start(self) -> None:
        """Bring averaged weights, masks and stages to where the network now is."""
        self.average.to(self.device)
        if self.sparse:
            self.sparse.to(self.device)
        if self.stacking:
            self.stacking.to(self.device)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add averaged weights, masks, stages and the clock: tensors and plain types only."""
        checkpoint["average"] = self.average.state()
        checkpoint["clock"] = self.clock.state()
        if self.sparse:
            checkpoint["sparsity"] = self.sparse.state()
        if self.stacking:
            checkpoint["stacking"] = self.stacking.state()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take them back."""
        self.average.restore(checkpoint["average"])
        self.clock.restore(checkpoint["clock"])
        if self.sparse:
            self.sparse.restore(checkpoint["sparsity"])
        if self.stacking:
            self.stacking.restore(checkpoint["stacking"])


def sparse_training(network: nn.Module, data: Data, settings: Training) -> SparseTraining | None:
    """Mask `network` as its plan says; None for a dense one. Raises NothingToMaskError and NoFinestLevelError."""
    if settings.sparsity is None:
        return None
    return SparseTraining(network, settings.sparsity, (len(data.channels), *settings.patch), settings.seed)
