"""What leanseg train --fold all shows at its end: every fold, their mean, and the report on all cases."""

import math
import time
from typing import TYPE_CHECKING

import typer

from leanseg.cli.shares import share

if TYPE_CHECKING:
    from leanseg.learning.jobs.cross_validation import CrossValidation


def show_cross_validation(found: "CrossValidation", began: float, *, as_json: bool) -> None:
    """Print the summary, and end with the command's exit code where it is not 0. began: see `Limits`."""
    from leanseg.cli.closing import close
    from leanseg.cli.console import show_json
    from leanseg.cli.failures import STOPPED, tell
    from leanseg.learning.jobs.cross_validation import described

    seconds = time.monotonic() - began
    root = found.folder.root
    if as_json:
        show_json({**found.record.model_dump(mode="json"), **described(found), "seconds": seconds, "out": root})
    elif found.evaluation is None:
        close(root, "interrupted", then=("train", "DATASET", "--resume", "-o", root))
    else:
        from leanseg.cli.evaluate import show_evaluation

        show_evaluation(found.evaluation)
        show_folds(found)
        typer.echo(f"{len(found.folds)} folds, {seconds / 60:.1f} minutes")
        then = ("ensemble", root, "-o", "PACKAGE")
        close(root, "a model per fold, report in validation/report, summary.json", then=then)
    if found.evaluation is None:
        raise typer.Exit(STOPPED)
    for failure in found.failures:
        tell(failure.error)
    if found.evaluation.failures:
        from leanseg.cli.train import CasesNotJudgedError

        tell(CasesNotJudgedError(len(found.evaluation.failures)))
        raise SystemExit(CasesNotJudgedError.exit_code)


def show_folds(found: "CrossValidation") -> None:
    """Print the mean Dice of every class in every fold, and mean and standard deviation over folds."""
    from leanseg.cli.console import table

    table(
        ["class", *(f"fold {fold.fold}" for fold in found.folds), "mean", "sd"],
        [
            [name, *(share(fold.dice.get(name, math.nan)) for fold in found.folds), share(mean), share(sd)]
            for name, (mean, sd) in found.over_folds().items()
        ],
        title="Dice of each fold's own validation cases; mean and standard deviation over folds",
    )
