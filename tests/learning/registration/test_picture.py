"""The picture of a registration."""

import numpy as np
import pytest
from PIL import Image

from leanseg.learning.registration.picture import Pictured, draw_registration
from leanseg.learning.registration.scan import affine_of
from leanseg.learning.registration.warping import MatrixMap
from leanseg.volumes import Geometry


def drawn(tmp_path, shape, spacing, before, after):
    geometry = Geometry(shape, np.diag([*spacing, 1.0]))
    fixed = np.ones(shape, np.float32)
    fixed[0, 0, 0] = 0
    found = MatrixMap(np.eye(4), shape[::-1])
    path = tmp_path / "picture.png"
    draw_registration(Pictured(fixed, before * fixed, after * fixed, geometry, found, affine_of(geometry)), path)
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


@pytest.mark.parametrize(
    ("shape", "spacing"),
    [((30, 20, 25), (1, 1, 1)), ((6, 32, 32), (8.5, 8, 8)), ((45, 45, 2), (5, 5, 37.5)), ((4, 4, 90), (1, 1, 4))],
)
def test_a_picture_is_made_of_any_shape(tmp_path, shape, spacing):
    picture = drawn(tmp_path, shape, spacing, 1.0, 1.0)
    assert picture.shape[1] == 990
    assert picture.shape[0] < 2000


def test_the_grid_is_drawn_in_its_colour(tmp_path):
    picture = drawn(tmp_path, (30, 20, 25), (1, 1, 1), 1.0, 1.0)
    orange = np.abs(picture - [0xE6, 0x9F, 0x00]).sum(-1) < 60
    rows = np.flatnonzero(orange.any(1))
    assert rows.min() > 0.6 * len(picture)
