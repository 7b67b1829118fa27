"""What the numbers say, in sentences that hold for every input: none claims more than its cases can carry.

A claim about the cohort (an error of volume, a relation with volume) needs ten cases, because intervals are too narrow
below, and must hold after Bonferroni's correction for the number of targets asked.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leanseg.evaluation.cohort import CaseResult, Cohort
from leanseg.evaluation.page.cautions import cautions_of
from leanseg.evaluation.page.makers import Maker
from leanseg.evaluation.page.rank_correlation import RankCorrelation, rank_correlation
from leanseg.evaluation.page.wording import (
    correlation,
    count,
    has_interval,
    isolated,
    level,
    listed,
    listed_names,
    millimetres,
    noun_of,
    percent,
    plural,
    share,
)
from leanseg.evaluation.scores import nsd_name
from leanseg.evaluation.statistics import ENOUGH_CASES, Summary, mean_intervals

LOW_DICE = 0.7
_LEVEL = 0.05
_CLAIMS = 4  # of one kind; the rest is counted


@dataclass(frozen=True, slots=True)
class Account:
    """What was judged, what was found, and what to keep in mind: sentences, some lists may be empty."""

    judged: tuple[str, ...]
    found: tuple[str, ...]
    cautions: tuple[str, ...]


def account_of(cohort: Cohort, makers: Counter[Maker], seed: int) -> Account:
    """Put `cohort` into words. `makers` counts the predictions by what made them; `seed` is that of the intervals."""
    judged = [result for result in cohort.results if result.failure is None]
    return Account(
        judged=(*_what_was_judged(cohort, judged), *_who_made_it(makers, cohort)),
        found=(
            *_overall(cohort),
            *_best_and_worst(cohort),
            *_low_cases(judged),
            *_surfaces(cohort),
            *_volume_errors(cohort, judged, seed),
            *_relations(cohort),
        ),
        cautions=tuple(cautions_of(cohort)),
    )


def dice_and_volume(cohort: Cohort, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64], list[CaseResult]]:
    """Return Dice (n,), volume in the reference in mm^3 (n,) and the n cases whose reference has the target `name`."""
    dice, volumes, cases = [], [], []
    for result in cohort.results:
        scores = result.scores.get(name, {})
        pair = scores.get("dice", math.nan), scores.get("reference_volume_mm3", math.nan)
        if math.isfinite(pair[0]) and pair[1] > 0:
            dice.append(pair[0])
            volumes.append(pair[1])
            cases.append(result)
    return np.array(dice), np.array(volumes), cases


def relation_of(cohort: Cohort, name: str) -> RankCorrelation | None:
    """Return how Dice goes with volume over the judged cases that have the target `name`; None where too few have."""
    dice, volumes, cases = dice_and_volume(cohort, name)
    judged = np.array([result.failure is None for result in cases], dtype=bool)
    if judged.sum() < ENOUGH_CASES:
        return None
    return rank_correlation(volumes[judged], dice[judged])


def _what_was_judged(cohort: Cohort, judged: Sequence[CaseResult]) -> Iterator[str]:
    targets = f"{count(len(cohort.targets), noun_of(cohort))}: {listed_names(cohort.targets)}"
    all_cases, failed = len(cohort.results), len(cohort.failures)
    if not judged:
        which = "The only case" if all_cases == 1 else f"Each of the {all_cases:,} cases"
        yield f"{which} failed; it was to be judged for {targets}."
    elif failed:
        yield f"{len(judged):,} of {count(all_cases, 'case')} could be judged, for {targets}."
    else:
        which = "One case was" if all_cases == 1 else f"All {all_cases:,} cases were"
        yield f"{which} judged, for {targets}."
    yield from _what_failures_count(cohort)


def _what_failures_count(cohort: Cohort) -> Iterator[str]:
    noun = noun_of(cohort)
    if worst := _counted_failures(cohort):
        does = "1 case failed and counts" if worst == 1 else f"{worst:,} cases failed and count"
        yield f"{does} with the worst score for each {noun} of the reference."
    unscored = sum(not result.scores for result in cohort.failures)
    if empty := len(cohort.failures) - worst - unscored:
        does = "1 case failed and counts" if empty == 1 else f"{empty:,} cases failed and count"
        yield f"{does} nowhere, because the reference holds no {noun}."
    if unscored:
        whose = "1 case counts" if unscored == 1 else f"{unscored:,} cases count"
        yield f"{whose} nowhere, because the reference cannot be read."


def _counted_failures(cohort: Cohort) -> int:
    """Return how many failed cases are in the mean Dice: those whose reference holds a target."""
    return sum(math.isfinite(result.foreground.get("dice", math.nan)) for result in cohort.failures)


def _who_made_it(makers: Counter[Maker], cohort: Cohort) -> Iterator[str]:
    predictions = sum(result.pair.prediction is not None for result in cohort.results)
    if not makers:
        return
    whose = "The predictions" if makers.total() == predictions else f"{makers.total():,} of {predictions:,} predictions"
    if len(makers) == 1:
        (maker,) = makers
        whose, were = ("The prediction", "was") if predictions == 1 else (whose, "were")
        yield f"{whose} {were} made by {isolated(str(maker))}, as the sidecars say."
    else:
        yield f"{whose} were made in {len(makers)} different ways, as the sidecars say: {_ways(makers)}."


def _ways(makers: Counter[Maker]) -> str:
    return "; ".join(f"{number:,} by {isolated(str(maker))}" for maker, number in makers.most_common(3)) + (
        f"; {len(makers) - 3} more" if len(makers) > 3 else ""
    )


def _overall(cohort: Cohort) -> Iterator[str]:
    dice = cohort.foreground["dice"]
    noun = noun_of(cohort)
    if dice.n == 0:
        yield f"Dice is counted in no case: no {noun} was found in any reference or prediction that could be compared."
        return
    several = len(cohort.targets) > 1
    if dice.n == 1:
        over = f", the mean over its {plural(noun)}," if several else ""
        yield f"Dice in the only case that counts{over} is {share(dice.mean)}."
        return
    over = f" and their {plural(noun)}" if several else ""
    failed = ", failed ones included," if _counted_failures(cohort) else ""
    yield f"The mean Dice over {count(dice.n, 'case')}{over}{failed} is {share(dice.mean)}{_interval(dice)}."


def _best_and_worst(cohort: Cohort) -> Iterator[str]:
    counted = {name: scores["dice"] for name, scores in cohort.summaries.items() if scores["dice"].n}
    if len(counted) < 2:
        return
    ranked = sorted(counted, key=lambda name: counted[name].mean)
    worst, best = ranked[0], ranked[-1]
    low, high = counted[worst], counted[best]
    noun, score = noun_of(cohort), "mean Dice" if max(low.n, high.n) > 1 else "Dice"
    if share(low.mean) == share(high.mean):
        every = "Both" if len(counted) == 2 else f"All {len(counted)}"
        which = "" if len(counted) == len(cohort.targets) else " that are counted"
        yield f"{every} {plural(noun)}{which} have the same {score}, {share(low.mean)}."
        return
    sentence = (
        f"The best {score} is that of {isolated(best)}, {share(high.mean)}{_interval(high)}; "
        f"the worst that of {isolated(worst)}, {share(low.mean)}{_interval(low)}"
    )
    overlapping = has_interval(low) and has_interval(high) and low.high >= high.low
    yield f"{sentence}; their intervals overlap." if overlapping else f"{sentence}."


def _low_cases(judged: Sequence[CaseResult]) -> Iterator[str]:
    dice = {result.pair.name: result.foreground.get("dice", math.nan) for result in judged}
    counted = {name: value for name, value in dice.items() if math.isfinite(value)}
    if len(counted) < 2:
        return
    worst = min(counted, key=counted.__getitem__)
    # As shown, not as computed: 0.69996 is written 0.700.
    low = sum(round(value, 3) < LOW_DICE for value in counted.values())
    number = "None" if low == 0 else f"{low:,}"
    lies = "lies" if low in (0, 1) else "lie"
    which = "" if len(counted) == len(judged) else " in which Dice is counted"
    yield (
        f"{number} of the {len(counted):,} judged cases{which} {lies} below a mean Dice of {LOW_DICE}; "
        f"the lowest is {isolated(worst)} with {share(counted[worst])}."
    )


def _surfaces(cohort: Cohort) -> Iterator[str]:
    tolerance = cohort.tolerance
    nsd, hd95 = cohort.foreground[nsd_name(tolerance)], cohort.foreground["hd95_mm"]
    if not nsd.n or not hd95.n:
        return
    if nsd.n == 1:
        yield f"Surface Dice at {tolerance:g} mm is {share(nsd.mean)} and HD95 {millimetres(hd95.mean)} mm."
    else:
        yield (
            f"Surface Dice at {tolerance:g} mm is {share(nsd.mean)} on average{_interval(nsd)}, "
            f"and the median HD95 is {millimetres(hd95.median)} mm."
        )


def _volume_errors(cohort: Cohort, judged: Sequence[CaseResult], seed: int) -> Iterator[str]:
    """Tell which targets come out too large or too small, among the judged cases: a failed one says nothing of it."""
    if not judged:
        return
    names = list(cohort.targets)
    errors = np.array(
        [[result.scores[name]["relative_volume_difference"] for name in names] for result in judged], dtype=np.float64
    )
    numbers = np.isfinite(errors).sum(axis=0)
    asked = numbers >= ENOUGH_CASES
    if not asked.any():
        return
    # Bonferroni: so that all intervals together miss 0 by chance in one cohort of twenty, however many are asked.
    strict = 1 - _LEVEL / int(asked.sum())
    lows, highs = mean_intervals(errors, level=strict, seed=seed)
    found = {}
    for name, column, low, high, is_asked in zip(names, errors.T, lows, highs, asked, strict=True):
        if is_asked and (round(low, 3) > 0 or round(high, 3) < 0):
            found[name] = (float(np.nanmean(column)), float(low), float(high))
    yield from _told_volume_errors(found, int(asked.sum()), noun_of(cohort), among=bool(cohort.failures))


def _told_volume_errors(
    found: dict[str, tuple[float, float, float]], asked: int, noun: str, *, among: bool
) -> Iterator[str]:
    where = " in the judged cases" if among else ""
    interval = f"{level(1 - _LEVEL / asked)} interval"
    if not found:
        every = f"the only {noun} that enough cases have" if asked == 1 else f"every one of {count(asked, noun)}"
        yield (
            f"No error of volume shows{where}: to a tenth of a percent the {interval} of the mean difference holds 0 "
            f"for {every}."
        )
        return
    strongest = sorted(found, key=lambda name: -abs(found[name][0]))
    for name in strongest[:_CLAIMS]:
        mean, low, high = found[name]
        how = "large" if mean > 0 else "small"
        yield (
            f"The volume of {isolated(name)} comes out too {how}{where}: {percent(mean)} of that in the reference on "
            f"average ({interval} {percent(low)} to {percent(high)})."
        )
    if len(found) > _CLAIMS:
        more = len(found) - _CLAIMS
        yield f"{more} more of {count(asked, noun)} {'comes' if more == 1 else 'come'} out too large or too small."


def relations_found(cohort: Cohort) -> dict[str, tuple[RankCorrelation, bool]]:
    """Return for each target that is asked how Dice goes with volume, and whether chance would hardly explain it."""
    asked = {name: relation for name in cohort.targets if (relation := relation_of(cohort, name)) is not None}
    return {name: (relation, relation.p < _LEVEL / len(asked)) for name, relation in asked.items()}


def _relations(cohort: Cohort) -> Iterator[str]:
    asked = relations_found(cohort)
    if not asked:
        return
    found = {name: relation for name, (relation, holds) in asked.items() if holds}
    for verb, sign in (("rises", 1), ("falls", -1)):
        names = sorted((name for name in found if found[name].rho * sign > 0), key=lambda name: -abs(found[name].rho))
        told = [
            f"{isolated(name)} (rank correlation {correlation(found[name].rho)}, {found[name].n:,} cases)"
            for name in names
        ]
        if told:
            yield f"Dice {verb} with the volume of the structure for {listed(told)}; that is no proof of a cause."
    if not found:
        yield "Dice shows no relation with the volume of the structure that chance would not explain."


def _interval(summary: Summary) -> str:
    return f" (95\u00a0% interval {share(summary.low)} to {share(summary.high)})" if has_interval(summary) else ""
