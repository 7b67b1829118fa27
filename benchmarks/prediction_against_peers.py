"""leanseg's prediction against that of its peers, file to file: seconds, memory, and whether the labels are the same.

Claim: the same network on the same tiles predicts at least twice as fast as in MONAI and nnU-Net, in a fraction of the
memory, and at least ten times as fast as with nnU-Net's own defaults.

    python benchmarks/prediction_against_peers.py [--cases NAME ... | all] [--rows NAME ...] [--threads 2] [--out DIR]
    python benchmarks/prediction_against_peers.py --growth [--sweeps voxels classes tiles threads]
    python benchmarks/prediction_against_peers.py --show [--out DIR]

Rows take turns, each in a process of its own that starts, reads the scan, writes the label map and ends; the fastest
turn counts, with the largest peak, and rows of more than two minutes have one turn. All have the same weights (random
ones, which cost as much as any) but nnU-Net's defaults, which are its own plan, network, overlap of 0.5, mirroring and
five folds. That would take hours: some passes of its network are computed and the time of the others is added; the
rest, with its export, happens in full. --passes does so for all rows of torch. Such rows, and rows whose scores do
not fit the memory, are marked, with what was measured. What each row is: benchmarks/peers/rows.py.
"""

import argparse
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from peers import growth
from peers.cases import CASES, QUICK
from peers.contest import OURS, THEIRS, Settings, hold
from peers.packages import package_for
from peers.scans import ROOT
from peers.table import table

OUT = ROOT / "build" / "benchmarks" / "prediction_against_peers"


def main(arguments: argparse.Namespace) -> None:
    """Hold the contests, or measure growth; print tables and keep the figures as JSON."""
    out = arguments.out.resolve()
    if arguments.show:
        print("\n".join(table(json.loads(path.read_text())) for path in sorted(out.glob("*.json"))))
        return
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: arguments.threads])
    threads = len(os.sched_getaffinity(0))
    subprocess.run([ROOT / "benchmarks" / "peers" / "make_environment.sh", sys.executable], check=True)
    out.mkdir(parents=True, exist_ok=True)
    if arguments.growth:
        growth.measure(arguments.sweeps, out / "growth", threads)
        return
    settings = Settings(threads, arguments.turns, arguments.passes, arguments.few, arguments.folds)
    for name in CASES if arguments.cases == ["all"] else arguments.cases:
        case = replace(CASES[name], **({"network": arguments.network} if arguments.network else {}))
        package = arguments.package or package_for(case, out)
        print(table(hold(case, package, arguments.rows, out, settings)), flush=True)


def parsed() -> argparse.Namespace:
    """Return the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cases", nargs="+", choices=[*CASES, "all"], default=list(QUICK))
    parser.add_argument("--rows", nargs="+", choices=[*OURS, *THEIRS], default=[*OURS, *THEIRS])
    parser.add_argument("--network", help="in the place of the cases' own")
    parser.add_argument("--package", type=Path, help="a trained one for the cases, in the place of random weights")
    parser.add_argument("--threads", type=int, default=2, help="cores, the first ones")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument(
        "--passes", type=int, help="in rows of torch, compute so many tiles and add the time of the rest"
    )
    parser.add_argument("--few", type=int, default=4, help="the same for nnU-Net's defaults")
    parser.add_argument("--folds", type=int, default=5, help="of nnU-Net's defaults")
    parser.add_argument("--growth", action="store_true", help="measure how leanseg and the naive export grow")
    parser.add_argument("--sweeps", nargs="+", choices=growth.SWEEPS, default=list(growth.SWEEPS))
    parser.add_argument("--show", action="store_true", help="print what was measured before")
    parser.add_argument("--out", type=Path, default=OUT)
    return parser.parse_args()


if __name__ == "__main__":
    main(parsed())
