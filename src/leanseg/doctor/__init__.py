"""What this machine offers, whether leanseg works on it, and what to do where it does not: `leanseg doctor`.

This process imports none of what it examines: engines compute a tile in processes of their own, which may die of it.
"""

from leanseg.doctor.examination import examine, verdict
from leanseg.doctor.findings import Finding, Status

__all__ = ["Finding", "Status", "examine", "verdict"]
