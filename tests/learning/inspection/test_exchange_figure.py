import pytest
from PIL import Image

from leanseg.learning.inspection.exchange_figure import draw_exchanges, origin_name
from leanseg.learning.inspection.slice_exchange import Exchange


def layer(name, reach, weights=None):
    share = dict.fromkeys(range(-reach, reach + 1), 1 / (2 * reach + 1))
    return Exchange(name, "shift", 8, share, share, weights)


@pytest.mark.parametrize(
    ("origin", "said"),
    [
        (0, "kept: from the same slice"),
        (-1, "from the previous slice"),
        (1, "from the next slice"),
        (-2, "from 2 slices before"),
        (3, "from 3 slices after"),
    ],
)
def test_slices_are_named_by_where_they_lie(origin, said):
    assert origin_name(origin) == said


def test_there_is_a_row_for_every_layer_whatever_is_known_of_it(tmp_path):
    heights = []
    for layers in (
        [layer("a", 1)],
        [layer("a" * 60, 1, {-1: 0.2, 0: 0.5, 1: 0.3}), *(layer(f"$b{n}", 3) for n in range(9))],
    ):
        file = tmp_path / f"{len(layers)}.png"
        draw_exchanges(layers, file, title="$title_", about="about")
        with Image.open(file) as image:
            heights.append(image.height)
    assert heights[1] > heights[0]
