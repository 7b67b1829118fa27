import pytest
import torch

from leanseg.learning.layers import FusionTensor
from leanseg.learning.sparsity.figure import draw_history
from leanseg.learning.sparsity.history import History, read_history
from leanseg.learning.sparsity.selector import Layer

LAYERS = (
    Layer(
        "fuse", (2, 6, 1, 3, 3), False,
        FusionTensor(1, 2, "fusion", (("forward", 0, 2), ("upward", 2, 4), ("downward", 4, 6))),
    ),
    Layer("second", (2, 2, 1, 3, 3), False, FusionTensor(1, 2, "fusion", (("node", 0, 2),))),
    Layer("up", (4, 2, 2, 2, 2), True, FusionTensor(1, 2, "upward", (("upward", 3, 4),))),
    Layer("plain", (2, 2, 3, 3), False),
)  # fmt: skip


def masks(**alive):
    """Masks in which the kernels (row, column) that are named live, by layer."""
    found = {}
    for layer in LAYERS:
        found[layer.name] = torch.zeros(layer.shape[:2], dtype=torch.bool)
        for kernel in alive.get(layer.name, ()):
            found[layer.name][kernel] = True
    return found


FIRST = {"fuse": [(0, 0), (1, 1), (0, 2), (1, 5)], "second": [(0, 0)], "up": [(3, 0), (3, 1)], "plain": [(0, 0)]}
SECOND = {"fuse": [(0, 0), (0, 1), (1, 2), (1, 3)], "second": [(0, 0)], "up": [(3, 0), (2, 1)], "plain": [(0, 0)]}


@pytest.fixture
def history():
    history = History(LAYERS, masks(**FIRST))
    history.note(7, 0.25, 0.5, 4, masks(**SECOND))
    return history


def columns(history):
    return {name: [row[number] for row in history.rows] for number, name in enumerate(history.columns)}


def test_shares_are_counted_by_node_and_flow(history):
    found = columns(history)
    assert found["x1_2/forward"] == [2 / 4, 2 / 4]
    assert found["x1_2/upward"] == [1 / 4, 2 / 4]
    assert found["x1_2/downward"] == [1 / 4, 0]
    assert found["x1_2/node"] == [1 / 4, 1 / 4]
    assert found["x1_2/transposed"] == [2 / 2, 1 / 2]  # its input channels come first


def test_survival_and_exploration_are_counted_over_all_kernels(history):
    found = columns(history)
    kernels = 12 + 4 + 8 + 4
    assert found["density"] == [8 / kernels, 8 / kernels]
    assert found["survival"] == [1, 4 / 8]  # (0, 0) of fuse, second and plain, (3, 0) of up
    assert found["exploration"] == [8 / kernels, 12 / kernels]
    history.note(9, 0.3, 0.5, 4, masks(**FIRST))  # those that come back are no survivors
    assert columns(history)["survival"][-1] == 4 / 8


def test_a_history_goes_on_from_stored_state(history):
    other = History(LAYERS, masks(**SECOND))
    other.restore(history.state())
    for one in (history, other):
        one.note(9, 0.5, 0.25, 2, masks(**FIRST))
    assert other.rows == history.rows


def test_the_table_on_disk_holds_every_number(history, tmp_path):
    history.write(tmp_path / "sparsity.csv")
    found = read_history(tmp_path / "sparsity.csv")
    assert list(found) == history.columns
    assert found["step"] == [0, 7]
    for name, values in columns(history).items():
        assert found[name] == pytest.approx(values, rel=1e-9)


def test_every_node_is_in_the_picture_with_the_flows_it_fuses(history, tmp_path):
    history.write(tmp_path / "sparsity.csv")
    draw_history(tmp_path / "sparsity.csv", tmp_path / "sparsity.svg")
    drawn = (tmp_path / "sparsity.svg").read_text()
    for text in ("level 1, stage 2", "forward", "upward", "downward", "survival", "exploration"):
        assert f"<!-- {text} -->" in drawn
    assert "level 0" not in drawn
    assert "<!-- node -->" not in drawn  # a layer of one flow has always the same density


def test_a_network_without_flows_has_a_picture_too(tmp_path):
    History(LAYERS[3:], {"plain": masks(**FIRST)["plain"]}).write(tmp_path / "sparsity.csv")
    draw_history(tmp_path / "sparsity.csv", tmp_path / "sparsity.svg")
    assert "<!-- density -->" in (tmp_path / "sparsity.svg").read_text()
