import csv

import pytest

from leanseg.learning.training import curves
from leanseg.learning.training.curves import Curves


@pytest.fixture
def clock(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(curves.time, "monotonic", lambda: now[0])
    return now


def rows(folder):
    with (folder / "logs" / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def test_rows_say_when_and_leave_out_what_is_not_known(tmp_path, clock):
    log = Curves(tmp_path / "logs", ["loss", "dice/mean"])
    clock[0] += 2.5
    log.log(1, {"loss": 0.123456789})
    clock[0] += 60
    log.log(7, {"dice/mean": 0.5})
    assert rows(tmp_path) == [
        {"step": "1", "seconds": "2.5", "loss": "0.123457", "dice/mean": ""},
        {"step": "7", "seconds": "62.5", "loss": "", "dice/mean": "0.5"},
    ]


def test_a_resumed_run_goes_on_without_the_time_between(tmp_path, clock):
    Curves(tmp_path / "logs", ["loss"]).log(1, {"loss": 1.0})
    clock[0] += 30
    log = Curves(tmp_path / "logs", ["loss"])
    log.log(2, {"loss": 0.5})
    clock[0] += 5000
    log = Curves(tmp_path / "logs", ["loss"])
    clock[0] += 3
    log.log(3, {"loss": 0.4})
    assert [row["seconds"] for row in rows(tmp_path)] == ["0.0", "0.0", "3.0"]


def test_the_table_of_an_earlier_version_keeps_its_columns(tmp_path, clock):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "metrics.csv").write_text("step,loss\n1,2\n")
    Curves(tmp_path / "logs", ["loss"]).log(2, {"loss": 1.0})
    assert rows(tmp_path) == [{"step": "1", "loss": "2"}, {"step": "2", "loss": "1"}]
