"""How a command that wrote something ends: where it is, and what is usually done next."""

import shlex
from collections.abc import Sequence
from pathlib import Path

import typer


def close(written: Path, what: str, *, then: Sequence[str | Path] = ()) -> None:
    """Print where `what` was written, and the leanseg command line of the words `then` that goes on from there."""
    typer.echo(f"written: {written} ({what})")
    if then:
        go_on(*then)


def go_on(*words: str | Path) -> None:
    """Print the leanseg command line of `words` as what is usually done next."""
    typer.echo(f"next:    {shlex.join(['leanseg', *map(str, words)])}")
