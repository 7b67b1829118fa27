"""How intensities are normalised, channel by channel, and whether empty margins are cropped."""

from leanseg.datasets.fingerprint import ChannelFingerprint, Fingerprint
from leanseg.plans import Normalisation

_MOSTLY_EMPTY = 0.25  # share of the value in the corners from which a scan's background was removed on purpose
_WORTH_CROPPING = 0.9  # cropping to the content must save at least a tenth of the voxels


def choose_crop(fingerprint: Fingerprint) -> tuple[bool, str]:
    """Return whether to work on the box of what is not background only, and why.

    That is where it saves work and no labelled voxel of the training cases lies outside.
    """
    share = fingerprint.content_share
    if not 0 < share < _WORTH_CROPPING:
        return False, f"Not cropped: boxes without background would hold {share:.0%} of all voxels."
    if lost := lost_by_cropping(fingerprint):
        return False, f"Not cropped, though that would save {1 - share:.0%} of all voxels: {lost}."
    return True, (
        f"Cropped to what is not background (the value in the corners): {share:.0%} of all voxels, "
        "which hold every labelled one."
    )


def lost_by_cropping(fingerprint: Fingerprint) -> str:
    """Return which labelled voxels the boxes without background leave out; nothing where they hold them all."""
    cases = [case for case in fingerprint.cases if case.cropped]
    if not cases:
        return ""
    worst = max(cases, key=lambda case: case.cropped)
    voxels, number = sum(case.cropped for case in cases), len(cases)
    return (
        f"{voxels:,} labelled voxels of {number} case{'s' * (number != 1)} lie outside the box without background, "
        f"most of them in {worst.name} ({worst.cropped:,})"
    )


def choose_normalisation(channel: ChannelFingerprint) -> tuple[Normalisation, str]:
    """Return how to normalise one channel, and why. CT is known by its name."""
    if channel.name.strip().upper() == "CT":
        return clipping(channel)
    return _by_scan(channel)


def clipping(channel: ChannelFingerprint) -> tuple[Normalisation, str]:
    """Return how to normalise one channel of CT, and why; without spread in its labelled voxels like any other."""
    low, high = channel.foreground_percentile_00_5, channel.foreground_percentile_99_5
    mean, sd = channel.foreground_mean, channel.foreground_sd
    if sd <= 0 or low >= high:
        return _by_scan(channel)
    why = (
        f"Channel {channel.name}: clipped to {low:.5g} .. {high:.5g} (percentiles 0.5, 99.5 of labelled voxels), "
        f"then by their mean {mean:.4g} and sd {sd:.4g}, because CT values are absolute."
    )
    return Normalisation(scheme="clip", low=low, high=high, mean=mean, sd=sd), why


def _by_scan(channel: ChannelFingerprint) -> tuple[Normalisation, str]:
    if channel.background_share >= _MOSTLY_EMPTY:
        why = (
            f"Channel {channel.name}: mean and sd of each scan's voxels that are not background, "
            f"because {channel.background_share:.0%} of all have exactly the value in the corners."
        )
        return Normalisation(scheme="zscore_content"), why
    why = f"Channel {channel.name}: mean and sd of each scan, because its intensities have no absolute meaning."
    return Normalisation(scheme="zscore"), why
