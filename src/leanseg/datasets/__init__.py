"""Many cases: where their files lie, what is wrong with them, what they look like, how they are split."""

from leanseg.datasets.cache_folder import cache_folder
from leanseg.datasets.cases import Case, Dataset
from leanseg.datasets.checking import CheckReport, Problem, check_dataset
from leanseg.datasets.fingerprint import Fingerprint, fingerprint
from leanseg.datasets.folders import classes_in, open_folders
from leanseg.datasets.label_lists import LabelList, label_list, label_list_names
from leanseg.datasets.layouts import open_dataset
from leanseg.datasets.measurement import NoLabelError
from leanseg.datasets.parallel import in_order, workers_for
from leanseg.datasets.scans import find_cases
from leanseg.datasets.splits import (
    Fold,
    Splits,
    TooFewSubjectsError,
    make_splits,
    read_splits,
    unvalidated_splits,
    without_test_cases,
    write_splits,
)
from leanseg.datasets.subjects import with_subjects
from leanseg.datasets.targets import Region, Targets

__all__ = [
    "Case",
    "CheckReport",
    "Dataset",
    "Fingerprint",
    "Fold",
    "LabelList",
    "NoLabelError",
    "Problem",
    "Region",
    "Splits",
    "Targets",
    "TooFewSubjectsError",
    "cache_folder",
    "check_dataset",
    "classes_in",
    "find_cases",
    "fingerprint",
    "in_order",
    "label_list",
    "label_list_names",
    "make_splits",
    "open_dataset",
    "open_folders",
    "read_splits",
    "unvalidated_splits",
    "with_subjects",
    "without_test_cases",
    "workers_for",
    "write_splits",
]
