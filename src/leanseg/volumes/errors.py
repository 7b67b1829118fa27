"""Why a file is refused: one class per cause, each with what, why and how to fix it."""

from pathlib import Path

from leanseg.errors import InputError

_COPY_AGAIN = "copy or download the file again from where it came"


class CannotReadError(InputError):
    """The operating system does not let us read the file."""

    def __init__(self, path: Path, reason: OSError) -> None:
        super().__init__(
            what=f"{path}: cannot be read: {reason.strerror or reason}",
            why="leanseg needs the voxels of this file",
            fix="check the permissions of the file and of its folder, and that its disk is there",
        )


class MissingFileError(InputError):
    """There is no such file."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            what=f"{path}: no such file", why="there is nothing to read", fix="check the spelling of the path"
        )


class NotAFileError(InputError):
    """A folder, pipe or device stands where a file is needed."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            what=f"{path}: not a file" + (" but a folder" if path.is_dir() else ""),
            why="one image is read from one file",
            fix="name the image file itself",
        )


class EmptyFileError(InputError):
    """The file has no bytes."""

    def __init__(self, path: Path) -> None:
        super().__init__(what=f"{path}: empty file (0 bytes)", why="it holds no image", fix=_COPY_AGAIN)


class UnknownSuffixError(InputError):
    """The name does not end like a format leanseg reads."""

    def __init__(self, path: Path, known: tuple[str, ...]) -> None:
        super().__init__(
            what=f"{path}: unknown kind of file",
            why="leanseg tells the format by the end of the name: " + ", ".join(known),
            fix="rename the file if its name is wrong, or save the image as .nii.gz",
        )


class WrongFormatError(InputError):
    """The contents are not what the name says."""

    def __init__(self, path: Path, expected: str, fix: str = "") -> None:
        super().__init__(
            what=f"{path}: not {expected}",
            why="the first bytes are not those the end of its name promises",
            fix=fix or f"check what the file really is; {_COPY_AGAIN}",
        )


class BrokenHeaderError(InputError):
    """The header contradicts itself or the format."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(
            what=f"{path}: broken header: {problem}",
            why="guessing would give a wrong image without a word",
            fix=f"{_COPY_AGAIN}, or write it anew with the program that made it",
        )


class UnsupportedFeatureError(InputError):
    """A valid file that uses a part of its format leanseg does not read."""

    def __init__(self, path: Path, feature: str, fix: str) -> None:
        super().__init__(what=f"{path}: {feature} is not supported", why="leanseg does not read such files", fix=fix)


class UnsupportedVoxelTypeError(InputError):
    """The voxels are not real numbers of 8 to 64 bits."""

    def __init__(self, path: Path, voxel_type: str) -> None:
        super().__init__(
            what=f"{path}: voxels of type {voxel_type} are not supported",
            why="a scan or label map has one real number of 8 to 64 bits per voxel",
            fix="save it with one integer or floating-point number per voxel, for example float32",
        )


class OutsideDataFileError(InputError):
    """A detached header names voxels that do not lie beside it."""

    def __init__(self, path: Path, name: str) -> None:
        super().__init__(
            what=f"{path}: its voxels are said to be in {name!r}, which is not the plain name of one file",
            why="a header must not make leanseg open files elsewhere on this machine",
            fix="put header and voxels into one folder and one data file, or save the image as .nii.gz",
        )


class ImpossibleSizeError(InputError):
    """The header declares more voxels than the file can hold."""

    def __init__(self, path: Path, shape: tuple[int, ...], declared: int, stored: int) -> None:
        super().__init__(
            what=f"{path}: the header declares {_times(shape)} voxels ({declared:,} bytes), "
            f"the file has {stored:,} bytes",
            why="so many voxels cannot be in it: it was cut off, or its header is wrong",
            fix=_COPY_AGAIN,
        )


class TruncatedVolumeError(InputError):
    """The voxels end early."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            what=f"{path}: cut off, the voxels end early",
            why="the missing part of the scan would be read as nothing",
            fix=_COPY_AGAIN,
        )


class TrailingDataError(InputError):
    """There is more data than the header declares."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            what=f"{path}: more data follows after the last voxel that the header declares",
            why="header and voxels do not belong together, so the image may be scrambled",
            fix=f"{_COPY_AGAIN}, or write it anew with the program that made it",
        )


class ChangedFileError(InputError):
    """The file is not the one whose header was read."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            what=f"{path}: changed while it was read",
            why="header and voxels may not belong together",
            fix="wait until the program that writes it is done, then run the command again",
        )


class CorruptCompressionError(InputError):
    """The compressed stream is damaged."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            what=f"{path}: damaged compressed data ({reason})",
            why="voxels would be wrong or missing",
            fix=_COPY_AGAIN,
        )


class TooManyVoxelsError(InputError):
    """The image is larger than the cap."""

    def __init__(self, path: Path, shape: tuple[int, ...], cap: int) -> None:
        super().__init__(
            what=f"{path}: {_times(shape)} voxels are more than the cap of {cap:,}",
            why="the cap keeps a wrong or hostile file from filling the memory of this machine",
            fix="crop or resample the image; leanseg info and predict read larger ones with --max-voxels",
        )


class SeveralFramesError(InputError):
    """A 4D image where one 3D image is needed."""

    def __init__(self, path: Path, frames: int) -> None:
        super().__init__(
            what=f"{path}: 4D image with {frames} frames or channels where one 3D image is needed",
            why="which of them is meant is unknown",
            fix="save the one that is meant as a 3D file of its own",
        )


class BrokenAffineError(InputError):
    """The affine does not place voxels in space."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(
            what=f"{path}: {problem}",
            why="spacing and orientation of the voxels in mm cannot be told",
            fix="convert the scan from its DICOM again, or set its geometry (NIfTI: sform, qform, pixdim) right",
        )


class ShearedAffineError(InputError):
    """The image's axes are not perpendicular, so spacing in mm has no meaning."""

    def __init__(self, path: Path, degrees: float) -> None:
        super().__init__(
            what=f"{path}: axes meet at {degrees:.1f} degrees instead of 90",
            why="resampling to a spacing in mm would distort the anatomy",
            fix="resample it to a grid with perpendicular axes, for example with the Python library nibabel: "
            "nibabel.processing.resample_to_output(image) (order=0 for labels)",
        )


class NotFiniteError(InputError):
    """Some voxels are NaN or infinite."""

    def __init__(self, path: Path, voxel: tuple[int, ...]) -> None:
        super().__init__(
            what=f"{path}: voxels are NaN or infinite, the first at {voxel}",
            why="one such voxel spoils everything computed from its neighbourhood",
            fix="repair the file; for prediction add --nan 0",
        )


class NotLabelsError(InputError):
    """A label map whose values are not whole numbers."""

    def __init__(self, path: Path, value: float) -> None:
        super().__init__(
            what=f"{path}: holds {value:g}, which is not a whole number",
            why="a label map has one class number per voxel; this looks like an image or like probabilities",
            fix="name the label map instead, or threshold the probabilities first",
        )


class GeometryMismatchError(InputError):
    """Files that belong together do not cover the same voxels in space."""

    def __init__(self, first: Path, second: Path, difference: str) -> None:
        super().__init__(
            what=f"{second}: not on the grid of {first}: {difference}",
            why="voxels of the two would be paired that show different places",
            fix="resample one onto the grid of the other, or check that they belong to the same case",
        )


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
