"""How good are these label maps: `leanseg.evaluate`."""

from pathlib import Path

from leanseg.api.paths import PathLike, path_or_none
from leanseg.evaluation import Evaluation
from leanseg.evaluation import evaluate as judge
from leanseg.progress import Progress


def evaluate(
    predictions: PathLike,
    references: PathLike,
    out: PathLike,
    *,
    tolerance: float = 2.0,
    images: PathLike | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Evaluation:
    """Judge a folder of predicted label maps by true ones, and write the report into the folder `out`."""
    return judge(
        Path(predictions),
        Path(references),
        Path(out),
        tolerance=tolerance,
        images=path_or_none(images),
        overwrite=overwrite,
        progress=progress,
    )
