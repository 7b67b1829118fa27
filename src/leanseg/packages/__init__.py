"""The model package: pure data (JSON, safetensors, ONNX) with a hash for every file. Nothing in it is ever executed."""

from leanseg.packages.errors import CorruptPackageError, NotAPackageError
from leanseg.packages.manifest import FileRecord, Manifest
from leanseg.packages.package import Package
from leanseg.packages.writing import pack, write_package

__all__ = [
    "CorruptPackageError",
    "FileRecord",
    "Manifest",
    "NotAPackageError",
    "Package",
    "pack",
    "write_package",
]
