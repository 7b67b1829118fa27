"""leanseg.check reports what the command reports."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

import leanseg
from leanseg.api.named_dataset import NoDatasetNamedError
from leanseg.cli import _application


@pytest.fixture
def folders(tmp_path, save_scan):
    rng = np.random.default_rng(0)
    for kind, dtype in (("images", np.float32), ("labels", np.uint8)):
        for number in range(6):
            name = f"pat{number // 2}_{number}.nii.gz"
            save_scan(tmp_path / kind / name, rng.integers(0, 3, (6, 7, 5)).astype(dtype))
    (tmp_path / "labels" / "pat0_0.nii.gz").write_bytes(b"")
    return tmp_path


def test_it_finds_what_the_command_finds(folders):
    options = ["--images", folders / "images", "--labels", folders / "labels", "--subject-pattern", r"(pat\d)"]
    words = ["check", *map(str, options), "--json"]
    told = json.loads(CliRunner().invoke(_application(words), words).stdout)
    report = leanseg.check(images=str(folders / "images"), labels=folders / "labels", subject_pattern=r"(pat\d)")
    assert json.loads(report.model_dump_json()) == told
    assert not report.passed
    assert report.errors > 0


@pytest.mark.parametrize("named", [{}, {"images": "a"}, {"labels": "a"}, {"dataset": "a", "images": "b"}])
def test_a_data_set_is_named_in_one_way(named):
    with pytest.raises(NoDatasetNamedError):
        leanseg.check(**named)
