"""How good are these label maps: `leanseg.evaluate`."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import overload

from leanseg.api.images import Pair, SpatialImage, image_of
from leanseg.api.named_dataset import open_labelled
from leanseg.api.paths import PathLike, path_or_none
from leanseg.api.segmentation import Segmentation
from leanseg.errors import InputError
from leanseg.evaluation import Evaluation
from leanseg.evaluation import evaluate as judge
from leanseg.evaluation.cohort import require_tolerance
from leanseg.evaluation.generalisation import evaluate_package
from leanseg.evaluation.meaning import Meaning
from leanseg.evaluation.scores import FIXED_TOLERANCE, Ruler, Scores, score_case
from leanseg.packages import Package
from leanseg.packages.manifest import NAME as MANIFEST
from leanseg.progress import Progress
from leanseg.volumes import Volume, read_labels, require_same_grid

LabelMap = PathLike | Pair | SpatialImage | Volume


class NotJudgedSoError(InputError):
    """Folders are judged into a report, a Segmentation is judged at once; something between the two was asked for."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            what=reason,
            why="a report is about the label maps in a folder; one Segmentation gives its scores at once",
            fix="give two folders and `out`, or a Segmentation and one reference without `out`; --map (mapping) goes "
            "with a package and a data set",
        )


@overload
def evaluate(predictions: Segmentation, references: LabelMap, *, tolerance: float = 2.0) -> dict[str, Scores]: ...


@overload
def evaluate(
    predictions: PathLike,
    references: PathLike,
    out: PathLike,
    *,
    tolerance: float = 2.0,
    images: PathLike | None = None,
    mapping: Mapping[str, str] | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Evaluation: ...


def evaluate(
    predictions: PathLike | Segmentation,
    references: LabelMap,
    out: PathLike | None = None,
    *,
    tolerance: float = 2.0,
    images: PathLike | None = None,
    mapping: Mapping[str, str] | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Evaluation | dict[str, Scores]:
    """Judge predicted label maps by true ones.

    Of two folders (references may be a data set) the report is written into the folder `out`, as `leanseg evaluate`
    does: cases are matched by file name, `images` is a folder of scans to show behind the pictures, `overwrite`
    replaces an earlier report. Cases that fail are in the result's `failures`.

    Of a run, a package folder or a .zip and a data set (or a folder of label maps with `images`, the folder of their
    scans) the labelled cases are predicted first. Classes are matched by name, `mapping` says of others which are the
    same: name in the package -> name in the data set. Cases that the run was trained on are left out.

    Of a Segmentation and one reference on its grid (a path, (array, affine), an image of nibabel or a Volume) the
    scores are returned: name of a class or region -> name of a score -> its value, NaN where it is not counted.

    tolerance: that of surface Dice in mm, beside the fixed 1 mm. Raises InputErrors.
    """
    if isinstance(predictions, Segmentation):
        if out is not None:
            raise NotJudgedSoError("a Segmentation was given together with `out`")
        return _scores(predictions, _reference(references), tolerance)
    if out is None:
        raise NotJudgedSoError("a folder of predictions was given without `out`")
    if not isinstance(references, str | os.PathLike):
        raise NotJudgedSoError(f"a folder of predictions was given with {type(references).__name__} as references")
    if _is_package(Path(predictions)):
        return evaluate_package(
            Package.read(Path(predictions)),
            open_labelled(Path(references), path_or_none(images), progress),
            Path(out),
            mapping=mapping,
            tolerance=tolerance,
            overwrite=overwrite,
            progress=progress,
        )
    if mapping:
        raise NotJudgedSoError("a mapping of classes was given with a folder of label maps")
    return judge(
        Path(predictions),
        Path(references),
        Path(out),
        tolerance=tolerance,
        images=path_or_none(images),
        overwrite=overwrite,
        progress=progress,
    )


def _is_package(path: Path) -> bool:
    """Tell whether `path` is a package or a run, which label maps are not; a damaged one is explained by its reader."""
    marks = (MANIFEST, f"package/{MANIFEST}", "run.json", "cross_validation.json")
    return path.is_file() or any((path / mark).is_file() for mark in marks)


def _reference(given: LabelMap) -> Volume:
    if isinstance(given, str | os.PathLike):
        return read_labels(Path(given))
    image = image_of(given)
    return Volume(image.labels(), image.geometry, Path(image.name))


def _scores(found: Segmentation, reference: Volume, tolerance: float) -> dict[str, Scores]:
    require_tolerance(tolerance)
    place = reference.path or Path("reference")
    require_same_grid(place, reference.geometry, Path("segmentation"), found.geometry)
    meaning = Meaning(found.targets, found.ignore, frozenset(found.labels.values()))
    ruler = Ruler.of(found.array.shape, reference.geometry.spacing, sorted({FIXED_TOLERANCE, tolerance}))
    return score_case(found.array, reference.array, meaning, ruler)[0]
