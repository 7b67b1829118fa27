"""Whole-case validation while training, by the predictor's own tiling and fusion."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from leanseg.evaluation import dice
from leanseg.inference import Engine, fuse
from leanseg.kernels import labels_of_scores
from leanseg.learning.training.cache import CachedCase
from leanseg.learning.training.indices import ignored_index, target_indices, written_indices
from leanseg.plans import Plan

EngineMaker = Callable[[Mapping[str, Tensor]], Engine]  # weights of the network -> something that runs a tile


class Validation:
    """Mean Dice per target over `cases`, in the plan's grid."""

    def __init__(self, cases: Sequence[CachedCase], plan: Plan, make_engine: EngineMaker, seconds: float = 0.0) -> None:
        self.seconds = seconds  # that it takes, as measured before
        self._cases = cases
        self._plan = plan
        self._make_engine = make_engine

    @property
    def is_empty(self) -> bool:
        """Whether no case was kept from training."""
        return not self._cases

    def __call__(self, weights: Mapping[str, Tensor]) -> NDArray[np.float64]:
        """Return the Dice of each class but the background, or of each region, averaged over the cases that have it."""
        engine = self._make_engine(weights)
        scores = np.stack([self._case(case, engine) for case in self._cases])
        counted = ~np.isnan(scores)
        sums = np.where(counted, scores, 0.0).sum(axis=0)
        means: NDArray[np.float64] = np.full(sums.shape, np.nan)
        np.divide(sums, counted.sum(axis=0), out=means, where=counted.any(axis=0))
        return means

    def _case(self, case: CachedCase, engine: Engine) -> NDArray[np.float64]:
        inference, data = self._plan.inference, self._plan.data
        scores = fuse(engine, case.image[:], inference.tile, inference.overlap, blending=inference.blending)
        try:
            labels = labels_of_scores(scores, case.shape, written_indices(data))
        except FloatingPointError:  # a network that has diverged has found nothing
            labels = np.zeros(case.shape, np.uint8)
        return dice(labels, case.labels[:], list(target_indices(data).values()), ignored_index(data))
