"""The command line: one small file per command, and nothing heavy imported before it is known to be needed.

A command parses, calls one function, shows. Add one as `cli/<name>.py` with a function of the same name, and its name
to `COMMANDS`. What goes wrong is explained in one place, `cli/failures.py`.
"""

import importlib
import inspect
import io
import sys
from collections.abc import Callable, Sequence
from typing import Annotated

import typer

from leanseg.cli.failures import explained

COMMANDS = (
    "info",
    "check",
    "split",
    "networks",
    "recipes",
    "profile",
    "plan",
    "train",
    "ablate",
    "predict",
    "evaluate",
    "stress",
    "runs",
    "ensemble",
    "tune",
    "look",
    "pack",
    "conform",
    "register",
    "demo",
    "doctor",
)


def main() -> None:
    """Run the command line with the arguments of this process, and exit with its code."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # a file name in an old encoding is no text, but is shown all the same
        sys.stdout.reconfigure(errors="backslashreplace")
    with explained():
        application = _application(sys.argv[1:])
        try:
            application(prog_name="leanseg")
        finally:
            sys.stdout.flush()


def _application(arguments: Sequence[str]) -> typer.Typer:
    """Return the application with the one command that `arguments` name, or with all where help lists them."""
    application = typer.Typer(
        name="leanseg",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    application.callback()(_leanseg)
    named = arguments[0] if arguments else ""
    for name in (named,) if named in COMMANDS else COMMANDS:
        command = getattr(importlib.import_module(f"leanseg.cli.{name}"), name)
        application.command(name, help=_help(command))(explained()(command))
    return application


def _help(command: Callable[..., None]) -> str:
    """Return the docstring of `command`, its example marked (by a backspace) as a line that help must not wrap."""
    return inspect.cleandoc(command.__doc__ or "").replace("\n\nExample: ", "\n\n\b\nExample: ")


def _show_version(wanted: bool) -> None:
    if wanted:
        from leanseg import __version__

        typer.echo(f"leanseg {__version__}")
        raise typer.Exit


def _leanseg(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and stop.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Train, judge and deploy 3D medical image segmentation within the memory and time you have.

    The way: check a data set, plan, train, predict, evaluate. Every command explains itself with --help.

    Exit codes: 0 done, 1 a fault of ours, 2 the input is refused, 3 the budget cannot be met, 4 some cases failed.
    """
