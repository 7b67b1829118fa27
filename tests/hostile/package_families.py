"""Model packages: .zip files that lie, folders with what does not belong there, manifests, plans, weights."""

import functools
import json
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from tests.hostile.json_mutations import mutated_json
from tests.hostile.mutations import MEGABYTE, damaged, flipped, zeros_deflated
from tests.hostile.package_contents import (
    PLAN,
    Entry,
    contents,
    entries_of,
    manifest,
    save_folder,
    sound_weights,
    with_manifest,
    zip_bytes,
)
from tests.hostile.trial import Family, Trial, WrongError

from leanseg.packages import Package
from leanseg.packages.errors import CorruptPackageError, UnsafePackageError

_ALLOWANCE = 48 * MEGABYTE


def reading(path: Path, *, sound: bool = False, expected: dict[str, bytes] | None = None) -> Trial:
    """Read the package at `path`, its weights and its card; what comes out must be what the manifest promised."""
    return Trial(
        run=lambda: _read(path),
        judge=lambda found: _compare(found, expected),
        sound=sound,
        allowance=_ALLOWANCE,
    )


def _read(path: Path) -> dict[str, Any]:
    package = Package.read(path)
    files = {name: package.file(name) for name in package.manifest.files}
    return {"files": files, "weights": package.weights(), "card": package.card(), "package": package}


def _compare(found: dict[str, Any], expected: dict[str, bytes] | None) -> str:
    files = found["files"]
    if expected is not None and files != {name: data for name, data in expected.items() if name != "manifest.json"}:
        raise WrongError("wrong files", ", ".join(sorted(files)))
    if any("/" in name or "\\" in name or ".." in name for name in files):
        raise WrongError("unsafe name", str(list(files)))
    if not all(isinstance(tensor, np.ndarray) for tensor in found["weights"].values()):
        raise WrongError("wrong weights", str(found["weights"]))
    return "read"


def _sound(random: Random, folder: Path) -> Trial:
    """Folders and .zip files of one or several networks, also compressed, commented and after other bytes."""
    members = random.choice((1, 1, 2, 5))
    files = with_manifest(contents(members), members)
    kind = random.choice(("folder", "stored", "deflated", "mixed", "droppings"))
    if kind in {"folder", "droppings"}:
        path = save_folder(folder / "package", files)
        if kind == "droppings":
            (path / random.choice((".DS_Store", "Thumbs.db", "desktop.ini"))).write_bytes(random.randbytes(20))
    else:
        entries = entries_of(files)
        random.shuffle(entries)
        for entry in entries:
            entry.method = {"stored": 0, "deflated": 8, "mixed": random.choice((0, 8))}[kind]
            entry.attributes = random.choice((0, 0o100644 << 16, 0o100600 << 16, 32))
        comment = random.choice((b"", b"made elsewhere", bytes(1000)))
        (path := folder / "model.zip").write_bytes(
            random.choice((b"", b"", b"#!/bin/sh\n")) + zip_bytes(entries, comment=comment)
        )
    return reading(path, sound=True, expected=files)


def _zip_bytes(random: Random, folder: Path) -> Trial:
    files = with_manifest(contents())
    data = zip_bytes(entries_of(files, random.choice((0, 8))))
    at = data.rfind(b"PK\1\2") - 400
    changed = flipped(random, data, at) if random.random() < 0.5 else damaged(random, data)
    (path := folder / "model.zip").write_bytes(changed)
    return reading(path, expected=files)


_NAMES = (
    "../card.md", "../../etc/passwd", "/etc/passwd", "folder/card.md", "card.md/", "..\\card.md", "C:\\card.md",
    "C:card.md", "card.md\0.exe", "\0", "", ".", "..", ".hidden.md", "~/card.md", "card .md", "card.md ", "CARD.MD",
    "cаrd.md", "card.md:stream", "con.txt", "a" * 101 + ".md", "a" * 60_000, "\n.md", "-rf.md", "$(id).md",
    "card.md;1", "é.md", "\u202egnp.md", "manifest.json", "model.onnx", "plan.json", "x.py", "x.pkl", "x.so", "x.pt",
    "x", "model.onnx.data", "x.bin", "x.xml", "x.json",
)  # fmt: skip


def _zip_names(random: Random, folder: Path) -> Trial:
    """A member with a name that leaves the package, hides, repeats another, or could be executed."""
    name, evil = random.choice(_NAMES), random.randbytes(random.choice((0, 1, 100)))
    files = contents()
    named = random.random() < 0.5
    entries = entries_of(with_manifest(files | ({name: evil} if named else {})))
    if not named:
        entries.insert(random.randrange(len(entries) + 1), Entry(name.encode("utf-8", "surrogatepass"), evil))
    for entry in entries:
        if random.random() < 0.1:
            entry.flags |= 0x800
        if random.random() < 0.05:
            entry.local_name = random.choice((b"other.md", b"../x", b""))
    (path := folder / "model.zip").write_bytes(zip_bytes(entries))
    return reading(path)


def _zip_lies(random: Random, folder: Path) -> Trial:
    """One or several facts in the headers of a .zip are not true."""
    files = with_manifest(contents())
    entries, ending = entries_of(files, random.choice((0, 8))), {}
    for _ in range(random.choice((1, 1, 2, 4))):
        entry = random.choice(entries)
        lie = random.choice(
            (
                "crc",
                "packed_size",
                "size",
                "local_size",
                "offset",
                "attributes",
                "flags",
                "method",
                "extra",
                "version",
                "hidden",
                "twice",
                "ending",
            )
        )
        number = random.choice(
            (0, 1, 2, 100, 0xFFFF, 0x10000, 2**31 - 1, 2**31, 0xFFFFFFFE, 0xFFFFFFFF, random.randrange(2**32))
        )
        if lie == "ending":
            ending[random.choice(("count", "directory_size", "directory_start"))] = number
        elif lie == "twice":
            entries.insert(random.randrange(len(entries) + 1), Entry(entry.name, random.choice((entry.data, b"other"))))
        elif lie == "attributes":
            entry.attributes = random.choice(
                (0o120777, 0o040755, 0o020666, 0o060660, 0o010644, 0o140755, 0)
            ) << 16 | random.choice((0, 16))
        elif lie == "flags":
            entry.flags = random.choice((1, 8, 0x20, 0x40, 0x41, 0x800, 0x2000, random.randrange(65536)))
        elif lie == "method":
            entry.method = random.choice((1, 6, 9, 12, 14, 93, 95, 97, 98, 99, random.randrange(65536)))
        elif lie == "extra":
            entry.extra = random.choice(
                (
                    struct.pack("<2H2Q", 1, 16, number, number),
                    struct.pack("<2HQ", 1, 8, 2**63),
                    struct.pack("<2H", 1, 500),
                    random.randbytes(7),
                    b"\1\0\0\0",
                )
            )
            entry.size = random.choice((None, 0xFFFFFFFF))
        elif lie == "version":
            entry.version = random.choice((0, 45, 46, 63, 255))
        elif lie == "hidden":
            entry.hidden = True
        else:
            setattr(entry, lie, number)
    (path := folder / "model.zip").write_bytes(zip_bytes(entries, **ending))
    return reading(path, expected=files)


def _zip_bombs(random: Random, folder: Path) -> Trial:
    """Members that grow a thousandfold, share their bytes, contain one another, or are very many."""
    kind = random.choice(
        ("grows", "grows and says so", "overlap", "nested", "text", "many", "many empty", "zip64 many")
    )
    files = contents()
    if kind in {"grows", "grows and says so"}:
        megabytes = random.choice((16, 64, 512))
        packed = zeros_deflated(16) * (megabytes // 16) + zlib.compressobj(9, zlib.DEFLATED, -15).flush()
        told = (
            megabytes * MEGABYTE
            if kind == "grows and says so"
            else random.choice((len(packed), 50 * len(packed), 99 * len(packed)))
        )
        facts = manifest(files)
        facts["files"]["x.bin"] = {"sha256": "0" * 64, "bytes": told}
        entries = entries_of(files | {"manifest.json": json.dumps(facts).encode()})
        entries.append(Entry(b"x.bin", b"", 8, packed=packed, size=told, crc=0))
    elif kind == "text":
        name = random.choice(("manifest.json", "plan.json", "card.md"))
        text = b" " * random.choice((10**6, 10**6 + 1, 4 * 10**6)) + files.get(name, b"{}")
        entries = entries_of(
            with_manifest(files | {name: text}) if name != "manifest.json" else files | {name: text}, 8
        )
    elif kind == "overlap":
        inner = Entry(b"x0.bin", bytes(8 * MEGABYTE), 8)
        every = {f"x{i}.bin": bytes(8 * MEGABYTE) for i in range(40)}
        facts = manifest(files | {"x0.bin": every["x0.bin"]})
        facts["files"] |= dict.fromkeys(every, facts["files"]["x0.bin"])
        entries = [inner, *entries_of(files | {"manifest.json": json.dumps(facts).encode()})]
        entries += [
            Entry(
                name.encode(),
                bytes(8 * MEGABYTE),
                8,
                packed=b"",
                packed_size=len(zlib.compress(bytes(8 * MEGABYTE), 9)) - 6,
                offset=0,
            )
            for name in every
            if name != "x0.bin"
        ]
    elif kind == "nested":
        inner = zip_bytes(entries_of({"a.zip": _nested(4)}, 8))
        entries = entries_of(with_manifest(files | {random.choice(("a.zip", "a.bin")): inner}))
    else:
        return _many_members(random, folder, kind)
    (path := folder / "model.zip").write_bytes(zip_bytes(entries))
    return reading(path)


@functools.cache
def _nested(depth: int) -> bytes:
    data = bytes(MEGABYTE)
    for level in range(depth):
        data = zip_bytes(entries_of({f"{level}{i}.zip": data for i in range(8)}, 8))
    return data


def _many_members(random: Random, folder: Path, kind: str) -> Trial:
    count = random.choice((65, 66, 5000, 65_535, 200_000))
    record = _directory_record()
    directory = (
        record * count if kind != "many" else b"".join(record.replace(b"00000000", b"%08d" % i) for i in range(count))
    )
    body = zip_bytes(entries_of(with_manifest(contents())))[:-22]
    total = min(count, 0xFFFF)
    ending = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, total, total, min(len(directory), 0xFFFFFFFF), len(body), 0)
    if kind == "zip64 many":
        start = len(body) + len(directory)
        record64 = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, len(directory), len(body))
        ending = (
            record64
            + struct.pack("<4sLQL", b"PK\6\7", 0, start, 1)
            + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
        )
    (path := folder / "model.zip").write_bytes(body + directory + ending)
    return reading(path)


def _directory_record() -> bytes:
    return (
        zip_bytes([Entry(b"00000000", b"")]).partition(b"PK\1\2")[1:][0]
        + zip_bytes([Entry(b"00000000", b"")]).partition(b"PK\1\2")[2][:-22]
    )


def _folder_things(random: Random, folder: Path) -> Trial:
    """A package folder with a link, pipe, device, folder or another file in it, or without what it needs."""
    files = with_manifest(contents())
    path = save_folder(folder / "package", files)
    (folder / "secret").write_bytes(files["card.md"])
    target = path / random.choice([*files, "extra.bin", "extra.md", ".hidden", "a\udc80.bin", "é.md"])
    kind = random.choice(("missing", "extra", "many", *_THINGS, *_THINGS))
    if kind == "extra":
        name = random.choice(("start.py", "x.pkl", "x.so", "x.bin", "model.onnx.data", "__init__.py"))
        (path / name).write_bytes(b"x")
    elif kind == "many":
        for number in range(random.choice((10, 1000))):
            (path / f"{number}.bin").touch()
    else:
        target.unlink(missing_ok=True)
        _THINGS.get(kind, lambda *_: None)(random, target)
    return reading(path)


def _sparse(random: Random, target: Path) -> None:
    with target.open("wb") as file:
        file.truncate(random.choice((10**6, 10**9, 10**11)))


_THINGS: dict[str, Callable[[Random, Path], object]] = {
    "link": lambda _, target: target.symlink_to("../secret"),
    "dangling": lambda _, target: target.symlink_to("nothing"),
    "loop": lambda _, target: target.symlink_to(target.name),
    "device": lambda _, target: target.symlink_to("/dev/zero"),
    "hard link": lambda _, target: target.hardlink_to(target.parent.parent / "secret"),
    "pipe": lambda _, target: os.mkfifo(target),
    "folder": lambda _, target: target.mkdir(),
    "empty": lambda _, target: target.touch(),
    "sparse": _sparse,
}


def _manifests(random: Random, folder: Path) -> Trial:
    files = contents()
    text = mutated_json(random, manifest(files))
    if random.random() < 0.5:
        return reading(save_folder(folder / "package", files | {"manifest.json": text}))
    (path := folder / "model.zip").write_bytes(zip_bytes(entries_of(files | {"manifest.json": text})))
    return reading(path)


def _plans(random: Random, folder: Path) -> Trial:
    """A plan that makes no sense, with the hash that belongs to it."""
    return reading(save_folder(folder / "package", with_manifest(contents(plan__json=mutated_json(random, PLAN)))))


def _cards(random: Random, folder: Path) -> Trial:
    card = random.choice(
        (b"\xff\xfe", b"\0" * 100, "# é".encode("utf-16"), b"<script>alert(1)</script>", random.randbytes(100), b"")
    )
    return reading(save_folder(folder / "package", with_manifest(contents(card__md=damaged(random, card)))))


_SAFE_HEADERS: tuple[Any, ...] = (
    {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}},
    {name: {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]} for name in "ab"},
    {name: {"dtype": "F32", "shape": [2], "data_offsets": [at, at + 8]} for name, at in (("a", 0), ("b", 4))},
    {"a": {"dtype": "F32", "shape": [2], "data_offsets": [8, 0]}},
    {"a": {"dtype": "F32", "shape": [2], "data_offsets": [4, 12]}},
    {"a": {"dtype": "F32", "shape": [-2], "data_offsets": [0, 8]}},
    {"a": {"dtype": "F32", "shape": [2**62, 8], "data_offsets": [0, 8]}},
    {"a": {"dtype": "F32", "shape": [2**32, 2**32], "data_offsets": [0, 8]}},
    {"a": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}},
    {"a": {"dtype": "F32", "shape": [], "data_offsets": [0, 4]}},
    {"a": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}},
    {"a": {"dtype": "F8_E4M3", "shape": [2], "data_offsets": [0, 2]}},
    {"a": {"dtype": "F8_E5M2", "shape": [2], "data_offsets": [0, 2]}},
    {"a": {"dtype": "F4", "shape": [2], "data_offsets": [0, 1]}},
    {"a": {"dtype": "BOOL", "shape": [2], "data_offsets": [0, 2]}},
    {"a": {"dtype": "C64", "shape": [2], "data_offsets": [0, 16]}},
    {"a": {"dtype": "U64", "shape": [1], "data_offsets": [0, 8]}},
    {"a": {"dtype": "X99", "shape": [2], "data_offsets": [0, 8]}},
    {"a": {"dtype": "F32", "shape": "2", "data_offsets": [0, 8]}},
    {"a": {"dtype": "F32", "shape": [1] * 100, "data_offsets": [0, 4]}}, {"__metadata__": {"x": 1}},
    {"__metadata__": {"x": "y"}}, {"": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}, {}, [], None,
)  # fmt: skip


def _weights(random: Random, folder: Path) -> Trial:
    """Damaged weights with the hash that belongs to them."""
    if random.random() < 0.4:
        data = damaged(random, sound_weights())
    else:
        header = random.choice(_SAFE_HEADERS)
        text = mutated_json(random, header) if random.random() < 0.4 else json.dumps(header).encode()
        length = random.choice((len(text),) * 6 + (0, len(text) + 1, 2**31, 2**63, 2**64 - 1, 10**8, 10**8 + 1))
        ends = [tensor["data_offsets"][1] for tensor in header.values() if "data_offsets" in tensor] if header else [0]
        size = max(ends, default=0) if random.random() < 0.8 else random.choice((0, 4, 8, 100))
        data = struct.pack("<Q", length) + text + bytes(size)
    return reading(save_folder(folder / "package", with_manifest(contents(model__safetensors=data))))


def _unsafe(random: Random, folder: Path) -> Trial:
    """Members that a careless reader would extract or follow: leanseg must call the package unsafe, or corrupt."""
    secret = folder / "secret.md"
    secret.write_text("secret")
    files = with_manifest(contents())
    name = random.choice(("../secret.md", str(secret), "..\\secret.md", "folder/../../secret.md", "card.md"))
    link = name == "card.md"
    entries = [entry for entry in entries_of(files) if entry.name != b"card.md" or not link]
    entries.append(
        Entry(
            name.encode(),
            str(secret).encode() if link else b"overwritten",
            attributes=(0o120777 if link else 0o100644) << 16,
        )
    )
    (path := folder / "model.zip").write_bytes(zip_bytes(entries))

    def judge(_: Any) -> str:
        raise WrongError("unsafe package read", name)

    def run() -> Any:
        try:
            return _read(path)
        except (UnsafePackageError, CorruptPackageError):
            raise
        except Exception as error:
            raise WrongError("other reason", f"{type(error).__name__}: {error}") from error

    return Trial(run=run, judge=judge, allowance=_ALLOWANCE, described=name if not name.startswith("/") else "absolute")


PACKAGES = (
    Family("packages", "sound", _sound, 20),
    Family("packages", "zip, bytes", _zip_bytes, 50),
    Family("packages", "zip, names of members", _zip_names, 40),
    Family("packages", "zip, headers that lie", _zip_lies, 70),
    Family("packages", "zip, members that leave it", _unsafe, 5),
    Family("packages", "zip, bombs", _zip_bombs, 8),
    Family("packages", "folder, what does not belong there", _folder_things, 40),
    Family("packages", "manifest", _manifests, 50),
    Family("packages", "plan with its hash", _plans, 40),
    Family("packages", "card with its hash", _cards, 8),
    Family("packages", "weights with their hash", _weights, 40),
)
