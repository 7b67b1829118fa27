"""Several runs beside one another: `leanseg.runs`."""

from collections.abc import Sequence
from pathlib import Path

from leanseg.api.paths import PathLike
from leanseg.evaluation.runs import RunsReport, write_comparison
from leanseg.progress import Progress


def runs(
    paths: Sequence[PathLike],
    out: PathLike,
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> RunsReport:
    """Draw runs beside one another into the folder `out`, as `leanseg runs` does, and return what they say.

    paths: folders that `leanseg.train` wrote, all folds of a cross-validation counting as one, or folders that hold
    such folders. Runs that were judged on the same cases are compared, by paired differences, by what they cost and by
    the accuracy-efficiency score for every pair of its weights; others are shown apart. overwrite: replace an earlier
    comparison. Raises InputErrors before anything is written.
    """
    return write_comparison([Path(path) for path in paths], Path(out), overwrite=overwrite, progress=progress)
