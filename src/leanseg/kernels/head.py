"""The last layer of a network, a 1x1x1 convolution, kept apart from it.

It is linear like interpolation and the weighted mean of overlapping tiles, so it may as well come after them: then the
features of a volume are kept instead of its scores, F numbers per voxel instead of K.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leanseg.kernels.resampling import Float32


@dataclass(frozen=True, eq=False)
class Head:
    """What takes F features to K scores: weights (K, F) and bias (K,), both contiguous float32.

    Raises ValueError unless they fit one another and there is at least one of each.
    """

    weights: Float32
    bias: Float32

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", np.ascontiguousarray(self.weights, dtype=np.float32))
        object.__setattr__(self, "bias", np.ascontiguousarray(self.bias, dtype=np.float32))
        if self.weights.ndim != 2 or not self.weights.size or self.bias.shape != self.weights.shape[:1]:
            msg = f"weights {self.weights.shape} and bias {self.bias.shape} are not (K, F) and (K,)"
            raise ValueError(msg)

    @property
    def features(self) -> int:
        """The number F of channels it takes."""
        return int(self.weights.shape[1])

    @property
    def outputs(self) -> int:
        """The number K of scores it gives."""
        return int(self.weights.shape[0])

    def scores(self, features: NDArray[np.floating[Any]]) -> Float32:
        """Return the scores (K, ...) of `features` (F, ...)."""
        flat = np.asarray(features, dtype=np.float32).reshape(len(features), -1)
        scores: Float32 = self.weights @ flat
        scores += self.bias[:, None]
        return scores.reshape(self.outputs, *features.shape[1:])
