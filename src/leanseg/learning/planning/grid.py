"""The plan's grid: which way D, H and W run, and how far apart voxels lie."""

from dataclasses import dataclass

from leanseg.datasets.fingerprint import CaseFingerprint, Fingerprint
from leanseg.inference import is_resampled, resampled_size

Size = tuple[int, int, int]

_ANISOTROPIC = 1.5  # from this ratio of the largest to the smallest spacing on, D is the coarse axis
_RAS = "RAS"
_CODES = {"S": "SAR", "A": "ASR", "R": "RSA"}  # by the direction of D
_AXES = dict(zip("LPIRAS", "RASRAS", strict=True))  # by the side that they run to


@dataclass(frozen=True)
class Grid:
    """Orientation code and spacing (mm) of (D, H, W), and the size every case has in it."""

    orientation: str
    spacing: tuple[float, float, float]
    sizes: tuple[Size, ...]
    explanation: tuple[str, ...]


def choose_grid(fingerprint: Fingerprint, crop_to_content: bool) -> Grid:
    """Return the grid of the median spacing, with D along the coarse axis where there is one."""
    spacing = dict(zip(_RAS, fingerprint.median_spacing, strict=True))
    coarse = max(_RAS, key=lambda side: spacing[side])
    ratio = spacing[coarse] / min(spacing.values())
    depth = coarse if ratio > _ANISOTROPIC else "S"
    code = _CODES[depth]
    wanted = (spacing[code[0]], spacing[code[1]], spacing[code[2]])
    resampled = sum(any(map(is_resampled, _along(case, code, case.spacing), wanted)) for case in fingerprint.cases)
    return Grid(
        orientation=code,
        spacing=wanted,
        sizes=sizes_in(fingerprint, code, wanted, crop_to_content),
        explanation=(_about_depth(code, ratio), _about_spacing(wanted, resampled, len(fingerprint.cases))),
    )


def sizes_in(
    fingerprint: Fingerprint, code: str, spacing: tuple[float, float, float] | None, crop_to_content: bool
) -> tuple[Size, ...]:
    """Return the size that every case has in a grid of orientation `code`; without `spacing` they keep their own."""
    return tuple(_size_in(case, code, spacing, crop_to_content) for case in fingerprint.cases)


def _size_in(
    case: CaseFingerprint, code: str, wanted: tuple[float, float, float] | None, crop_to_content: bool
) -> Size:
    shape = _along(case, code, case.content_shape if crop_to_content else case.shape)
    own = _along(case, code, case.spacing)
    depth, height, width = (
        resampled_size(int(n), has, mm) for n, has, mm in zip(shape, own, wanted or own, strict=True)
    )
    return depth, height, width


def _along(case: CaseFingerprint, code: str, values: tuple[float, float, float]) -> tuple[float, float, float]:
    """Return `values`, given along the file's axes, along the axes of `code`."""
    by_axis = {_AXES[side]: value for side, value in zip(case.axcodes, values, strict=True)}
    return by_axis[_AXES[code[0]]], by_axis[_AXES[code[1]]], by_axis[_AXES[code[2]]]


def _about_depth(code: str, ratio: float) -> str:
    names = {"S": "Superior", "A": "Anterior", "R": "Right"}
    if ratio > _ANISOTROPIC:
        return (
            f"Orientation {code}: D runs to {names[code[0]]}, the coarse axis "
            f"(its spacing is {ratio:.3g} times the finest)."
        )
    alike = "are the same" if not is_resampled(ratio, 1) else f"differ by a factor of only {ratio:.3g}"
    return f"Orientation {code}: D runs to Superior, because the spacings of the axes {alike}."


def _about_spacing(wanted: tuple[float, float, float], resampled: int, cases: int) -> str:
    text = " x ".join(f"{mm:.4g}" for mm in wanted)
    what = "no case needs resampling" if not resampled else f"{resampled} of {cases} cases are resampled"
    return f"Spacing {text} mm, the median of the data set: {what}."
