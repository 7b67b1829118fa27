"""What registers two scans: our own code, or ANTs where it is installed."""

from enum import StrEnum

from leanseg.learning.registration.ants_backend import AntsBackend
from leanseg.learning.registration.registration import register
from leanseg.learning.registration.scan import Backend, Matrix, PointMap, Scan
from leanseg.learning.registration.settings import Settings
from leanseg.progress import Progress


class BackendName(StrEnum):
    """What registers."""

    LEANSEG = "leanseg"
    ANTS = "ants"


class OwnBackend:
    """Registers with `leanseg.learning.registration.register`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def fit(self, moving: Scan, fixed: Scan, initial: Matrix, progress: Progress) -> PointMap:
        """Return the Deformation from `fixed` to `moving`; see `register` for `initial` and what it raises."""
        return register(
            moving.array,
            fixed.array,
            moving_spacing=moving.spacing,
            fixed_spacing=fixed.spacing,
            initial=initial,
            settings=self._settings,
            progress=progress,
        )


def backend_of(name: BackendName, settings: Settings) -> Backend:
    """Return the backend; ANTs' is imported only when it is used."""
    return AntsBackend(settings.similarity) if name is BackendName.ANTS else OwnBackend(settings)
