"""JSON that other people wrote: read within limits, checked against a model, refused with the key's path."""

import difflib
import io
import json
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from leanseg.errors import InputError
from leanseg.storage import open_plain

Model = TypeVar("Model", bound=BaseModel)

# 100,000 cases take about 20 MB; more than this is no description of a data set.
LARGEST_BYTES = 32 * 2**20
_SHOWN = 3
_HALF = re.compile(r"\\u[dD][89a-fA-F]")  # of a character: sound in pairs, on its own nothing that can be written
_LONGEST_NAME = 255  # bytes
_LONGEST_PATH = 2000


class DocumentError(InputError):
    """A JSON or table file does not say what it should."""

    def __init__(self, path: Path, key: str, reason: str, fix: str) -> None:
        super().__init__(
            what=f"{path}: {key}: {reason}" if key else f"{path}: {reason}",
            why="leanseg does not guess what a file that breaks its own format means",
            fix=fix,
        )
        self.key = key


def read_text(path: Path) -> str:
    """Return the text of a small UTF-8 file. Raises DocumentError if it is missing, huge or no text."""
    try:
        with io.BufferedReader(open_plain(path)) as file:
            content = file.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise DocumentError(path, "", f"cannot be read: {error.strerror or error}", "check the path") from error
    if len(content) > LARGEST_BYTES:
        raise DocumentError(path, "", f"is larger than {LARGEST_BYTES >> 20} MB", "check that it is the right file")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DocumentError(path, "", f"is not UTF-8 text (byte {error.start})", "save it as UTF-8 text") from error


def read_object(path: Path) -> dict[str, Any]:
    """Return the JSON object in `path`. Raises DocumentError with the line where it stops being JSON."""
    text = read_text(path)
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
        if _HALF.search(text):
            json.dumps(value, ensure_ascii=False).encode("utf-8")  # raises a ValueError that says which and where
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise DocumentError(path, place, f"is not JSON: {error.msg}", "correct the file with a text editor") from error
    except RecursionError as error:
        raise DocumentError(path, "", "is nested too deeply", "write it without hundreds of nested brackets") from error
    except ValueError as error:
        raise DocumentError(path, "", f"is not plain JSON: {error}", "correct the file with a text editor") from error
    if not isinstance(value, dict):
        raise DocumentError(path, "", f"holds a {type(value).__name__} instead of an object", "start it with { ... }")
    return value


def validated(path: Path, value: dict[str, Any], model: type[Model]) -> Model:
    """Return `value` as `model`. Raises DocumentError naming the first keys that are wrong."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False)
        texts = [f"{dotted(problem['loc'])}: {_reason(problem['msg'])}" for problem in problems[:_SHOWN]]
        if len(problems) > _SHOWN:
            texts.append(f"and {len(problems) - _SHOWN} more")
        key = dotted(problems[0]["loc"])
        reason = "; ".join(texts).removeprefix(f"{key}: ")
        raise DocumentError(path, key, reason, _fix(key, problems[0]["type"], value)) from error


def dotted(location: Sequence[str | int]) -> str:
    """Return a key's path as people write it: ('training', 3, 'image') -> 'training[3].image'."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")


def inner_path(document: Path, key: str, text: str) -> Path:
    """Return the file that `text`, a path relative to `document`, means.

    Raises DocumentError for absolute paths and for those that climb out of the document's folder with '..'.
    """
    if not text.strip() or any(ord(letter) < ord(" ") for letter in text) or not _fits(text):
        raise DocumentError(
            document, key, f"{_start(text)!r} is no file name", "write a path such as ./imagesTr/a.nii.gz"
        )
    posix, windows = PurePosixPath(text), PureWindowsPath(text)
    absolute = posix.is_absolute() or windows.drive or windows.root
    if absolute or ".." in posix.parts or ".." in windows.parts:
        reason = f"{text!r} leads out of the data set's folder"
        raise DocumentError(document, key, reason, f"write a path inside {document.parent}, without '..'")
    return document.parent / posix


def _fits(text: str) -> bool:
    """Tell whether an operating system can be asked for a file of this name."""
    try:
        return max(len(part.encode()) for part in text.split("/")) <= _LONGEST_NAME and len(text) <= _LONGEST_PATH
    except UnicodeEncodeError:  # half of a pair of surrogates, which no encoding has
        return False


def _start(text: str) -> str:
    return text if len(text) <= _LONGEST_NAME else f"{text[:40]}..."


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        msg = f"the key {twice!r} occurs twice"
        raise ValueError(msg)
    return result


def _no_constant(name: str) -> Any:
    msg = f"{name} is no JSON number"
    raise ValueError(msg)


def _reason(message: str) -> str:
    text = message.removeprefix("Value error, ")
    return text[:1].lower() + text[1:]


def _fix(key: str, kind: str, value: dict[str, Any]) -> str:
    if kind == "missing" and "." not in key:
        near = difflib.get_close_matches(key, list(value), n=1)
        return f"add {key!r}" + (f" (is it spelled {near[0]!r} there?)" if near else "")
    return f"correct {key!r} with a text editor"
