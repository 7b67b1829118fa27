"""The modules of the suite are imported by their full names, also where pytest was not started with `python -m`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
