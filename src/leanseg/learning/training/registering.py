"""Register pairs ahead of training, and go on in the background while it runs.

The background is a process of its own, at the lowest priority and with one thread, so that it takes what training
leaves. It ends when training does, or dies.
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from leanseg.errors import InputError, LeansegError
from leanseg.learning.augmentation.histogram_matching import matched_intensities
from leanseg.learning.registration.belief import refuse_other_view
from leanseg.learning.registration.deformation import Deformation
from leanseg.learning.training.cache import CachedScan
from leanseg.learning.training.flows import FlowStore, Outcome
from leanseg.learning.training.pairs import Pair

Register = Callable[..., Deformation]

_PATIENCE = 10.0  # seconds that the background gets to end by itself


def own_registration(device: str = "cpu") -> tuple[Register, str]:
    """Return leanseg's registration on `device`, and everything else that decides how it registers."""
    from leanseg.learning.registration import Settings, register

    return partial(register, settings=Settings(device=device)), repr(Settings())


def register_pairs(
    pairs: Sequence[Pair], store: FlowStore, register: Register, *, intensities: bool
) -> Iterator[Outcome]:
    """Register those of `pairs` that are not in the store, in order, and yield how each of all ended.

    Scans are registered by their first channel, beginning with middle on middle: on the plan's grid all of them face
    the same way. Ends early when the store is full. Pairs that are refused (an InputError of `register`) are kept as
    such. Raises CannotWriteError for a full disk.
    """
    wanted = {pair.key for pair in pairs}
    for pair in pairs:
        outcome = store.outcome(pair) or _registered(pair, store, register, wanted, intensities=intensities)
        if outcome is None:
            return
        yield outcome


def _registered(
    pair: Pair, store: FlowStore, register: Register, wanted: set[str], *, intensities: bool
) -> Outcome | None:
    began = time.monotonic()
    try:
        sizes = pair.labelled.image.shape[1:], pair.unlabelled.image.shape[1:]
        refuse_other_view(*sizes, pair.labelled.spacing, pair.unlabelled.spacing)
        moving, fixed = pair.labelled.image[:], pair.unlabelled.image[:]
        found = register(
            moving[0],
            fixed[0],
            moving_spacing=pair.labelled.spacing,
            fixed_spacing=pair.unlabelled.spacing,
            initial=_middle_on_middle(pair, moving.shape[1:], fixed.shape[1:]),
        )
    except InputError as error:
        return store.refuse(pair, error, time.monotonic() - began)
    table = matched_intensities(moving, fixed) if intensities else None
    return store.write(pair, found, table, time.monotonic() - began, wanted)


def _middle_on_middle(pair: Pair, moving: Sequence[int], fixed: Sequence[int]) -> NDArray[np.float64]:
    """Return the 4x4 matrix from voxels of the unlabelled scan to those of the labelled one, sizes in mm kept."""
    scale = np.array(pair.unlabelled.spacing) / pair.labelled.spacing
    matrix = np.diag([*scale, 1.0])
    matrix[:3, 3] = (np.array(moving) - 1) / 2 - scale * (np.array(fixed) - 1) / 2
    return matrix


class BackgroundRegistration:
    """A process that registers `pairs` into the folder of `store`. Used as a context: it ends with the block."""

    def __init__(self, pairs: Sequence[Pair], store: FlowStore, *, intensities: bool) -> None:
        self._job = {
            "folder": str(store.folder),
            "limit": store.limit,
            "intensities": intensities,
            "pairs": [asdict(pair) for pair in pairs],
        }
        self._store = store
        self._process: subprocess.Popen[str] | None = None
        self.failure: str | None = None  # why it ended before it was done

    def __enter__(self) -> "BackgroundRegistration":
        if self._job["pairs"]:
            self._process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", __name__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
                creationflags=getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0),
                start_new_session=os.name != "nt",  # Ctrl-C is for training, which ends this process itself
            )
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps(self._job, default=str) + "\n")
            self._process.stdin.flush()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is None:
            return
        running = self._process.poll() is None
        try:
            said, _none = self._process.communicate(timeout=_PATIENCE)  # its input ends, and so does it
        except subprocess.TimeoutExpired:
            self._process.kill()
            said, _none = self._process.communicate()
        if not running and self._process.returncode:
            self.failure = said.strip() or f"its process ended with code {self._process.returncode}"
        self._store.clear_remains()


def work(job: dict[str, Any], register: Register) -> None:
    """Register the pairs of a `BackgroundRegistration`."""
    pairs = [Pair(_scan(each["labelled"]), _scan(each["unlabelled"]), each["key"]) for each in job["pairs"]]
    store = FlowStore(Path(job["folder"]), job["limit"])
    for _ in register_pairs(pairs, store, register, intensities=job["intensities"]):
        pass


def _scan(said: dict[str, Any]) -> CachedScan:
    depth, height, width = said["spacing"]
    return CachedScan(said["name"], Path(said["folder"]), (depth, height, width), said["content"])


def _leave_with(starter: TextIO) -> None:
    """End this process when the one that started it closes the pipe between them, or dies."""
    starter.read()
    os._exit(0)


def _main() -> int:
    """Do the job that stands on the first line of the standard input."""
    if hasattr(os, "nice"):
        os.nice(19)
    job = json.loads(sys.stdin.readline())
    threading.Thread(target=_leave_with, args=(sys.stdin,), daemon=True).start()
    import torch

    torch.set_num_threads(1)
    try:
        work(job, own_registration()[0])
    except LeansegError as error:
        sys.stdout.write(error.what)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(_main())
