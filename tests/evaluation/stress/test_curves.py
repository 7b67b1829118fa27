import numpy as np
import pytest
from PIL import Image

from leanseg.evaluation.statistics import Summary
from leanseg.evaluation.stress.catalogue import STRESSES
from leanseg.evaluation.stress.curves import Panel, draw_curves

NAN = float("nan")


def panel(stress, names, *, interval=True, attainable=1.0, label=""):
    ends = (lambda mean: (mean - 0.05, mean + 0.05)) if interval else (lambda _: (NAN, NAN))
    lines = {
        name: [Summary(5, mean, mean, 0.1, *ends(mean)) for mean in np.linspace(0.9, 0.5, 3) - 0.05 * number]
        for number, name in enumerate(names)
    }
    return Panel(stress, stress.severities(2), lines, np.array([1, attainable, attainable]), label)


@pytest.mark.parametrize("interval", [True, False])
def test_a_picture_is_written_as_svg_and_png(tmp_path, interval):
    draw_curves([[panel(stress, ["a", "b"], interval=interval) for stress in STRESSES]], tmp_path / "curves")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["curves.png", "curves.svg"]
    with Image.open(tmp_path / "curves.png") as picture:
        assert len(picture.convert("RGB").getcolors(1 << 20)) > 20


def test_the_same_curves_are_the_same_file(tmp_path):
    for name in ("one", "two"):
        draw_curves([[panel(STRESSES[0], ["a", "b"], attainable=0.7)]], tmp_path / name)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()


@pytest.mark.filterwarnings("error")
def test_names_are_no_formulas_and_may_be_in_any_letters(tmp_path):
    names = ["$x_{", "long" * 30, "\u6d77\u99ac", "caf\udce9"]
    draw_curves([[panel(STRESSES[0], names, label="$\\frac$")], [panel(STRESSES[0], names)]], tmp_path / "curves")
    assert (tmp_path / "curves.png").is_file()


def test_many_stresses_and_classes_are_broken_into_blocks_of_one_width(tmp_path):
    for name, labels in (("one", ["grey"]), ("two", ["grey", "white"])):
        draw_curves([[panel(stress, ["a"], label=label) for stress in STRESSES] for label in labels], tmp_path / name)
    sizes = []
    for name in ("one", "two"):
        with Image.open(tmp_path / f"{name}.png") as picture:
            sizes.append(picture.size)
    assert sizes[0][0] == sizes[1][0] < 10 * 200  # inches at 200 dots
    assert sizes[1][1] > 1.6 * sizes[0][1]


def test_curves_that_count_nowhere_are_left_empty(tmp_path):
    lines = {"a": [Summary(0, NAN, NAN, NAN, NAN, NAN)] * 3}
    draw_curves([[Panel(STRESSES[0], (0, 0.1, 0.2), lines, np.full(3, NAN))]], tmp_path / "curves")
    assert (tmp_path / "curves.png").is_file()
