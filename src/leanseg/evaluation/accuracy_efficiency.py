"""One number for how accurate and how small a method is, among those it is compared with.

Source: the performance trade-off score of E2ENet (Wu et al., arXiv 2312.04727, NeurIPS 2024). Which weights the paper's
tables use is not known, so both have to be given.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from leanseg.errors import InputError


@dataclass(frozen=True)
class Method:
    """What a method achieves and costs, in any units that are the same for all methods.

    accuracy: higher is better, for example the mean Dice. parameters, operations: lower is better.
    """

    accuracy: float
    parameters: float
    operations: float


class UnusableScoreError(InputError):
    """Accuracy-efficiency scores of these methods or with these weights mean nothing."""

    def __init__(self, problem: str) -> None:
        super().__init__(
            what=problem,
            why="every method is compared with the best of all, as ratios of positive numbers",
            fix="give finite numbers above 0 for each method, and weights of at least 0, one of them above",
        )


def accuracy_efficiency(
    methods: Mapping[str, Method], accuracy_weight: float, efficiency_weight: float
) -> dict[str, float]:
    """Return the score of each method; higher is better.

    accuracy_weight * accuracy / highest accuracy + efficiency_weight * (fewest parameters / parameters + fewest
    operations / operations), so that the most a method can have is accuracy_weight + 2 * efficiency_weight. Scores
    change when a method is added or left out. Raises UnusableScoreError.
    """
    weights = (accuracy_weight, efficiency_weight)
    if not all(math.isfinite(weight) and weight >= 0 for weight in weights) or not any(weights):
        raise UnusableScoreError(f"the weights are {accuracy_weight:g} and {efficiency_weight:g}")
    for name, method in methods.items():
        for number in (method.accuracy, method.parameters, method.operations):
            if not (math.isfinite(number) and number > 0):
                raise UnusableScoreError(f"{name} has {number:g} among accuracy, parameters and operations")
    if not methods:
        raise UnusableScoreError("there are no methods to compare")
    best = max(method.accuracy for method in methods.values())
    fewest = min(method.parameters for method in methods.values())
    least = min(method.operations for method in methods.values())
    return {
        name: accuracy_weight * method.accuracy / best
        + efficiency_weight * (fewest / method.parameters + least / method.operations)
        for name, method in methods.items()
    }
