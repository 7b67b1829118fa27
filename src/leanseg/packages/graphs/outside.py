"""Does an ONNX model refer to files outside itself? Answered from its bytes, without the onnx library.

A tensor may keep its numbers in another file whose path the model names (onnx.proto: TensorProto.external_data and
data_location), and an engine would open that path. A package has no such file, so a model that names one is refused.
Only messages that can hold tensors are walked; everything else is skipped by its length.
"""

from leanseg.packages.graphs.protobuf import MalformedModelError, fields

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
_DEEPEST = 64  # graphs within graphs; real ones have two or three


def refers_to_other_files(model: bytes) -> bool:
    """Tell whether any tensor of the ONNX `model` keeps its data outside. Raises MalformedModelError."""
    return _refers(memoryview(model), "model", 0)


def _refers(message: memoryview, kind: str, depth: int) -> bool:
    if depth > _DEEPEST:
        raise MalformedModelError("messages are nested too deeply")
    for field, _, value in fields(message):
        if kind == "tensor" and (field == _EXTERNAL_DATA or (field == _DATA_LOCATION and value != 0)):
            return True
        inside = _MESSAGES[kind].get(field)
        if inside and isinstance(value, memoryview) and _refers(value, inside, depth + 1):
            return True
    return False
