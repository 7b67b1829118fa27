import json
from pathlib import Path

import nibabel
import numpy as np
import pytest

DATA = Path(__file__).parents[2] / "../shared/data"


def save(path, array, spacing=(1.0, 1.0, 1.0), affine=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(array, np.diag([*spacing, 1.0]) if affine is None else affine), path)


def image(seed, shape=(6, 7, 5)):
    return np.random.default_rng(seed).normal(100, 20, shape).astype(np.float32)


def label(seed, shape=(6, 7, 5), classes=2):
    array = np.random.default_rng(seed).integers(0, classes + 1, shape[:3]).astype(np.uint8)
    array.flat[: classes + 1] = range(classes + 1)
    return array


class Written:
    """A data set on disk that a test can damage."""

    def __init__(self, root, cases):
        self.root = root
        self.names = [f"case_{chr(ord('a') + number)}" for number in range(cases)]
        self.content = {}

    def image(self, index, channel=None):
        return self.root / "imagesTr" / f"{self.names[index]}{'' if channel is None else f'_{channel:04d}'}.nii.gz"

    def label(self, index):
        return self.root / "labelsTr" / f"{self.names[index]}.nii.gz"

    def describe(self, **changes):
        self.content.update(changes)
        (self.root / "dataset.json").write_text(json.dumps(self.content), encoding="utf-8")
        return self.root


@pytest.fixture
def decathlon(tmp_path):
    def write(cases=6, channels=1):
        written = Written(tmp_path / "Task99_Thing", cases)
        shape = (6, 7, 5) if channels == 1 else (6, 7, 5, channels)
        for index in range(cases):
            save(written.image(index), image(index, shape))
            save(written.label(index), label(index))
        written.describe(
            name="Thing",
            modality={str(channel): f"M{channel}" for channel in range(channels)},
            labels={"0": "background", "1": "left", "2": "right"},
            training=[
                {"image": f"./imagesTr/{name}.nii.gz", "label": f"./labelsTr/{name}.nii.gz"} for name in written.names
            ],
            test=[],
        )
        return written

    return write


@pytest.fixture
def nnunet(tmp_path):
    def write(cases=6, channels=2):
        written = Written(tmp_path / "Dataset099_Thing", cases)
        for index in range(cases):
            for channel in range(channels):
                save(written.image(index, channel), image(10 * index + channel))
            save(written.label(index), label(index))
        written.describe(
            channel_names={str(channel): f"M{channel}" for channel in range(channels)},
            labels={"background": 0, "left": 1, "right": 2},
            numTraining=cases,
            file_ending=".nii.gz",
        )
        return written

    return write


@pytest.fixture
def write_volume():
    return save


@pytest.fixture
def new_image():
    return image


@pytest.fixture
def new_label():
    return label


@pytest.fixture
def real_data():
    def find(name):
        folder = DATA / name
        if not folder.is_dir():
            pytest.skip(f"{name} is not in shared/data")
        return folder

    return find


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LEANSEG_CACHE", str(tmp_path / "cache"))
