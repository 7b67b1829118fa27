"""The pages of the commands: what their help says, as tables, and what they printed."""

import inspect
import re
from typing import Any

import typer

from leanseg import errors
from leanseg.cli import COMMANDS, _application
from leanseg_docs.recordings import read_recording
from leanseg_docs.scenes import SCENES, Scene

_LIMITS = re.compile(r"\s+\[((?:default: |required|x[<>]|\d+<=?x).*?)\]$")
_ENDINGS = (errors.LeansegError, errors.InputError, errors.BudgetError, errors.SomeCasesFailedError)
_INTERRUPTED = 130


class UnshownCommandError(Exception):
    """A command has no recorded example."""


def command_page(name: str) -> str:
    """Return the page of the command `name` as Markdown."""
    command, context = _opened(name)
    said = inspect.cleandoc(command.help or "").replace("\b\n", "")
    paragraphs = [" ".join(part.split()) for part in said.split("\n\n")]
    examples = [part.removeprefix("Example: ") for part in paragraphs if part.startswith("Example: ")]
    prose = [part for part in paragraphs if not part.startswith("Example: ")]
    records = {"argument": [], "option": []}
    for parameter in command.get_params(context):
        records[parameter.param_type_name].append(parameter.get_help_record(context))
    usage = command.get_usage(context).removeprefix("Usage: ")
    parts = [
        f"# leanseg {name}",
        prose[0],
        *(map(_escaped, prose[1:])),
        f"```text\n{usage}\n```",
        *(f"For example:\n\n```text\n{example}\n```" for example in examples),
        _table("Arguments", records["argument"]),
        _table("Options", records["option"]),
        f"Exit codes are the same for all commands: {_codes_in_a_line()}. [More](index.md#exit-codes)",
        *_shown(name),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def command_table() -> str:
    """Return a table of all commands with their summaries."""
    rows = [f"| [`leanseg {name}`]({name}.md) | {_opened(name)[0].help.split(chr(10))[0]} |" for name in COMMANDS]
    return "\n".join(["| command | what it does |", "|---|---|", *rows])


def exit_code_table() -> str:
    """Return a table of the exit codes."""
    rows = ["| code | meaning |", "|---|---|", "| 0 | Done. |"]
    for error in _ENDINGS:
        said, code = inspect.getdoc(error) or "", f"Exit code {error.exit_code}"
        meaning = said.rpartition(f"{code}: ")[2].removesuffix(f" {code}.")
        rows.append(f"| {error.exit_code} | {meaning[:1].upper()}{meaning[1:]} |")
    rows.append(f"| {_INTERRUPTED} | Stopped by Ctrl-C. |")
    return "\n".join(rows)


def _opened(name: str) -> tuple[Any, Any]:
    """Return the command and a context to ask it for help in."""
    group = typer.main.get_command(_application([]))
    outer = group.make_context("leanseg", [name], resilient_parsing=True)
    command = group.commands[name]
    return command, command.make_context(name, [], parent=outer, resilient_parsing=True)


def _codes_in_a_line() -> str:
    said = inspect.getdoc(typer.main.get_command(_application([])).callback) or ""
    return re.search(r"Exit codes: (.*?)\.$", said.replace("\n", " "))[1]


def _table(title: str, records: list[tuple[str, str]]) -> str:
    if not records:
        return ""
    rows = [f"| {_cell(names)} | {_meaning(text)} |" for names, text in records]
    return "\n".join([f"## {title}", "", f"| {title[:-1].lower()} | meaning |", "|---|---|", *rows])


def _cell(names: str) -> str:
    return f"<code>{names.replace('<', '&lt;').replace('>', '&gt;').replace('|', '&#124;')}</code>"


def _meaning(text: str) -> str:
    limits = _LIMITS.search(text)
    if limits is None:
        return _escaped(text)
    return f"{_escaped(text[: limits.start()])} <small>{_escaped(limits[1].replace('x>=', 'at least '))}</small>"


def _escaped(text: str) -> str:
    for sign in "\\|<*_":
        text = text.replace(sign, f"\\{sign}")
    return text


def recordings_of(name: str) -> list[str]:
    """Return the names of the recordings on the page of the command `name`."""
    return [scene.name for scene in _scenes(name)]


def _shown(name: str) -> list[str]:
    """Return the recorded examples of the command `name`. Raises UnshownCommandError where there are none."""
    scenes = _scenes(name)
    if not scenes:
        message = f"no scene shows leanseg {name}: add one to leanseg_docs/scenes.py"
        raise UnshownCommandError(message)
    return ["## What it prints", *(f"{scene.about}\n\n{read_recording(scene.name).markdown()}" for scene in scenes)]


def _scenes(name: str) -> list[Scene]:
    return [scene for scene in SCENES if isinstance(scene, Scene) and scene.of == name]
