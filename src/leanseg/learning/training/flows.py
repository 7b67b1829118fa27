"""Registered pairs on disk, in no more bytes than they may take.

A pair is a folder with `pair.json`, which says how its registration ended, and, unless it was refused, `offsets.npy`
(float16, half resolution) and `intensities.npy`, where those of the other scan are taken over. Folders appear whole.
"""

import json
import shutil
from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leanseg.errors import InputError
from leanseg.learning.augmentation.registered import Flow, flow_of
from leanseg.learning.registration.deformation import Deformation
from leanseg.learning.training.pairs import Pair
from leanseg.storage import whole_folder

_PAIR, _OFFSETS, _INTENSITIES = "pair.json", "offsets.npy", "intensities.npy"
_BESIDES = 2048  # bytes that pair.json and the headers of the arrays take at most


@dataclass(frozen=True)
class Outcome:
    """How the registration of a pair ended. refused: why it is not used; None where it is.

    similarity: before and after, the higher the better. folding: share of voxels that are turned inside out.
    """

    labelled: str
    unlabelled: str
    refused: str | None
    similarity: tuple[float, float] | None = None
    folding: float | None = None
    seconds: float = 0.0


@dataclass(frozen=True, eq=False)
class StoredFlow:
    """A flow that is read from the disk where it is needed. intensities: (2, C, n), see `matched_intensities`."""

    flow: Flow
    intensities: NDArray[np.float32] | None


class FlowStore:
    """The folder of all pairs. limit: bytes that their flows may take together; what is refused takes next to none."""

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder = folder
        self.limit = limit

    def outcome(self, pair: Pair) -> Outcome | None:
        """Return how the registration of `pair` ended; None where it has not."""
        said = self._said(pair.key)
        if said is None:
            return None
        similarity = said["similarity"]
        return Outcome(**{**said["outcome"], "similarity": tuple(similarity) if similarity else None})

    def flow(self, pair: Pair) -> StoredFlow | None:
        """Return the flow of `pair`; None where it is not there, or refused."""
        said = self._said(pair.key)
        if said is None or said["flow"] is None:
            return None
        try:
            offsets = np.load(self.folder / pair.key / _OFFSETS, mmap_mode="r", allow_pickle=False)
            file = self.folder / pair.key / _INTENSITIES
            intensities = np.load(file, allow_pickle=False) if file.exists() else None
        except FileNotFoundError:  # another run has made room for its own
            return None
        depth, height, width = said["flow"]["shape"]
        affine = np.array(said["flow"]["affine"])
        return StoredFlow(Flow(offsets, said["flow"]["step"], affine, (depth, height, width)), intensities)

    def write(
        self,
        pair: Pair,
        deformation: Deformation,
        intensities: NDArray[np.float32] | None,
        seconds: float,
        wanted: Collection[str],
    ) -> Outcome | None:
        """Keep a registration; return None where it does not fit, even without the pairs whose keys are not `wanted`.

        Raises CannotWriteError for a full disk; nothing of the pair is left there then.
        """
        flow = flow_of(deformation)
        tables = 0 if intensities is None else intensities.nbytes
        if not self._make_room(flow.offsets.nbytes + tables + _BESIDES, wanted):
            return None
        outcome = Outcome(
            pair.labelled.name,
            pair.unlabelled.name,
            None,
            deformation.similarity,
            deformation.folding,
            round(seconds, 3),
        )
        with whole_folder(self.folder / pair.key) as temporary:
            np.save(temporary / _OFFSETS, flow.offsets, allow_pickle=False)
            if intensities is not None:
                np.save(temporary / _INTENSITIES, intensities, allow_pickle=False)
            _write(temporary, outcome, flow)
        return outcome

    def refuse(self, pair: Pair, error: InputError, seconds: float) -> Outcome:
        """Keep that the registration of `pair` was refused, and why."""
        outcome = Outcome(pair.labelled.name, pair.unlabelled.name, error.what, seconds=round(seconds, 3))
        with whole_folder(self.folder / pair.key) as temporary:
            _write(temporary, outcome, None)
        return outcome

    def clear_remains(self) -> None:
        """Remove what a process left half-written when it was killed."""
        for remains in self.folder.glob(".writing-*"):
            shutil.rmtree(remains, ignore_errors=True)

    def _said(self, key: str) -> dict[str, Any] | None:
        try:
            said: dict[str, Any] = json.loads((self.folder / key / _PAIR).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return said

    def _make_room(self, size: int, wanted: Collection[str]) -> bool:
        """Tell whether `size` more bytes are allowed, after removing what is not wanted, the oldest first."""
        found = sorted(self.folder.glob(f"*/{_OFFSETS}"), key=lambda file: file.stat().st_mtime_ns)
        taken = {file.parent: sum(part.stat().st_size for part in file.parent.iterdir()) for file in found}
        left = self.limit - size - sum(taken.values())
        for place, freed in taken.items():
            if left >= 0:
                break
            if place.name not in wanted:
                left += freed
                shutil.rmtree(place)
        return left >= 0


def _write(folder: Path, outcome: Outcome, flow: Flow | None) -> None:
    said = {
        "outcome": asdict(outcome),
        "similarity": outcome.similarity,
        "flow": {"step": flow.step, "affine": flow.affine.tolist(), "shape": flow.shape} if flow else None,
    }
    (folder / _PAIR).write_text(json.dumps(said), encoding="utf-8")
