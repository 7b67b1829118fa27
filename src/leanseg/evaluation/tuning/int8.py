"""Graphs quantised to int8: tiles of real cases in, graphs out; NNCF works in a process of its own."""

import importlib.util
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from leanseg.datasets import Case
from leanseg.errors import InputError, installation
from leanseg.evaluation.tuning.cases import spread
from leanseg.evaluation.tuning.processes import run_module
from leanseg.inference.preprocessing import prepare
from leanseg.inference.sliding_window import pad_to_tile, windows
from leanseg.packages import Package
from leanseg.plans import Plan
from leanseg.storage import whole_folder, write_json
from leanseg.volumes import read_channels

_TILES = 24  # that ranges are taken from: more changes little, and each is computed once per network
_NEEDED = ("nncf", "onnx")


def missing() -> str | None:
    """Return why nothing can be quantised here, None if it can."""
    absent = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if not absent:
        return None
    verb = "is" if len(absent) == 1 else "are"
    return f"int8 is left out: {' and '.join(absent)} {verb} not installed ({installation('tune')})"


def quantised_graphs(package: Package, cases: Sequence[Case], folder: Path) -> list[bytes]:
    """Return the graphs of `package` quantised to int8; they stay in `folder`, from where the next call takes them.

    cases: of their preprocessed tiles the ranges of activations are taken. Raises ProcessFailedError.
    """
    if not folder.is_dir():
        with whole_folder(folder) as work:
            np.save(work / "tiles.npy", calibration_tiles(package.plan, cases))
            graphs = [f"{member}.onnx" for member in range(package.members)]
            for member, name in enumerate(graphs):
                (work / name).write_bytes(package.onnx_bytes(member))
            request = {
                "tiles": str(work / "tiles.npy"),
                "graphs": [str(work / name) for name in graphs],
                "out": [str(work / f"int8_{name}") for name in graphs],
            }
            write_json(work / "request.json", request)
            run_module("leanseg.evaluation.tuning.quantising", work / "request.json", "quantising to int8")
            for name in ("tiles.npy", "request.json", *graphs):
                (work / name).unlink()
    return [(folder / f"int8_{member}.onnx").read_bytes() for member in range(package.members)]


def calibration_tiles(plan: Plan, cases: Sequence[Case]) -> NDArray[np.float32]:
    """Return at most so many preprocessed tiles (N, C, *tile) of `cases`, evenly spread over them and over each.

    A case that cannot be read is left out; raises its InputError where that leaves nothing.
    """
    chosen = spread(cases, _TILES)
    found: list[NDArray[np.float32]] = []
    refused: InputError | None = None
    for case in chosen:
        try:
            found.extend(_tiles(plan, case, -(-_TILES // len(chosen))))
        except InputError as error:
            refused = error
    if not found and refused is not None:
        raise refused
    return np.stack(found[:_TILES])


def _tiles(plan: Plan, case: Case, most: int) -> list[NDArray[np.float32]]:
    array, geometry = read_channels(case.images)
    image = prepare(array, geometry, plan.preprocessing).array
    tile = plan.inference.tile
    padded, _ = pad_to_tile(image, tile)
    sides = (windows(size, length, plan.inference.overlap) for size, length in zip(padded.shape[1:], tile, strict=True))
    places = list(product(*([window.place for window in side] for side in sides)))
    # From the middle of equal parts: the first and last tiles of a scan hold little but air.
    taken = min(most, len(places))
    middles = (int((index + 0.5) * len(places) / taken) for index in range(taken))
    return [np.ascontiguousarray(padded[(slice(None), *places[middle])]) for middle in middles]
