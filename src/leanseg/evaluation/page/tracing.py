"""From voxels to lines: the borders between different labels as few, long SVG path commands.

A border runs along voxel edges. Each of its unit steps has the larger label on its right hand, so that the steps around
a region of a mask close to loops, which fill exactly that region, holes included.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

_Corner = tuple[int, int]  # x, y in voxels


def border_path(labels: NDArray[Any]) -> str:
    """Return the path data of the borders between different numbers in `labels` [row, column], in units of voxels.

    Beyond the array is 0. Every border is drawn once. Of a mask the path also fills the mask, by either fill rule.
    """
    return "".join(_commands(chain) for chain in _chains(_steps(np.pad(labels, 1).astype(np.int64))))


def border_length(labels: NDArray[Any]) -> int:
    """Return the length of `border_path(labels)` in voxel edges, at little cost: that of the path grows with it."""
    padded = np.pad(labels, 1)
    return sum(int(np.count_nonzero(np.diff(padded, axis=axis))) for axis in range(2))


def _steps(padded: NDArray[np.int64]) -> dict[_Corner, list[_Corner]]:
    """Return the ends of the unit steps that start at each corner."""
    below, right = np.diff(padded, axis=0), np.diff(padded, axis=1)
    # The edge below the voxel (row, column) of `padded` runs from (column - 1, row) to (column, row), and so on.
    row, column = np.nonzero(below)
    larger_below = below[row, column] > 0
    along = np.stack([column - 1, row, column, row], axis=1)
    along[~larger_below] = along[~larger_below][:, [2, 3, 0, 1]]
    row, column = np.nonzero(right)
    larger_left = right[row, column] < 0
    down = np.stack([column, row - 1, column, row], axis=1)
    down[~larger_left] = down[~larger_left][:, [2, 3, 0, 1]]
    steps: dict[_Corner, list[_Corner]] = {}
    for x0, y0, x1, y1 in np.concatenate([along, down]).tolist():
        steps.setdefault((x0, y0), []).append((x1, y1))
    return steps


def _chains(steps: dict[_Corner, list[_Corner]]) -> Iterator[list[_Corner]]:
    """Link the steps, each used once, to chains of corners; `steps` is used up."""
    arriving: dict[_Corner, int] = {}
    for ends in steps.values():
        for end in ends:
            arriving[end] = arriving.get(end, 0) + 1
    # Where three regions meet more steps may start than end: a chain from there is longer than one through there.
    starts = sorted(steps, key=lambda corner: len(steps[corner]) <= arriving.get(corner, 0))
    for start in starts:
        while steps[start]:
            chain = [start]
            while steps.get(chain[-1]):
                chain.append(steps[chain[-1]].pop())
            yield chain


def _commands(chain: list[_Corner]) -> str:
    """Write a chain of corners as path data: a move, then one command per straight run."""
    (x, y), *_ = chain
    parts = [f"M{x} {y}"]
    run: _Corner = (0, 0)
    for (x0, y0), (x1, y1) in pairwise(chain):
        step = (x1 - x0, y1 - y0)
        if run != (0, 0) and (step[0] == 0) != (run[0] == 0):
            parts.append(_run(run))
            run = (0, 0)
        run = (run[0] + step[0], run[1] + step[1])
    closed = chain[0] == chain[-1]
    return "".join([*parts, "z" if closed else _run(run)])


def _run(run: _Corner) -> str:
    return f"h{run[0]}" if run[0] else f"v{run[1]}"
