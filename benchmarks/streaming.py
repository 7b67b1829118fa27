"""What predicting takes with 2, 14 and 117 classes: streamed slab by slab against all scores at once.

Claim: with 117 classes at most 1.3 times the peak memory and twice the seconds of 2 classes, same scan and network
(inference/streaming.py, packages/graphs/heads.py). The packages have random weights, the scan is made; each prediction,
from file to file, is a process of its own, in turns, and the best turn counts. "at once" keeps the scores of all
classes for the whole scan, as leanseg did before, and labels them with the same kernel. Labels of both are compared.

    python benchmarks/streaming.py [--network distill_dsm_unet] [--shape 256 256 150] [--spacing 1.6 1.6 2]
        [--grid 3] [--tile 32 96 96] [--turns 3] [--threads 2] [--skip-at-once] [--json FILE]
"""

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

CLASSES = (2, 14, 117)
WAYS = ("streamed", "at once")
MOST_MEMORY, MOST_SECONDS = 1.3, 2.0  # of 117 classes, times those of 2


def streamed(package, prepared, stopwatch, threads):
    from leanseg.inference import Predictor, open_engine

    return Predictor(package.plan, open_engine(package, "openvino", threads)).labels_of(prepared, stopwatch=stopwatch)


def at_once(package, prepared, stopwatch, threads):
    import numpy as np

    from leanseg.inference import fuse
    from leanseg.inference.engines.openvino_engine import OpenVinoEngine
    from leanseg.kernels import labels_of_scores

    inference = package.plan.inference
    engine = OpenVinoEngine(package.onnx_bytes(), threads)
    with stopwatch.phase("network"):
        scores = fuse(engine, prepared.array, inference.tile, inference.overlap, blending=inference.blending)
    with stopwatch.phase("labels"):
        kept = labels_of_scores(scores, prepared.grid.box_shape)
        labels = np.zeros(prepared.grid.geometry.shape, dtype=kept.dtype)
        prepared.grid.kept(labels)[...] = kept
    return labels


def predict(way, folder, classes, threads):
    """Predict the scan in this process and print seconds by phase and peak RSS in bytes."""
    from leanseg.inference import prepare
    from leanseg.inference.predictor import Stopwatch
    from leanseg.machine import peak_rss_bytes
    from leanseg.packages import Package
    from leanseg.volumes import read_channels, write_volume

    began, stopwatch = time.perf_counter(), Stopwatch()
    package = Package.read(folder / f"{classes}")
    with stopwatch.phase("read"):
        array, geometry = read_channels([folder / "scan.nii.gz"])
    with stopwatch.phase("prepare"):
        prepared = prepare(array, geometry, package.plan.preprocessing)
    del array
    labels = (streamed if way == "streamed" else at_once)(package, prepared, stopwatch, threads)
    with stopwatch.phase("write"):
        write_volume(folder / f"{way}-{classes}.nii.gz", labels, geometry)
    seconds = {"all": time.perf_counter() - began, **stopwatch.seconds, "of all cores": time.process_time()}
    print(json.dumps({"seconds": seconds, "peak_rss_bytes": peak_rss_bytes(), "grid": list(prepared.grid.shape)}))


def differing(folder, classes):
    """Return how many voxels have other labels, and how many there are."""
    from leanseg.volumes import read_volume

    first, second = (read_volume(folder / f"{way}-{classes}.nii.gz").array for way in WAYS)
    return int((first != second).sum()), first.size


def make(folder, options):
    """Write the scan and the packages."""
    import leanseg
    from leanseg.inference.phantom import write_phantom_scan

    write_phantom_scan(folder / "scan.nii.gz", tuple(options.shape), tuple(options.spacing))
    for classes in CLASSES:
        place = folder / str(classes)
        leanseg.untrained_package(
            options.network, place, classes=classes, spacing=options.grid, tile=tuple(options.tile)
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="distill_dsm_unet")
    parser.add_argument("--shape", type=int, nargs=3, default=(256, 256, 150))
    parser.add_argument("--spacing", type=float, nargs=3, default=(1.6, 1.6, 2.0))
    parser.add_argument("--grid", type=float, default=3.0, help="spacing of the network, mm")
    parser.add_argument("--tile", type=int, nargs=3, default=(32, 96, 96))
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--skip-at-once", action="store_true", help="where the scores of 117 classes would not fit")
    parser.add_argument("--json", type=Path, default=Path("build/benchmarks/streaming.json"))
    parser.add_argument("--predict", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.predict:
        way, folder, classes = options.predict
        predict(way, Path(folder), int(classes), options.threads)
        return
    ways = WAYS[:1] if options.skip_at_once else WAYS
    with tempfile.TemporaryDirectory() as place:
        make(Path(place), options)
        rows = measured(place, ways, options)
        for row in rows if len(ways) > 1 else ():
            row["differing"], row["voxels"] = differing(Path(place), row["classes"])
    show(rows, options)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    record = {
        "machine": platform.processor() or platform.machine(),
        "date": datetime.now(UTC).isoformat("T", "seconds"),
    }
    record |= {name: value for name, value in vars(options).items() if name not in {"json", "predict"}}
    options.json.write_text(json.dumps({**record, "rows": rows}, indent=2) + "\n")


def measured(place, ways, options):
    """Return the best turn of each way and number of classes."""
    best = {}
    for _ in range(options.turns):
        for classes in CLASSES:
            for way in ways:
                command = [sys.executable, __file__, "--threads", str(options.threads), "--predict", way, place]
                done = subprocess.run([*command, str(classes)], stdout=subprocess.PIPE, text=True, check=True)
                found = json.loads(done.stdout)
                seen = best.setdefault((way, classes), found)
                if found["seconds"]["all"] < seen["seconds"]["all"]:
                    best[way, classes] = {**found, "peak_rss_bytes": min(map(_peak, (found, seen)))}
    return [{"way": way, "classes": classes, **found} for (way, classes), found in best.items()]


def _peak(found):
    return found["peak_rss_bytes"]


def show(rows, options):
    sizes = " x ".join(map(str, rows[0]["grid"]))
    print(f"{options.network}, scan of {' x '.join(map(str, options.shape))} voxels, {sizes} in the network's grid")
    print("way        classes  seconds  ratio  network  labels  of all cores   peak RSS  ratio")
    few = {row["way"]: row for row in rows if row["classes"] == min(CLASSES)}
    for row in sorted(rows, key=lambda row: (WAYS.index(row["way"]), row["classes"])):
        seconds, base = row["seconds"], few[row["way"]]
        slower, larger = seconds["all"] / base["seconds"]["all"], _peak(row) / _peak(base)
        print(
            f"{row['way']:10}{row['classes']:8}{seconds['all']:9.2f}{slower:7.2f}{seconds['network']:9.2f}"
            f"{seconds['labels']:8.2f}{seconds['of all cores']:14.2f}{_peak(row) / 1e6:8.0f} MB{larger:7.2f}"
            + (f"  {row['differing']:,} of {row['voxels']:,} labels differ" if "differing" in row else "")
        )
        if row["way"] == "streamed" and row["classes"] == max(CLASSES):
            kept = larger <= MOST_MEMORY and slower <= MOST_SECONDS
            print(f"{'':10}at most {MOST_MEMORY} times the memory and {MOST_SECONDS} times the seconds: {kept}")


if __name__ == "__main__":
    main()
