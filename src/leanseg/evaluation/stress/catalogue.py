"""Every stress there is: what it does to a scan, in which unit, and how far it goes.

A stress is drawn anew for every case and is the same for every package, whatever is judged beside it and in whichever
order: its random numbers come from the seed, the case's name and its own. All levels of a stress share them, so that a
curve shows one disturbance growing.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leanseg.errors import InputError, did_you_mean
from leanseg.evaluation.stress.contrast import bias_field, with_bias, with_gamma
from leanseg.evaluation.stress.deformation import draw_deformation
from leanseg.evaluation.stress.field_of_view import cut_box, cut_geometry
from leanseg.evaluation.stress.intensity_range import intensity_range, magnitude_zero
from leanseg.evaluation.stress.motion import draw_motion, with_motion
from leanseg.evaluation.stress.noise import with_gaussian_noise, with_rician_noise
from leanseg.evaluation.stress.resolution import Slices, thick_slices
from leanseg.volumes import Geometry

Float32 = NDArray[np.float32]
Labels = NDArray[Any]
Random = np.random.Generator


@dataclass(frozen=True, eq=False)
class LabelledScan:
    """What a case holds: channels (C, X, Y, Z), their geometry, the reference (X, Y, Z), and which channels are CT."""

    channels: Float32
    geometry: Geometry
    reference: Labels
    ct: tuple[bool, ...]


@dataclass(frozen=True, eq=False)
class Stressed:
    """What a package is shown, and what its labels are judged by.

    slices: where the scan is in thick slices, the way from labels on its grid to those on the reference's.
    """

    channels: Float32
    geometry: Geometry
    reference: Labels
    slices: Slices | None = None

    def judged(self, labels: Labels) -> Labels:
        """Return what a package found, on the grid of the reference."""
        return labels if self.slices is None else self.slices.back(labels)

    def attainable(self) -> Labels:
        """Return the best labels there could be: the reference itself, as far as the scan's slices can show it."""
        return self.reference if self.slices is None else self.slices.back(self.slices.majority(self.reference))


@dataclass(frozen=True)
class Stress:
    """One way to make a scan worse.

    name: in options and tables. family: a name for it and its like. title, unit: in pictures. untouched, most:
    severities of the scan as it is and of the last level. geometric: whether levels are equal ratios apart, not equal
    distances. of_mr: whether it has no meaning in CT.
    """

    name: str
    family: str
    title: str
    unit: str
    untouched: float
    most: float
    apply: Callable[[LabelledScan, float, Random], Stressed]
    geometric: bool = False
    of_mr: bool = False

    def severities(self, levels: int) -> tuple[float, ...]:
        """Return the severities of `levels` levels and, first, that of the scan as it is."""
        steps = [level / levels for level in range(levels + 1)]
        if self.geometric:
            return tuple(self.untouched * (self.most / self.untouched) ** step for step in steps)
        return tuple(self.untouched + (self.most - self.untouched) * step for step in steps)

    def on(self, scan: LabelledScan, severity: float, seed: int, case: str) -> Stressed:
        """Return `scan` under this stress; at the severity `untouched` the very arrays of the scan."""
        if severity == self.untouched:
            return untouched(scan)
        digest = hashlib.blake2b(f"{seed}/{self.name}/{case}".encode("utf-8", "surrogateescape"), digest_size=8)
        return self.apply(scan, severity, np.random.default_rng(int.from_bytes(digest.digest(), "little")))


class UnknownStressError(InputError):
    """There is no stress of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(
            what=f"there is no stress {name!r}",
            why=f"leanseg has {', '.join(names())}",
            fix=did_you_mean(name, names()) or "choose some of them, for example --stress noise,motion",
        )


class NotOfCtError(InputError):
    """A stress that belongs to MR was asked for on a data set of CT."""

    def __init__(self, name: str) -> None:
        super().__init__(
            what=f"the stress {name!r} has no meaning in CT, and all channels of the data set are CT",
            why="CT values are absolute: no scanner bends them or multiplies them by a field",
            fix="leave it out, or leave --stress out for all that have a meaning",
        )


def untouched(scan: LabelledScan) -> Stressed:
    """Return `scan` as it is."""
    return Stressed(scan.channels, scan.geometry, scan.reference)


def names() -> tuple[str, ...]:
    """Return what may be asked for: families and single stresses."""
    return tuple(dict.fromkeys(name for stress in STRESSES for name in (stress.family, stress.name)))


def chosen(asked: Sequence[str] | None, ct: Sequence[bool]) -> tuple[Stress, ...]:
    """Return the stresses `asked` for by name or family, in the order of the catalogue; None stands for all.

    ct: which channels are CT. Where all are, stresses that belong to MR are left out, or refused if asked for.
    Raises UnknownStressError and NotOfCtError.
    """
    for name in asked or ():
        if name not in names():
            raise UnknownStressError(name)
    found = [stress for stress in STRESSES if not asked or {stress.name, stress.family} & set(asked)]
    if not all(ct):
        return tuple(found)
    for stress in found if asked else ():
        if stress.of_mr:
            raise NotOfCtError(stress.name)
    return tuple(stress for stress in found if not stress.of_mr)


def _channel_by_channel(
    scan: LabelledScan, change: Callable[[Float32, bool], Float32], *, of_mr: bool = False
) -> Stressed:
    """Return `scan` with `change` (channel, is CT) applied to each channel, of MR only where `of_mr`."""
    changed = np.empty_like(scan.channels)
    for channel, is_ct, target in zip(scan.channels, scan.ct, changed, strict=True):
        target[...] = channel if of_mr and is_ct else change(channel, is_ct)
    return replace(untouched(scan), channels=changed)


def _noise(scan: LabelledScan, share: float, random: Random) -> Stressed:
    def noisy(channel: Float32, is_ct: bool) -> Float32:
        low, high = intensity_range(channel)
        sd = share * (high - low)
        if is_ct:
            return with_gaussian_noise(channel, sd, random)
        return with_rician_noise(channel, sd, random, magnitude_zero(channel))

    return _channel_by_channel(scan, noisy)


def _gamma(scan: LabelledScan, exponent: float, _: Random) -> Stressed:
    return _channel_by_channel(
        scan, lambda channel, _: with_gamma(channel, exponent, *intensity_range(channel)), of_mr=True
    )


def _bias(scan: LabelledScan, amplitude: float, random: Random) -> Stressed:
    field = bias_field(scan.geometry.shape, scan.geometry.spacing, amplitude, random)
    return _channel_by_channel(scan, lambda channel, _: with_bias(channel, field, magnitude_zero(channel)), of_mr=True)


def _thick(scan: LabelledScan, thickness: float, _: Random, *, sides: str) -> Stressed:
    axis = next(axis for axis, side in enumerate(scan.geometry.axcodes) if side in sides)
    slices = thick_slices(scan.geometry, axis, thickness)
    if slices is None:
        return untouched(scan)
    return Stressed(slices.mean(scan.channels), slices.geometry, scan.reference, slices)


def _motion(scan: LabelledScan, amount: float, random: Random) -> Stressed:
    motion = draw_motion(amount, amount, random)
    spacing = scan.geometry.spacing
    return _channel_by_channel(scan, lambda channel, _: with_motion(channel, spacing, motion, magnitude_zero(channel)))


def _deformation(scan: LabelledScan, millimetres: float, random: Random) -> Stressed:
    drawn = draw_deformation(scan.geometry.shape, scan.geometry.spacing, millimetres, random)
    warped = _channel_by_channel(scan, lambda channel, _: drawn.warped(channel, order=1))
    return replace(warped, reference=drawn.warped(scan.reference, order=0))


def _field_of_view(scan: LabelledScan, share: float, random: Random) -> Stressed:
    box = cut_box(scan.geometry.shape, share, random)
    inside = np.ascontiguousarray(scan.channels[(slice(None), *box)])
    return Stressed(inside, cut_geometry(scan.geometry, box), scan.reference[box])


def _slices(plane: str, sides: str) -> Stress:
    title, unit = f"Thick {plane} slices", "slice thickness, mm"
    return Stress(f"{plane}_slices", "slices", title, unit, 0.0, 8.0, partial(_thick, sides=sides))


STRESSES = (
    Stress("noise", "noise", "Noise", "sd, share of intensity range", 0.0, 0.2, _noise),
    Stress("darker", "gamma", "Gamma, darker", "exponent", 1.0, 3.0, _gamma, geometric=True, of_mr=True),
    Stress("brighter", "gamma", "Gamma, brighter", "exponent", 1.0, 1 / 3, _gamma, geometric=True, of_mr=True),
    Stress("bias", "bias", "Bias field", "amplitude", 0.0, 0.6, _bias, of_mr=True),
    _slices("sagittal", "LR"),
    _slices("coronal", "PA"),
    _slices("axial", "IS"),
    Stress("motion", "motion", "Motion", "shift, mm, and turn, degrees", 0.0, 4.0, _motion),
    Stress("deformation", "deformation", "Deformation", "largest displacement, mm", 0.0, 6.0, _deformation),
    Stress("field_of_view", "field_of_view", "Cut field of view", "share of volume cut away", 0.0, 0.6, _field_of_view),
)
