"""Which structures a brain is divided into, by the atlases that people use: one JSON file each, and their reader."""

from leanseg.datasets.label_lists.label_list import (
    LabelList,
    Structure,
    UnknownLabelListError,
    label_list,
    label_list_names,
)

__all__ = ["LabelList", "Structure", "UnknownLabelListError", "label_list", "label_list_names"]
