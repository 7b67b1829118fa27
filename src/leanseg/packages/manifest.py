"""The manifest: which files a package has, their SHA-256, what wrote them, and what was measured at export."""

import hashlib
from typing import Annotated, BinaryIO, Literal

from pydantic import Field, JsonValue

from leanseg.plans import Strict

NAME = "manifest.json"
_TEXTS = ("plan.json", "card.md")
MOST_MEMBERS = 100
LARGEST_TEXT = 1_000_000  # bytes of the manifest, the plan and the card, each
LARGEST_PACKAGE = 4 * 2**30  # bytes of all files together; ONNX itself ends at 2 GiB

# Names are flat: no folder, nothing hidden, nothing that a shell or another system reads in a special way.
FILE_NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*$"
# Data only. A later engine's own files are .bin, .xml or .json.
SUFFIXES = (".json", ".safetensors", ".onnx", ".md", ".bin", ".xml", ".txt", ".csv", ".png")

_PIECE = 1 << 20


class FileRecord(Strict):
    """What a file of the package must be, byte for byte."""

    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256 in 64 hexadecimal digits")]
    bytes: Annotated[int, Field(ge=0, le=LARGEST_PACKAGE, description="size")]


class Manifest(Strict):
    """What `manifest.json` says. `measured` holds free facts, such as bytes per voxel of an engine."""

    format: Literal[1] = Field(1, description="of this file")
    created: str = Field(description="date and time in UTC, ISO 8601")
    leanseg: str = Field(description="version that wrote the package")
    libraries: dict[str, str] = Field(description="name -> version, of what the package was made with")
    members: int = Field(1, ge=1, le=MOST_MEMBERS, description="networks whose scores are averaged")
    files: dict[Annotated[str, Field(pattern=FILE_NAME, max_length=100)], FileRecord] = Field(
        max_length=256, description="name -> what the file must be"
    )
    measured: dict[str, JsonValue] = Field(
        default_factory=dict, description="free facts, such as how far the engines agree"
    )


def graph_name(member: int, members: int) -> str:
    """Return the name of a member's exported graph."""
    return "model.onnx" if members == 1 else f"model_{member}.onnx"


def weights_name(member: int, members: int) -> str:
    """Return the name of a member's trained tensors."""
    return "model.safetensors" if members == 1 else f"model_{member}.safetensors"


def masks_name(member: int, members: int) -> str:
    """Return the name of a member's masks, which only a sparsely trained network has."""
    return "masks.safetensors" if members == 1 else f"masks_{member}.safetensors"


def int8_name(member: int, members: int) -> str:
    """Return the name of a member's quantised graph, which only a package that was tuned to int8 has."""
    return "int8.onnx" if members == 1 else f"int8_{member}.onnx"


def required(members: int) -> tuple[str, ...]:
    """Return the files that a package of so many networks must have."""
    names = (name(member, members) for member in range(members) for name in (graph_name, weights_name))
    return (*_TEXTS, *names)


def manifest_text(manifest: Manifest) -> str:
    """Return what stands in manifest.json."""
    return manifest.model_dump_json(indent=2) + "\n"


def record_of(file: BinaryIO) -> FileRecord:
    """Return size and SHA-256 of what is left to read of `file`, in bounded memory."""
    digest, count = hashlib.sha256(), 0
    while piece := file.read(_PIECE):
        digest.update(piece)
        count += len(piece)
    return FileRecord(sha256=digest.hexdigest(), bytes=count)
