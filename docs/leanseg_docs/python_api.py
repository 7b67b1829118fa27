"""Signatures and docstrings of the Python API, as its source has them: names of types stay as they were written."""

import ast
import importlib
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from typing import Any, get_overloads

import leanseg

# What signatures call by a short name, and where it is explained.
_ALIASES = (
    ("leanseg.api.paths", "PathLike"),
    ("leanseg.api.choices", "Device"),
    ("leanseg.api.choices", "EngineName"),
    ("leanseg.api.scans", "Scan"),
    ("leanseg.api.evaluate", "LabelMap"),
)


def described(name: str) -> str:
    """Return heading, signatures and docstring of what `leanseg.<name>` is, Markdown."""
    found = getattr(leanseg, name)
    return _class(found) if inspect.isclass(found) else _function(found, f"leanseg.{name}")


def networks_described() -> str:
    """Return what `leanseg.networks` offers."""
    names = ("names", "facts", "create", "register")
    return "\n\n".join(_function(getattr(leanseg.networks, name), f"leanseg.networks.{name}", "###") for name in names)


def aliases() -> str:
    """Return what the short names of types in signatures stand for, as Python."""
    lines: list[str] = []
    for module, name in _ALIASES:
        tree = ast.parse(inspect.getsource(importlib.import_module(module)))
        assignments = (node for node in tree.body if isinstance(node, ast.Assign))
        lines += [ast.unparse(node) for node in assignments if ast.unparse(node.targets[0]) == name]
    return "```text\n" + "\n".join(lines) + "\n```"


def _function(function: Callable[..., Any], name: str, level: str = "##") -> str:
    tree = _tree(function)
    overloads = [_tree(each) for each in get_overloads(function)]
    if not overloads or any(each.args.kwarg for each in overloads):  # options that an overload only hints at
        overloads = [tree]
    signatures = "\n\n".join(_signature(each, name) for each in overloads)
    names = {part.partition(":")[0] for part in _parameters(tree.args)}
    return f"{level} {name}\n\n```text\n{signatures}\n```\n\n{_prose(inspect.getdoc(function), names)}"


def _class(found: type) -> str:
    tree = _tree(found)
    own = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    fields = dict(_fields(tree))
    parts = [f"## leanseg.{found.__name__}", _prose(inspect.getdoc(found), set(fields))]
    if "__init__" in own and ast.get_docstring(own["__init__"]):
        parts += [f"```text\n{_signature(own['__init__'], f'leanseg.{found.__name__}')}\n```", _text(own["__init__"])]
    if fields:
        parts.append("\n".join(["| attribute | type | |", "|---|---|---|", *fields.values()]))
    for name, node in own.items():
        if not name.startswith("_") and not _is_property(node):
            parts.append(f"```text\n{_signature(node, f'{found.__name__}.{name}')}\n```\n\n{_text(node)}")
    return "\n\n".join(part for part in parts if part)


def _fields(tree: ast.ClassDef) -> Iterator[tuple[str, str]]:
    """Yield name and row of every public field and property of a class."""
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and not (name := ast.unparse(node.target)).startswith("_"):
            yield name, f"| `{name}` | {_type(node.annotation)} | |"
        elif isinstance(node, ast.FunctionDef) and _is_property(node) and not node.name.startswith("_"):
            yield node.name, f"| `{node.name}` | {_type(node.returns)} | {_text(node)} |"


def _type(annotation: ast.expr | None) -> str:
    text = ast.unparse(annotation).strip("'") if annotation else ""
    return f"<code>{text.replace('|', '&#124;').replace('<', '&lt;')}</code>"


def _is_property(node: ast.FunctionDef) -> bool:
    return any("property" in ast.unparse(decorator) for decorator in node.decorator_list)


def _tree(found: Any) -> Any:
    return ast.parse(textwrap.dedent(inspect.getsource(found))).body[0]


def _signature(node: ast.FunctionDef, name: str) -> str:
    """Return `name(...) -> type`, in one line where that is short, else a line per parameter."""
    returned = ast.unparse(node.returns).strip("'") if node.returns and node.name != "__init__" else ""
    arrow = f" -> {returned}" if returned else ""
    parameters = [part for part in _parameters(node.args) if part not in {"self", "cls"}]
    line = f"{name}({', '.join(parameters)}){arrow}"
    if len(line) <= 90:
        return line
    return "\n".join([f"{name}(", *(f"    {part}," for part in parameters), f"){arrow}"])


def _parameters(arguments: ast.arguments) -> list[str]:
    """Return the parameters as they are written."""
    positional = [*arguments.posonlyargs, *arguments.args]
    missing = [None] * (len(positional) - len(arguments.defaults))
    written = [_parameter(one, default) for one, default in zip(positional, missing + arguments.defaults, strict=True)]
    if arguments.vararg:
        written.append(f"*{_parameter(arguments.vararg, None)}")
    elif arguments.kwonlyargs:
        written.append("*")
    written += [
        _parameter(one, default) for one, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    ]
    if arguments.kwarg:
        written.append(f"**{_parameter(arguments.kwarg, None)}")
    return written


def _parameter(argument: ast.arg, default: ast.expr | None) -> str:
    annotation = f": {ast.unparse(argument.annotation)}" if argument.annotation else ""
    if default is None:
        return f"{argument.arg}{annotation}"
    return f"{argument.arg}{annotation} = {ast.unparse(default)}"


def _text(node: ast.FunctionDef) -> str:
    names = {part.partition(":")[0] for part in _parameters(node.args)}
    return _prose(ast.get_docstring(node), names)


def _prose(text: str | None, names: set[str]) -> str:
    """Return a docstring as Markdown. What begins like `name: meaning` of one of `names` shows the name as code."""

    def shown(match: re.Match[str]) -> str:
        words = match[2].split(", ")
        if not names.issuperset(words):
            return match[0]
        return f"{match[1]}{', '.join(f'`{word}`' for word in words)}: "

    marked = re.sub(r"(^|[.\]] |\n)([a-z_]+(?:, [a-z_]+)*):\s", shown, text or "")
    return re.sub(r"<(\w+)>", r"&lt;\1&gt;", marked).replace("*", r"\*")
