"""Sound model packages as bytes by file name, their manifests, and .zip files written entry by entry."""

import functools
import hashlib
import json
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

TILE = (8, 8, 8)
LABELS = {"background": 0, "grey": 2, "white": 5}
PLAN: dict[str, Any] = {
    "format": 1,
    "data": {"name": "shades", "channels": ["T1"], "labels": LABELS},
    "budget": {"training_ram": "8GB", "minutes": 15},
    "preprocessing": {
        "orientation": "SAR",
        "spacing": [1.0, 1.0, 1.0],
        "crop_to_content": True,
        "normalisation": [{"scheme": "clip", "low": -1000, "high": 1000, "mean": 0.5, "sd": 2.0}],
    },
    "network": {"name": "distill_dsm_unet", "options": {"alpha": 0.5}},
    "training": {"patch": list(TILE), "augmentation": {"gamma": [0.7, 1.4]}},
    "inference": {"tile": list(TILE), "overlap": 0.5, "engine": "openvino", "precision": "fp32"},
    "estimates": {"training_ram": "1GB", "prediction_ram": "500MB", "seconds_per_step": 0.1, "steps": 100},
    "explanation": ["small"],
}


@functools.cache
def sound_graph() -> bytes:
    """Return a small network: convolutions, instance norm, pooling, transposed convolution, a skip and a resize."""
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(0)

    def tensor(name: str, *shape: int) -> Any:
        return numpy_helper.from_array((random.normal(size=shape) / 9).astype(np.float32), name)

    nodes = [
        helper.make_node("Conv", ["image", "w0"], ["c0"], pads=[1] * 6, kernel_shape=[3] * 3),
        helper.make_node("InstanceNormalization", ["c0", "s0", "b0"], ["n0"]),
        helper.make_node("LeakyRelu", ["n0"], ["a0"], alpha=0.01),
        helper.make_node("MaxPool", ["a0"], ["p0"], kernel_shape=[2] * 3, strides=[2] * 3),
        helper.make_node("Conv", ["p0", "w1"], ["c1"], pads=[1] * 6, kernel_shape=[3] * 3),
        helper.make_node("Relu", ["c1"], ["a1"]),
        helper.make_node("ConvTranspose", ["a1", "w2"], ["u1"], strides=[2] * 3, kernel_shape=[2] * 3),
        helper.make_node("Resize", ["a1", "", "scales"], ["r1"], mode="linear"),
        helper.make_node("Concat", ["a0", "u1", "r1"], ["j0"], axis=1),
        helper.make_node("Conv", ["j0", "w3", "b3"], ["scores"]),
    ]
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 1, *TILE])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 3, *TILE])],
        [
            tensor("w0", 4, 1, 3, 3, 3), tensor("s0", 4), tensor("b0", 4), tensor("w1", 4, 4, 3, 3, 3),
            tensor("w2", 4, 4, 2, 2, 2), tensor("w3", 3, 12, 1, 1, 1), tensor("b3", 3),
            numpy_helper.from_array(np.array([1, 1, 2, 2, 2], np.float32), "scales"),
        ],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return model.SerializeToString()


@functools.cache
def sound_weights() -> bytes:
    """Return a small safetensors file."""
    from safetensors.numpy import save

    return save({"head.weight": np.arange(6, dtype=np.float32).reshape(2, 3), "head.bias": np.zeros(3, np.float16)})


def contents(members: int = 1, **files: bytes) -> dict[str, bytes]:
    """Return the files of a package but its manifest; `files` (dots as __) take the place of the sound ones."""
    found = {"plan.json": json.dumps(PLAN).encode(), "card.md": b"# Shades\n"}
    for member in range(members):
        stem = "model" if members == 1 else f"model_{member}"
        found |= {f"{stem}.onnx": sound_graph(), f"{stem}.safetensors": sound_weights()}
    return found | {name.replace("__", "."): data for name, data in files.items()}


def manifest(files: dict[str, bytes], members: int = 1) -> dict[str, Any]:
    """Return the manifest that makes `files` a package."""
    return {
        "format": 1,
        "created": "2026-11-21T12:00:00+00:00",
        "leanseg": "0.1.0",
        "libraries": {"numpy": "2.4.6"},
        "members": members,
        "files": {
            name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)} for name, data in files.items()
        },
        "measured": {"parity": {"openvino": 1.0}},
    }


def with_manifest(files: dict[str, bytes], members: int = 1) -> dict[str, bytes]:
    """Return `files` with the manifest that names them."""
    return files | {"manifest.json": json.dumps(manifest(files, members)).encode()}


def save_folder(path: Path, files: dict[str, bytes]) -> Path:
    """Write `files` into the new folder `path`."""
    path.mkdir()
    for name, data in files.items():
        (path / name).write_bytes(data)
    return path


@dataclass
class Entry:
    """A member of a .zip: what its two headers say, each of which may lie. None: the truth."""

    name: bytes
    data: bytes
    method: int = 0
    flags: int = 0
    crc: int | None = None
    packed_size: int | None = None
    size: int | None = None
    attributes: int = 0o100644 << 16
    extra: bytes = b""
    version: int = 20
    offset: int | None = None  # where the central directory says the member starts
    local_name: bytes | None = None
    local_size: int | None = None
    hidden: bool = False  # in the file but not in its directory
    packed: bytes | None = None  # instead of packing `data`


def zip_bytes(entries: Sequence[Entry], *, comment: bytes = b"", **ending: int) -> bytes:
    """Return a .zip of `entries`. ending: count, directory_size and directory_start as the last record tells them."""
    body, directory, shown = b"", b"", 0
    for entry in entries:
        packed = entry.packed if entry.packed is not None else _packed(entry)
        crc = zlib.crc32(entry.data) if entry.crc is None else entry.crc
        packed_size = len(packed) if entry.packed_size is None else entry.packed_size
        size = len(entry.data) if entry.size is None else entry.size
        start = len(body) if entry.offset is None else entry.offset
        facts = (crc & 0xFFFFFFFF, packed_size & 0xFFFFFFFF, size & 0xFFFFFFFF)
        local_name = entry.name if entry.local_name is None else entry.local_name
        local_facts = facts if entry.local_size is None else (*facts[:2], entry.local_size)
        common = (entry.version, entry.flags, entry.method, 0, 33)
        lengths = (len(local_name), len(entry.extra))
        body += struct.pack("<4s5H3L2H", b"PK\3\4", *common, *local_facts, *lengths) + local_name + entry.extra + packed
        if not entry.hidden:
            shown += 1
            lengths = (len(entry.name), len(entry.extra), 0, 0, 0)
            last = (entry.attributes, start & 0xFFFFFFFF)
            directory += struct.pack("<4s6H3L5H2L", b"PK\1\2", entry.version, *common, *facts, *lengths, *last)
            directory += entry.name + entry.extra
    count = ending.get("count", shown) & 0xFFFF
    told_size = ending.get("directory_size", len(directory)) & 0xFFFFFFFF
    told_start = ending.get("directory_start", len(body)) & 0xFFFFFFFF
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, told_size, told_start, len(comment)) + comment
    return body + directory + end


def _packed(entry: Entry) -> bytes:
    if entry.method != 8:
        return entry.data
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(entry.data) + packer.flush()


def entries_of(files: dict[str, bytes], method: int = 0) -> list[Entry]:
    """Return the members of a sound .zip of `files`."""
    return [Entry(name.encode(), data, method) for name, data in files.items()]
