import numpy as np
import pytest

from leanseg.datasets.documents import DocumentError
from leanseg.evaluation.runs.curve import read_curve


def test_what_a_row_does_not_say_is_left_out(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text("step,seconds,loss,dice/mean\n1,6,2.5,\n2,12,,0.5\n3,18,1.5,\n4,2")
    curve = read_curve(path)
    steps, minutes, loss = curve.of(curve.loss)
    np.testing.assert_array_equal(steps, [1, 3])
    np.testing.assert_allclose(minutes, [0.1, 0.3])
    np.testing.assert_array_equal(loss, [2.5, 1.5])
    np.testing.assert_array_equal(curve.of(curve.dice)[0], [2])
    assert curve.minutes == pytest.approx(0.3)


def test_a_table_without_seconds_says_no_minutes(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text("step,loss,dice/mean\n1,2,\n2,nan,0.5\n")
    curve = read_curve(path)
    assert curve.minutes is None
    assert curve.of(curve.loss)[0].tolist() == [1]


def test_a_run_that_has_not_begun_has_no_curve(tmp_path):
    assert read_curve(tmp_path / "metrics.csv") is None
    (tmp_path / "metrics.csv").write_text("step,loss\n")
    assert read_curve(tmp_path / "metrics.csv") is None


def test_another_table_is_refused(tmp_path):
    (tmp_path / "metrics.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DocumentError, match="not the table"):
        read_curve(tmp_path / "metrics.csv")
