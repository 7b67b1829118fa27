"""One package of all folds: their scores averaged, or their weights where that is measured to be as good.

Every fold has trained on most of the other folds' validation cases, so only the test cases of the splits, which no
fold has seen, can say how good the folds are together. Averaged scores take as long as all folds. Averaged weights
take as long as one, but only along one training are they known to do well (Izmailov et al., arXiv 1803.05407).
"""

import json
import math
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from leanseg.datasets import Case, Dataset, read_splits
from leanseg.errors import InputError
from leanseg.evaluation import Evaluation, Summary, summarise
from leanseg.inference import prepare
from leanseg.learning.export.card import write_card
from leanseg.learning.export.packaging import Exported, export
from leanseg.learning.jobs.cross_validation_folder import CrossValidationFolder
from leanseg.learning.jobs.judgement import judge
from leanseg.learning.jobs.middle import middle_tile
from leanseg.packages import Package, write_package
from leanseg.progress import Progress
from leanseg.storage import refuse_if_used
from leanseg.volumes import read_channels

Average = Literal["scores", "weights"]

_WORSE = -0.001  # mean Dice that averaged weights may lose: the one-sided 95 % bound of the difference must be above
_LEVEL = 0.9  # of the two-sided interval whose lower bound that is


class NotFinishedError(InputError):
    """Some folds are missing."""

    def __init__(self, root: Path, state: str) -> None:
        super().__init__(
            what=f"{root}: the cross-validation is {state}, not done",
            why="an ensemble is made of all folds",
            fix=f"finish it: leanseg train DATASET --resume -o {root}",
        )


class DifferentPlansError(InputError):
    """The folds do not belong together."""

    def __init__(self, root: Path, fold: int) -> None:
        super().__init__(
            what=f"{root}: fold {fold} was trained with another plan than fold 0",
            why="scores on different grids or classes cannot be averaged",
            fix=f"remove fold_{fold} and train it again: leanseg train DATASET --resume -o {root}",
        )


class NothingMeasuredError(InputError):
    """Averaged weights were asked for, and nothing can say whether they are any good."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            what=f"weights cannot be averaged unseen: {reason}",
            why="networks that were trained apart may average to one that finds nothing",
            fix="train with splits that keep test cases: leanseg split --test-share 0.2; or use --average scores",
        )


class NotAPackageFolderError(InputError):
    """What should be replaced is no package."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            what=f"{path} holds something that is no model package",
            why="--overwrite replaces the folder as a whole, and only an earlier package is meant to go",
            fix="choose another folder with -o",
        )


@dataclass(frozen=True)
class Candidate:
    """A package judged on the test cases: each case's mean Dice over classes, and seconds per case."""

    name: str
    evaluation: Evaluation
    seconds: float

    @property
    def dice(self) -> dict[str, float]:
        """Case -> mean Dice over its classes or regions."""
        return {result.pair.name: result.foreground["dice"] for result in self.evaluation.cohort.results}


@dataclass(frozen=True)
class Ensemble:
    """The package, how it averages and why. candidates: the folds, then averaged scores and weights; none unmeasured.

    gain: mean Dice of averaged scores minus that of the folds' mean, case by case.
    """

    package: Package
    average: Average
    reason: str
    candidates: tuple[Candidate, ...]
    gain: Summary | None


def make_ensemble(
    run: Path,
    out: Path,
    *,
    dataset: Dataset | None,
    average: Average | None = None,
    overwrite: bool = False,
    progress: Progress,
) -> Ensemble:
    """Write one package of the finished cross-validation `run` to the folder `out`.

    dataset: where the test cases of its splits are; None when nothing shall be measured, then scores are averaged.
    average: what to average; left out, weights where they are measured to be as good, else scores.
    Reports on the test cases go to run/test. Raises InputErrors before anything is written.
    """
    _refuse_wrong_output(out, overwrite=overwrite)
    folder = CrossValidationFolder(run)
    record = folder.read()
    if record.state != "done":
        raise NotFinishedError(run, record.state)
    members = [Package.read(folder.fold(number).root) for number in range(record.folds)]
    for number, member in enumerate(members):
        if member.plan != members[0].plan:
            raise DifferentPlansError(run, number)
    cases = _test_cases(folder, dataset) if dataset else []
    if dataset is None or not cases:
        reason = "the splits keep no test cases" if dataset else "no data set was named"
        if average == "weights":
            raise NothingMeasuredError(reason)
        package = _write_scores(out, members, {}, {})
        return Ensemble(package, "scores", f"not measured: {reason}", (), None)
    return _measured(folder, members, replace(dataset, cases=tuple(cases)), out, average, progress)


def _refuse_wrong_output(out: Path, *, overwrite: bool) -> None:
    refuse_if_used(out, overwrite=overwrite)
    used = out.is_file() or (out.is_dir() and any(out.iterdir()))
    if used and not (out / "manifest.json").is_file():
        raise NotAPackageFolderError(out)


def _test_cases(folder: CrossValidationFolder, dataset: Dataset) -> list[Case]:
    chosen = set(read_splits(folder.splits, dataset).test)
    return [case for case in dataset.cases if case.name in chosen]


def _measured(
    folder: CrossValidationFolder,
    members: Sequence[Package],
    dataset: Dataset,
    out: Path,
    average: Average | None,
    progress: Progress,
) -> Ensemble:
    """Judge folds and both averages on the cases of `dataset`, and write the better one."""
    with tempfile.TemporaryDirectory(dir=folder.root, prefix=".ensemble-") as place:
        scores = _write_scores(Path(place) / "scores", members, {}, {})
        exported = _averaged_weights(members, dataset.cases[0])
        exported.write(Path(place) / "weights", {}, {})
        shutil.rmtree(folder.test, ignore_errors=True)
        paths = {f"fold_{number}": member.path for number, member in enumerate(members)}
        paths |= {"scores": scores.path, "weights": Path(place) / "weights"}
        candidates = {}
        for name, path in paths.items():
            progress.note(f"Judging {name.replace('_', ' ')} on {len(dataset.cases)} test cases")
            candidates[name] = _judged(name, path, dataset, folder.test / name, progress)
    chosen, reason = _choose(candidates, average)
    gain = _gain(candidates)
    facts = {"ensemble": _evidence(candidates, chosen, reason, gain)}
    sentences = _sentences(candidates[chosen].evaluation)
    if chosen == "scores":
        package = _write_scores(out, members, facts, sentences)
    else:
        exported.write(out, facts, sentences, unseen=True)
        package = Package.read(out)
    return Ensemble(package, chosen, reason, tuple(candidates.values()), gain)


def _write_scores(
    out: Path, members: Sequence[Package], facts: Mapping[str, Any], sentences: Mapping[str, str]
) -> Package:
    """Write a package that holds the files of all members: nothing is exported anew."""
    parameters = sum(_parameters(member) for member in members)
    return write_package(
        out,
        plan=members[0].plan,
        weights=[member.file("model.safetensors") for member in members],
        onnx=[member.onnx_bytes() for member in members],
        card=write_card(members[0].plan, parameters, sentences, networks=len(members), unseen=True),
        facts={
            **facts,
            "parameters": parameters,
            "members": [{"hash": member.hash, "measured": member.manifest.measured} for member in members],
        },
    )


def _parameters(member: Package) -> int:
    found = member.manifest.measured.get("parameters")
    return found if isinstance(found, int) else 0


def _averaged_weights(members: Sequence[Package], case: Case) -> Exported:
    """Return the network whose tensors are the mean of the members'; counters are the first one's."""
    tensors = [member.weights() for member in members]
    mean = {
        name: torch.from_numpy(
            np.mean([one[name] for one in tensors], axis=0, dtype=np.float64).astype(first.dtype)
            if np.issubdtype(first.dtype, np.floating)
            else first
        )
        for name, first in tensors[0].items()
    }
    plan = members[0].plan
    prepared = prepare(*read_channels(case.images), plan.preprocessing)
    return export(plan, mean, middle_tile(prepared.array, plan.inference.tile))


def _judged(name: str, package: Path, dataset: Dataset, folder: Path, progress: Progress) -> Candidate:
    judgement = judge(package, dataset, dataset.cases, folder, progress)
    if judgement.evaluation is None:
        raise judgement.failures[0].error
    sidecars = sorted((folder / "predictions").glob("*.json"))
    seconds = [json.loads(path.read_text(encoding="utf-8"))["seconds"]["total"] for path in sidecars]
    return Candidate(name, judgement.evaluation, float(np.mean(seconds)))


def _choose(candidates: Mapping[str, Candidate], average: Average | None) -> tuple[Average, str]:
    difference = _difference(candidates["weights"].dice, candidates["scores"].dice, level=_LEVEL)
    measured = f"averaged weights: {difference.mean:+.4f} Dice against averaged scores, at least {difference.low:+.4f}"
    if average is not None:
        return average, f"as asked for; {measured}"
    # NaN, where one case says nothing about others, is no better than the limit either.
    return ("weights" if difference.low >= _WORSE else "scores"), measured


def _gain(candidates: Mapping[str, Candidate]) -> Summary:
    folds = [one.dice for name, one in candidates.items() if name.startswith("fold_")]
    mean = {case: float(np.mean([fold[case] for fold in folds])) for case in folds[0]}
    return _difference(candidates["scores"].dice, mean)


def _difference(these: Mapping[str, float], those: Mapping[str, float], level: float = 0.95) -> Summary:
    """Summarise these minus those, case by case."""
    column = np.array([[these[case] - those[case]] for case in these])
    return summarise(column, level=level)[0]


def _evidence(candidates: Mapping[str, Candidate], chosen: Average, reason: str, gain: Summary) -> dict[str, Any]:
    cohort = candidates[chosen].evaluation.cohort
    return {
        "average": chosen,
        "reason": reason,
        "test_cases": len(cohort.results),
        "mean_dice": {name: _finite(one.evaluation.cohort.foreground["dice"].mean) for name, one in candidates.items()},
        "seconds_per_case": {name: round(one.seconds, 4) for name, one in candidates.items()},
        "gain_over_the_folds": {"mean": _finite(gain.mean), "interval": [_finite(gain.low), _finite(gain.high)]},
    }


def _sentences(evaluation: Evaluation) -> dict[str, str]:
    """Return one line per class or region for the card."""
    lines = {}
    for name, scores in evaluation.cohort.summaries.items():
        dice = scores["dice"]
        interval = f" [{dice.low:.4f}, {dice.high:.4f}]" if math.isfinite(dice.low) else ""
        lines[name] = f"Dice {dice.mean:.4f}{interval} over {dice.n} test cases that no fold has seen"
    return lines


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
