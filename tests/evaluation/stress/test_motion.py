import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.transform import Rotation

from leanseg.evaluation.stress.motion import Motion, Pose, draw_motion, with_motion


def rng(seed=0):
    return np.random.default_rng(seed)


def blob(shape=(16, 15, 9)):
    grid = np.indices(shape) - (np.array(shape) / 2).reshape(3, 1, 1, 1)
    return (100 * np.exp(-(grid**2).sum(axis=0) / 12)).astype(np.float32)


@pytest.mark.parametrize("seed", range(4))
def test_every_pose_is_shifted_and_turned_by_exactly_what_is_said(seed):
    motion = draw_motion(3.0, 5.0, rng(seed))
    assert len(motion.poses) == 8
    for pose in motion.poses:
        assert np.linalg.norm(pose.shift) == pytest.approx(3)
        assert np.degrees(Rotation.from_matrix(pose.rotation).magnitude()) == pytest.approx(5)
        assert np.linalg.det(pose.rotation) == pytest.approx(1)


def test_a_pose_shifts_by_mm():
    """Read wholly in one pose, the scan is moved: here the part at rest is put in the same pose."""
    image, spacing = blob((17, 17, 17)), (2.0, 1.0, 1.0)
    pose = Pose(np.array([4.0, -1.0, 0.0]), np.eye(3))
    from leanseg.evaluation.stress.motion import _placed

    placed = _placed(image, spacing, pose)
    np.testing.assert_allclose(placed[6:14, 4:12, 4:12], np.roll(image, (2, -1), (0, 1))[6:14, 4:12, 4:12], atol=1e-4)


@pytest.mark.parametrize("axis", range(3))
def test_lines_of_k_space_come_from_the_pose_they_were_read_in(axis):
    """With Fourier's matrix in float64, and each line's part counted by hand."""
    image = blob()
    size = image.shape[axis]
    poses = draw_motion(2.0, 4.0, rng(1)).poses
    frequency = np.array([line if line <= (size - 1) // 2 else line - size for line in range(size)])
    matrix = np.exp(-2j * np.pi * np.outer(np.arange(size), np.arange(size)) / size)
    spectra = [np.tensordot(matrix, np.moveaxis(copy, axis, 0), 1) for copy in (image, *copies(image, poses))]
    mixed = np.empty_like(spectra[0])
    for line in range(size):
        part = int(np.floor(8 * (frequency[line] / size + 0.5) + 0.5))
        source = 0 if part == 4 else 1 + [0, 1, 2, 3, 5, 6, 7, 8].index(part)
        mixed[line] = spectra[source][line]
    expected = np.moveaxis(np.abs(np.tensordot(matrix.conj() / size, mixed, 1)), 0, axis)
    found = with_motion(image, (1.0, 1.0, 1.0), Motion(axis, poses))
    np.testing.assert_allclose(found, expected, atol=1e-3)


def copies(image, poses):
    """The image in each pose: voxel x shows what was at R^-1 (x - c - t) + c."""
    centre = ((np.array(image.shape) - 1) / 2).reshape(3, 1)
    grid = np.indices(image.shape).reshape(3, -1)
    for pose in poses:
        source = np.linalg.inv(pose.rotation) @ (grid - centre - pose.shift.reshape(3, 1)) + centre
        yield ndimage.map_coordinates(image.astype(np.float64), source, order=1, mode="nearest").reshape(image.shape)


@pytest.mark.parametrize("shape", [(8, 9, 10), (11, 3, 1), (1, 1, 1)])
@pytest.mark.parametrize("axis", range(3))
def test_who_lies_still_is_seen_as_before(shape, axis):
    image = blob(shape)
    poses = draw_motion(0.0, 0.0, rng()).poses
    np.testing.assert_allclose(with_motion(image, (1, 1, 1), Motion(axis, poses)), image, atol=1e-3)


def test_an_even_scan_stays_even_and_signal_counts_from_zero():
    image = np.full((12, 12, 12), -700, np.float32)
    moved = with_motion(image, (1, 1, 1), draw_motion(4.0, 4.0, rng()), zero=-1000)
    np.testing.assert_allclose(moved, image, atol=0.01)


def test_more_motion_changes_more():
    image = blob()
    changes = [np.abs(with_motion(image, (1, 1, 1), draw_motion(mm, mm, rng(3))) - image).mean() for mm in (1, 2, 4)]
    assert changes == sorted(changes)
    assert changes[0] > 0
