"""leanseg split: folds for cross-validation, grouped by patient, in a file that a person can edit."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from leanseg.api.named_dataset import open_named
from leanseg.cli.options import (
    DatasetArgument,
    ImagesOption,
    JsonOption,
    LabelsOption,
    OutFileOption,
    OverwriteOption,
    SubjectPatternOption,
)

if TYPE_CHECKING:
    from leanseg.datasets import Dataset, Splits


def split(
    out: OutFileOption,
    dataset: DatasetArgument = None,
    images: ImagesOption = None,
    labels: LabelsOption = None,
    folds: Annotated[int, typer.Option(help="Number of folds; fewer where there are fewer patients")] = 5,
    seed: Annotated[int, typer.Option(help="The same seed makes the same folds")] = 0,
    test_share: Annotated[
        float, typer.Option(metavar="SHARE", help="Keep this share of the cases away from every fold, e.g. 0.2")
    ] = 0.0,
    subject_pattern: SubjectPatternOption = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Divide labelled cases into folds, patients kept together.

    With --test-share some patients are in no fold at all, so that models made of all folds can be judged, too.

    Example: leanseg split Task04_Hippocampus -o splits.json
    """
    from leanseg.cli.console import progress_bars, show_json
    from leanseg.datasets import make_splits, write_splits
    from leanseg.storage import refuse_if_used

    refuse_if_used(out, overwrite=overwrite)
    with progress_bars() as progress:
        opened = open_named(dataset, images, labels, subject_pattern, progress)
    splits = make_splits(opened, folds, seed, test_share)
    write_splits(out, splits, overwrite=overwrite)
    if as_json:
        show_json(splits.model_dump(mode="json"))
    else:
        _show(opened, splits, folds, out)


def _show(dataset: "Dataset", splits: "Splits", asked: int, out: Path) -> None:
    from leanseg.cli.closing import close
    from leanseg.cli.console import table

    subjects = {case.name: case.subject or case.name for case in dataset.cases}
    table(
        ("fold", "training", "validation", "subjects validated"),
        [
            (
                str(index),
                str(len(fold.training)),
                str(len(fold.validation)),
                str(len({subjects[name] for name in fold.validation})),
            )
            for index, fold in enumerate(splits.folds)
        ],
    )
    if splits.test:
        typer.echo(f"{len(splits.test)} test cases are in no fold: leanseg ensemble judges on them")
    if len(splits.folds) < asked:
        typer.echo(f"{len(splits.folds)} folds instead of {asked}: there are no more patients")
    fold = ("--fold", "all") if splits.test else ()  # only all folds together are judged on test cases
    train = ("train", "DATASET", "--splits", out, *fold, "--minutes", "15", "-o", "RUN")
    close(out, f"{len(splits.folds)} folds", then=train)
