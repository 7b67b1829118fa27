"""Try many hostile inputs by hand: what is tried and found is described in docs/reliability.md.

    python -m tests.hostile --inputs 50000 --seed 1 --workers 2 --keep failures --json hostile.json
    python -m tests.hostile --inputs 300 --only "nifti: fields"
    python -m tests.hostile --again "nifti: fields" 1 17

Prints a table of kinds and outcomes; the exit code is 1 if anything failed. Needs Linux.
"""

# ruff: noqa: T201

import argparse
import json
import sys
import tempfile
import time
from collections import Counter, defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.hostile.families import all_families
from tests.hostile.runner import Ask, Tally, asks, meet

_TELL_EVERY = 30.0  # seconds


class Pace:
    """Tells now and then how far the run is, and waits while somebody wants the machine to be quiet."""

    def __init__(self, inputs: int, pause_while: Path | None) -> None:
        self._inputs = inputs
        self._pause_while = pause_while
        self._told = time.monotonic()

    def __call__(self, tally: Tally) -> None:
        """Tell, and wait if need be."""
        while self._pause_while is not None and self._pause_while.exists():
            time.sleep(5)
        if time.monotonic() > self._told + _TELL_EVERY:
            self._told = time.monotonic()
            print(f"{tally.asked:,} of {self._inputs:,}, {len(tally.failures)} failed", file=sys.stderr, flush=True)


def show(tally: Tally, seconds: float) -> None:
    """Print what was met, by kind."""
    kinds: dict[str, Counter[str]] = defaultdict(Counter)
    for (family, outcome), count in sorted(tally.outcomes.items()):
        kinds[family][outcome] += count
    width = max(map(len, kinds))
    print(f"{'kind':{width}} {'inputs':>7} {'taken':>7} {'refused':>8} {'failed':>7}")
    for family, outcomes in kinds.items():
        counts = [sum(n for outcome, n in outcomes.items() if outcome.startswith(word)) for word in _WORDS]
        print(f"{family:{width}} {outcomes.total():7,} {counts[0]:7,} {counts[1]:8,} {counts[2]:7,}")
    print(f"\n{tally.asked:,} inputs, {len(tally.hashes):,} distinct, {len(tally.failures):,} failed, {seconds:.0f} s")
    for word, met in (("slowest", tally.slowest[:3]), ("most memory", tally.largest[:3])):
        for one in met:
            took = f"{one.work:.2f} s of work in {one.seconds:.2f} s, {one.grown / 1e6:.0f} MB"
            print(f"{word}: {took}  {one.ask.family} {one.ask.index}")
    for met in tally.failures[:50]:
        last = (met.message.strip().splitlines() or [""])[-1]
        print(f"FAILED: {met.failed}  {met.ask.family} {met.ask.seed} {met.ask.index}: {last[:200]}")


_WORDS = ("taken", "refused", "FAILED")


def record(tally: Tally, seconds: float, options: argparse.Namespace) -> dict[str, Any]:
    """Return the run as JSON."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": options.seed,
        "inputs": tally.asked,
        "distinct": len(tally.hashes),
        "seconds": round(seconds),
        "repeated": tally.repeated,
        "outcomes": [[family, outcome, count] for (family, outcome), count in sorted(tally.outcomes.items())],
        "slowest": [[one.ask.family, one.ask.index, one.work, one.seconds] for one in tally.slowest],
        "most_memory": [[one.ask.family, one.ask.index, one.grown] for one in tally.largest],
        "failures": [
            [one.failed, one.ask.family, one.ask.seed, one.ask.index, one.message[-3000:]] for one in tally.failures
        ],
    }


def main() -> None:
    """Parse, run, show."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", help="families whose names begin so")
    parser.add_argument("--again", nargs=3, metavar=("FAMILY", "SEED", "INDEX"), help="one input, with all it says")
    parser.add_argument("--keep", type=Path, help="folder for failing inputs")
    parser.add_argument("--pause-while", type=Path, metavar="FILE", help="begin nothing while this file exists")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.again:
        family, seed, index = options.again
        keep = options.keep or Path(tempfile.mkdtemp(prefix="leanseg-hostile-again-"))
        tally = meet([Ask(family, int(seed), int(index))], keep=keep)
        for met in tally.slowest:
            print(f"{met.outcome}, {met.seconds} s, {met.grown / 1e6:.0f} MB\n{met.message}\n{keep}")
        raise SystemExit(bool(tally.failures))
    families = [family for family in all_families() if family.title.startswith(options.only or "")]
    chosen = asks(families, options.inputs, options.seed)
    start = time.monotonic()
    tally = meet(chosen, workers=options.workers, keep=options.keep, tell=Pace(len(chosen), options.pause_while))
    seconds = time.monotonic() - start
    show(tally, seconds)
    if options.json:
        options.json.write_text(json.dumps(record(tally, seconds, options), indent=2) + "\n", encoding="utf-8")
    raise SystemExit(bool(tally.failures))


if __name__ == "__main__":
    main()
