"""Many cases: where their files lie, what is wrong with them, what they look like, how they are split."""

from leanseg.datasets.cases import Case, Dataset
from leanseg.datasets.layouts import open_dataset
from leanseg.datasets.splits import Fold, Splits, make_splits, read_splits, write_splits
from leanseg.datasets.subjects import with_subjects

__all__ = [
    "Case",
    "Dataset",
    "Fold",
    "Splits",
    "make_splits",
    "open_dataset",
    "read_splits",
    "with_subjects",
    "write_splits",
]
