"""Scores to labels: slab by slab against all at once.

Claim: labels on the scan's grid need a few slices of memory beside scores and labels, whatever the number of classes,
and are those of interpolating all scores and taking the argmax, except at ties within rounding.

    python benchmarks/label_fusion.py [--classes 14] [--old 96 160 160] [--new 300 512 512] [--json FILE]

The naive way needs classes * voxels * 4 bytes and is left out where that exceeds --naive-limit (GB).
Each way runs in a process of its own, so that its peak memory is its own.
"""

import argparse
import json
import math
import platform
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from leanseg.kernels import labels_of_scores, resample
from leanseg.machine import cores, peak_rss_bytes, rss_bytes


def make_scores(classes, shape):
    random = np.random.default_rng(0)
    return np.stack([random.standard_normal(shape, dtype=np.float32) for _ in range(classes)])


def naive(scores, shape):
    return resample(scores, shape).argmax(axis=0).astype(np.uint8)


WAYS = {"naive": naive, "slabs": labels_of_scores}


def measure(way, classes, old, new):
    """Run one way in this process: seconds (least of 2), bytes beyond the scores, and labels of some voxels."""
    scores = make_scores(classes, old)
    WAYS[way](scores[:, :4, :8, :8], (6, 12, 12))  # BLAS takes its buffers now
    before, seconds = rss_bytes(), []
    for _ in range(2):
        start = time.perf_counter()
        labels = WAYS[way](scores, new)
        seconds.append(time.perf_counter() - start)
        probe = labels[:: max(1, new[0] // 20), ::3, ::3].copy()
        del labels
    return {
        "way": way,
        "seconds": round(min(seconds), 3),
        "megabytes_beyond_scores": round((peak_rss_bytes() - before) / 1e6, 1),
        "probe": probe.tobytes().hex() if probe.size < 2**21 else "",
    }


def in_own_process(way, options):
    sizes = [*map(str, options.old)], [*map(str, options.new)]
    command = [sys.executable, __file__, "--only", way, "--classes", str(options.classes)]
    done = subprocess.run(
        [*command, "--old", *sizes[0], "--new", *sizes[1]], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--classes", type=int, default=14)
    parser.add_argument("--old", type=int, nargs=3, default=(96, 160, 160))
    parser.add_argument("--new", type=int, nargs=3, default=(300, 512, 512))
    parser.add_argument("--naive-limit", type=float, default=6.0, help="GB")
    parser.add_argument("--only", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.only:
        print(json.dumps(measure(options.only, options.classes, tuple(options.old), tuple(options.new))))
        return
    fits = options.classes * math.prod(options.new) * 4 < options.naive_limit * 1e9
    rows = [in_own_process(way, options) for way in WAYS if way != "naive" or fits]
    print(f"{options.classes} classes, {tuple(options.old)} -> {tuple(options.new)}, {cores()} cores")
    print(f"{'way':8} {'seconds':>9} {'MB beyond the scores':>22}")
    for row in rows:
        print(f"{row['way']:8} {row['seconds']:9.3f} {row['megabytes_beyond_scores']:22,.1f}")
    probes = [np.frombuffer(bytes.fromhex(row.pop("probe")), np.uint8) for row in rows]
    if len(probes) == 2:
        agreement = float((probes[0] == probes[1]).mean())
        print(f"labels that agree: {agreement:.6%}")
        rows[1]["agreement_with_naive"] = agreement
    if options.json:
        record = {"machine": platform.processor() or platform.machine(), "cores": cores(), "rows": rows}
        record |= {"date": datetime.now(UTC).isoformat(timespec="seconds"), "numpy": np.__version__}
        record |= {"classes": options.classes, "old": list(options.old), "new": list(options.new)}
        options.json.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
