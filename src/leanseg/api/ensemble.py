"""From the folds of a cross-validation to one model package: `leanseg.ensemble`."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from leanseg.api.extras import naming_what_is_missing
from leanseg.api.named_dataset import open_named
from leanseg.api.paths import PathLike
from leanseg.progress import Progress

if TYPE_CHECKING:
    from leanseg.datasets import Dataset
    from leanseg.learning.jobs.ensemble import Ensemble


def ensemble(
    run: PathLike,
    dataset: PathLike | None = None,
    *,
    out: PathLike,
    average: Literal["scores", "weights"] | None = None,
    images: PathLike | None = None,
    labels: PathLike | None = None,
    subject_pattern: str | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> "Ensemble":
    """Write one model package of all folds to the folder `out`.

    run: what `leanseg.train(..., fold="all")` has written. dataset, images, labels, subject_pattern: where the test
    cases of its splits are (see `leanseg.check`); where it was trained unless given. average: what is averaged; left
    out, weights where they are measured on test cases to be as good, else scores. overwrite: replace the package in
    `out`. Raises InputErrors before anything is written.
    """
    progress = progress or Progress()
    with naming_what_is_missing():
        from leanseg.learning.jobs.ensemble import make_ensemble

        if dataset is None and images is None and labels is None and subject_pattern is None:
            opened = _trained_on(Path(run), progress)
        else:
            opened = open_named(dataset, images, labels, subject_pattern, progress)
        return make_ensemble(
            Path(run), Path(out), dataset=opened, average=average, overwrite=overwrite, progress=progress
        )


def _trained_on(run: Path, progress: Progress) -> "Dataset | None":
    """Return the data set that the folds were trained on, if it is still there."""
    from leanseg.datasets import open_dataset
    from leanseg.learning.jobs.cross_validation_folder import CrossValidationFolder

    root = Path(CrossValidationFolder(run).read().dataset)
    if (root / "dataset.json").is_file():
        return open_dataset(root)
    progress.note(f"No data set with a dataset.json at {root} any more: nothing is measured. Name it: DATASET")
    return None
