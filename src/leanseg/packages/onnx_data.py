"""Does an ONNX model refer to files outside itself? Answered from its bytes, without the onnx library.

A tensor may keep its numbers in another file whose path the model names (onnx.proto: TensorProto.external_data and
data_location), and an engine would open that path. A package has no such file, so a model that names one is refused.
Only messages that can hold tensors are walked; everything else is skipped by its length.
"""

from collections.abc import Iterator

# message -> field number -> message in that field (onnx.proto3, IR version 13)
_MESSAGES: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_DEEPEST = 64  # graphs within graphs; real ones have two or three


class MalformedModelError(ValueError):
    """The bytes are not a protocol-buffer message."""


def refers_to_other_files(model: bytes) -> bool:
    """Tell whether any tensor of the ONNX `model` keeps its data outside. Raises MalformedModelError."""
    return _refers(memoryview(model), "model", 0)


def _refers(message: memoryview, kind: str, depth: int) -> bool:
    if depth > _DEEPEST:
        raise MalformedModelError("messages are nested too deeply")
    for field, value in _fields(message):
        if kind == "tensor" and (field == _EXTERNAL_DATA or (field == _DATA_LOCATION and value != 0)):
            return True
        inner = _MESSAGES[kind].get(field)
        if inner and isinstance(value, memoryview) and _refers(value, inner, depth + 1):
            return True
    return False


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield the number and value of each field: an int, or the bytes of a string, packed list or inner message."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        kind, length = key & 7, 0
        if kind == _VARINT:
            value, at = _varint(message, at)
            yield key >> 3, value
            continue
        if kind == _BYTES:
            length, at = _varint(message, at)
        elif kind in {_FIXED32, _FIXED64}:
            length = 4 if kind == _FIXED32 else 8
        else:
            raise MalformedModelError(f"unknown wire type {kind}")
        if at + length > len(message):
            raise MalformedModelError("cut off")
        yield key >> 3, message[at : at + length]
        at += length


def _varint(message: memoryview, at: int) -> tuple[int, int]:
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
