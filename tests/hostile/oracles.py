"""What other libraries read: nibabel, SimpleITK and pynrrd, in leanseg's terms (X, Y, Z[, T]; RAS+ mm)."""

import contextlib
import gzip
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tests.hostile.trial import WrongError

Found = tuple[NDArray[np.generic], NDArray[np.float64]]


_NRRD_FIELDS = {
    name.replace(" ", ""): name for name in ("space", "space directions", "space origin", "spacings", "sizes")
}


class NoOracleError(Exception):
    """The other library does not read this file."""


def read_elsewhere(path: Path) -> Found:
    """Return voxels and affine as the other library for this format reads them. Raises NoOracleError."""
    name = path.name.lower()
    reader = _nifti if name.endswith((".nii", ".nii.gz")) else _meta if name.endswith((".mha", ".mhd")) else _nrrd
    try:
        array, affine = reader(path)
    except Exception as error:  # whatever a library raises for what it does not read
        raise NoOracleError(f"{type(error).__name__}: {error}") from error
    return _shaped(array), affine


def agree(found: Found, path: Path) -> str:
    """Compare what leanseg read with the other library's answer; return a word for the table. Raises WrongError."""
    array, affine = found
    try:
        theirs, their_affine = read_elsewhere(path)
    except NoOracleError as error:
        return f"read; no other library does ({str(error)[:40]!r})" if str(error) else "read"
    if array.shape != theirs.shape:
        raise WrongError("wrong shape", f"{array.shape} instead of {theirs.shape}")
    if not _same(array, theirs):
        raise WrongError("wrong voxels", f"{array.ravel()[:5]} instead of {theirs.ravel()[:5]}")
    if _is_flat(path, theirs):  # nothing in the file says what the third axis is
        affine, their_affine = affine[:, [0, 1, 3]], their_affine[:, [0, 1, 3]]
    scale = np.linalg.norm(their_affine[:3, :2], axis=0).max()
    if not np.allclose(affine, their_affine, rtol=1e-5, atol=1e-5 * scale):
        raise WrongError("wrong affine", f"{affine.tolist()} instead of {their_affine.tolist()}")
    return "read as elsewhere"


def _is_flat(path: Path, array: NDArray[np.generic]) -> bool:
    return path.name.lower().endswith(("nrrd", "nhdr")) and array.shape[2:] == (1,)


def _same(ours: NDArray[np.generic], theirs: NDArray[np.generic]) -> bool:
    if ours.dtype.kind in "iu" and theirs.dtype.kind in "iu":
        return np.array_equal(ours, theirs)
    with np.errstate(over="ignore", invalid="ignore"):
        expected = theirs.astype(np.float64).astype(np.float32)
        return np.allclose(ours.astype(np.float32), expected, rtol=1e-5, atol=1e-6 * float(np.abs(expected).max()))


def _shaped(array: NDArray[np.generic]) -> NDArray[np.generic]:
    shape = (*array.shape, 1, 1)[: max(3, array.ndim)]
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    return array.reshape(shape, order="F")


def _nifti(path: Path) -> Found:
    import nibabel

    image = nibabel.load(path)
    return np.asanyarray(image.dataobj), np.asarray(image.affine, dtype=np.float64)


def _meta(path: Path) -> Found:
    import SimpleITK

    with _inflated(path) as plain:
        image = SimpleITK.ReadImage(str(plain), imageIO="MetaImageIO")
    array = SimpleITK.GetArrayFromImage(image).T
    count = image.GetDimension()
    affine = np.eye(4)
    used = min(3, count)
    directions = np.array(image.GetDirection()).reshape(count, count)[:used, :used]
    affine[:used, :used] = directions * np.array(image.GetSpacing())[:used]
    affine[:used, 3] = image.GetOrigin()[:used]
    affine[:2] *= -1
    return array, affine


@contextlib.contextmanager
def _inflated(path: Path) -> Iterator[Path]:
    """Yield a copy without compression: MetaIO reads noise where the compressed size is missing or wrong."""
    content = path.read_bytes()
    lines, marker, rest = content.partition(b"ElementDataFile")
    if b"CompressedData = True" not in lines:
        yield path
        return
    name, _, inside = rest.partition(b"\n")
    place = name.partition(b"=")[2].strip()
    packed = inside if place.upper() == b"LOCAL" else (path.parent / place.decode()).read_bytes()
    voxels = gzip.decompress(packed) if packed.startswith(b"\x1f\x8b") else zlib.decompress(packed)
    kept = [line for line in lines.splitlines() if not line.startswith(b"Compressed")]
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "plain.mha"
        plain.write_bytes(b"\n".join([*kept, marker + b" = LOCAL\n"]) + voxels)
        yield plain


@contextlib.contextmanager
def _plain_nrrd(path: Path) -> Iterator[Path]:
    """Yield a copy without compression: pynrrd reads only the first member of a gzip file."""
    content = path.read_bytes()
    start, _, inside = content.partition(b"\n\n")
    lines = start.rstrip(b"\n").split(b"\n")
    if not {b"encoding: gzip", b"encoding: gz"} & set(lines):
        yield path
        return
    names = [line.partition(b": ")[2] for line in lines if line.startswith(b"data file: ")]
    packed = (path.parent / names[0].decode()).read_bytes() if names else inside
    kept = [line for line in lines if not line.startswith((b"encoding: ", b"data file: "))]
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "plain.nrrd"
        plain.write_bytes(b"\n".join([*kept, b"encoding: raw", b"", b""]) + gzip.decompress(packed))
        yield plain


def _nrrd(path: Path) -> Found:
    import nrrd

    with _plain_nrrd(path) as plain:
        array, header = nrrd.read(str(plain), index_order="F")
    for name in header:
        known = _NRRD_FIELDS.get(name.lower().replace(" ", ""), name)
        if name != known:
            raise NoOracleError(f"pynrrd takes {name!r} for a note")
    signs = {"left": -1, "right": 1, "posterior": -1, "anterior": 1, "superior": 1}
    letters = {"l": "left", "r": "right", "p": "posterior", "a": "anterior", "s": "superior"}
    space = str(header.get("space", "LPS")).lower()
    words = space.split("-") if "-" in space else [letters[letter] for letter in space]
    affine = np.eye(4)
    if "space directions" in header:
        directions = np.asarray(header["space directions"], dtype=np.float64)
        for axis, vector in enumerate(directions[:3]):
            affine[:3, axis] = 0
            affine[: len(vector), axis] = vector
    elif "spacings" in header:
        affine[range(array.ndim), range(array.ndim)] = np.asarray(header["spacings"], dtype=np.float64)
    if "space origin" in header:
        affine[: len(header["space origin"]), 3] = header["space origin"]
    affine[:3] *= np.array([signs[word] for word in words])[:, None]
    return array, affine
