"""SimpleITK reads the displacement field as we mean it."""

import numpy as np
import SimpleITK as sitk

from leanseg.learning.registration.displacement_file import write_displacement
from leanseg.learning.registration.scan import affine_of
from leanseg.learning.registration.warping import warp_scan
from leanseg.volumes import Geometry, write_volume


class Curved:
    """A map that is no affine."""

    folding = 0.0
    similarity = (0.0, 0.0)

    def __init__(self, matrix, shape):
        points = np.concatenate([np.indices(shape), np.ones((1, *shape))])
        self.points = np.einsum("ij,jdhw->idhw", matrix, points)[:3].astype(np.float32)
        self.points[0] += 0.8 * np.sin(np.indices(shape)[1] / 2)

    def full_coordinates(self, slices):
        return self.points[:, slices]


def test_simpleitk_pulls_the_moving_scan_to_the_same_place(tmp_path, blobs):
    fixed = Geometry((12, 9, 20), np.array([[-1.0, 0, 0, 5], [0, 0, 1.5, -4], [0, 2, 0, 7], [0, 0, 0, 1]]))
    moving = Geometry((14, 16, 18), np.array([[1.2, 0, 0, -9], [0, 1, 0, -3], [0, 0, 1.1, 5], [0, 0, 0, 1]]))
    scan = blobs(moving.shape).astype(np.float32)
    found = Curved(np.linalg.inv(affine_of(moving)) @ affine_of(fixed), fixed.shape[::-1])
    write_volume(tmp_path / "moving.nii.gz", scan, moving)
    write_volume(tmp_path / "fixed.nii.gz", np.zeros(fixed.shape, np.float32), fixed)
    write_displacement(tmp_path / "displacement.nii.gz", found, fixed, moving)
    field = sitk.ReadImage(str(tmp_path / "displacement.nii.gz"), sitk.sitkVectorFloat64)
    assert field.GetNumberOfComponentsPerPixel() == 3
    lowest = float(scan.min())
    theirs = sitk.Resample(
        sitk.ReadImage(str(tmp_path / "moving.nii.gz")),
        sitk.ReadImage(str(tmp_path / "fixed.nii.gz")),
        sitk.DisplacementFieldTransform(field),
        sitk.sitkLinear,
        lowest,
    )
    ours = warp_scan(scan.T, found, fixed.shape[::-1])
    points, limits = found.points, np.array(moving.shape[::-1]).reshape(3, 1, 1, 1) - 1
    inside = ((points >= 0) & (points <= limits)).all(0)
    assert inside.mean() > 0.2
    assert np.allclose(sitk.GetArrayFromImage(theirs)[inside], ours[inside], atol=1e-3)
