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
from leanseg.datasets.examination import examine
from leanseg.errors import InputError
from leanseg.evaluation import Evaluation, Summary, summarise
from leanseg.inference import prepare
from leanseg.learning.export.card import write_card
from leanseg.learning.export.masks import Kept
from leanseg.learning.export.packaging import Exported, export, in_fp32
from leanseg.learning.export.parity import require_parity
from leanseg.learning.jobs.cross_validation_folder import CrossValidationFolder
from leanseg.learning.jobs.judgement import dice_sentences, judge
from leanseg.learning.jobs.lock import held
from leanseg.learning.jobs.middle import middle_tile
from leanseg.learning.jobs.package_folder import refuse_other_than_package
from leanseg.learning.jobs.training import refuse_other_data
from leanseg.packages import Package, write_package
from leanseg.plans import Plan, read_plan
from leanseg.progress import Progress
from leanseg.volumes import read_channels

Average = Literal["scores", "weights"]

_WORSE = -0.001  # mean Dice that averaged weights may lose: the one-sided 95 % bound of the difference must be above
_LEVEL = 0.9  # of the two-sided interval whose lower bound that is
_ENOUGH = 10  # test cases; bootstrap intervals of fewer are too narrow
_UNNAMED = ("no data set was named, and none is where it was", "name it: leanseg ensemble RUN DATASET")
_UNKEPT = ("the splits keep no test cases", "train with splits that do: leanseg split --test-share 0.2")


class NotFinishedError(InputError):
    """Some folds are missing."""

    def __init__(self, root: Path, fold: int) -> None:
        super().__init__(
            what=f"{root}: fold {fold} is not finished",
            why="an ensemble is made of all folds",
            fix=f"finish it: leanseg train DATASET --resume -o {root}",
        )


class DifferentFoldError(InputError):
    """A fold does not belong to the others."""

    def __init__(self, root: Path, fold: int, what: str) -> None:
        super().__init__(
            what=f"{root}: fold {fold} was trained with {what} than the cross-validation's",
            why="what the folds say would not fit together",
            fix=f"remove {root / f'fold_{fold}'} and train it again: leanseg train DATASET --resume -o {root}",
        )


class NothingMeasuredError(InputError):
    """Averaged weights were asked for, and nothing can say whether they are any good."""

    def __init__(self, reason: str, fix: str) -> None:
        super().__init__(
            what=f"weights cannot be averaged unseen: {reason}",
            why="networks that were trained apart may average to one that finds nothing",
            fix=f"{fix}; or use --average scores",
        )


class UnusableTestCaseError(InputError):
    """A test case has a problem that leanseg check would name."""

    def __init__(self, problem: str, fix: str) -> None:
        super().__init__(what=f"test case {problem}", why="every network is judged on the same cases", fix=fix)


@dataclass(frozen=True)
class Candidate:
    """A package judged on the test cases, and its seconds per case."""

    name: str
    evaluation: Evaluation
    seconds: float

    @property
    def dice(self) -> dict[str, float]:
        """Case -> mean Dice over all classes or regions; one that is rightly not found counts 1.

        Reports leave those out. Here they count: what finds something in healthy cases must not look as good.
        """
        return {result.pair.name: _mean_dice(result.scores) for result in self.evaluation.cohort.results}


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
    Reports on the test cases go to run/test, in the place of earlier ones. Raises InputErrors before anything is
    written.
    """
    refuse_other_than_package(out, overwrite=overwrite)
    folder = CrossValidationFolder(run)
    members = _members(folder)
    cases = _test_cases(folder, dataset) if dataset else []
    if dataset is None or not cases:
        reason, fix = _UNKEPT if dataset else _UNNAMED
        if average == "weights":
            raise NothingMeasuredError(reason, fix)
        package = _write_scores(out, members, {}, {})
        return Ensemble(package, "scores", f"not measured: {reason}", (), None)
    refuse_other_data(members[0].plan, dataset)
    _refuse_unusable(cases, dataset)
    with held(folder.root):
        return _measured(folder, members, replace(dataset, cases=tuple(cases)), out, average, progress)


def _members(folder: CrossValidationFolder) -> list[Package]:
    """Return the folds' packages. Raises NotFinishedError or DifferentFoldError."""
    runs = [folder.fold(number) for number in range(folder.read().folds)]
    for number, run in enumerate(runs):
        if not run.record.is_file() or run.read().state != "done":
            raise NotFinishedError(folder.root, number)
    plan = read_plan(folder.plan)
    members = []
    for number, run in enumerate(runs):
        members.append(Package.read(run.root))
        if _decisions(members[-1].plan) != _decisions(plan):
            raise DifferentFoldError(folder.root, number, "another plan")
        if run.splits.read_bytes() != folder.splits.read_bytes():
            raise DifferentFoldError(folder.root, number, "other splits")
    return members


def _decisions(plan: Plan) -> Plan:
    """Return what folds have in common: all but the reasons, and what export or tuning chooses to compute them by."""
    inference = plan.inference.model_copy(update={"engine": "openvino", "precision": "fp32"})
    return plan.model_copy(update={"inference": inference, "explanation": ()})


def _test_cases(folder: CrossValidationFolder, dataset: Dataset) -> list[Case]:
    chosen = set(read_splits(folder.splits, dataset).test)
    return [case for case in dataset.cases if case.name in chosen]


def _refuse_unusable(cases: Sequence[Case], dataset: Dataset) -> None:
    """Raise UnusableTestCaseError for the first error of a case: no fold has ever read these."""
    for case in cases:
        for problem in examine(case, dataset).problems:
            if problem.severity == "error":
                raise UnusableTestCaseError(f"{case.name}: {problem.what}", problem.fix)


def _measured(
    folder: CrossValidationFolder,
    members: Sequence[Package],
    dataset: Dataset,
    out: Path,
    average: Average | None,
    progress: Progress,
) -> Ensemble:
    """Judge folds and both averages on the cases of `dataset`, and write the better one."""
    shutil.rmtree(folder.test, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=folder.root, prefix=".ensemble-") as tmp:
        scores = _write_scores(Path(tmp) / "scores", members, {}, {})
        exported = _averaged_weights(members, dataset.cases[0])
        exported.write(Path(tmp) / "weights", {}, {})
        paths = {f"fold_{number}": member.path for number, member in enumerate(members)}
        paths |= {"scores": scores.path, "weights": Path(tmp) / "weights"}
        candidates = {}
        for name, path in paths.items():
            progress.note(f"Judging {name.replace('_', ' ')} on {len(dataset.cases)} test cases")
            candidates[name] = _judged(name, path, dataset, folder.test / name, progress)
    chosen, reason = choose(candidates["weights"].dice, candidates["scores"].dice, average)
    folds = [one.dice for name, one in candidates.items() if name.startswith("fold_")]
    gain = gain_over(folds, candidates["scores"].dice)
    facts = {"ensemble": _evidence(candidates, chosen, reason, gain)}
    sentences = dice_sentences(candidates[chosen].evaluation, "test cases that no fold has seen")
    if chosen == "scores":
        package = _write_scores(out, members, facts, sentences)
    else:
        require_parity(exported.parity)
        exported.write(out, facts, sentences, unseen=True)
        package = Package.read(out)
    return Ensemble(package, chosen, reason, tuple(candidates.values()), gain)


def _write_scores(
    out: Path, members: Sequence[Package], facts: Mapping[str, Any], sentences: Mapping[str, str]
) -> Package:
    """Write a package that holds the files of all members: nothing is exported anew."""
    parameters = sum(_parameters(member) for member in members)
    sparse = [member for member in members if member.masks()]
    kept = Kept.together(map(_kept, sparse)) if sparse else None
    plan = in_fp32(members[0].plan)
    return write_package(
        out,
        plan=plan,
        weights=[member.file("model.safetensors") for member in members],
        onnx=[member.onnx_bytes() for member in members],
        card=write_card(plan, parameters, sentences, networks=len(members), unseen=True, kept=kept),
        masks=[member.file("masks.safetensors") for member in sparse],
        facts={
            **facts,
            **({"sparsity": kept.facts()} if kept else {}),
            "parameters": parameters,
            "members": [{"hash": member.hash, "measured": member.manifest.measured} for member in members],
        },
    )


def _parameters(member: Package) -> int:
    found = member.manifest.measured.get("parameters")
    return found if isinstance(found, int) else 0


def _kept(member: Package) -> Kept:
    tensors = {name: torch.from_numpy(tensor) for name, tensor in member.weights().items()}
    return Kept.by(_masks(member), tensors, _parameters(member))


def _masks(member: Package) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(mask) for name, mask in member.masks().items()}


def _averaged_weights(members: Sequence[Package], case: Case) -> Exported:
    """Return the network whose tensors are the mean of the members'; counters are the first one's.

    Where they are sparse, a kernel is alive that is so in one of them.
    """
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
    masks = [_masks(member) for member in members]
    either = {name: torch.stack([one[name] for one in masks]).any(dim=0) for name in masks[0]}
    return export(plan, mean, middle_tile(prepared.array, plan.inference.tile), either)


def _judged(name: str, package: Path, dataset: Dataset, folder: Path, progress: Progress) -> Candidate:
    judgement = judge(package, dataset, dataset.cases, folder, progress)
    if judgement.evaluation is None:
        raise judgement.failures[0].error
    sidecars = sorted((folder / "predictions").glob("*.json"))
    seconds = [json.loads(path.read_text(encoding="utf-8"))["seconds"]["total"] for path in sidecars]
    return Candidate(name, judgement.evaluation, float(np.mean(seconds)))


def choose(weights: Mapping[str, float], scores: Mapping[str, float], average: Average | None) -> tuple[Average, str]:
    """Return what to average and why. weights, scores: Dice of either average, by case; average: as asked for."""
    difference = _difference(weights, scores, level=_LEVEL)
    if difference.n < _ENOUGH:
        measured = f"{difference.n} test cases are too few to prefer averaged weights, {_ENOUGH} are needed"
    else:
        measured = (
            f"averaged weights gain {difference.mean:+.4f} Dice over averaged scores on {difference.n} test cases, "
            f"one-sided 95 % bound {difference.low:+.4f}"
        )
    if average is not None:
        return average, f"as asked for; {measured}"
    as_good = difference.n >= _ENOUGH and difference.low >= _WORSE
    return ("weights" if as_good else "scores"), measured


def gain_over(folds: Sequence[Mapping[str, float]], together: Mapping[str, float]) -> Summary:
    """Return by how much the Dice of `together` is above the folds' mean, case by case."""
    return _difference(together, {case: float(np.mean([fold[case] for fold in folds])) for case in together})


def _difference(these: Mapping[str, float], those: Mapping[str, float], level: float = 0.95) -> Summary:
    """Summarise these minus those, case by case."""
    column = np.array([[these[case] - those[case]] for case in these])
    return summarise(column, level=level)[0]


def _mean_dice(scores: Mapping[str, Mapping[str, float]]) -> float:
    dice = [of_target["dice"] for of_target in scores.values()]
    return float(np.mean([1.0 if math.isnan(value) else value for value in dice]))


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


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
