"""Whole commands, run as a user runs them, on a small made-up data set."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

SHAPE = (26, 30, 22)
CLASSES = {"0": "background", "1": "ball", "2": "block"}
# One thread per command: the tests share the cores.
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Done:
    """How a command ended: exit code, what it said, largest resident memory in bytes."""

    code: int
    out: str
    err: str
    peak: int


def _run_leanseg(*arguments, environment=ENVIRONMENT, timeout=300.0):
    """Run one command. It is killed after `timeout` seconds, so that a hang fails the test."""
    command = [sys.executable, "-m", "leanseg", *map(str, arguments)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, env=environment
    ) as process:
        out, err = process.communicate(timeout=timeout)
    return Done(process.returncode, out, err, 0)


# A process that is started takes over the largest memory of the one that starts it, and a test worker is large: so a
# small process stands between them.
GO_BETWEEN = """
import os, subprocess, sys
process = subprocess.Popen(sys.argv[2:], stdin=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
with open(sys.argv[1], "w") as found:
    found.write(f"{os.waitstatus_to_exitcode(status)} {usage.ru_maxrss}")
"""


def _run_measured(folder, *arguments):
    """Run one command and measure the largest resident memory it ever had."""
    found = folder / "measured.txt"
    command = [sys.executable, "-m", "leanseg", *map(str, arguments)]
    done = subprocess.run(
        [sys.executable, "-S", "-c", GO_BETWEEN, str(found), *command],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        check=True,
    )
    code, peak = map(int, found.read_text().split())
    return Done(code, done.stdout, done.stderr, peak * (1 if sys.platform == "darwin" else 1024))


def _make_scan(seed, shape=SHAPE):
    """Return an image and its labels: a bright ball and a dark block somewhere in noise."""
    random = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(*(np.arange(side) for side in shape), indexing="ij"))
    center = random.uniform(9, np.array(shape) - 9).reshape(3, 1, 1, 1)
    corner = random.integers(2, 6, 3)
    labels = np.zeros(shape, np.uint8)
    labels[tuple(slice(start, start + 6) for start in corner)] = 2
    labels[((grid - center) ** 2).sum(axis=0) < 36] = 1
    image = np.choose(labels, [100, 220, 20]) + random.normal(0, 12, shape)
    return image.astype(np.int16), labels


def _make_dataset(folder, save_scan, cases=6):
    """Write a Decathlon data set with two classes beside the background."""
    names = [f"scan_{number:02d}" for number in range(cases)]
    for seed, name in enumerate(names):
        image, labels = _make_scan(seed)
        save_scan(folder / "imagesTr" / f"{name}.nii.gz", image)
        save_scan(folder / "labelsTr" / f"{name}.nii.gz", labels)
    files = [{"image": f"./imagesTr/{name}.nii.gz", "label": f"./labelsTr/{name}.nii.gz"} for name in names]
    description = {"name": "Balls", "modality": {"0": "MRI"}, "labels": CLASSES, "training": files, "test": []}
    (folder / "dataset.json").write_text(json.dumps(description), encoding="utf-8")
    return folder


def _everything_in(folder):
    """Return path -> (size, time of change) of all files and folders in `folder`."""
    return {
        path.relative_to(folder): (path.stat().st_size, path.stat().st_mtime_ns) for path in Path(folder).rglob("*")
    }


@pytest.fixture(scope="session")
def leanseg():
    """The command line: a function of the arguments that returns how the command ended."""
    return _run_leanseg


@pytest.fixture
def measured(tmp_path_factory):
    """The command line with its peak memory measured."""
    return lambda *arguments: _run_measured(tmp_path_factory.mktemp("measured"), *arguments)


@pytest.fixture(scope="session")
def make_scan():
    return _make_scan


@pytest.fixture(scope="session")
def everything_in():
    return _everything_in


@pytest.fixture(scope="session")
def dataset(tmp_path_factory, save_scan):
    return _make_dataset(tmp_path_factory.mktemp("data") / "Balls", save_scan)


@pytest.fixture(scope="session")
def plan(leanseg, dataset, tmp_path_factory):
    path = tmp_path_factory.mktemp("plan") / "plan.json"
    done = leanseg("plan", dataset, "-o", path, "--ram", "4GB")
    assert done.code == 0, done.err
    return path


@pytest.fixture(scope="session")
def trained(leanseg, dataset, plan, tmp_path_factory):
    """A run that has learned to tell the classes apart, trained once for all tests of a worker."""
    folder = tmp_path_factory.mktemp("run")
    content = json.loads(plan.read_text(encoding="utf-8"))
    content["training"]["batch"] = 2  # many small steps learn more in a few seconds than few large ones
    (folder / "plan.json").write_text(json.dumps(content), encoding="utf-8")
    done = leanseg(
        "train", dataset, "--plan", folder / "plan.json", "--fold", "0", "--steps", "40", "-o", folder / "run"
    )
    assert done.code == 0, done.err
    return folder / "run"


@pytest.fixture(scope="session")
def new_cases():
    """Name -> image and labels of two cases that nobody trained on."""
    return {f"new_{number}": _make_scan(100 + number) for number in range(2)}


@pytest.fixture(scope="session")
def scans(tmp_path_factory, save_scan, new_cases):
    """A folder with the scans of the new cases."""
    folder = tmp_path_factory.mktemp("scans")
    for name, (image, _) in new_cases.items():
        save_scan(folder / f"{name}.nii.gz", image)
    return folder
