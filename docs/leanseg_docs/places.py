"""Where the documentation lies."""

from pathlib import Path

DOCS = Path(__file__).parents[1]
ROOT = DOCS.parent
RECORDED = DOCS / "recorded"
IMAGES = DOCS / "images"
