import numpy as np
import pytest

from leanseg.evaluation.planes import cut_planes, grey_window, scale_bar

ORIENTATIONS = {"RAS": np.diag([1.0, 2.0, 4.0, 1.0]), "LPI": np.diag([-1.0, -2.0, -4.0, 1.0])}
CLASSES = {"one": (1,), "two": (2,)}
TUMOUR = {"whole": (1, 2, 3), "core": (1, 3), "enhancing": (3,)}


def one_corner(orientation):
    """A scan whose single labelled voxel lies far Right, Anterior and Superior."""
    labels = np.zeros((30, 40, 20), dtype=np.uint8)
    labels[(-3, -5, -2) if orientation == "RAS" else (2, 4, 1)] = 1
    return labels


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_planes_hang_as_a_radiologist_hangs_them(orientation):
    labels = one_corner(orientation)
    planes = cut_planes(labels, labels, ORIENTATIONS[orientation], CLASSES, labels * 10)
    spots = {plane.name: tuple(int(at[0]) for at in np.nonzero(plane.reference)) for plane in planes}
    # (row from the top, column from the left): 2 voxels from the Right, 4 from Anterior, 1 from Superior.
    assert spots == {"axial": (4, 2), "coronal": (1, 2), "sagittal": (1, 4)}
    assert {plane.name: plane.letters for plane in planes} == {"axial": "RLAP", "coronal": "RLSI", "sagittal": "APSI"}
    assert {plane.name: (plane.at, plane.slices) for plane in planes} == {
        "axial": (2, 20),
        "coronal": (5, 40),
        "sagittal": (3, 30),
    }
    assert all(np.array_equal(plane.image, plane.reference * 10) for plane in planes)


def test_planes_keep_the_shape_that_the_body_has():
    labels = one_corner("RAS")
    planes = cut_planes(labels, labels, ORIENTATIONS["RAS"], CLASSES)
    for plane, (down, across) in zip(planes, ((2, 1), (4, 1), (4, 2)), strict=True):
        assert plane.step == (down, across)
        rows, columns = plane.reference.shape
        assert plane.size == (rows * down, columns * across)
        assert plane.image is None


def plane_of(prediction, reference, targets):
    return cut_planes(np.array([[prediction]]).T, np.array([[reference]]).T, np.eye(4), targets)[0]


def test_each_voxel_is_found_missed_added_or_of_the_wrong_class():
    plane = plane_of([0, 1, 0, 2, 2, 9], [0, 1, 1, 0, 1, 9], CLASSES)
    kinds = {name: np.flatnonzero(mask[0, ::-1]).tolist() for name, mask in plane.masks().items()}
    assert kinds == {"found": [1], "missed": [2], "added": [3], "wrong class": [4]}


def test_values_of_the_same_regions_are_the_same():
    # 1 is in the whole and the core, as one and the same; 3 is in the enhancing part too.
    plane = plane_of([1, 1, 2, 3], [1, 3, 1, 0], TUMOUR)
    kinds = {name: np.flatnonzero(mask[0, ::-1]).tolist() for name, mask in plane.masks().items()}
    assert kinds == {"found": [0], "missed": [], "added": [3], "wrong class": [1, 2]}
    same = plane_of([4, 1], [1, 4], {"whole": (1, 2, 4), "core": (1, 4)})
    assert same.masks()["found"].all()


def test_two_empty_label_maps_have_planes_too():
    empty = np.zeros((4, 5, 6), dtype=np.uint8)
    assert [plane.reference.shape for plane in cut_planes(empty, empty, np.eye(4), CLASSES)] == [(5, 4), (6, 4), (6, 5)]


def test_the_grey_window_leaves_out_the_brightest_voxels_and_is_never_empty():
    image = np.zeros((100, 100, 10))
    image[:50] = np.linspace(0, 100, 50)[:, None, None]
    image[0, 0, 0] = 1e6
    low, high = grey_window(image)
    assert (low, high) == (0, 100)
    assert grey_window(np.full((3, 3, 3), 7.0)) == (7, 8)


def test_the_scale_bar_is_round_and_fits():
    labels = one_corner("RAS")
    planes = cut_planes(labels, labels, ORIENTATIONS["RAS"], CLASSES)
    narrowest = min(plane.size[1] for plane in planes)
    assert scale_bar(planes) in (5, 10)
    assert scale_bar(planes) <= 0.4 * narrowest


@pytest.mark.parametrize(("size", "length"), [(0.6, 0.2), (0.05, 0.02), (1.0, 0.2), (2.5, 1), (12.5, 5), (7000, 2000)])
def test_the_scale_bar_of_small_and_large_images_is_round_and_fits(size, length):
    labels = np.ones((10, 10, 10), dtype=np.uint8)
    planes = cut_planes(labels, labels, np.diag([size / 10] * 3 + [1.0]), CLASSES)
    assert scale_bar(planes) == length
