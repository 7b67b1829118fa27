import numpy as np
import pytest
from PIL import Image

from leanseg.learning.inspection.offsets import Offsets
from leanseg.learning.inspection.offsets_figure import draw_offsets, drawn_voxels, magnification, own_names, step_of
from leanseg.learning.inspection.views import views

SPACING = (1.0, 1.0, 2.0)


def layer(shape, scale, name="stages.0.0.mixer", seed=0):
    moves = np.random.default_rng(seed).normal(size=(27, 3, *shape)).astype(np.float32) * scale
    return Offsets(name, moves, 3)


def test_steps_are_those_of_the_feature_map():
    assert step_of(layer((4, 8, 4), 1), (16, 16, 16), SPACING) == (4.0, 2.0, 8.0)


@pytest.mark.parametrize(("scale", "expected"), [(0, 1), (10, 1), (0.3, 1), (0.01, 20), (0.0001, 2000)])
def test_arrows_are_lengthened_by_a_round_factor_only_where_they_would_not_be_seen(scale, expected):
    assert magnification(layer((6, 6, 6), scale)) == expected


def test_drawn_voxels_lie_in_the_scan_and_their_taps_do_not_meet():
    scan = np.full((24, 24, 24), np.nan, dtype=np.float32)
    scan[6:20, 4:20, 8:20] = 1
    found = layer((12, 12, 12), 1)
    for view in views("SAR", (1.0, 1.0, 1.0)):
        voxels = np.array(drawn_voxels(found, view, scan))
        assert (voxels[:, view.normal] == 6).all()
        for axis in {0, 1, 2} - {view.normal}:
            inside = np.flatnonzero(np.isfinite(scan).any(axis=tuple({0, 1, 2} - {axis}))) / 2
            assert voxels[:, axis].min() >= np.floor(inside.min())
            assert voxels[:, axis].max() <= inside.max()
            apart = np.diff(np.unique(voxels[:, axis]))
            assert (apart >= 3).all()


def test_names_lose_what_all_layers_share():
    assert own_names(["encoder.stages.0.0.mixer", "encoder.stages.0.1.mixer"]) == ["0.0", "0.1"]
    assert own_names(["stages.0.0.mixer"]) == ["stages.0.0.mixer"]
    assert own_names(["a", "a.b"]) == ["a", "a.b"]


def test_there_is_a_row_for_each_size_of_feature_map(tmp_path):
    scan = np.random.default_rng(0).normal(size=(16, 16, 16)).astype(np.float32)
    heights = []
    for layers in ([layer((8, 8, 8), 0.1)], [layer((8, 8, 8), 0.1), layer((4, 4, 4), 0.0, "stages.1.0.mixer")]):
        file = tmp_path / f"{len(layers)}.png"
        draw_offsets(layers, scan, (-2.0, 2.0), (1.0, 1.0, 1.0), "SAR", file, title="$title", about="about_")
        with Image.open(file) as image:
            heights.append(image.height)
    assert heights[1] > 1.5 * heights[0]
