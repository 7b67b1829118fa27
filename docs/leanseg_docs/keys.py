"""Tables of the keys of a JSON file, from the pydantic model that reads it."""

import inspect
import json
import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from leanseg.plans.budget import Bytes

_WORDS = {str: "text", int: "whole number", float: "number", bool: "true or false", type(None): "null"}
_SIGNS = {"ge": "≥ {:,}", "gt": "> {:,}", "le": "≤ {:,}", "lt": "< {:,}"}
_BYTES = Bytes.__metadata__[-1]  # how an amount of memory is written: no other number is


class UndescribedKeyError(Exception):
    """A key of the file has no description in the code."""


def tables_of(model: type[BaseModel], path: str = "") -> str:
    """Return a table of the keys of `model`, and below it one for each model inside, under its path."""
    inner = list(_inner(model, path))
    rows = ["| key | type | default | meaning |", "|---|---|---|---|"]
    for name, field in model.model_fields.items():
        if not field.description:
            message = f"{model.__name__}.{name} has no description: give its Field one"
            raise UndescribedKeyError(message)
        rows.append(f"| `{name}` | {_escaped(type_of(field))} | {_default(field)} | {_escaped(field.description)} |")
    parts = ["\n".join(rows)]
    for key, each in inner:
        about = " ".join(inspect.getdoc(each).replace("\n\n", "\n").split("\n"))
        parts.append(f"### {key} {{ #{_anchor(key)} }}\n\n{about}")
        parts.append(tables_of(each, key))
    return "\n\n".join(parts)


def keys_of(model: type[BaseModel], path: str = "") -> list[str]:
    """Return the dotted paths of all keys of `model` and of the models inside."""
    own = [f"{path}.{name}".removeprefix(".") for name in model.model_fields]
    return own + [key for place, each in _inner(model, path) for key in keys_of(each, place)]


def type_of(field: FieldInfo) -> str:
    """Return the type of `field` and its limits in words."""
    if _BYTES in field.metadata:
        return _words(Bytes)
    return _limited(_words(field.annotation), field.metadata)


def _inner(model: type[BaseModel], path: str) -> Iterator[tuple[str, type[BaseModel]]]:
    """Yield path and model of every model that a field of `model` holds, alone or several of them."""
    for name, field in model.model_fields.items():
        several = {tuple: "[]", dict: ".NAME"}.get(get_origin(field.annotation), "")
        for found in _models(field.annotation):
            yield f"{path}.{name}{several}".removeprefix("."), found


def _anchor(key: str) -> str:
    return key.lower().replace("[]", "").replace(".", "-")


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for part in get_args(annotation) for found in _models(part)]


def _words(annotation: Any) -> str:
    if annotation == Bytes:
        return "memory, as 8GB, 500MB or in bytes"
    if annotation in _WORDS:
        return _WORDS[annotation]
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _limited(_words(arguments[0]), annotation.__metadata__)
    if origin is Literal:
        return " or ".join(f"`{json.dumps(value)}`" for value in arguments)
    if origin in (Union, types.UnionType):
        return ", or ".join(map(_words, arguments))
    if origin is tuple:
        return _sequence(arguments)
    if origin is dict:
        return f"name → {_words(arguments[1])}"
    if _models(annotation):
        return "object, see below"
    return "any JSON"


def _sequence(arguments: tuple[Any, ...]) -> str:
    if Ellipsis in arguments:
        return f"list: {_words(arguments[0])}"
    return f"{len(arguments)} × {_words(arguments[0])}"


def _limited(words: str, metadata: Any) -> str:
    """Return `words` with the limits that stand in `metadata`, of pydantic's own kind or of annotated_types."""
    found = []
    for part in metadata:
        inside = part.metadata if isinstance(part, FieldInfo) else [part]
        for limit in inside:
            values = {name: getattr(limit, name, None) for name in _SIGNS}
            found += [_SIGNS[name].format(value) for name, value in values.items() if isinstance(value, int | float)]
    return f"{words} {', '.join(found)}" if found else words


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "needed"
    value = field.get_default(call_default_factory=True)
    if value is None or value is PydanticUndefined:
        return "null"
    if isinstance(value, BaseModel):
        return "the defaults below"
    return f"`{json.dumps(value)}`"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace(">", "&gt;").replace("-&gt;", "→")
