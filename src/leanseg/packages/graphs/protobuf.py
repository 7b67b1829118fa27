"""Protocol-buffer messages, walked field by field without a schema and without copying.

Source: "Encoding", protobuf.dev. What is not asked for is stepped over by its length.
"""

from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5  # wire types
Value = int | memoryview


class MalformedModelError(ValueError):
    """The bytes are not a protocol-buffer message, or not one that makes an ONNX model."""


def fields(message: memoryview) -> Iterator[tuple[int, int, Value]]:
    """Yield number, wire type and value of each field: an int, or the bytes of a number, string or inner message.

    Raises MalformedModelError.
    """
    at = 0
    while at < len(message):
        key, at = varint(message, at)
        kind, length = key & 7, 0
        if kind == VARINT:
            value, at = varint(message, at)
            yield key >> 3, kind, value
            continue
        if kind == BYTES:
            length, at = varint(message, at)
        elif kind in {FIXED32, FIXED64}:
            length = 4 if kind == FIXED32 else 8
        else:
            raise MalformedModelError(f"unknown wire type {kind}")
        if at + length > len(message):
            raise MalformedModelError("cut off")
        yield key >> 3, kind, message[at : at + length]
        at += length


def varint(message: memoryview, at: int) -> tuple[int, int]:
    """Return a base-128 number and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            raise MalformedModelError("cut off")
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise MalformedModelError("a number has more than ten bytes")


def message_of(*parts: tuple[int, int, int | bytes | memoryview]) -> bytes:
    """Return a message of fields: number, wire type and value, as `fields` yields them."""
    return b"".join(piece for part in parts for piece in encoded(*part))


def encoded(number: int, kind: int, value: int | bytes | memoryview) -> tuple[bytes, bytes | memoryview]:
    """Return the two pieces of a field, what comes before its value and the value; bytes are not copied."""
    if isinstance(value, int):
        return header(number, kind), _varint(value)
    return header(number, kind, len(value)), value


def header(number: int, kind: int, length: int = 0) -> bytes:
    """Return what comes before the value of a field of `length` bytes."""
    return _varint(number << 3 | kind) + (_varint(length) if kind == BYTES else b"")


def _varint(value: int) -> bytes:
    digits = bytearray()
    while value >= 0x80:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*digits, value))


def varints(message: memoryview) -> Iterator[int]:
    """Yield the numbers of a packed list."""
    at = 0
    while at < len(message):
        value, at = varint(message, at)
        yield value


def text(value: Value) -> str:
    """Return a string. Raises MalformedModelError if it is no UTF-8."""
    if isinstance(value, int):
        raise MalformedModelError("a number where a name should be")
    try:
        return bytes(value).decode("utf-8")
    except UnicodeDecodeError:
        raise MalformedModelError("a name is no UTF-8 text") from None


def inner(value: Value) -> memoryview:
    """Return the bytes of an inner message."""
    if isinstance(value, int):
        raise MalformedModelError("a number where a message should be")
    return value


def signed(value: int) -> int:
    """Return an int64, which is written as the varint of its two's complement."""
    value &= (1 << 64) - 1
    return value - (1 << 64) if value >= 1 << 63 else value
