import json

import numpy as np
import pytest
from peers import contest
from peers.job import RESULT, Job, Said, said
from peers.table import table

from leanseg.volumes import Geometry, write_volume


def figures(seconds, **more):
    base = {"seconds": seconds, "cpu_seconds": seconds, "peak_rss_bytes": 1_000_000_000, "measured_seconds": seconds}
    return {**base, "extrapolated": False, "passes": False, "basis": [], **more}


def test_the_fastest_turn_counts_with_the_largest_peak():
    first = contest.better({}, figures(3.0, peak_rss_bytes=5, precision="first"))
    second = contest.better(first, figures(2.0, peak_rss_bytes=4, precision="second"))
    third = contest.better(second, figures(9.0, peak_rss_bytes=7, precision="third"))
    assert (third["seconds"], third["precision"]) == (2.0, "second")
    assert (third["peak_rss_bytes"], third["slowest"], third["turns"]) == (7, 9.0, 3)


def test_a_turn_that_failed_is_not_hidden_by_one_that_did_not():
    assert contest.better(figures(1.0, turns=1), {"problem": "stopped"}) == {"problem": "stopped"}


def test_labels_are_compared_voxel_by_voxel_and_not_where_passes_were_repeated(tmp_path):
    expected = np.zeros((4, 5, 6), np.uint8)
    other = expected.copy()
    other[0, 0, :3] = 1
    for row, labels in (("leanseg fp32", expected), ("torch eager", other), ("naive export", other)):
        folder = tmp_path / contest._slug(row)
        folder.mkdir()
        write_volume(folder / "scan.nii.gz", labels, Geometry(labels.shape, np.eye(4)))
    rows = {"leanseg fp32": {}, "torch eager": {}, "naive export": {"passes": True}, "torch.compile": {}}
    (tmp_path / contest._slug("torch.compile")).mkdir()
    contest.compare({"rows": rows}, tmp_path)
    assert rows["leanseg fp32"]["label_agreement"] == 1
    assert rows["torch eager"]["label_agreement"] == 1 - 3 / 120
    assert "label_agreement" not in rows["naive export"]
    assert "label_agreement" not in rows["torch.compile"]


def test_folders_of_rows_are_distinct():
    rows = [*contest.OURS, *contest.THEIRS]
    assert len({contest._slug(row) for row in rows}) == len(rows)


def test_a_job_reads_as_it_was_written(tmp_path):
    job = Job("torch eager", "package", str(tmp_path), "out", threads=2, passes=3, folds=5)
    job.write(tmp_path / "job.json")
    assert Job.read(tmp_path / "job.json") == job


def test_channels_are_in_order_and_the_label_map_has_the_name_of_the_scan(tmp_path):
    for channel in (1, 0):
        (tmp_path / f"head_000{channel}.nii.gz").touch()
    job = Job("torch eager", "package", str(tmp_path), str(tmp_path / "out"), threads=1)
    assert [path.name for path in job.files] == ["head_0000.nii.gz", "head_0001.nii.gz"]
    assert job.labels == tmp_path / "out" / "head.nii.gz"


def test_a_row_is_heard_before_the_sidecar(tmp_path):
    sidecar = {"engine": "openvino 1", "precision": "fp32", "seconds": {"total": 2.0}}
    (tmp_path / "scan.json").write_text(json.dumps(sidecar))
    assert said(tmp_path)["engine"] == "openvino 1"
    assert said(tmp_path)["basis"] == []
    words = Said("torch 1")
    words.add("1 of 3 passes of 2.00 s", 4.0, 7)
    words.write(tmp_path)
    assert (tmp_path / RESULT).exists()
    found = said(tmp_path)
    assert (found["engine"], found["added_seconds"], found["added_bytes"]) == ("torch 1", 4.0, 7)


@pytest.fixture
def found():
    return {
        "case": "toy",
        "date": "2026-01-01T00:00+00:00",
        "machine": {"processor": "a processor"},
        "settings": {"threads": 2},
        "network": {"name": "unet3d"},
        "outputs": 3,
        "tile": [8, 16, 16],
        "rows": {
            "leanseg fp32": figures(2.0, label_agreement=1.0),
            "torch eager": figures(5.0, label_agreement=0.99999),
            "MONAI sliding window": figures(7.0, extrapolated=True, basis=["2 of 9 passes of 0.70 s"]),
            "naive export": {"problem": "stopped at 3.0 GB"},
            "torch.compile": {},
        },
    }


def test_a_table_says_how_many_times_as_long_a_row_took(found):
    (line,) = [line for line in table(found).splitlines() if line.startswith("torch eager")]
    assert line.split()[2:] == ["5.0", "2.50", "x", "5.0", "1.00", "GB", "99.9990%"]


def test_a_table_marks_what_was_not_run_in_full(found):
    lines = table(found).splitlines()
    assert any(line.startswith("MONAI sliding window") and "*7.0" in line for line in lines)
    assert any(line.startswith("* MONAI sliding window: 2 of 9 passes") for line in lines)
    assert any(line.startswith("naive export") and "stopped at 3.0 GB" in line for line in lines)
    assert not any(line.startswith("torch.compile") for line in lines)
