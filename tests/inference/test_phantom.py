"""A made scan: noise in an ellipsoid."""

import nibabel
import numpy as np
import pytest

from leanseg.inference.phantom import write_phantom_scan
from leanseg.volumes import read_volume

SHAPE, SPACING = (40, 30, 20), (0.5, 0.8, 3.0)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("phantom") / "scan.nii.gz"
    write_phantom_scan(path, SHAPE, SPACING)
    return path


def test_size_and_spacing_are_those_of_the_header(file):
    image = nibabel.load(file)
    assert image.shape == SHAPE
    assert image.header.get_zooms() == pytest.approx(SPACING)
    assert image.get_data_dtype() == np.int16


def test_leanseg_reads_it(file):
    assert read_volume(file).array.shape == SHAPE


def test_air_is_constant_around_a_body_of_noise(file):
    array = np.asarray(nibabel.load(file).dataobj)
    x, y, z = ((np.indices(SHAPE).T + 0.5) / SHAPE - 0.5).T
    body = (x / 0.42) ** 2 + (y / 0.32) ** 2 + (z / 0.75) ** 2 < 1
    assert np.all(array[~body] == -1000)
    assert array[body].mean() == pytest.approx(40, abs=3)
    assert array[body].std() == pytest.approx(40, rel=0.05)
    assert len(np.unique(array[body])) > 100


def test_another_seed_makes_other_noise_in_the_same_body(file, tmp_path):
    write_phantom_scan(tmp_path / "other.nii.gz", SHAPE, SPACING, seed=1)
    first, other = (np.asarray(nibabel.load(path).dataobj) for path in (file, tmp_path / "other.nii.gz"))
    assert not np.array_equal(first, other)
    assert np.array_equal(first == -1000, other == -1000)
