"""What is said, and refused, about training pictures that are made up from labels."""

from leanseg.datasets.fingerprint import Fingerprint
from leanseg.errors import InputError
from leanseg.plans import Normalisation, RandomContrast

_FEW = 0.05  # share of a scan, its background left out, below which labels say little about the picture


class AbsoluteIntensitiesError(InputError):
    """Random contrast was asked for with a channel whose numbers mean the same in every scan."""

    def __init__(self, channel: str, scheme: str) -> None:
        super().__init__(
            what=f"--random-contrast: channel {channel} is normalised by scheme {scheme}, as CT is",
            why="its numbers mean the same in every scan: made-up ones would teach nothing, and scans of other "
            "contrast would be cut off in prediction",
            fix="leave --random-contrast out; if the channel is not CT, name it differently in dataset.json, and "
            "scans are normalised by their own mean and sd",
        )


def explain_contrast(
    contrast: RandomContrast | None, normalisation: list[Normalisation], fingerprint: Fingerprint
) -> list[str]:
    """Return what random contrast does with this data set; nothing without it. Raises AbsoluteIntensitiesError."""
    if contrast is None:
        return []
    for channel, scheme in zip(fingerprint.channels, normalisation, strict=True):
        if scheme.is_absolute:
            raise AbsoluteIntensitiesError(channel.name, scheme.scheme)
    sentence = (
        f"Random contrast: {contrast.probability:.0%} of the patches show made-up intensities. Labels name "
        f"{_labelled_share(fingerprint):.1%} of a scan's content; the rest is split into {contrast.unlabelled_parts} "
        "parts by its intensities."
    )
    return [sentence]


def few_labels(fingerprint: Fingerprint) -> str | None:
    """Return a warning where labels name so little of a scan that most of a made-up picture is guessed."""
    share = _labelled_share(fingerprint)
    if share >= _FEW:
        return None
    return (
        f"Warning: labels name {share:.1%} of a scan's content. With --random-contrast most of a picture is split by "
        "the scan's own intensities only, not by anatomy; naming more structures makes it better."
    )


def _labelled_share(fingerprint: Fingerprint) -> float:
    """Return which part of what is not empty background has a label."""
    labelled = sum([one.share for one in fingerprint.classes.values()][1:])
    content = 1 - min(channel.background_share for channel in fingerprint.channels)
    return min(1.0, labelled / content) if content > 0 else 1.0
