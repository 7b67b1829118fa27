"""What overlapping tiles gain in Dice, and what they cost.

Claim: the overlap that planning chooses (learning/planning/tiles.py) loses nothing that can be measured against larger
ones. The networks are trained ones: runs of leanseg train, and where none is named one that is trained here for
`--minutes`. Each is exported again for smaller tiles than its own, so that there is something to overlap: half of its
training patch along each axis, or `--tile`. Judged are its validation cases that are larger than the tile. All
overlaps of a case are computed in turns, and where two of them lead to the same tiles these are computed once.

    python benchmarks/overlap.py [RUN ...] [--data DATASET] [--tile D H W] [--cases 12] [--json FILE]
"""

import argparse
import json
import platform
import tempfile
import time
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch

import leanseg
from leanseg.datasets import open_dataset, read_splits
from leanseg.evaluation.statistics import summarise
from leanseg.inference import fuse, prepare
from leanseg.inference.engines.onnxruntime_engine import OnnxRuntimeEngine
from leanseg.inference.engines.openvino_engine import OpenVinoEngine
from leanseg.inference.sliding_window import tile_starts
from leanseg.learning import networks
from leanseg.learning.export.onnx_graph import export_onnx
from leanseg.learning.export.torch_engine import build_network
from leanseg.machine import cores
from leanseg.packages import Package
from leanseg.volumes import read_channels, read_labels

OVERLAPS = (0.0, 0.125, 0.25, 0.375, 0.5, 0.625)
REFERENCE = 0.5
ENGINES = {"openvino": OpenVinoEngine, "onnxruntime": OnnxRuntimeEngine}


def engine_for(package, tile, threads):
    """Return the engine of a package's trained network for tiles of another size."""
    network = build_network(package.plan)
    network.load_state_dict({name: torch.from_numpy(array) for name, array in package.weights().items()})
    graph = export_onnx(network, len(package.plan.data.channels), tile)
    return ENGINES[package.plan.inference.engine](graph, threads)


def half_of_the_patch(plan):
    """Return half of the training patch along each axis, rounded up to what the network's poolings need."""
    divisor = networks.divisor(plan.network.name, **plan.network.options)
    return tuple(-(-size // (2 * part)) * part for size, part in zip(plan.training.patch, divisor, strict=True))


def validation_cases(run, dataset):
    """Return the cases that the run has not learned from."""
    names = set(read_splits(run / "splits.json", dataset).folds[0].validation)
    return [case for case in dataset.cases if case.name in names]


def dice_of(labels, reference, values):
    """Return the Dice coefficient of one target; NaN where neither has it."""
    found, true = np.isin(labels, values), np.isin(reference, values)
    total = int(found.sum()) + int(true.sum())
    return 2 * int((found & true).sum()) / total if total else np.nan


def measure(package, tile, cases, threads):
    """Return per overlap the Dice (cases, targets), the seconds, and the tiles of each case that needs several."""
    engine, plan = engine_for(package, tile, threads), package.plan
    values = np.array(list(plan.data.labels.values()))
    written = [region.written for region in plan.data.regions.values()] or None
    found = {overlap: defaultdict(list) for overlap in OVERLAPS}
    for turn, case in enumerate(cases):
        array, geometry = read_channels(case.images)
        prepared, reference = prepare(array, geometry, plan.preprocessing), read_labels(case.label).array
        places = {
            overlap: tuple(
                tile_starts(max(size, length), length, overlap)
                for size, length in zip(prepared.array.shape[1:], tile, strict=True)
            )
            for overlap in OVERLAPS
        }
        if all(len(starts) == 1 for starts in places[max(OVERLAPS)]):
            continue
        known = {}
        for index in range(len(OVERLAPS)):
            overlap = OVERLAPS[(turn + index) % len(OVERLAPS)]
            if (where := places[overlap]) not in known:
                start = time.perf_counter()
                scores = fuse(engine, prepared.array, tile, overlap, blending=plan.inference.blending)
                seconds = time.perf_counter() - start
                labels = prepared.restore(scores, written)
                labels = labels if written else values[labels]
                dice = [dice_of(labels, reference, target) for target in plan.data.targets.values()]
                known[where] = dice, seconds
            dice, seconds = known[where]
            for name, value in (("dice", dice), ("seconds", seconds), ("tiles", np.prod([*map(len, where)]))):
                found[overlap][name].append(value)
    return found


def rows_of(found):
    """Return a row per overlap: Dice, how it differs from that of the reference, seconds and tiles."""
    reference = found[REFERENCE]
    base = np.nanmean(np.array(reference["dice"]), axis=1)
    rows = []
    for overlap, columns in found.items():
        dice = np.nanmean(np.array(columns["dice"]), axis=1)
        difference = summarise((dice - base).reshape(-1, 1))[0]
        rows.append(
            {
                "overlap": overlap,
                "dice": float(dice.mean()),
                "difference": [difference.mean, difference.low, difference.high],
                "seconds": float(np.mean(columns["seconds"])),
                "seconds_ratio": sum(columns["seconds"]) / sum(reference["seconds"]),
                "tiles_ratio": float(sum(columns["tiles"]) / sum(reference["tiles"])),
            }
        )
    return rows


def show(name, tile, cases, rows):
    """Print what was measured of one network."""
    print(f"\n{name}, tiles of {' x '.join(map(str, tile))}, {cases} cases larger than that")
    print(f"{'overlap':>8}{'Dice':>9}{'against 0.5 [95 %]':>32}{'s per case':>12}{'time':>7}{'tiles':>7}")
    for row in rows:
        mean, low, high = row["difference"]
        against = f"{mean:+.4f} [{low:+.4f}, {high:+.4f}]"
        print(
            f"{row['overlap']:8.3f}{row['dice']:9.4f}{against:>32}"
            f"{row['seconds']:12.3f}{row['seconds_ratio']:7.2f}{row['tiles_ratio']:7.2f}",
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="*")
    parser.add_argument("--data", type=Path, default=Path("../shared/data/Task04_Hippocampus"))
    parser.add_argument("--tile", type=int, nargs=3, help="default: half of the training patch")
    parser.add_argument("--cases", type=int, default=12, help="of the validation cases, evenly chosen")
    parser.add_argument("--minutes", type=float, default=4, help="of training, where no run is named")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    dataset = open_dataset(options.data)
    record = {"machine": platform.processor() or platform.machine(), "cores": cores(), "networks": []}
    record["date"] = datetime.now(UTC).isoformat(timespec="seconds")
    with tempfile.TemporaryDirectory() as place:
        if not options.runs:
            options.runs = [Path(place) / "distill_dsm_unet"]
            leanseg.train(options.data, out=options.runs[0], minutes=options.minutes)
        for run in options.runs:
            package = Package.read(run)
            tile = tuple(options.tile or half_of_the_patch(package.plan))
            cases = validation_cases(run, dataset)
            cases = cases[:: max(1, -(-len(cases) // options.cases))]
            found = measure(package, tile, cases, options.threads)
            rows, number = rows_of(found), len(found[REFERENCE]["dice"])
            show(run.name, tile, number, rows)
            record["networks"].append({"name": run.name, "tile": tile, "cases": number, "rows": rows})
            if options.json:
                options.json.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
