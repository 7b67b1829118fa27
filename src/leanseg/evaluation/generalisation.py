"""How good is a package on another data set: predict its labelled cases, and judge the classes that both sides have."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from leanseg.datasets import Dataset
from leanseg.errors import InputError, refused_by_system
from leanseg.evaluation.class_matching import ClassMatching, match_classes, near_names, translated
from leanseg.evaluation.cohort import Cohort, measure_cohort, require_tolerance
from leanseg.evaluation.origin import Origin
from leanseg.evaluation.page.wording import count, isolated, listed, listed_names
from leanseg.evaluation.pairing import NothingToJudgeError, find_pairs
from leanseg.evaluation.report import (
    Evaluation,
    OutputHoldsInputError,
    refuse_anything_but_a_report,
    write_report,
)
from leanseg.evaluation.seen_cases import NothingUnseenError, SeenCases, seen_cases
from leanseg.inference import Failure, predict_cases
from leanseg.packages import Package
from leanseg.progress import Progress
from leanseg.storage import refuse_if_used, whole_folder

PREDICTIONS = "predictions"
_HASH_SHOWN = 12


class OtherChannelsError(InputError):
    """The scans have more or fewer channels than the package takes."""

    def __init__(self, package: Package, dataset: Dataset) -> None:
        taken, had = package.plan.data.channels, dataset.channels
        super().__init__(
            what=f"the package takes {count(len(taken), 'channel')} ({', '.join(taken)}), "
            f"{dataset.root} has {len(had)} ({', '.join(had)})",
            why="a network cannot do without a channel that it was trained with",
            fix="name a data set with the same channels, in the same order",
        )


@dataclass(frozen=True)
class _Trial:
    """What is tried: a package on the cases of a data set that its run has not been trained on."""

    package: Package
    dataset: Dataset
    matching: ClassMatching
    seen: SeenCases

    @property
    def cases(self) -> Dataset:
        """The data set without the training cases."""
        kept = tuple(case for case in self.dataset.cases if case.name not in self.seen.training)
        return replace(self.dataset, cases=kept, unlabelled=())


@refused_by_system()
def evaluate_package(
    package: Package,
    dataset: Dataset,
    out: Path,
    *,
    mapping: Mapping[str, str] | None = None,
    tolerance: float = 2.0,
    overwrite: bool = False,
    seed: int = 0,
    progress: Progress | None = None,
) -> Evaluation:
    """Predict the labelled cases of `dataset` with `package`, judge them and write the report into the folder `out`.

    Classes are matched by name, see `match_classes`; what only one side has is told and left out. Cases that the run of
    the package was trained on are left out, too, where that is known. The label maps are in `out`/predictions; a case
    that cannot be predicted counts as failed. Raises InputErrors, the first one of prediction where no case works,
    and leaves nothing behind then.
    """
    progress = progress or Progress()
    require_tolerance(tolerance)
    refuse_if_used(out, overwrite=overwrite)
    refuse_anything_but_a_report(out)
    for place in (dataset.root, package.path):
        if place.resolve().is_relative_to(out.resolve()):
            raise OutputHoldsInputError(out, place)
    trial = _trial(package, dataset, mapping)
    with whole_folder(out) as folder:
        cohort = _measured(trial, folder / PREDICTIONS, tolerance, seed, progress)
        figures, record = write_report(
            cohort,
            folder,
            predictions=out / PREDICTIONS,
            references=dataset.root,
            seed=seed,
            origin=_origin(trial),
            progress=progress,
        )
    return Evaluation(cohort=cohort, folder=out, figures=figures, record=record)


def _trial(package: Package, dataset: Dataset, mapping: Mapping[str, str] | None) -> _Trial:
    if not dataset.cases:
        raise NothingToJudgeError(dataset.root, "the data set has no labelled case", "name one that has")
    if len(package.plan.data.channels) != len(dataset.channels):
        raise OtherChannelsError(package, dataset)
    matching = match_classes(package.plan.data.targets, dataset.targets, mapping)
    trial = _Trial(package, dataset, matching, seen_cases(package.path, dataset))
    if not trial.cases.cases:
        raise NothingUnseenError(dataset)
    return trial


def _measured(trial: _Trial, predictions: Path, tolerance: float, seed: int, progress: Progress) -> Cohort:
    """Predict into the folder `predictions` and measure; a failed case says why it could not be predicted."""
    cases = trial.cases
    predicted = predict_cases(trial.package, cases.cases, predictions, progress=progress)
    if not predicted.done:
        raise predicted.failed[0].error
    values, meaning = translated(trial.matching, trial.package.plan.data.targets, trial.dataset)
    pairing = find_pairs(predictions, cases)
    pairing = replace(pairing, pairs=tuple(replace(pair, values=values) for pair in pairing.pairs), meaning=meaning)
    cohort = measure_cohort(
        pairing, cases.root, targets=None, ignore=None, tolerance=tolerance, seed=seed, progress=progress
    )
    return _with_reasons(cohort, predicted.failed)


def _with_reasons(cohort: Cohort, failed: tuple[Failure, ...]) -> Cohort:
    reasons = {failure.case: failure.error.what for failure in failed}
    results = (
        replace(result, failure=reasons[result.pair.name]) if result.pair.name in reasons else result
        for result in cohort.results
    )
    return replace(cohort, results=tuple(results))


def _origin(trial: _Trial) -> Origin:
    package, dataset, matching = trial.package, trial.dataset, trial.matching
    trained_on = package.plan.data.name
    judged = (
        f"The package, trained on {isolated(trained_on)}, has predicted data set {isolated(dataset.name)}.",
        f"{_matched(matching)}.",
    )
    cautions = tuple(_cautions(trial))
    return Origin(
        heading=f"{package.plan.network.name} trained on {isolated(trained_on)}, on {isolated(dataset.name)}",
        sources={
            "Package": f"{package.path} ({package.hash[:_HASH_SHOWN]}), trained on {isolated(trained_on)}",
            "Data set": f"{dataset.root} ({isolated(dataset.name)})",
        },
        judged=judged,
        cautions=cautions,
        record={
            "package": {
                "path": str(package.path),
                "hash": package.hash,
                "trained_on": trained_on,
                "dataset": dataset.name,
                "classes": dict(matching.pairs),
                "package_only": list(matching.package_only),
                "dataset_only": list(matching.dataset_only),
                "training_cases_known": trial.seen.known,
                "training_cases_left_out": len(trial.seen.training),
                "remarks": [*judged, *cautions],
            }
        },
    )


def _matched(matching: ClassMatching) -> str:
    renamed = [f"{isolated(one)} as {isolated(other)}" for one, other in matching.pairs if one != other]
    shared = f"{count(len(matching.shared), 'class')} {'is' if len(matching.shared) == 1 else 'are'} shared"
    return f"{shared}, of them {listed(renamed)}" if renamed else shared


def _cautions(trial: _Trial) -> Iterator[str]:
    matching, seen = trial.matching, trial.seen
    if matching.package_only:
        yield f"Only the package has, and the report leaves out: {listed_names(matching.package_only)}."
    if matching.dataset_only:
        yield f"Only the data set has, and nobody predicted: {listed_names(matching.dataset_only)}."
    for one, other in near_names(matching.package_only, matching.dataset_only):
        names = f"{isolated(one)} and {isolated(other)}"
        yield f'Spelled alike, and not matched: {names}. They are the same with --map "{one}={other}".'
    yield from _told_seen(trial, seen)
    taken, had = trial.package.plan.data.channels, trial.dataset.channels
    if taken != had:
        yield f"Channels were taken in their order: {listed_names(taken)} of the package are {listed_names(had)} here."


def _told_seen(trial: _Trial, seen: SeenCases) -> Iterator[str]:
    if not seen.known:
        yield (
            "A package names no cases: if it was trained on some of these, the scores flatter. Name its run instead to "
            "leave them out."
        )
        return
    if seen.training:
        yield (
            f"{len(seen.training):,} of {count(len(trial.dataset.cases), 'case')} of this data set are training cases "
            "of the run, or of their patients, and are left out."
        )
    if chosen := [case.name for case in trial.cases.cases if case.name in seen.validation]:
        yield f"On {count(len(chosen), 'case')} the run chose its weights: scores on them are slightly optimistic."
    if seen.unlabelled is None:
        yield (
            "The run took shapes from unlabelled scans that are gone: if some of these cases were among them, their "
            "scores flatter."
        )
    elif shaped := [case.name for case in trial.cases.cases if case.name in seen.unlabelled]:
        yield (
            f"The scans of {count(len(shaped), 'case')} were among the unlabelled ones that the run was trained with: "
            "their scores are slightly optimistic."
        )
