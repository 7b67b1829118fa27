"""What pages may ask for.

In a line of its own `<!-- recorded: check -->`, `<!-- generated: commands -->` and so on; in a sentence a number that
the planner reckons with: {{ wanted steps }}.
"""

import inspect
import re
from collections.abc import Callable, Mapping

from leanseg_docs import commands, keys, memory_picture, networks, python_api, recipes
from leanseg_docs.hostile import hostile_table
from leanseg_docs.numbers import numbers
from leanseg_docs.places import IMAGES
from leanseg_docs.recordings import MissingRecordingError, read_recording

# A fenced block is taken whole first: what stands in it asks for nothing.
_DIRECTIVE = re.compile(
    r"^```.*?^```$|^<!-- (?P<kind>[a-z]+): (?P<name>\S+) -->$|\{\{ (?P<number>[a-z ]+) \}\}", re.MULTILINE | re.DOTALL
)


class UnknownDirectiveError(Exception):
    """A page asks for something that does not exist."""


def filled(markdown: str) -> str:
    """Return a page with everything it asks for. Raises UnknownDirectiveError and MissingRecordingError."""
    return _DIRECTIVE.sub(_put_in, markdown)


def recordings_in(markdown: str) -> list[str]:
    """Return the names of the recordings that a page shows."""
    return [match["name"] for match in _DIRECTIVE.finditer(markdown) if match["kind"] == "recorded"]


def _put_in(match: re.Match[str]) -> str:
    if match["kind"]:
        return _answer(match["kind"], match["name"])
    return _number(match["number"]) if match["number"] else match[0]


def _number(name: str) -> str:
    known = numbers()
    if name not in known:
        message = f"{{{{ {name} }}}}: there is no such number"
        raise UnknownDirectiveError(message)
    return known[name]


def _answer(kind: str, name: str) -> str:
    if kind == "recorded":
        return read_recording(name).markdown()
    if kind == "python":
        return python_api.described(name)
    if kind == "picture":
        return _picture((IMAGES / f"{name}.svg").read_text(encoding="utf-8").strip())
    if kind == "generated" and name in _GENERATED:
        return _GENERATED[name]()
    message = f"<!-- {kind}: {name} -->: there is no such thing"
    raise UnknownDirectiveError(message)


def _picture(drawing: str) -> str:
    """Return an SVG as a page holds it: on a narrow screen it is moved sideways instead of shrunk."""
    return f'<div class="picture" markdown="0">\n{drawing}\n</div>'


def _plan_keys() -> str:
    from leanseg.plans import Plan

    return keys.tables_of(Plan)


def _manifest_keys() -> str:
    from leanseg.packages.manifest import Manifest

    return keys.tables_of(Manifest)


def _conventions() -> str:
    from leanseg.evaluation.conventions import CONVENTIONS

    return _rules(CONVENTIONS)


def _stress_conventions() -> str:
    from leanseg.evaluation.stress.conventions import CONVENTIONS

    return _rules(CONVENTIONS)


def _rules(conventions: Mapping[str, str]) -> str:
    rows = [f"| {name.replace('_', ' ')} | {meaning} |" for name, meaning in conventions.items()]
    return "\n".join(["| about | rule |", "|---|---|", *rows]).replace("*", "\\*")


def _run_folder() -> str:
    from leanseg.learning.jobs import run_folder

    return _listing(run_folder.__doc__)


def _ablation_folder() -> str:
    from leanseg.learning.jobs import ablation_folder

    return _listing(ablation_folder.__doc__)


def _cross_validation_folder() -> str:
    from leanseg.learning.jobs import cross_validation_folder

    return _listing(cross_validation_folder.__doc__)


def _listing(docstring: str | None) -> str:
    """Return the listing of files that is in a docstring below its first paragraph."""
    return f"```text\n{inspect.cleandoc(docstring or '').partition(chr(10) * 2)[2]}\n```"


_GENERATED: dict[str, Callable[[], str]] = {
    "ablation-folder": _ablation_folder,
    "aliases": python_api.aliases,
    "commands": commands.command_table,
    "conventions": _conventions,
    "cross-validation-folder": _cross_validation_folder,
    "exit-codes": commands.exit_code_table,
    "hostile": hostile_table,
    "manifest-keys": _manifest_keys,
    "memory-picture": lambda: _picture(memory_picture.memory_picture()),
    "network-functions": python_api.networks_described,
    "network-sections": networks.networks_described,
    "networks": networks.network_table,
    "plan-keys": _plan_keys,
    "recipe-sections": recipes.recipes_described,
    "recipes": recipes.recipe_table,
    "run-folder": _run_folder,
    "stress-conventions": _stress_conventions,
}

__all__ = ["MissingRecordingError", "UnknownDirectiveError", "filled", "recordings_in"]
