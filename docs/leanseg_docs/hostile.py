"""What the hostile suite met in its largest run: `python -m tests.hostile --json docs/recorded/hostile.json`."""

import json
from collections import Counter, defaultdict
from typing import Any

from leanseg_docs.places import RECORDED

_WORDS = ("taken", "refused", "FAILED")


def hostile_table() -> str:
    """Return the run as a table: kinds of input, how many, what became of them; and one sentence about it."""
    run: dict[str, Any] = json.loads((RECORDED / "hostile.json").read_text(encoding="utf-8"))
    kinds: dict[str, Counter[str]] = defaultdict(Counter)
    for family, outcome, count in run["outcomes"]:
        kinds[family][next(word for word in _WORDS if outcome.startswith(word))] += count
    rows = [
        f"| {family} | {met.total():,} | {met['taken']:,} | {met['refused']:,} | {met['FAILED']:,} |"
        for family, met in kinds.items()
    ]
    work = max(seconds for _, _, seconds, _ in run["slowest"])
    grown = max(size for _, _, size in run["most_memory"])
    about = (
        f"{run['inputs']:,} inputs (seed {run['seed']}), {run['distinct']:,} of them distinct, on {run['date'][:10]}; "
        f"{len(run['failures'])} failed. The longest took {work:.1f} s of processor time, the largest "
        f"{grown / 1e6:.0f} MB of memory beyond the input's own."
    )
    return "\n".join([about, "", "| kind | inputs | taken | refused | failed |", "|---|---|---|---|---|", *rows])
