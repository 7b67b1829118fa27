import numpy as np
import pytest
from PIL import Image

from leanseg.learning.inspection.receptive_field import ReceptiveField
from leanseg.learning.inspection.receptive_field_figure import draw_receptive_field


def blob(shape, sd):
    axes = [np.exp(-(((np.arange(size) - size // 2) / sd) ** 2)) for size in shape]
    return (axes[0][:, None, None] * axes[1][:, None] * axes[2])[None]


def drawn(field, path):
    scan = np.zeros(field.mass.shape[1:], dtype=np.float32)
    draw_receptive_field(field, scan, (0.0, 1.0), "SAR", path, title="$x_", about="about")
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize("shape", [(8, 30, 20), (1, 16, 16)])
@pytest.mark.parametrize("sd", [0.01, 3.0])
def test_a_point_and_a_wide_field_are_drawn_at_any_size(shape, sd, tmp_path):
    assert drawn(ReceptiveField.of([blob(shape, sd)], (4.0, 1.0, 1.0)), tmp_path / "field.png").shape[1] > 1000


def test_a_wider_field_colours_more(tmp_path):
    coloured = []
    for sd in (1.0, 5.0):
        picture = drawn(ReceptiveField.of([blob((24, 24, 24), sd)], (1.0, 1.0, 1.0)), tmp_path / "field.png").astype(
            int
        )
        planes = picture[:, : int(0.6 * picture.shape[1])]
        coloured.append(int((np.ptp(planes, axis=2) > 60).sum()))
    assert coloured[1] > 2 * coloured[0]
