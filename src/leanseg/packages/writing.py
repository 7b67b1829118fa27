"""Write a model package, whole or not at all, and put it into one file."""

import importlib.metadata
import io
import shutil
import zipfile
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from pydantic import JsonValue

from leanseg import __version__
from leanseg.packages.manifest import (
    NAME,
    FileRecord,
    Manifest,
    graph_name,
    int8_name,
    manifest_text,
    masks_name,
    record_of,
    required,
    weights_name,
)
from leanseg.packages.package import TUNED, Package
from leanseg.plans import Inference, Plan, plan_text, write_plan
from leanseg.storage import encodable, whole_file, whole_folder, write_text

_LIBRARIES = ("numpy", "onnx", "onnxruntime", "openvino", "safetensors", "torch")
_EARLIEST = (1980, 1, 1, 0, 0, 0)  # the first date a .zip can hold: equal packages make equal files


def write_package(
    path: Path,
    *,
    plan: Plan,
    weights: Sequence[bytes | Path],
    onnx: Sequence[bytes | Path],
    card: str,
    facts: Mapping[str, JsonValue],
    masks: Sequence[bytes] = (),
) -> Package:
    """Write a package folder at `path`, in the place of an older one, and return it as it reads back.

    weights: for each network a safetensors file or its bytes. onnx: for each its graph (1, C, *tile) -> (1, K, *tile)
    without external data. Scores of several networks are averaged. card: Markdown. facts: what was measured at
    export, free JSON. masks: for each network, where they were trained sparsely, a safetensors file's bytes.
    Raises CorruptPackageError, leaving `path` as it was, if the package could not be read back.
    """
    with whole_folder(path) as folder:
        write_plan(folder / "plan.json", plan)
        members = len(onnx)
        for member, (tensors, graph) in enumerate(zip(weights, onnx, strict=True)):
            _put(tensors, folder / weights_name(member, members))
            _put(graph, folder / graph_name(member, members))
        names = list(required(members))
        for member, alive in enumerate(masks):
            names.append(masks_name(member, members))
            _put(alive, folder / names[-1])
        write_text(folder / "card.md", card)
        manifest = Manifest(
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            leanseg=__version__,
            libraries=_versions(),
            files={name: _record(folder / name) for name in names},
            members=members,
            measured=dict(facts),
        )
        write_text(folder / NAME, manifest_text(manifest))
        Package.read(folder)
    return Package.read(path)


def write_tuned(
    package: Package,
    path: Path,
    *,
    inference: Inference,
    graphs: Sequence[bytes] | None = None,
    int8: Sequence[bytes] = (),
    tuned: Mapping[str, JsonValue] | None = None,
    card: str | None = None,
) -> Package:
    """Write `package` at `path` with another way to be applied, and return it as it reads back.

    path: a folder, new or an older package, or the .zip that `package` is. inference: takes the place of the plan's.
    graphs: for each network one whose tile is that of `inference`, where it is not the package's. int8: for each
    network its quantised graph, where there are any; older ones are left out. tuned: what was measured, for the
    manifest. card: takes the place of the package's.
    Whole or not at all: raises CorruptPackageError, leaving `path` as it was, if it could not be read back.
    """
    members = package.members
    changed: dict[str, bytes] = {
        "plan.json": plan_text(package.plan.model_copy(update={"inference": inference})).encode("utf-8")
    }
    changed |= {graph_name(member, members): graph for member, graph in enumerate(graphs or ())}
    changed |= {int8_name(member, members): graph for member, graph in enumerate(int8)}
    if card is not None:
        changed["card.md"] = encodable(card).encode("utf-8")
    older = {int8_name(member, members) for member in range(members)}
    contents = {name: package.file(name) for name in package.manifest.files if name not in older} | changed
    records = {name: record_of(io.BytesIO(content)) for name, content in contents.items()}
    # Other tiles were listed beside the one that was the package's own; the graph of that one is gone.
    stale = {TUNED, *(["tiles"] if inference.tile != package.plan.inference.tile else [])}
    measured = {name: value for name, value in package.manifest.measured.items() if name not in stale}
    if tuned is not None:
        measured[TUNED] = dict(tuned)
    manifest = package.manifest.model_copy(update={"files": records, "measured": measured})
    if path.is_file():
        with whole_file(path) as temporary:
            _write_zip(temporary, manifest, contents.__getitem__)
            Package.read(temporary)
    else:
        with whole_folder(path) as folder:
            for name, content in contents.items():
                (folder / name).write_bytes(content)
            write_text(folder / NAME, manifest_text(manifest))
            Package.read(folder)
    return Package.read(path)


def pack(package: Path, path: Path) -> Package:
    """Put the package (or a run's) at `package` into the .zip `path`, and return it as it reads back.

    Nothing is compressed: weights hardly would be, and the file can be read at the speed of the disk.
    """
    found = Package.read(package)
    with whole_file(path) as temporary:
        _write_zip(temporary, found.manifest, found.file)
    return Package.read(path)


def _write_zip(path: Path, manifest: Manifest, content_of: Callable[[str], bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo(NAME, _EARLIEST), manifest_text(manifest))
        for name in manifest.files:
            archive.writestr(zipfile.ZipInfo(name, _EARLIEST), content_of(name))


def _put(content: bytes | Path, target: Path) -> None:
    if isinstance(content, bytes):
        target.write_bytes(content)
    else:
        shutil.copyfile(content, target)


def _record(path: Path) -> FileRecord:
    with path.open("rb") as file:
        return record_of(file)


def _versions() -> dict[str, str]:
    """Return the versions of the libraries that are installed, without importing any."""
    versions = {}
    for name in _LIBRARIES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions
