"""A model package, read and verified: plan, weights, exported graph, card, and a hash that names its contents."""

import hashlib
import json
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from leanseg.packages.errors import CorruptPackageError, NotAPackageError, UnsafePackageError
from leanseg.packages.graphs import MalformedModelError, check_graph, refers_to_other_files
from leanseg.packages.manifest import (
    LARGEST_PACKAGE,
    LARGEST_TEXT,
    NAME,
    SUFFIXES,
    Manifest,
    graph_name,
    int8_name,
    masks_name,
    record_of,
    required,
    weights_name,
)
from leanseg.packages.stores import FolderStore, Store, ZipStore
from leanseg.packages.tiles import Shape, ValidatedTile, is_tile_graph, tile_graph_name, validated_tiles
from leanseg.plans import Plan, PlanError, parse_plan

Threads = Literal["all", "half", "one"]  # of the cores that a process may use
TUNED = "tuned"  # where `measured` holds what leanseg tune found


@dataclass(frozen=True, eq=False)
class Package:
    """A package whose every file had the size and SHA-256 that its manifest names.

    hash: 64 hexadecimal digits that stand for what decides its labels: plan, weights and graphs. A folder and the .zip
    made of it have the same, and so has a package whose card or figures were added later. `leanseg tune` changes the
    plan where it finds another engine, precision or tile, and so the hash.
    """

    path: Path
    plan: Plan
    manifest: Manifest
    hash: str
    _store: Store = field(repr=False)
    _other_tile: Shape | None = None  # than the one it was planned with

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the package at `path`: a package folder, a run (which holds one as `package/`), or a .zip.

        Raises NotAPackageError, or CorruptPackageError naming the file that is missing, unknown, changed or unsafe.
        """
        try:
            return cls._read(_store_at(path))
        except OSError as error:
            raise NotAPackageError(
                path, f"cannot be read: {error.strerror or error}", "check the permissions of its files"
            ) from error

    @classmethod
    def _read(cls, store: Store) -> Self:
        sizes = store.sizes()
        text = _text(store, NAME, sizes.get(NAME))
        manifest = _parse_manifest(store.path, text)
        _check_files(store.path, manifest, {name: size for name, size in sizes.items() if name != NAME})
        for name in manifest.files:
            _verify(store, manifest, name)
        package = cls(store.path, _plan(store, manifest), manifest, _hash(manifest), store)
        if package.plan.inference.precision == "int8" and not package.has_int8:
            raise CorruptPackageError(package.path, f"{int8_name(0, package.members)} is missing")
        for member in range(package.members):
            _check_model(package, graph_name(member, package.members), package.onnx_bytes(member))
            if package.has_int8:
                _check_model(package, int8_name(member, package.members), package.int8_bytes(member))
        return package

    def file(self, name: str) -> bytes:
        """Return a file that the manifest names, verified again, as it may have changed. Raises CorruptPackageError."""
        expected = self.manifest.files[name]
        try:
            with self._store.open(name) as source:
                data = source.read(expected.bytes + 1)
        except OSError as error:
            raise CorruptPackageError(self.path, f"{name} cannot be read: {error.strerror or error}") from error
        if hashlib.sha256(data).hexdigest() != expected.sha256:
            raise CorruptPackageError(self.path, f"{name} changed while it was in use")
        return data

    @property
    def members(self) -> int:
        """How many networks there are; where more than one, their scores are averaged."""
        return self.manifest.members

    def onnx_bytes(self, member: int = 0) -> bytes:
        """Return a network's exported graph: (1, C, *tile) -> (1, K, *tile) with the plan's tile."""
        if self._other_tile:
            return self.file(tile_graph_name(self._other_tile, member, self.members))
        return self.file(graph_name(member, self.members))

    @property
    def tiles(self) -> tuple[ValidatedTile, ...]:
        """The sizes of tiles it may be used with, the plan's own first, then the others by falling Dice."""
        return validated_tiles(self.plan.inference.tile, self.manifest.measured)

    def at_tile(self, tile: Shape) -> Self:
        """Return the package with another of its `tiles` in the place of the plan's; for the plan's own, itself.

        Raises CorruptPackageError if the graph for it is missing or does not fit, ValueError for a tile not listed.
        """
        if tile == self.plan.inference.tile:
            return self
        if tile not in (listed.tile for listed in self.tiles):
            msg = f"{tile} is none of the tiles that this package was validated with"
            raise ValueError(msg)
        inference = self.plan.inference.model_copy(update={"tile": tile})
        other = replace(self, plan=self.plan.model_copy(update={"inference": inference}), _other_tile=tile)
        for member in range(self.members):
            name = tile_graph_name(tile, member, self.members)
            if name not in self.manifest.files:
                raise CorruptPackageError(self.path, f"{name} is missing")
            _check_model(other, name, other.onnx_bytes(member))
        return other

    @property
    def has_int8(self) -> bool:
        """Whether there are quantised graphs, too."""
        return self._other_tile is None and int8_name(0, self.members) in self.manifest.files

    def int8_bytes(self, member: int = 0) -> bytes:
        """Return a network's graph quantised to int8: the same shapes, convolutions between (De)QuantizeLinear."""
        return self.file(int8_name(member, self.members))

    @property
    def threads(self) -> Threads:
        """How many of the cores the engine takes where nobody says: all, or fewer as `leanseg tune` found."""
        tuned = self.manifest.measured.get(TUNED)
        found = tuned.get("threads") if isinstance(tuned, dict) else None
        return "half" if found == "half" else "one" if found == "one" else "all"

    def weights(self, member: int = 0) -> dict[str, NDArray[Any]]:
        """Return a network's trained tensors by name."""
        return self._tensors(weights_name(member, self.members))

    def masks(self, member: int = 0) -> dict[str, NDArray[np.bool_]]:
        """Return which kernels of a sparsely trained network are alive, by name of their weights; else nothing.

        Each is (out, in), as the first two dimensions of the weights; (in, out) where they are transposed.
        """
        name = masks_name(member, self.members)
        return self._tensors(name) if name in self.manifest.files else {}

    def _tensors(self, name: str) -> dict[str, NDArray[Any]]:
        from safetensors import SafetensorError
        from safetensors.numpy import load

        try:
            return dict(load(self.file(name)))
        except (SafetensorError, KeyError, ValueError) as error:  # the last two for types and shapes that numpy lacks
            raise CorruptPackageError(self.path, f"{name} is not a safetensors file ({error})") from error

    def card(self) -> str:
        """Return the model card, Markdown."""
        try:
            return self.file("card.md").decode("utf-8")
        except UnicodeDecodeError as error:
            raise CorruptPackageError(self.path, f"card.md is no UTF-8 text ({error})") from error


def _hash(manifest: Manifest) -> str:
    quantised = {int8_name(member, manifest.members) for member in range(manifest.members)} & manifest.files.keys()
    other_tiles = {name for name in manifest.files if is_tile_graph(name)}
    decisive = sorted({*required(manifest.members), *quantised, *other_tiles} - {"card.md"})
    lines = "".join(f"{manifest.files[name].sha256}  {name}\n" for name in decisive)
    return hashlib.sha256(lines.encode("ascii")).hexdigest()


def _store_at(path: Path) -> Store:
    if path.is_file():
        return ZipStore(path)
    if (path / NAME).is_file():
        return FolderStore(path)
    if (path / "package" / NAME).is_file():
        return FolderStore(path / "package")
    if not path.exists():
        raise NotAPackageError(path, "does not exist", "check the path of the run, package folder or .zip")
    if (path / "cross_validation.json").is_file():
        fix = f"name one of its folds, or make one package of them all: leanseg ensemble {path} -o PACKAGE"
        raise NotAPackageError(path, "holds a model package per fold", fix)
    fix = "name a folder that leanseg train wrote (finish an interrupted run with leanseg train ... --resume)"
    raise NotAPackageError(path, "holds no model package (no manifest.json)", fix)


def _text(store: Store, name: str, size: int | None) -> bytes:
    """Return a file that a person can read, of bounded size."""
    if size is None:
        raise CorruptPackageError(store.path, f"{name} is missing")
    if size > LARGEST_TEXT:
        raise UnsafePackageError(store.path, f"{name} has {size:,} bytes, far more than leanseg writes")
    with store.open(name) as file:
        return file.read(LARGEST_TEXT + 1)


def _parse_manifest(path: Path, text: bytes) -> Manifest:
    try:
        document = json.loads(text)
        if isinstance(document, dict) and isinstance(document.get("format"), int) and document["format"] > 1:
            raise CorruptPackageError(
                path, f"has format {document['format']}, this leanseg reads 1", "install a newer leanseg"
            )
        return Manifest.model_validate(document)
    except (ValueError, RecursionError) as error:  # JSON, UTF-8 and pydantic errors are all ValueErrors
        reason = _first(error) if isinstance(error, ValidationError) else str(error)
        raise CorruptPackageError(path, f"{NAME} is not one that leanseg wrote ({reason})") from error


def _first(error: ValidationError) -> str:
    problem = error.errors()[0]
    return f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"


def _check_files(path: Path, manifest: Manifest, sizes: dict[str, int]) -> None:
    """Compare what is there with what the manifest names, before anything is read."""
    for name in (*required(manifest.members), *_all_or_none(manifest), *manifest.files):
        if name not in manifest.files or name not in sizes:
            raise CorruptPackageError(path, f"{name} is missing")
    for name in sizes:
        if name not in manifest.files:
            raise UnsafePackageError(path, f"{name!r} is not named in {NAME}")
        if PurePosixPath(name).suffix not in SUFFIXES:
            raise UnsafePackageError(path, f"{name!r} is no kind of file that a package may hold")
    if sum(record.bytes for record in manifest.files.values()) > LARGEST_PACKAGE:
        raise UnsafePackageError(path, f"its files are larger than {LARGEST_PACKAGE:,} bytes together")
    for name, record in manifest.files.items():
        if sizes[name] != record.bytes:
            raise CorruptPackageError(path, f"{name} has {sizes[name]:,} bytes instead of {record.bytes:,}")


def _all_or_none(manifest: Manifest) -> tuple[str, ...]:
    """Return the names of the quantised graphs if there is any: one network of several alone would not do."""
    names = tuple(int8_name(member, manifest.members) for member in range(manifest.members))
    return names if manifest.files.keys() & {*names} else ()


def _verify(store: Store, manifest: Manifest, name: str) -> None:
    with store.open(name) as file:
        found = record_of(file)
    expected = manifest.files[name]
    if found != expected:
        raise CorruptPackageError(
            store.path, f"{name} has changed: SHA-256 {found.sha256[:12]}... instead of {expected.sha256[:12]}..."
        )


def _plan(store: Store, manifest: Manifest) -> Plan:
    expected = manifest.files["plan.json"]
    text = _text(store, "plan.json", expected.bytes)
    if hashlib.sha256(text).hexdigest() != expected.sha256:
        raise CorruptPackageError(store.path, "plan.json changed while it was in use")
    try:
        return parse_plan(text.decode("utf-8"), "plan.json")
    except (PlanError, UnicodeDecodeError) as error:
        problem = error.what if isinstance(error, PlanError) else str(error)
        fix = f"use leanseg {manifest.leanseg}, which wrote it, or train again"
        raise CorruptPackageError(store.path, problem, fix) from error


def _check_model(package: Package, name: str, model: bytes) -> None:
    data, tile = package.plan.data, package.plan.inference.tile
    try:
        if refers_to_other_files(model):
            raise UnsafePackageError(package.path, f"{name} refers to files outside the package")
        check_graph(model, given=(1, len(data.channels), *tile), wanted=(1, data.outputs, *tile))
    except MalformedModelError as error:
        raise CorruptPackageError(package.path, f"{name} is not the graph of a network: {error}") from error
