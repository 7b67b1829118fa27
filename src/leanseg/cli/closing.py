"""How a command that wrote something ends: where it is, and what is usually done next."""

from pathlib import Path

import typer


def close(written: Path, what: str, *, then: str | None = None) -> None:
    """Print where `what` was written, and the command line `then` that goes on from there."""
    typer.echo(f"written: {written} ({what})")
    if then:
        typer.echo(f"next:    {then}")
