"""How much of its time training waits for patches, over all parts of a run that was interrupted."""

import time
from collections.abc import Mapping
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer

from leanseg.learning.training.patches import PatchLoader


class Waiting(Callback):
    """Counts seconds of training, and those of them for which the loader was waited for; both go into checkpoints."""

    def __init__(self, loader: PatchLoader) -> None:
        self._loader = loader
        self._before = {"seconds": 0.0, "waited": 0.0}
        self._began: float | None = None
        self._ended: float | None = None

    @property
    def share(self) -> float:
        """Return the share of the time so far, 0 to 1."""
        return _share(self.state_dict())

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Time counts from here, the first batch included."""
        self._began = time.perf_counter()

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:  # noqa: ARG002
        """Time counts no further."""
        self._ended = time.perf_counter()

    def state_dict(self) -> dict[str, float]:
        """Return the seconds so far, of all parts of the run."""
        ended = time.perf_counter() if self._ended is None else self._ended
        seconds = 0.0 if self._began is None else ended - self._began
        return {
            "seconds": self._before["seconds"] + seconds,
            "waited": self._before["waited"] + self._loader.waited,
        }

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        """Go on from the seconds of the part before."""
        self._before = dict(state_dict)


def waited_share(checkpoint: Mapping[str, Any]) -> float:
    """Return the share of the time for which the training that wrote `checkpoint` has waited; 0 where it says none."""
    return _share(checkpoint.get("callbacks", {}).get(Waiting.__name__, {"seconds": 0.0, "waited": 0.0}))


def _share(state: Mapping[str, float]) -> float:
    return state["waited"] / state["seconds"] if state["seconds"] > 0 else 0.0
