import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leanseg.evaluation import overlay
from leanseg.evaluation.overlay import Overlay, draw_overlay
from leanseg.evaluation.planes import cut_planes

AFFINE = np.diag([1.0, 2.0, 4.0, 1.0])


def one_corner():
    """A scan with a single labelled voxel."""
    labels = np.zeros((30, 40, 20), dtype=np.uint8)
    labels[-3, -5, -2] = 1
    return labels


def test_each_kind_of_voxel_has_its_own_colour():
    kinds = ("found", "missed", "added", "wrong class")
    masks = {name: np.arange(5)[None] == place for place, name in enumerate(kinds, start=1)}
    colours = overlay._colours(masks)[0]
    assert colours[0, 3] == 0
    assert len({tuple(colour) for colour in colours[1:]}) == 4


@given(seed=st.integers(0, 1000), rows=st.integers(1, 6), columns=st.integers(1, 6))
@settings(deadline=None, max_examples=40)
def test_outlines_run_between_all_different_neighbours(seed, rows, columns):
    labels = np.random.default_rng(seed).integers(0, 3, (rows, columns))
    step = (2.0, 0.5)
    expected = set()
    at = {(row, column): int(labels[row, column]) for row in range(rows) for column in range(columns)}
    for row in range(-1, rows + 1):
        for column in range(-1, columns + 1):
            here = at.get((row, column), 0)
            if here != at.get((row + 1, column), 0):  # a line below, (x, y) in mm
                expected.add(((column * 0.5, (row + 1) * 2.0), ((column + 1) * 0.5, (row + 1) * 2.0)))
            if here != at.get((row, column + 1), 0):  # a line on the right
                expected.add((((column + 1) * 0.5, row * 2.0), ((column + 1) * 0.5, (row + 1) * 2.0)))
    found = {tuple(tuple(map(float, end)) for end in segment) for segment in overlay._outline(labels, step)}
    assert found == expected


@pytest.mark.parametrize("classes", [1, 3, 60])
def test_any_number_of_classes_and_any_name_gives_a_picture(tmp_path, classes):
    from matplotlib.image import imread

    rng = np.random.default_rng(0)
    labels = rng.integers(0, classes + 1, (20, 18, 5)).astype(np.uint8)
    names = {f"left $structure_{value}": (value,) for value in range(1, classes + 1)}
    dice = dict.fromkeys(names, 0.5)
    case = Overlay(np.roll(labels, 1), labels, AFFINE, names, rng.normal(size=labels.shape))
    draw_overlay(case, tmp_path / "picture.png", title="Worst case: $x_1", dice=dice, noun="class")
    picture = imread(tmp_path / "picture.png")
    assert picture.shape[1] == 1430
    assert picture.std() > 0.05


def test_a_constant_scan_and_no_scan_are_drawn(tmp_path):
    labels = one_corner()
    for name, image in (("none", None), ("constant", np.full(labels.shape, 7.0))):
        case = Overlay(np.zeros_like(labels), labels, AFFINE, {"spot": (1,)}, image)
        draw_overlay(case, tmp_path / f"{name}.png", title="One case", dice={"spot": 0.0}, noun="class")
        assert (tmp_path / f"{name}.png").stat().st_size > 5000


def test_names_in_letters_that_the_font_lacks_and_in_no_encoding_are_drawn_in_silence(tmp_path):
    labels = one_corner()
    name = "\u6d77\u99ac \udcff \x00"
    case = Overlay(labels, labels, AFFINE, {name: (1,)})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw_overlay(case, tmp_path / "picture.png", title=name, dice={name: 1.0}, noun="class")
    assert (tmp_path / "picture.png").stat().st_size > 5000


def test_regions_are_called_regions():
    from matplotlib.figure import Figure

    figure = Figure()
    overlay._add_legend(figure, "region")
    told = [text.get_text() for text in figure.legends[0].get_texts()]
    assert told == ["reference", "found", "missed", "added", "wrong region"]
    dice = {f"part {value}": value / 100 for value in range(30)}
    text = " ".join(overlay._dice_lines(dice, "region"))
    assert "6\u00a0better\u00a0regions" in text
    assert "class" not in text


@pytest.mark.parametrize(("most", "drawn"), [(1000, True), (3, False)])
def test_an_outline_without_end_is_left_out_and_the_picture_says_so(monkeypatch, most, drawn):
    from matplotlib.figure import Figure

    monkeypatch.setattr(overlay, "MOST_EDGES", most)
    labels = one_corner()
    axes = Figure().add_subplot()
    overlay._draw_plane(axes, cut_planes(labels, labels, AFFINE, {"spot": (1,)})[0], 0.1, (0, 1))
    assert (len(axes.collections) > 0) == drawn
    assert ("too dense" in axes.get_title()) != drawn
