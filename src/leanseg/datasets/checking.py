"""Name every problem of a data set in one pass, before hours of training find them one by one."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, computed_field

from leanseg.datasets.cases import Case, Dataset, scans_in
from leanseg.datasets.examination import Examination, Kind, Problem, examine
from leanseg.datasets.parallel import in_order, workers_for
from leanseg.datasets.splits import FEWEST_FOLDS
from leanseg.datasets.subjects import cases_without_subject
from leanseg.datasets.targets import Targets
from leanseg.errors import refused_by_system
from leanseg.progress import Progress

__all__ = ["CheckReport", "Problem", "check_dataset"]

# With fewer patients the usual five folds are not possible.
_ENOUGH_SUBJECTS = 5
_SHOWN_FILES = 3


class CheckReport(BaseModel):
    """Everything that is wrong with a data set.

    Cases per class, and per region where there are any, count those in which it occurs; so do the ones with ignored
    voxels. left_right: see `Dataset`.
    """

    model_config = ConfigDict(frozen=True)

    dataset: str
    root: Path
    cases: int
    unlabelled: int
    channels: tuple[str, ...]
    labels: dict[str, int]
    cases_per_class: dict[str, int]
    regions: Targets
    cases_per_region: dict[str, int]
    ignore: int | None
    cases_with_ignored: int
    left_right: tuple[tuple[str, str], ...] | None
    problems: tuple[Problem, ...]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def errors(self) -> int:
        """Number of problems that would make training wrong."""
        return sum(problem.severity == "error" for problem in self.problems)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def warnings(self) -> int:
        """Number of problems that should be looked at."""
        return len(self.problems) - self.errors

    @property
    def passed(self) -> bool:
        """Whether the data set can be trained on."""
        return self.errors == 0


@refused_by_system()
def check_dataset(dataset: Dataset, progress: Progress | None = None) -> CheckReport:
    """Read every file of every case and report all problems; none stops the others.

    Problems of cases without labels are warnings: nothing is trained on them. Several cases are read at a time,
    within a quarter of the machine's memory. Never raises for what is in a file.
    """
    cases = [*dataset.cases, *dataset.unlabelled]
    workers = workers_for(cases)
    examinations = list(
        (progress or Progress()).track(
            in_order(lambda case: examine(case, dataset), cases, workers), "Checking", total=len(cases)
        )
    )
    found = [examination.values.keys() for examination in examinations]
    classes = {name: sum(value in values for values in found) for name, value in dataset.labels.items()}
    regions = {name: region.values for name, region in dataset.regions.items()}
    per_region = {name: sum(not values.isdisjoint(region) for values in found) for name, region in regions.items()}
    problems = [_weighed(problem, one.case) for one in examinations for problem in one.problems]
    problems += _duplicates(examinations)
    problems += _unused_files(dataset)
    problems += _absent_targets(dataset, classes, per_region)
    problems += _subjects(dataset)
    return CheckReport(
        dataset=dataset.name,
        root=dataset.root,
        cases=len(dataset.cases),
        unlabelled=len(dataset.unlabelled),
        channels=dataset.channels,
        labels=dataset.labels,
        cases_per_class=classes,
        regions=regions,
        cases_per_region=per_region,
        ignore=dataset.ignore,
        cases_with_ignored=sum(dataset.ignore in values for values in found),
        left_right=dataset.left_right,
        problems=tuple(problems),
    )


def _weighed(problem: Problem, case: Case) -> Problem:
    return problem if case.label is not None else problem.model_copy(update={"severity": "warning"})


def _duplicates(examinations: Sequence[Examination]) -> Iterable[Problem]:
    owners: dict[tuple[str, ...], list[Case]] = defaultdict(list)
    for found in examinations:
        if found.digests:
            owners[tuple(found.digests)].append(found.case)
    for first, *others in owners.values():
        for other in others:
            # One patient's cases always stay on one side of a fold; anybody else's twin leaks.
            harmless = first.subject is not None and first.subject == other.subject
            problem = Problem(
                case=other.name,
                kind="duplicate image",
                severity="warning" if harmless else "error",
                what=f"has the same voxels as {first.name}",
                fix="remove one of the two, or it may train and validate the same network",
            )
            yield _weighed(problem, other)


def _unused_files(dataset: Dataset) -> Iterable[Problem]:
    """Name the volumes that lie among those of the labelled cases, but belong to no case."""
    used = {_place(path) for case in (*dataset.cases, *dataset.unlabelled) for path in _files(case)}
    # Folders that are one, by a link or otherwise, are looked through once.
    folders = {path.parent.resolve(): path.parent for case in dataset.cases for path in _files(case)}
    for folder in sorted(folders.values()):
        unused = [path.name for path in scans_in(folder) if _place(path) not in used]
        if unused:
            names = ", ".join(unused[:_SHOWN_FILES])
            more = f" and {len(unused) - _SHOWN_FILES} more" if len(unused) > _SHOWN_FILES else ""
            what = f"{folder.name} holds {len(unused)} file{'s' * (len(unused) != 1)} of no case: {names}{more}"
            fix = "list them in dataset.json or name them as its layout wants; or move them elsewhere"
            yield _of_dataset("unused file", "warning", what, fix)


def _files(case: Case) -> tuple[Path, ...]:
    return case.images if case.label is None else (*case.images, case.label)


def _place(path: Path) -> tuple[Path, str]:
    # The file itself may be a link to one that several data sets share; its folder counts.
    return path.parent.resolve(), path.name


def _absent_targets(dataset: Dataset, classes: dict[str, int], regions: dict[str, int]) -> Iterable[Problem]:
    # A class that is only part of a region is not learned by itself.
    severity: Literal["error", "warning"] = "warning" if regions else "error"
    for name, count in classes.items():
        if count == 0 and dataset.labels[name] != 0 and dataset.cases:
            what = f"no case has the class {name!r} (value {dataset.labels[name]})"
            yield _of_dataset("absent class", severity, what, "remove the class from the description, or add cases")
    for name, count in regions.items():
        if count == 0 and dataset.cases:
            what = f"no case has the region {name!r} (values {', '.join(map(str, dataset.regions[name].values))})"
            yield _of_dataset("absent class", "error", what, "remove the region from the description, or add cases")
    if len(dataset.labels) < 2:
        what = "there is no class but the background"
        yield _of_dataset("absent class", "error", what, "add label maps with the structures to segment")


def _subjects(dataset: Dataset) -> Iterable[Problem]:
    missing = cases_without_subject(dataset)
    if missing:
        names = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
        what = f"{len(missing)} of {len(dataset.cases)} cases have no subject: {names}"
        fix = "name the subject of every case in cases.tsv (columns case and subject), or use --subject-pattern"
        yield _of_dataset("subject", "error", what, fix)
    subjects = len({case.subject or case.name for case in dataset.cases})
    if subjects < _ENOUGH_SUBJECTS:
        severity: Literal["error", "warning"] = "error" if subjects < FEWEST_FOLDS else "warning"
        what = f"{subjects} labelled subject{'s' * (subjects != 1)}; {_ENOUGH_SUBJECTS} are needed for five folds"
        yield _of_dataset("too few cases", severity, what, "label more patients' scans; until then folds are fewer")


def _of_dataset(kind: Kind, severity: Literal["error", "warning"], what: str, fix: str) -> Problem:
    return Problem(case=None, kind=kind, severity=severity, what=what, fix=fix)
