"""Which deformation a patch is read through: none, an elastic one, or that of a registered pair.

Everything that is drawn depends on the seed and the number of the patch. Where flows are still computed in the
background, what is drawn from are those that are there; nobody waits for others.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leanseg.learning.augmentation.bending import Bending
from leanseg.learning.augmentation.elastic import ElasticDeformation, random_vectors
from leanseg.learning.augmentation.registered import RegisteredDeformation
from leanseg.learning.training.cache import CachedCase
from leanseg.learning.training.flows import FlowStore, StoredFlow
from leanseg.learning.training.pairs import Pair
from leanseg.plans import Augmentation, Elastic, RegistrationMix

_LOOK_AGAIN = 5.0  # seconds after which it is looked again for flows that were not there


@dataclass(frozen=True, eq=False)
class Drawn:
    """A deformation, and the table of intensities that goes with it; see `with_intensities`."""

    bending: Bending
    intensities: NDArray[np.float32] | None = None


class ReadyFlows:
    """The flows of every case, by its place among the cases.

    growing: whether the background adds flows. Where it does not, what is there now is all: a run that was interrupted
    and goes on draws from the same ones.
    """

    def __init__(self, of_each: Sequence[Sequence[Pair]], store: FlowStore, *, growing: bool) -> None:
        self._store = store
        self._ready: list[list[Pair]] = [[] for _ in of_each]
        self._missing: list[list[Pair]] = [list(pairs) for pairs in of_each]
        self._look_at = [0.0 if growing else math.inf] * len(of_each)
        for case in range(len(of_each)):
            self._look(case)

    def draw(self, case: int, which: float) -> StoredFlow | None:
        """Return one of the flows that can be read now, evenly as `which` is between 0 and 1; None where none can.

        It is opened anew each time: a process may not hold as many files open as there are flows.
        """
        if self._missing[case] and time.monotonic() >= self._look_at[case]:
            self._look(case)
        ready = self._ready[case]
        return self._store.flow(ready[int(which * len(ready))]) if ready else None

    def _look(self, case: int) -> None:
        missing = []
        for pair in self._missing[case]:
            outcome = self._store.outcome(pair)
            if outcome is None:
                missing.append(pair)
            elif outcome.refused is None:
                self._ready[case].append(pair)
        self._missing[case] = missing
        if math.isfinite(self._look_at[case]):
            self._look_at[case] = time.monotonic() + _LOOK_AGAIN


class Deformations:
    """Draws a deformation for each patch. flows: None where nothing was registered."""

    def __init__(self, settings: Augmentation, seed: int, flows: ReadyFlows | None) -> None:
        self._elastic: Elastic | None = settings.elastic
        self._registration: RegistrationMix | None = settings.registration if flows else None
        self._flows = flows
        self._seed = seed

    def draw(self, number: int, place: int, case: CachedCase) -> Drawn | None:
        """Return what patch `number` of `case`, the one at `place`, is read through; None: nothing.

        A case none of whose flows is there yet is bent elastically instead, where that is wanted.
        """
        rng = np.random.default_rng([self._seed, 2, number])
        kind, which, velocity = rng.random(3).tolist()
        share = 0.0
        if self._registration and self._flows:
            share = self._registration.share
            found = self._flows.draw(place, which) if kind < share else None
            if found:
                least, largest = self._registration.velocity
                bending = RegisteredDeformation(found.flow, least + velocity * (largest - least))
                return Drawn(bending, found.intensities)
        if self._elastic and kind < share + self._elastic.probability:
            return Drawn(_elastic(case, self._elastic, rng))
        return None


def _elastic(case: CachedCase, settings: Elastic, rng: np.random.Generator) -> ElasticDeformation:
    spacing = case.scan.spacing if case.scan else (1.0, 1.0, 1.0)
    sds = [settings.sigma / mm for mm in spacing]
    return ElasticDeformation(case.shape, random_vectors(rng, settings.points, sds))
