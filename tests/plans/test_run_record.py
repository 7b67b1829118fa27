import pytest
from pydantic import ValidationError

from leanseg.learning.jobs.run_folder import RunFolder
from leanseg.plans.run_record import RunRecord

SAID = {
    "leanseg": "0.1.0",
    "dataset": "/data",
    "fold": 0,
    "minutes": 1.0,
    "steps": None,
    "device": "cpu",
    "precision": "fp32",
    "state": "running",
}


def test_a_record_is_read_from_the_folder_as_it_was_written(tmp_path):
    record = RunRecord(**SAID, results={"steps": 3, "dice/liver": 0.5})
    RunFolder(tmp_path).write(record)
    assert RunFolder(tmp_path).read() == record


@pytest.mark.parametrize("wrong", [{"state": "lost"}, {"colour": "red"}, {"format": 2}])
def test_what_is_no_record_is_refused(wrong):
    with pytest.raises(ValidationError):
        RunRecord(**{**SAID, **wrong})
