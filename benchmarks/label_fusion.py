"""Scores, or features and a head, to labels: by the kernel in C, by numpy, and all at once.

Claim: labels of 512 x 512 x 300 voxels need less than 150 MB beside the scores, of which the labels are half, whatever
the number of classes; on two cores less than 0.3 s for 14 classes and 2.5 s for 117. They are those of interpolating
all scores and taking the argmax, except at ties within rounding, which are counted.

    python benchmarks/label_fusion.py [--classes 14 117] [--features 0 16] [--kinds noise organs] [--json FILE]

Scores are noise, which is the worst case as nothing can be left out, or smooth like those of a trained network. The
naive way (torch) needs classes * voxels * 4 bytes and is left out where that exceeds --naive-limit (GB), or without
torch. Each measurement runs in a process of its own, so that its peak memory is its own; ways take turns, and the least
of the rounds counts. For two cores: taskset -c 0,1 python ...
"""

import argparse
import importlib.util
import itertools
import json
import math
import os
import platform
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from leanseg.kernels import Head, LabelPainter, resample
from leanseg.kernels.native import available
from leanseg.machine import cores, peak_rss_bytes, rss_bytes

WAYS = ("naive", "numpy", "native")


def make_channels(count, shape, kind):
    random = np.random.default_rng(0)
    channels = np.empty((count, *shape), np.float32)
    for channel in channels:
        channel[...] = random.standard_normal(shape, dtype=np.float32)
        if kind == "organs":
            coarse = tuple(max(2, size // 12) for size in shape)
            channel *= 0.3
            channel += 5 * resample(random.standard_normal((1, *coarse), dtype=np.float32), shape)[0]
    return channels


def make_head(classes, features):
    random = np.random.default_rng(1)
    weights = random.standard_normal((classes, features), dtype=np.float32) / math.sqrt(features)
    return Head(weights, random.standard_normal(classes, dtype=np.float32) / 4)


def naive(channels, shape, head):
    import torch

    torch.set_num_threads(cores())
    scores = torch.from_numpy(channels if head is None else head.scores(channels))[None]
    highest = torch.nn.functional.interpolate(scores, size=shape, mode="trilinear", align_corners=False)[0].argmax(
        dim=0
    )
    return highest.to(torch.uint8).numpy()


def painted(channels, shape, head):
    painter = LabelPainter(channels.shape[1:], shape, len(channels) if head is None else head.outputs, head=head)
    labels = np.zeros(shape, np.uint8)
    painter.paint(channels, 0, slice(0, shape[0]), labels)
    return labels


def measure(options):
    """Run one way in this process: seconds (least of 2) and bytes beyond the scores; labels go into a file."""
    old, new = tuple(options.old), tuple(options.new)
    classes, features = options.classes[0], options.features[0]
    label = naive if options.only == "naive" else painted
    head = make_head(classes, features) if features else None
    channels = make_channels(features or classes, old, options.kinds[0])
    label(channels[:, :2, :4, :4], (6, 12, 12), head)  # libraries take their buffers now
    before, seconds = rss_bytes(), []
    for _ in range(2):
        labels = None
        start = time.perf_counter()
        labels = label(channels, new, head)
        seconds.append(time.perf_counter() - start)
    peak = peak_rss_bytes() - before
    np.save(options.labels, labels)
    print(json.dumps({"seconds": min(seconds), "megabytes": peak / 1e6}))


def in_own_process(way, classes, features, kind, labels, options):
    command = [sys.executable, __file__, "--only", way, "--labels", str(labels), "--kinds", kind]
    command += ["--classes", str(classes), "--features", str(features)]
    command += ["--old", *map(str, options.old), "--new", *map(str, options.new)]
    environment = os.environ | {"LEANSEG_NATIVE": "1" if way == "native" else "0"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return json.loads(done.stdout)


def ways(classes, options):
    voxels = math.prod(options.new)
    # Of what it interpolates torch makes nothing else as large, but its argmax holds 8 bytes per voxel.
    fits = (classes * 4 + 9) * voxels < options.naive_limit * 1e9 and importlib.util.find_spec("torch")
    return [way for way in WAYS if (way != "naive" or fits) and (way != "native" or available())]


def compare(classes, features, kind, options):
    """All ways on one volume: seconds, memory, and how many labels differ from the first way's."""
    best = {}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(options.rounds):
            for way in ways(classes, options):
                taken = in_own_process(way, classes, features, kind, Path(folder) / f"{way}.npy", options)
                known = best.setdefault(way, taken)
                best[way] = {key: min(known[key], taken[key]) for key in known}
        labels = {way: np.load(Path(folder) / f"{way}.npy", mmap_mode="r") for way in best}
        first = next(iter(labels))
        for way, row in best.items():
            differing = sum(int((a != b).sum()) for a, b in zip(labels[first], labels[way], strict=True))
            row |= {"way": way, "classes": classes, "features": features, "kind": kind}
            row |= {"differing": differing, "reference": first}
    return list(best.values())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--classes", type=int, nargs="+", default=(14, 117))
    parser.add_argument("--features", type=int, nargs="+", default=(0, 16), help="channels before the head, 0: no head")
    parser.add_argument("--kinds", choices=("noise", "organs"), nargs="+", default=("noise", "organs"))
    parser.add_argument("--old", type=int, nargs=3, default=(96, 160, 160))
    parser.add_argument("--new", type=int, nargs=3, default=(300, 512, 512))
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--naive-limit", type=float, default=6.0, help="GB")
    parser.add_argument("--only", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--labels", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.only:
        measure(options)
        return
    print(f"{tuple(options.old)} -> {tuple(options.new)}, {cores()} cores")
    print(f"{'classes':>7} {'features':>8} {'kind':7} {'way':7} {'seconds':>8} {'MB beyond':>10}  labels that differ")
    rows = []
    for classes, features, kind in itertools.product(options.classes, options.features, options.kinds):
        for row in compare(classes, features, kind, options):
            rows.append(row)
            print(
                f"{classes:7} {features:8} {kind:7} {row['way']:7} {row['seconds']:8.3f} {row['megabytes']:10,.1f}  "
                f"{row['differing']:,} from {row['reference']}",
                flush=True,
            )
    if options.json:
        record = {"machine": platform.processor() or platform.machine(), "cores": cores(), "rows": rows}
        record |= {"date": datetime.now(UTC).isoformat(timespec="seconds"), "numpy": np.__version__}
        record |= {"old": list(options.old), "new": list(options.new)}
        options.json.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
