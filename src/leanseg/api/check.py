"""Every problem of a data set in one pass: `leanseg.check`."""

from leanseg.api.named_dataset import open_named
from leanseg.api.paths import PathLike
from leanseg.datasets import CheckReport, check_dataset
from leanseg.progress import Progress


def check(
    dataset: PathLike | None = None,
    *,
    images: PathLike | None = None,
    labels: PathLike | None = None,
    subject_pattern: str | None = None,
    progress: Progress | None = None,
) -> CheckReport:
    """Return everything that is wrong with a data set; `passed` tells whether it can be trained on.

    dataset: a folder in the layout of the Medical Segmentation Decathlon or of nnU-Net v2 (raw). images, labels: in
    its place, a folder of scans and one of label maps of the same names. subject_pattern: regular expression that
    finds the patient in a case's name. Raises an InputError when there is no such data set; what is in its files is
    for the report to say.
    """
    opened = open_named(dataset, images, labels, subject_pattern, progress)
    return check_dataset(opened, progress)
