"""What a comparison says, in sentences that claim no more than its cases can carry."""

from collections.abc import Iterator, Sequence

from leanseg.evaluation.page.wording import count, has_interval, isolated, level, listed, listed_names, share
from leanseg.evaluation.runs.differences import Difference
from leanseg.evaluation.runs.grouping import Group
from leanseg.evaluation.runs.ranking import leaders_told
from leanseg.evaluation.runs.run import Run
from leanseg.evaluation.runs.weights import Sweep
from leanseg.evaluation.statistics import ENOUGH_CASES, Summary

_CLAIMS = 6  # differences that are told one by one


def findings_of(group: Group, differences: Sequence[Difference], sweep: Sweep | None) -> Iterator[str]:
    """Tell which run of `group` is the most accurate, which differences hold, and who leads by which weights."""
    judged = group.judged
    if not judged:
        return
    best, found = next(iter(judged.items()))
    if not found.foreground.n:
        yield "Dice is counted in no case."
        return
    number = f"the only run judged on {count(len(found.cases), 'case')}"
    if len(judged) > 1:
        number = f"the highest of {len(judged)} runs judged on the same {count(len(found.cases), 'case')}"
    yield f"The mean Dice of {isolated(best)} is {share(found.foreground.mean)}{_interval(found.foreground)}, {number}."
    yield from _differences([one for one in differences if not one.target])
    if sweep is not None:
        yield _leaders(sweep)


def cautions_of(groups: Sequence[Group]) -> Iterator[str]:
    """Tell what a reader of the comparison may overlook."""
    runs = [run for group in groups for run in group.runs]
    judged = [run for run in runs if run.judged is not None]
    if len(groups) > 1:
        yield (
            f"The runs were judged on {len(groups)} different sets of cases: they are shown apart, and compared within "
            "a set only."
        )
    if len(judged) > 1:
        yield (
            "Intervals are over cases. Another seed would move a run, too: a difference between two single runs is one "
            "between these two trainings, not yet between their settings."
        )
    if any(run.plan.training.keep == "best" for run in judged):
        yield "Validation cases chose the weights that a run kept, so that its scores are slightly optimistic."
    few = [run for run in judged if run.judged is not None and len(run.judged.cases) < ENOUGH_CASES]
    if few:
        yield f"With fewer than {ENOUGH_CASES} cases intervals are too narrow, and no difference is claimed."
    if unjudged := [run.name for run in runs if run.judged is None]:
        yield f"Not judged yet, and only in the curves: {listed_names(unjudged)}."
    if any(run.sparsity != "none" for run in runs):
        yield (
            "Of sparse networks the parameters and MACs are those that the masks keep. The deployed network is dense "
            "and computes with zeros: it takes the memory and time of a dense one."
        )
    yield from _unlike(runs)


def _unlike(runs: Sequence[Run]) -> Iterator[str]:
    """Tell in what the runs differ beside their networks, so that a picture may compare unlike things."""
    losses = {(run.plan.training.loss, run.plan.training.deep_supervision, run.plan.network.name) for run in runs}
    if len(losses) > 1:
        yield "Training losses are those of different losses or networks with other heads: only their course compares."
    if len({run.device for run in runs}) > 1:
        yield "The runs were trained on different devices, so that their minutes do not compare."
    untimed = [run.name for run in runs if run.curves and run.minutes is None]
    if untimed:
        yield f"No minutes were logged, and none are drawn, of {listed_names(untimed)}."
    uncounted = [run.name for run in runs if run.costs is None]
    if uncounted:
        yield f"There is no package yet, and nothing is counted, of {listed_names(uncounted)}."


def _differences(differences: Sequence[Difference]) -> Iterator[str]:
    asked = [one for one in differences if one.n >= ENOUGH_CASES]
    if not asked:
        return
    sure = level(asked[0].level)
    held = [one for one in asked if one.holds]  # those of the best run come first
    for one in held[:_CLAIMS]:
        better, worse = isolated(one.better), isolated(one.worse)
        interval = f"{sure} interval {one.strict[0]:.4f} to {one.strict[1]:.4f}"
        yield f"{better} is better than {worse} by {one.mean:.4f} Dice on the same cases ({interval})."
    if len(held) > _CLAIMS:
        yield f"{len(held) - _CLAIMS} more of {count(len(asked), 'difference')} would hardly come by chance."
    even = [f"{isolated(one.better)} against {isolated(one.worse)}" for one in asked if not one.holds]
    if even:
        yield f"What may be chance in the choice of cases ({sure} intervals hold 0): {listed(even)}."


def _leaders(sweep: Sweep) -> str:
    score = "By the accuracy-efficiency score"
    if len(sweep.leaders) == 1:
        return f"{score} {isolated(sweep.leaders[0].order[0])} leads whatever its weights are."
    told = listed(leaders_told(sweep))
    return f"{score} these lead, by how many times as much accuracy weighs as efficiency: {told}."


def _interval(summary: Summary) -> str:
    return f" (95\u00a0% interval {share(summary.low)} to {share(summary.high)})" if has_interval(summary) else ""
