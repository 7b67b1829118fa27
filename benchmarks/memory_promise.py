"""The promise of `leanseg predict --max-ram`: what is asked for at least, against what is taken then.

Claim: a number that is too small is refused with exit code 3, nothing written and the smallest number that would do;
that number does, the peak stays below it, and it is at most 1.25 times the peak. Ten shapes up to 512 x 512 x 600.

    python benchmarks/memory_promise.py [--network distill_dsm_unet] [--classes 14] [--only 3] [--json FILE]

Scans are noise in NIfTI, made in a temporary folder. Each prediction is a process of its own, and its peak is the
resident memory of that process and those it starts: the largest sum that was seen, looked at every few milliseconds,
or the peak that the system recorded of the process itself, whichever is more. Memory does not depend on how busy the
machine is.
"""

import argparse
import json
import platform
import re
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import nibabel
import numpy as np
import psutil
import torch

from leanseg.learning.export.packaging import export
from leanseg.learning.export.torch_engine import build_network
from leanseg.machine import cores
from leanseg.plans import Data, Inference, Network, Normalisation, Plan, Preprocessing, Training

# Shape (X, Y, Z), spacing in mm, type in the file, end of its name, channels.
SCANS = (
    ((36, 50, 40), (1, 1, 1), "uint8", ".nii.gz", 1),
    ((128, 128, 64), (1.5, 1.5, 2), "int16", ".nii.gz", 1),
    ((240, 240, 155), (1, 1, 1), "float32", ".nii.gz", 2),
    ((160, 192, 224), (1, 1, 1), "float32", ".nii", 1),
    ((256, 256, 256), (1, 1, 1), "uint8", ".nii.gz", 1),
    ((512, 512, 60), (0.8, 0.8, 5), "int16", ".nii", 1),
    ((512, 512, 150), (0.8, 0.8, 2), "int16", ".nii", 1),
    ((512, 512, 300), (0.8, 0.8, 1), "int16", ".nii", 1),
    ((400, 400, 500), (0.9, 0.9, 1), "float32", ".nii", 1),
    ((512, 512, 600), (0.8, 0.8, 1), "int16", ".nii", 1),
)
TILE = (48, 96, 96)


def write_package(path, options, channels):
    """A package with random weights, its engine's memory measured as at any export."""
    labels = {"background": 0, **{f"class {value}": value for value in range(1, options.classes)}}
    plan = Plan(
        data=Data(name="noise", channels=tuple(f"channel {n}" for n in range(channels)), labels=labels),
        preprocessing=Preprocessing(
            spacing=(options.spacing,) * 3, normalisation=(Normalisation(scheme="zscore"),) * channels
        ),
        network=Network(name=options.network),
        training=Training(patch=TILE),
        inference=Inference(tile=TILE, overlap=0.25, engine=options.engine),
    )
    torch.manual_seed(0)
    tile = np.random.default_rng(0).normal(size=(1, channels, *TILE)).astype(np.float32)
    export(plan, build_network(plan).state_dict(), tile).write(path, {}, {})


def write_scan(folder, shape, spacing, dtype, end, channels):
    """Noise; slices repeat, which only matters to the compressor."""
    random = np.random.default_rng(0)
    few = random.integers(0, 200, (*shape[:2], 8)).astype(dtype)
    image = np.concatenate([few] * (-(-shape[2] // 8)), axis=2)[:, :, : shape[2]]
    for channel in range(channels):
        nibabel.save(nibabel.Nifti1Image(image, np.diag([*spacing, 1.0])), folder / f"scan_{channel:04d}{end}")


def predict(package, scans, out, limit):
    """Predict in a process of its own; exit code, what it wrote to stderr, and the bytes of its tree at the peak."""
    command = [sys.executable, "-m", "leanseg", "predict", package, scans, "-o", out, "--max-ram", limit]
    started = subprocess.Popen([*map(str, command)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    told = []
    reader = threading.Thread(target=lambda: told.append(started.stderr.read()))
    reader.start()
    process, most = psutil.Process(started.pid), 0
    while started.poll() is None:
        most = max(most, tree_bytes(process))
        time.sleep(0.004)
    reader.join()
    return started.returncode, told[0], most


def tree_bytes(process):
    """Resident memory of a process and those it has started, now."""
    total = 0
    try:
        for member in (process, *process.children(recursive=True)):
            total += member.memory_info().rss
    except psutil.NoSuchProcess:
        pass
    return total


def measure(package, scan, folder):
    """One row: refused, the least, the peak within it."""
    shape, spacing, dtype, _, channels = scan
    scans, out = folder / "scans", folder / "labels"
    scans.mkdir()
    write_scan(scans, *scan)
    code, told, _ = predict(package, scans, out, "1MB")
    found = re.search(r"--max-ram (\d+)MB", told)
    if code != 3 or out.exists() or not found:
        raise SystemExit(f"not refused as it should be (exit code {code}): {told}")
    least = int(found[1])
    start = time.perf_counter()
    code, told, seen = predict(package, scans, out, f"{least}MB")
    if code:
        raise SystemExit(f"{least} MB were asked for, and with them it ended with exit code {code}: {told}")
    said = json.loads((out / "scan.json").read_text())
    promised, peak = said["promised_bytes"], max(seen, said["peak_rss_bytes"])
    return {
        "shape": list(shape),
        "spacing": list(spacing),
        "dtype": dtype,
        "channels": channels,
        "least_mb": least,
        "promised_mb": round(promised / 1e6, 1),
        "peak_mb": round(peak / 1e6, 1),
        "ratio": round(least * 1e6 / peak, 3),
        "kept": peak <= least * 1e6,
        "seconds": round(time.perf_counter() - start, 1),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="distill_dsm_unet")
    parser.add_argument("--engine", default="openvino")
    parser.add_argument("--classes", type=int, default=14)
    parser.add_argument("--spacing", type=float, default=3.0, help="mm of the plan's grid")
    parser.add_argument("--only", type=int, nargs="*", help="numbers of the scans, from 0")
    parser.add_argument("--folder", type=Path, help="where packages and scans are made; default: a temporary folder")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        chosen = [SCANS[number] for number in options.only or range(len(SCANS))]
        packages = {channels: Path(folder) / f"package{channels}" for channels in {scan[-1] for scan in chosen}}
        for channels, package in packages.items():
            write_package(package, options, channels)
        for scan in chosen:
            with tempfile.TemporaryDirectory(dir=folder) as own:
                rows.append(measure(packages[scan[-1]], scan, Path(own)))
            row = rows[-1]
            print(
                f"{' x '.join(map(str, row['shape'])):17} {row['dtype']:8} least {row['least_mb']:5} MB, "
                f"promised {row['promised_mb']:7.1f}, peak {row['peak_mb']:7.1f}, ratio {row['ratio']:.3f}"
                f"{'' if row['kept'] else '  BROKEN'}",
                flush=True,
            )
    worst = max(row["ratio"] for row in rows)
    print(f"largest ratio {worst:.3f}; promises broken: {sum(not row['kept'] for row in rows)} of {len(rows)}")
    if options.json:
        facts = {"date": datetime.now(UTC).isoformat(timespec="seconds"), "machine": platform.platform()}
        setting = {"network": options.network, "engine": options.engine, "classes": options.classes, "cores": cores()}
        options.json.write_text(json.dumps({**facts, **setting, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
