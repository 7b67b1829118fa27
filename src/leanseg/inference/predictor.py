"""A plan and an engine: scans in, label maps out."""

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from leanseg.errors import InputError
from leanseg.inference.canvas import Canvas
from leanseg.inference.constant_tiles import ConstantTiles, TileCount
from leanseg.inference.engines import Engine, Ensemble
from leanseg.inference.engines.cut_engine import head_of
from leanseg.inference.members import fuse_members
from leanseg.inference.mirroring import Mirrored, mirror_axes, mirrors
from leanseg.inference.preprocessing import Prepared, prepare
from leanseg.inference.streaming import FinishedSlab, finished_slabs, roll_axis
from leanseg.kernels import Head
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
    """Seconds of wall time by phase, and tiles.

    watchers: of this process; each is called with every phase that ends, of whichever stopwatch, and when by
    `time.perf_counter` it began and ended.
    """

    watchers: ClassVar[list[Callable[[str, float, float], None]]] = []

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.tiles = TileCount()

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
    """Applies a plan with an engine that computes its network.

    mirror: average over mirror images along the axes that the plan allows, see `leanseg.inference.mirroring`; raises
    NoMirrorError where there are none.
    """

    def __init__(self, plan: Plan, engine: Engine | Ensemble, *, mirror: bool = False) -> None:
        self.plan = plan
        self.engine = engine
        self.mirrored = mirror_axes(plan) if mirror else ()
        self._images = mirrors(plan) if mirror else ()
        data = plan.data
        self._written = tuple(region.written for region in data.regions.values()) or None
        named = tuple(data.labels.values())
        painted = self._written or (*named, data.outputs - 1)  # indices of outputs before they become values
        self._dtype = np.dtype(smallest_integer(min(painted), max(painted)))
        self._values = None if self._written or named == tuple(range(data.outputs)) else np.array(named, self._dtype)

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
        """Return the label values (X, Y, Z) of a prepared scan; see `labels`.

        What the network gives becomes labels slab by slab; of an ensemble, when its last member is through.
        """
        stopwatch = stopwatch or Stopwatch()
        tile, overlap = self.plan.inference.tile, self.plan.inference.overlap
        how = (prepared.array, tile, overlap, self.plan.inference.blending)
        network = self._network(stopwatch.tiles)
        if isinstance(network, Ensemble):
            with stopwatch.phase("network"):
                whole, head = fuse_members(network, *how, progress=progress, doing=doing)
            canvas = self._canvas(prepared, 0, head)
            slabs = iter([FinishedSlab(0, whole, whole)])
        else:
            head, axis = head_of(network), roll_axis(prepared.grid.shape, tile)
            canvas = self._canvas(prepared, axis, head)
            before = canvas.slices_before(tile[axis], overlap)
            slabs = finished_slabs(network, *how, axis=axis, before=before, progress=progress, doing=doing)
        self._painted(canvas, slabs, head.features if head else self.plan.data.outputs, stopwatch)
        return canvas.labels

    def _network(self, tiles: TileCount) -> Engine | Ensemble:
        """Return the engine as it is applied to one scan."""

        def wrap(engine: Engine) -> Engine:
            return ConstantTiles(Mirrored(engine, self._images) if self._images else engine, tiles)

        if isinstance(self.engine, Ensemble):
            exchanging = any(image.outputs for image in self._images)
            return self.engine.wrapped(wrap, gives_features=self.engine.gives_features and not exchanging)
        return wrap(self.engine)

    def _canvas(self, prepared: Prepared, axis: int, head: Head | None) -> Canvas:
        if head and head.outputs != self.plan.data.outputs:
            raise WrongScoresError(head.outputs, self.plan.data.outputs)
        return Canvas(
            prepared.grid,
            self._dtype,
            self.plan.data.outputs,
            axis=axis,
            head=head,
            written=self._written,
            values=self._values,
        )

    def _painted(self, canvas: Canvas, slabs: Iterator[FinishedSlab], channels: int, stopwatch: Stopwatch) -> None:
        while True:
            with stopwatch.phase("network"):
                slab = next(slabs, None)
            if slab is None:
                return
            if len(slab.array) != channels:
                raise WrongScoresError(len(slab.array), channels)
            with stopwatch.phase("labels"):
                try:
                    canvas.paint(slab)
                except FloatingPointError:
                    raise NotFiniteScoresError from None
