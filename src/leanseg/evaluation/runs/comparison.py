"""Several runs beside one another: everything that is known of them, before it is written down."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from leanseg.errors import InputError
from leanseg.evaluation.page.markup import Html
from leanseg.evaluation.runs.convergence import convergence
from leanseg.evaluation.runs.difference_picture import difference_picture
from leanseg.evaluation.runs.differences import Difference, differences
from leanseg.evaluation.runs.discovery import find_runs
from leanseg.evaluation.runs.findings import findings_of
from leanseg.evaluation.runs.grouping import Group, groups_of
from leanseg.evaluation.runs.looks import Looks, looks_of
from leanseg.evaluation.runs.ranking import ranking, sweep_of
from leanseg.evaluation.runs.run import Run, read_run
from leanseg.evaluation.runs.scaling import scaling
from leanseg.evaluation.runs.weights import Sweep
from leanseg.progress import Progress


@dataclass(frozen=True, eq=False)
class Part:
    """One group of runs with what follows from it. differences: of pairs; sweep: None of fewer than two methods."""

    group: Group
    differences: tuple[Difference, ...]
    sweep: Sweep | None

    @property
    def findings(self) -> tuple[str, ...]:
        """What the group says, in sentences."""
        return tuple(findings_of(self.group, self.differences, self.sweep))

    def pictures(self, looks: Looks, key: str) -> Iterator[tuple[str, Html]]:
        """Yield name and drawing of each picture there is something for; ids in them end with `key`."""
        drawn = {
            "convergence": convergence(self.group.runs, looks, f"convergence{key}"),
            "scaling": scaling(self.group.runs, looks, f"scaling{key}"),
            "ranking": None if self.sweep is None else ranking(self.sweep, looks, f"ranking{key}"),
            "differences": difference_picture(self.differences, f"differences{key}"),
        }
        yield from ((name, picture) for name, picture in drawn.items() if picture is not None)


@dataclass(frozen=True, eq=False)
class Comparison:
    """Runs and the groups in which they can be compared, in the order in which they were named."""

    runs: tuple[Run, ...]
    parts: tuple[Part, ...]

    @cached_property
    def looks(self) -> Looks:
        """How each run is drawn, the same in every picture."""
        return looks_of([run.name for run in self.runs])


def compare(paths: Sequence[Path], *, seed: int = 0, progress: Progress | None = None) -> Comparison:
    """Read the runs in `paths`, see `find_runs`, and compare those that were judged on the same cases.

    seed: of the intervals. Raises an InputError where a path leads to no run or one of its files is broken.
    """
    found = find_runs(paths)
    read = (progress or Progress()).track(found.items(), "Reading runs", total=len(found))
    runs = tuple(_read(folder, name) for name, folder in read)
    groups = groups_of(runs)
    parts = (Part(group, differences(group.judged, seed=seed), sweep_of(group.runs)) for group in groups)
    return Comparison(runs, tuple(parts))


def _read(folder: Path, name: str) -> Run:
    """Return the run in `folder`; what is wrong with one of its files says of which run."""
    try:
        return read_run(folder, name)
    except InputError as error:
        raise error if str(folder) in error.what else error.at(name) from error
