"""Sizes and spacings as a person types them: 64x160x160, 0.8x0.8x1, or one number for all three."""

import re

from leanseg.errors import InputError

_SIZES = re.compile(r"0*([1-9]\d{0,5})x0*([1-9]\d{0,5})x0*([1-9]\d{0,5})", re.ASCII)
_LENGTH = r"(\d{1,6}(?:\.\d{1,9})?)"
_LENGTHS = re.compile(f"{_LENGTH}x{_LENGTH}x{_LENGTH}", re.ASCII)


class UnreadableTripleError(InputError):
    """A text is not three numbers, or not those that make sense."""

    def __init__(self, option: str, text: str, wanted: str, why: str, example: str) -> None:
        super().__init__(
            what=f"--{option} {text} is not {wanted}", why=why, fix=f"write for example --{option} {example}"
        )


def read_sizes(option: str, text: str, why: str, example: str) -> tuple[int, int, int]:
    """Return three sizes in voxels. Raises UnreadableTripleError, which tells `why` they are needed."""
    found = _SIZES.fullmatch(text.strip())
    if found is None:
        raise UnreadableTripleError(option, text, "three sizes", why, example)
    return int(found[1]), int(found[2]), int(found[3])


def read_spacing(option: str, text: str) -> tuple[float, float, float]:
    """Return the mm between voxels along X, Y and Z, the same for all from one number. Raises UnreadableTripleError."""
    text = text.strip()
    found = _LENGTHS.fullmatch(text) or _LENGTHS.fullmatch("x".join([text] * 3))
    spacing = tuple(map(float, found.groups())) if found else (0.0,)
    if min(spacing) <= 0:
        why = "voxels lie some mm apart along X, Y and Z, as in the header of a NIfTI"
        raise UnreadableTripleError(option, text, "one or three lengths in mm", why, "0.8x0.8x1")
    return spacing[0], spacing[1], spacing[2]
