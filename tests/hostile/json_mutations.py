"""JSON that breaks what its reader expects: values of other kinds in every place, doubled keys, depth, encodings."""

import copy
import json
from random import Random
from typing import Any

from tests.hostile.mutations import damaged

# Put into the text as they are: json.dumps would not write them.
RAW = (
    "NaN", "Infinity", "-Infinity", "1e999", "-1e999", "9" * 4000, "9" * 5000, "1" + "0" * 100_000, "-0", "1E400",
    "0x10", "01", "1.", ".5", "+1", "'a'", "undefined", "[" * 900 + "]" * 900, "[" * 100_000 + "]" * 100_000,
    '{"a":' * 100_000 + "1" + "}" * 100_000, "[" * 100_000, '"\\ud800"', '"\\udc80"', '"\\ud83d\\ude00"',
    '"\\u0000"', '"a\\u0000b"', '"\\u202e"', '"' + "a" * 200_000 + '"', '"\\x"', '"\t"', '"\0"', '"é"', "",
    "null null", '{"a": 1, "a": 2}', "[1,]", "// x", "9223372036854775807", "9223372036854775808",
    "-9223372036854775809", "1e308", "5e-324", "1e5000",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 3, 255, 256, 65535, 65536, 2**31, 2**53 + 1, 2**63, 2**64, -(2**63), 10**30, 0.5,
    -0.5, 1e-300, 1e300, "", " ", "x", "0", "1", "-1", "1.5", "nan", "NaN", "background", "../x", "/etc/passwd",
    "C:\\x", "a/b", "a\\b", "..", ".", "a" * 300, "a" * 70_000, "\n", "\r\n", "{}", "%s%n", "é", "中", "\U0001f600",
    "\u202e", "\ufeff", "8GB", "0GB", "-1GB", "1e9GB", "9" * 30 + "GB", "SAR", "RAS", "RRR", "XYZ", "openvino",
    "torch", "fp32", "bf16", [], [[]], [None], [0], [1, 1, 1], [0, 0, 0], [1e308] * 3, [-1] * 3, [1] * 2, [1] * 4,
    ["a"] * 3, [10**6] * 3, [2**31] * 3, list(range(2000)), {}, {"a": 1}, {"": None}, {"x": {"x": {"x": {}}}},
    {str(i): i for i in range(2000)},
)  # fmt: skip
_ENCODINGS = ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig", "latin-1", "utf-7", "cp037")
_MARK = "@@here@@"


def mutated_json(random: Random, document: Any) -> bytes:
    """Return `document` as JSON with one or several things wrong in it, or with something else in its place."""
    draw = random.random()
    if draw < 0.62:
        for _ in range(random.choice((1, 1, 1, 2, 3))):
            document = _changed(random, document)
        text = json.dumps(document, ensure_ascii=random.random() < 0.7)
        return _encoded(text)
    if draw < 0.8:
        return _with_raw(random, document)
    if draw < 0.9:
        return damaged(random, json.dumps(document).encode())
    return _otherwise(random, json.dumps(document))


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _with_raw(random: Random, document: Any) -> bytes:
    """Return the document with raw text in the place of one of its values, or a key that stands twice."""
    places = _places(document)
    if not places:
        return _encoded(random.choice(RAW))
    place = random.choice(places)
    changed = _put(document, place, _MARK)
    text = json.dumps(changed)
    if random.random() < 0.2 and isinstance(place[-1], str):
        value = json.dumps(random.choice((_get(document, place), random.choice(VALUES))))
        key = json.dumps(place[-1])
        return _encoded(text.replace(f'"{_MARK}"', f"{json.dumps(_get(document, place))}, {key}: {value}"))
    return _encoded(text.replace(f'"{_MARK}"', random.choice(RAW)))


def _otherwise(random: Random, text: str) -> bytes:
    kind = random.choice(
        ("encoding", "encoding", "whole", "whole", "before", "after", "twice", "nothing", "nul", "long")
    )
    if kind == "encoding":
        return text.encode(random.choice(_ENCODINGS), "replace")
    if kind == "whole":
        return _encoded(random.choice((*RAW, *map(json.dumps, VALUES))))
    if kind == "before":
        return random.choice((b"\xef\xbb\xbf", b"\xff\xfe", b"\0", b" " * 1000, b"//\n", b"\x1f\x8b")) + text.encode()
    if kind == "after":
        return text.encode() + random.choice((b"\0", b" " * 100_000, b"}", b"x", b"\xff", b"\n" * 1000))
    if kind == "twice":
        return (text + text).encode()
    if kind == "nothing":
        return random.choice((b"", b" ", b"\n", b"\xef\xbb\xbf"))
    if kind == "nul":
        return text.encode().replace(b"a", b"\0", 3)
    return b" " * random.choice((999_990, 1_000_001, 3_000_000)) + text.encode()


def _changed(random: Random, document: Any) -> Any:
    places = _places(document)
    if not places or random.random() < 0.02:
        return copy.deepcopy(random.choice(VALUES))
    place = random.choice(places)
    kind = random.random()
    if kind < 0.6:
        return _put(document, place, copy.deepcopy(random.choice(VALUES)))
    if kind < 0.7:
        return _put(document, place, _near(random, _get(document, place)))
    if kind < 0.82:
        return _without(document, place)
    if kind < 0.92:
        return _renamed(random, document, place)
    other = _get(document, random.choice(places))
    return _put(document, place, copy.deepcopy(other))


def _near(random: Random, value: Any) -> Any:
    """Return a value like `value`, of the same kind or one nearby."""
    if isinstance(value, bool) or value is None:
        return random.choice((0, 1, "true", not value))
    if isinstance(value, int | float):
        return random.choice(
            (str(value), -value, value + 1, value - 1, value * 1000, value / 7, float(value), [value], 0)
        )
    if isinstance(value, str):
        return random.choice(
            (value.upper(), value + " ", value[:-1], value * 2, [value], value + "\0", value[::-1], {value: value})
        )
    if isinstance(value, list):
        return random.choice((value * 2, value[:-1], value[::-1], [value], dict(enumerate(value)), [*value, None]))
    return random.choice(
        (list(value), list(value.items()), {**value, "extra": 1}, dict(reversed(value.items())), [value])
    )


def _places(document: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = []
    items = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for key, value in list(items)[:50]:
        found.append((*at, key))
        found += _places(value, (*at, key))
    return found


def _get(document: Any, place: tuple[Any, ...]) -> Any:
    for key in place:
        document = document[key]
    return document


def _put(document: Any, place: tuple[Any, ...], value: Any) -> Any:
    result = copy.deepcopy(document)
    _get(result, place[:-1])[place[-1]] = value
    return result


def _without(document: Any, place: tuple[Any, ...]) -> Any:
    result = copy.deepcopy(document)
    del _get(result, place[:-1])[place[-1]]
    return result


def _renamed(random: Random, document: Any, place: tuple[Any, ...]) -> Any:
    result = copy.deepcopy(document)
    inner = _get(result, place[:-1])
    if isinstance(inner, list):
        inner.insert(random.randrange(len(inner) + 1), copy.deepcopy(random.choice(VALUES)))
        return result
    old = place[-1]
    name = random.choice(
        (
            str(old)[:-1],
            f"{old}s",
            str(old).upper(),
            "",
            "é",
            "a" * 300,
            "\0",
            "__proto__",
            f" {old}",
            "../x",
            "\udc80",
            "\ud800",
        )
    )
    inner[name] = inner.pop(old)
    return result
