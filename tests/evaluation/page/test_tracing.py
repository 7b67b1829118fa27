import re
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from matplotlib.path import Path

from leanseg.evaluation.page.tracing import border_length, border_path

masks = arrays.arrays(bool, arrays.array_shapes(min_dims=2, max_dims=2, max_side=9))
labels = arrays.arrays(np.int64, arrays.array_shapes(min_dims=2, max_dims=2, max_side=7), elements=st.integers(0, 4))


def chains(path):
    """Return the corners of each subpath, as an SVG renderer walks them."""
    found = []
    for command, numbers in re.findall(r"([Mhvz])([-\d ]*)", path):
        values = [int(number) for number in numbers.split()]
        if command == "M":
            found.append([tuple(values)])
        elif command == "z":
            found[-1].append(found[-1][0])
        else:
            x, y = found[-1][-1]
            found[-1].append((x + values[0], y) if command == "h" else (x, y + values[0]))
    return found


def unit_steps(corners):
    """Split a chain into steps of one voxel edge, each as a pair of corners without direction."""
    for (x0, y0), (x1, y1) in pairwise(corners):
        assert (x0 == x1) != (y0 == y1)
        length = abs(x1 - x0) + abs(y1 - y0)
        along = [(x0 + (x1 - x0) * k // length, y0 + (y1 - y0) * k // length) for k in range(length + 1)]
        yield from (frozenset(pair) for pair in pairwise(along))


@given(labels=labels)
def test_each_edge_between_different_labels_is_drawn_once_and_no_other(labels):
    rows, columns = labels.shape
    at = {(row, column): int(labels[row, column]) for row in range(rows) for column in range(columns)}
    expected = []
    for row in range(-1, rows):
        for column in range(-1, columns):
            here = at.get((row, column), 0)
            if here != at.get((row + 1, column), 0):
                expected.append(frozenset({(column, row + 1), (column + 1, row + 1)}))
            if here != at.get((row, column + 1), 0):
                expected.append(frozenset({(column + 1, row), (column + 1, row + 1)}))
    drawn = [step for chain in chains(border_path(labels)) for step in unit_steps(chain)]
    assert sorted(map(sorted, drawn)) == sorted(map(sorted, expected))
    assert border_length(labels) == len(expected)


@given(mask=masks)
@settings(deadline=None)
def test_the_path_of_a_mask_fills_the_mask(mask):
    rows, columns = mask.shape
    x, y = np.meshgrid(np.arange(columns) + 0.5, np.arange(rows) + 0.5)
    middles = np.stack([x.ravel(), y.ravel()], axis=1)
    crossings = np.zeros(len(middles), dtype=int)
    for chain in chains(border_path(mask)):
        assert chain[0] == chain[-1]
        crossings += Path(chain).contains_points(middles)
    # By the even-odd rule. That the loops of a hole run the other way is the other rule, below.
    assert np.array_equal((crossings % 2 == 1).reshape(mask.shape), mask)


@given(mask=masks)
def test_loops_around_holes_run_the_other_way(mask):
    """The signed area of all loops is the number of voxels, as the nonzero rule needs it."""
    area = 0
    for chain in chains(border_path(mask)):
        area += sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in pairwise(chain))
    assert area == 2 * mask.sum()


def test_straight_runs_are_one_command():
    assert border_path(np.ones((3, 5))) in {"M0 0h5v3h-5z", "M5 0v3h-5v-3z", "M5 3h-5v-3h5z", "M0 3v-3h5v3z"}
    assert border_path(np.zeros((3, 3))) == ""
