"""Who made the predictions, as far as the sidecars beside them say: `leanseg predict` writes one for each label map."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from leanseg.datasets.documents import DocumentError, read_object
from leanseg.evaluation.pairing import Pair
from leanseg.volumes import stem_of

_KEYS = ("package", "engine", "precision", "leanseg")
_HASH_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Maker:
    """What made a prediction: the hash of its package, the engine with its precision, and leanseg's version."""

    package: str
    engine: str
    precision: str
    version: str

    def __str__(self) -> str:
        return f"package {self.package[:_HASH_SHOWN]}, {self.engine} in {self.precision}, leanseg {self.version}"


def makers_of(pairs: Sequence[Pair]) -> Counter[Maker]:
    """Return how many predictions each maker made; those without a readable sidecar are in no count."""
    return Counter(_makers(pairs))


def _makers(pairs: Sequence[Pair]) -> Iterator[Maker]:
    for pair in pairs:
        if pair.prediction is not None and (maker := _maker_beside(pair.prediction)) is not None:
            yield maker


def _maker_beside(prediction: Path) -> Maker | None:
    try:
        record = read_object(prediction.with_name(f"{stem_of(prediction)}.json"))
    except DocumentError:
        return None
    told = [value for key in _KEYS if isinstance(value := record.get(key), str) and value]
    return Maker(*told) if len(told) == len(_KEYS) else None
