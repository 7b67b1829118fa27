"""What registers two scans: our own code, or ANTs where it is installed."""

from enum import StrEnum

from leanseg.learning.registration.ants_backend import AntsBackend
from leanseg.learning.registration.registration import register_by
from leanseg.learning.registration.scan import Backend, Found, Matrix, Scan
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

    def fit(self, moving: Scan, fixed: Scan, initial: Matrix, progress: Progress) -> Found:
        """Return a Deformation; see `register` for `initial` and what it raises."""
        spacings = moving.spacing, fixed.spacing
        return Found(*register_by(moving.array, fixed.array, spacings, initial, self._settings, progress))


def backend_of(name: BackendName, settings: Settings) -> Backend:
    """Return the backend; ANTs' is imported only when it is used."""
    return AntsBackend(settings.similarity) if name is BackendName.ANTS else OwnBackend(settings)
