import hashlib
from pathlib import Path

import numpy as np
import pytest

from leanseg.datasets import Case
from leanseg.inference.predictor import Stopwatch
from leanseg.inference.results import NotOursError, Result, content_of, input_hash
from leanseg.volumes import Geometry, read_labels, read_volume

SAID = {"package": "p", "input_sha256": "i", "engine": "e", "precision": "fp32", "tile": [1, 2, 3], "nan": None}


@pytest.fixture
def written(tmp_path, save_scan):
    """A result as a prediction leaves it."""
    scan = save_scan(tmp_path / "scan.nii.gz", np.zeros((3, 4, 5), np.float32))
    result = Result.of(Case("a", (scan,)), tmp_path / "out")
    result.write(np.ones((3, 4, 5), np.uint8), read_volume(scan).geometry, scan, Stopwatch(), lambda: dict(SAID))
    return result


def test_a_label_map_comes_with_what_was_said_of_it(written):
    assert (read_labels(written.volume).array == 1).all()
    assert [path.name for path in written.files] == ["a.nii.gz", "a.json"]
    assert written.why_not_finished(SAID) == ""


@pytest.mark.parametrize("key", [*SAID, "leanseg"])
def test_whatever_decides_labels_decides_whether_a_case_is_finished(written, key):
    assert written.why_not_finished({**SAID, key: "other"}).startswith("made ")


@pytest.mark.parametrize("said", ["", "{", "[]", "{}", '{"label_map_sha256": 1}', '{"label_map_sha256": null}'])
def test_a_sidecar_that_does_not_tell_makes_a_label_map_somebody_elses(written, said):
    written.sidecar.write_text(said)
    with pytest.raises(NotOursError):
        written.why_not_finished(SAID)


def test_a_sidecar_alone_is_no_result(written):
    written.volume.unlink()
    assert written.why_not_finished(SAID) == "missing"
    written.remove()
    assert written.why_not_finished(SAID) == "missing"


@pytest.mark.parametrize("stop", [KeyboardInterrupt, MemoryError])
def test_nothing_is_left_of_a_result_whose_writing_is_stopped(tmp_path, save_scan, stop):
    scan = save_scan(tmp_path / "scan.nii.gz", np.zeros((3, 4, 5), np.float32))
    result = Result.of(Case("a", (scan,)), tmp_path / "out")

    def stopped():
        raise stop

    geometry = Geometry((3, 4, 5), read_volume(scan).geometry.affine)
    with pytest.raises(stop):
        result.write(np.ones((3, 4, 5), np.uint8), geometry, scan, Stopwatch(), stopped)
    assert list((tmp_path / "out").iterdir()) == []


def test_contents_are_hashed_as_sha256_and_several_in_order(tmp_path):
    files = []
    for name in ("first", "second"):
        files.append(tmp_path / name)
        files[-1].write_bytes(name.encode() * 1000)
    first, second = (hashlib.sha256(path.read_bytes()) for path in files)
    assert content_of(files[:1]) == first.hexdigest()
    assert content_of(files) == hashlib.sha256(first.digest() + second.digest()).hexdigest()
    assert content_of(files) != content_of(files[::-1])


def test_the_voxels_of_a_detached_header_count_too(tmp_path):
    header = tmp_path / "a.mhd"
    header.write_text(
        "ObjectType = Image\nNDims = 3\nDimSize = 2 2 2\nElementSpacing = 1 1 1\nElementType = MET_UCHAR\n"
        "ElementDataFile = a.raw\n"
    )
    (tmp_path / "a.raw").write_bytes(bytes(8))
    case = Case("a", (Path(header),))
    before = input_hash(case)
    (tmp_path / "a.raw").write_bytes(bytes(7) + b"\1")
    assert input_hash(case) != before
