"""One 3D image and its geometry: strict readers and writers (NIfTI, MetaImage, NRRD), orientation."""

from leanseg.volumes.conform import BRAIN_SHAPE, Conformed, conform
from leanseg.volumes.errors import GeometryMismatchError, NotFiniteError
from leanseg.volumes.geometry import Geometry, require_same_grid
from leanseg.volumes.header import Header, smallest_integer
from leanseg.volumes.orientation import (
    check_orientation,
    from_orientation,
    left_right_axis,
    orientation_spacing,
    to_orientation,
)
from leanseg.volumes.reading import (
    SUFFIXES,
    default_max_voxels,
    files_of,
    read_channels,
    read_frames,
    read_header,
    read_labels,
    read_volume,
    stem_of,
    suffix_of,
)
from leanseg.volumes.volume import Volume
from leanseg.volumes.writing import write_vectors, write_volume

__all__ = [
    "BRAIN_SHAPE",
    "SUFFIXES",
    "Conformed",
    "Geometry",
    "GeometryMismatchError",
    "Header",
    "NotFiniteError",
    "Volume",
    "check_orientation",
    "conform",
    "default_max_voxels",
    "files_of",
    "from_orientation",
    "left_right_axis",
    "orientation_spacing",
    "read_channels",
    "read_frames",
    "read_header",
    "read_labels",
    "read_volume",
    "require_same_grid",
    "smallest_integer",
    "stem_of",
    "suffix_of",
    "to_orientation",
    "write_vectors",
    "write_volume",
]
