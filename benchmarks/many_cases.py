"""Many small cases in one call: where the time goes, and whether memory stays flat.

Claim: of 200 hippocampus cases in one call more than 90 % of the time is spent in the network, and the last case takes
no more memory than the tenth (inference/stages.py). One after the other and with the next case read ahead run in
processes of their own, in turns; the best turn counts. Without a run the package is planned here and has random
weights.

    python benchmarks/many_cases.py [RUN] [--data DATASET] [--cases 200] [--threads N] [--turns 3] [--json FILE]
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

WAYS = {"one after the other": False, "read ahead": True}
PHASES = ("read", "prepare", "network", "labels", "write")
SETTLED = 10  # cases after which memory counts as settled


def write_untrained_package(folder, data):
    """Write a package for the data set with random weights into `folder`."""
    import numpy as np

    import leanseg
    from leanseg.learning.export.packaging import export
    from leanseg.learning.export.torch_engine import build_network

    plan = leanseg.plan(data, folder / "plan.json", minutes=15)
    tile = np.zeros((1, len(plan.data.channels), *plan.inference.tile), np.float32)
    export(plan, build_network(plan).state_dict(), tile).write(folder / "package", {}, {})
    return folder / "package"


def predict(run, data, count, threads, way, out):
    """Predict in this process and print what was measured as JSON."""
    import psutil

    from leanseg.datasets import Case, open_dataset
    from leanseg.inference import predict_cases
    from leanseg.machine import peak_rss_bytes, rss_bytes
    from leanseg.packages import Package
    from leanseg.progress import Progress

    class Watch(Progress):
        def __init__(self):
            self.rss = []

        def track(self, items, doing, total=None):  # noqa: ARG002
            for item in items:
                yield item
                if doing == "Predicting":
                    self.rss.append(rss_bytes())

    package = Package.read(run)
    found = open_dataset(data).cases
    cases = [Case(f"case{index}", found[index % len(found)].images) for index in range(count)]
    watch, before, start = Watch(), time.process_time(), time.perf_counter()
    summary = predict_cases(package, cases, out, threads=threads, read_ahead=WAYS[way], progress=watch)
    seconds, computing = time.perf_counter() - start, time.process_time() - before
    lived = time.time() - psutil.Process().create_time()
    assert len(summary.done) == count, summary.failed
    spent = [json.loads((out / f"{case.name}.json").read_text())["seconds"] for case in cases]
    phases = {phase: sum(each[phase] for each in spent) for phase in PHASES}
    print(
        json.dumps(
            {
                "process_seconds": lived,
                "call_seconds": seconds,
                "cpu_seconds": computing,
                "phases": phases,
                "share": phases["network"] / seconds,
                "share_of_process": phases["network"] / lived,
                "rss": watch.rss,
                "peak_rss": peak_rss_bytes(),
                "engine": summary.engine,
            }
        )
    )


def in_own_process(options, way):
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, __file__, str(options.run), "--only", way, "--out", out]
        command += ["--data", str(options.data), "--cases", str(options.cases)]
        command += ["--threads", str(options.threads)] if options.threads else []
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def show(best, options):
    """Print the table of the best turns."""
    threads = options.threads or len(os.sched_getaffinity(0))
    print(f"{options.cases} cases, {options.turns} turns, {threads} threads, {best['read ahead']['engine']}")
    print(
        f"{'':22}{'call':>9}{'process':>9}{'CPU':>8}{'network':>9}{'share':>8}{'of all':>8}   ms a case outside of it"
    )
    for way, row in best.items():
        others = "  ".join(
            f"{name} {row['phases'][name] / options.cases * 1e3:.1f}" for name in PHASES if name != "network"
        )
        print(
            f"{way:22}{row['call_seconds']:8.2f}s{row['process_seconds']:8.2f}s{row['cpu_seconds']:7.2f}s"
            f"{row['phases']['network']:8.2f}s{row['share']:8.1%}{row['share_of_process']:8.1%}   {others}"
        )
    for way, row in best.items():
        rss = row["rss"]
        settled, last = rss[min(SETTLED, len(rss)) - 1] / 1e6, rss[-1] / 1e6
        print(
            f"{way:22}RSS after case 1: {rss[0] / 1e6:.0f} MB, {SETTLED}: {settled:.0f} MB, {len(rss)}: {last:.0f} MB; "
            f"largest after any {max(rss) / 1e6:.0f} MB, peak {row['peak_rss'] / 1e6:.0f} MB"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, nargs="?")
    parser.add_argument("--data", type=Path, default=Path("../shared/data/Task04_Hippocampus"))
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--only", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        predict(options.run, options.data, options.cases, options.threads, options.only, options.out)
        return
    with tempfile.TemporaryDirectory() as place:
        options.run = options.run or write_untrained_package(Path(place), options.data)
        found = {way: [] for way in WAYS}
        for turn in range(options.turns):
            for way in list(WAYS)[:: 1 if turn % 2 == 0 else -1]:
                found[way].append(in_own_process(options, way))
    best = {way: min(rows, key=lambda row: row["call_seconds"]) for way, rows in found.items()}
    show(best, options)
    if options.json:
        record = {"machine": platform.processor() or platform.machine(), "cases": options.cases, "turns": found}
        record["date"] = datetime.now(UTC).isoformat(timespec="seconds")
        options.json.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
