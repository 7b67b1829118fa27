"""Sparse training: which kernels of a network are kept, and how they die and grow while it learns."""

from leanseg.learning.sparsity.figure import draw_history
from leanseg.learning.sparsity.selector import NothingToMaskError, select_layers
from leanseg.learning.sparsity.sparse_training import OtherMasksError, SparseTraining

__all__ = ["NothingToMaskError", "OtherMasksError", "SparseTraining", "draw_history", "select_layers"]
