"""What leanseg demo does before it runs the other commands. The whole demo is in tests/e2e."""

import json

import numpy as np
import SimpleITK as sitk

from leanseg.cli.demo import _own
from leanseg.volumes import read_volume


def write_dataset(folder, suffix):
    random = np.random.default_rng(0)
    files = []
    for number in range(5):
        entry = {}
        for kind, place in (("image", "imagesTr"), ("label", "labelsTr")):
            path = folder / place / f"case{number}{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            array = random.integers(0, 2 if kind == "label" else 100, (6, 7, 8)).astype(np.uint8)
            sitk.WriteImage(sitk.GetImageFromArray(array), str(path))
            entry[kind] = f"./{place}/{path.name}"
        files.append(entry)
    labels = {"0": "background", "1": "blob"}
    description = {"name": "Blobs", "modality": {"0": "MRI"}, "labels": labels, "training": files, "test": []}
    (folder / "dataset.json").write_text(json.dumps(description), encoding="utf-8")
    return folder


def test_lent_scans_with_detached_headers_can_be_read(tmp_path):
    for suffix in (".mhd", ".nhdr"):
        data = write_dataset(tmp_path / f"data{suffix}", suffix)
        material = _own(data, tmp_path / f"out{suffix}", overwrite=False)
        (name,) = [path.name for path in material.images.iterdir() if path.name.endswith(suffix)]
        for folder, place in ((material.images, "imagesTr"), (material.labels, "labelsTr")):
            np.testing.assert_array_equal(read_volume(folder / name).array, read_volume(data / place / name).array)
