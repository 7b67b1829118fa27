"""What an exported graph is before any engine sees it: read from its bytes, every shape worked out, bounds kept.

Engines are written for graphs that converters made. On one that refers to itself, that lacks an input or whose tensors
grow from a few bytes to gigabytes, they crash, never return or fill the memory; and a hash that fits is no help
against whoever made the package. The onnx library is not used: prediction must not depend on it.
"""

from leanseg.packages.graphs.bounds import check_graph
from leanseg.packages.graphs.heads import cut_head
from leanseg.packages.graphs.multiplications import multiply_accumulates
from leanseg.packages.graphs.outside import refers_to_other_files
from leanseg.packages.graphs.protobuf import MalformedModelError

__all__ = ["MalformedModelError", "check_graph", "cut_head", "multiply_accumulates", "refers_to_other_files"]
