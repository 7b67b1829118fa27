"""What is optimised: network, loss and optimiser as a Lightning module."""

from typing import Any

import torch
from pytorch_lightning import LightningModule
from torch import Tensor, nn

from leanseg.learning.sparsity import SparseTraining
from leanseg.learning.training.clock import Clock
from leanseg.learning.training.loss import SegmentationLoss
from leanseg.learning.training.schedule import learning_rate_factor
from leanseg.learning.training.weight_average import WeightAverage
from leanseg.plans import Data, Training


class SegmentationModule(LightningModule):
    """Train `network` with Dice + cross-entropy and AdamW; learning rate by the clock, weights averaged.

    sparse: the masks of its kernels, where it is trained sparsely; its first weights are masked, the averaged ones too.
    Deep supervision: when the network returns a list of logits (finest first), level i counts 2**-i, normalised.
    """

    def __init__(self, network: nn.Module, data: Data, settings: Training, clock: Clock) -> None:
        super().__init__()
        self.network = network
        self.clock = clock
        self.sparse = sparse_training(network, data, settings)
        self.average = WeightAverage(network, settings.ema)
        self._settings = settings
        self._loss = SegmentationLoss(data)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_index: int) -> Tensor:  # noqa: ARG002
        """Return the loss of one batch: image (B, C, D, H, W), indices of labels (B, D, H, W)."""
        image, labels = batch
        outputs = self.network(image)
        levels = outputs if isinstance(outputs, list) else [outputs]
        weights = [2.0**-level for level in range(len(levels))]
        losses = [weight * self._level_loss(logits, labels) for logits, weight in zip(levels, weights, strict=True)]
        return torch.stack(losses).sum() / sum(weights)

    def _level_loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        size = logits.shape[2:]
        if size != labels.shape[1:]:
            labels = nn.functional.interpolate(labels[:, None].float(), size=size, mode="nearest-exact")[:, 0].long()
        loss: Tensor = self._loss(logits, labels)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW; biases and norm parameters are not decayed."""
        parameters = [parameter for parameter in self.network.parameters() if parameter.requires_grad]
        groups = [
            {"params": [p for p in parameters if p.ndim > 1], "weight_decay": self._settings.weight_decay},
            {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(groups, lr=self._settings.learning_rate, betas=(0.9, 0.99))

    def on_train_batch_start(self, batch: Any, batch_index: int) -> None:  # noqa: ARG002
        """Set the learning rate for this step."""
        factor = learning_rate_factor(self.clock.progress(self.global_step), self._settings.warmup)
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = self._settings.learning_rate * factor

    def on_fit_start(self) -> None:
        """Bring the averaged weights and the masks to where the network now is."""
        self.average.to(self.device)
        if self.sparse:
            self.sparse.to(self.device)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the averaged weights, the masks and the clock: tensors and plain types only."""
        checkpoint["average"] = self.average.state()
        checkpoint["clock"] = self.clock.state()
        if self.sparse:
            checkpoint["sparsity"] = self.sparse.state()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take them back."""
        self.average.restore(checkpoint["average"])
        self.clock.restore(checkpoint["clock"])
        if self.sparse:
            self.sparse.restore(checkpoint["sparsity"])


def sparse_training(network: nn.Module, data: Data, settings: Training) -> SparseTraining | None:
    """Mask `network` as its plan says; None for a dense one. Raises NothingToMaskError and NoFinestLevelError."""
    if settings.sparsity is None:
        return None
    return SparseTraining(network, settings.sparsity, (len(data.channels), *settings.patch), settings.seed)
