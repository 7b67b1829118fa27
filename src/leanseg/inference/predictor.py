"""A plan and an engine: scans in, label maps out."""

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from leanseg.errors import InputError
from leanseg.inference.engines import Engine, Ensemble
from leanseg.inference.preprocessing import Prepared, prepare
from leanseg.inference.sliding_window import fuse
from leanseg.plans import Plan
from leanseg.progress import Progress
from leanseg.volumes import Geometry, smallest_integer


class WrongScoresError(InputError):
    """The network's output does not fit the plan."""

    def __init__(self, got: int, expected: int) -> None:
        super().__init__(
            what=f"the network gives {got} channels of scores, the plan has {expected} classes or regions",
            why="plan and exported network of the package do not belong together",
            fix="copy the package again from where it was made; if it is no better there, train again",
        )


class NotFiniteScoresError(InputError):
    """The network computed NaN or infinity."""

    def __init__(self) -> None:
        super().__init__(
            what="the network's scores are NaN or infinite for this scan",
            why="they would be labelled as background without a word",
            fix="look at the range of the scan's intensities: leanseg info FILE",
        )


class Stopwatch:
    """Seconds of wall time by phase.

    watchers: of this process; each is called with every phase that ends, of whichever stopwatch, and when by
    `time.perf_counter` it began and ended.
    """

    watchers: ClassVar[list[Callable[[str, float, float], None]]] = []

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Add the time the block takes to the phase `name`."""
        start = time.perf_counter()
        try:
            yield
        finally:
            end = time.perf_counter()
            self.seconds[name] = self.seconds.get(name, 0.0) + end - start
            for tell in self.watchers:
                tell(name, start, end)


class Predictor:
    """Applies a plan with an engine that computes its network."""

    def __init__(self, plan: Plan, engine: Engine | Ensemble) -> None:
        self.plan = plan
        self.engine = engine
        values = plan.data.labels.values()
        self._values = np.array(list(values), dtype=smallest_integer(min(values), max(values)))
        self._written = tuple(region.written for region in plan.data.regions.values())

    def labels(self, array: NDArray[Any], geometry: Geometry, *, max_voxels: int | None = None) -> NDArray[Any]:
        """Return the label values (X, Y, Z) of a scan (C, X, Y, Z), in the smallest integer type that holds them.

        Raises WrongChannelsError, GridTooLargeError (see `prepare`), WrongScoresError or NotFiniteScoresError.
        """
        return self.labels_of(prepare(array, geometry, self.plan.preprocessing, max_voxels))

    def labels_of(
        self,
        prepared: Prepared,
        *,
        stopwatch: Stopwatch | None = None,
        progress: Progress | None = None,
        doing: str = "tiles",
    ) -> NDArray[Any]:
        """Return the label values (X, Y, Z) of a prepared scan; see `labels`."""
        stopwatch = stopwatch or Stopwatch()
        inference = self.plan.inference
        with stopwatch.phase("network"):
            scores = fuse(
                self.engine,
                prepared.array,
                inference.tile,
                inference.overlap,
                progress,
                doing,
                inference.blending,
            )
        if len(scores) != self.plan.data.outputs:
            raise WrongScoresError(len(scores), self.plan.data.outputs)
        with stopwatch.phase("labels"):
            if not all(np.isfinite(part).all() for part in scores):
                raise NotFiniteScoresError
            if self._written:
                return prepared.restore(scores, self._written)
            return self._named(prepared.restore(scores))

    def _named(self, indices: NDArray[np.unsignedinteger[Any]]) -> NDArray[Any]:
        """Return the value of each class index."""
        if np.array_equal(self._values, np.arange(len(self._values))):
            return indices
        named: NDArray[Any] = self._values[indices]
        return named
