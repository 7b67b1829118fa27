"""Which candidates are as good as the package was, and which of them is the fastest.

A candidate passes if it loses at most so much Dice against the untuned package on the same cases: the mean over cases
of the loss, and with it the upper end of its one-sided 95 % bound by bootstrap over cases, must stay below the limit.
A case's loss is the mean over its classes. A class that is absent from reference and label map has no Dice; where
only one of the two label maps leaves it out, as it should, that one counts as 1.

Without labels nobody knows what is right: the loss is then 1 - Dice between the two label maps themselves, which is
the stricter question.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from leanseg.evaluation.statistics import ENOUGH_CASES, mean_intervals
from leanseg.evaluation.tuning.candidates import Candidate

_LEVEL = 0.90  # of an interval with two ends, whose upper one is the one-sided 95 % bound
WORTH = 0.05  # share of the seconds that must be saved to leave a default: less is noise on most machines

Dice = Mapping[str, float]  # by class; NaN where neither side has it


@dataclass(frozen=True)
class CaseResult:
    """One case as one candidate does it.

    seconds: from the scan in memory to its label map in memory. dice: against the reference, empty without one.
    agreement: Dice against the label map of the untuned package.
    """

    seconds: float
    dice: Dice
    agreement: Dice


@dataclass(frozen=True)
class Measured:
    """What was measured of a candidate. engine: with its version. failure: why it is out, else empty."""

    candidate: Candidate
    cases: Mapping[str, CaseResult]
    peak_rss_bytes: int = 0
    engine: str = ""
    failure: str = ""


@dataclass(frozen=True)
class Verdict:
    """A candidate against the untuned package.

    seconds: median over cases. speedup: median over cases of how many times faster. agreement: mean Dice against the
    label maps of the untuned package. dice: mean against the references. loss, bound: see above; NaN for the candidate
    that failed. reason: why it does not pass, else empty.
    """

    measured: Measured
    seconds: float
    speedup: float
    agreement: float
    dice: float
    loss: float
    bound: float
    reason: str

    @property
    def passed(self) -> bool:
        """Tell whether it may take the place of the untuned package."""
        return not self.reason

    def record(self) -> dict[str, Any]:
        """Return it as JSON values; what is not finite becomes null."""
        numbers = {
            "seconds_per_case": self.seconds,
            "speedup": self.speedup,
            "agreement": self.agreement,
            "dice": self.dice,
            "loss": self.loss,
            "loss_bound": self.bound,
        }
        return {
            **self.measured.candidate.record(),
            "version": self.measured.engine,
            **{name: round(value, 6) if math.isfinite(value) else None for name, value in numbers.items()},
            "peak_rss_bytes": self.measured.peak_rss_bytes,
            "passed": self.passed,
            "reason": self.reason,
        }


def judge(measured: Measured, untuned: Measured, max_loss: float) -> Verdict:
    """Return what is to be said of a candidate; `untuned` itself always passes."""
    if measured.failure:
        unknown = math.nan
        return Verdict(measured, unknown, unknown, unknown, unknown, unknown, unknown, measured.failure)
    names = sorted(untuned.cases)
    pairs = [(measured.cases[name], untuned.cases[name]) for name in names]
    losses = np.array([_loss(found, before) for found, before in pairs])
    bound = float(mean_intervals(losses[:, None], level=_LEVEL)[1][0])
    is_untuned = measured.candidate == untuned.candidate
    return Verdict(
        measured=measured,
        seconds=float(np.median([found.seconds for found, _ in pairs])),
        speedup=float(np.median([before.seconds / found.seconds for found, before in pairs])),
        agreement=_mean([_mean_dice(found.agreement) for found, _ in pairs], math.nan),
        dice=_mean([_mean_dice(found.dice) for found, _ in pairs], math.nan),
        loss=float(losses.mean()),
        bound=bound,
        reason="" if is_untuned else _objection(len(names), bound, max_loss),
    )


def fastest(verdicts: Sequence[Verdict], incumbent: Verdict) -> Verdict:
    """Return the fastest that passed, the `incumbent` unless one is faster by `WORTH` at least."""
    rivals = [verdict for verdict in verdicts if verdict.passed]
    best = max(rivals, key=lambda verdict: verdict.speedup, default=incumbent)
    return best if best.speedup * (1 - WORTH) >= incumbent.speedup else incumbent


def _objection(cases: int, bound: float, max_loss: float) -> str:
    if cases < ENOUGH_CASES:
        return f"too few cases for a bound: {cases}, not {ENOUGH_CASES}"
    return "" if bound <= max_loss else f"may lose {bound:.4f}"


def _loss(found: CaseResult, before: CaseResult) -> float:
    if not before.dice:
        return 1 - _mean([1.0 if math.isnan(dice) else dice for dice in found.agreement.values()])
    pairs = [(before.dice[name], dice) for name, dice in found.dice.items()]
    return _mean([_counted(old, new) - _counted(new, old) for old, new in pairs])


def _counted(dice: float, other: float) -> float:
    return 1.0 if math.isnan(dice) and not math.isnan(other) else dice


def _mean_dice(dice: Dice) -> float:
    return _mean([value for value in dice.values() if math.isfinite(value)], math.nan)


def _mean(values: Sequence[float], of_none: float = 0.0) -> float:
    finite = [value for value in values if math.isfinite(value)]
    return math.fsum(finite) / len(finite) if finite else of_none
