import json

import numpy as np
import pytest

from leanseg.datasets.documents import DocumentError
from leanseg.evaluation.runs.judged import read_judged

TABLE = """case,class,label,status,dice,reference_volume_mm3
b,left,1,judged,0.5,100
b,right,2,judged,0.7,200
a,left,1,judged,,0
a,right,2,failed,0,300
c,left,1,judged,,0
c,right,2,judged,,0
"""


@pytest.fixture
def validation(tmp_path):
    (tmp_path / "report").mkdir()
    (tmp_path / "predictions").mkdir()
    (tmp_path / "report" / "metrics.csv").write_text(TABLE)
    for case, seconds in (("a", {"total": 1.0}), ("b", {"total": 4}), ("c", "soon")):
        (tmp_path / "predictions" / f"{case}.json").write_text(json.dumps({"seconds": seconds}))
    return tmp_path


def test_scores_are_those_of_the_table(validation):
    found = read_judged(validation)
    assert (found.cases, found.targets) == (("b", "a", "c"), ("left", "right"))
    np.testing.assert_array_equal(found.dice, [[0.5, 0.7], [np.nan, 0], [np.nan, np.nan]])
    np.testing.assert_allclose(found.mean_dice, [0.6, 0, np.nan])
    assert found.foreground.n == 2
    assert found.foreground.mean == pytest.approx(0.3)
    assert found.summaries["right"].mean == pytest.approx(0.35)
    assert found.seconds == pytest.approx(2.5)


def test_without_a_report_there_is_nothing(tmp_path):
    assert read_judged(tmp_path) is None


def test_without_sidecars_nobody_knows_the_seconds(validation):
    for path in (validation / "predictions").iterdir():
        path.unlink()
    assert read_judged(validation).seconds is None


@pytest.mark.parametrize("text", ["", "case,class\na,b\n", TABLE.replace("0.5", "half")])
def test_another_table_is_refused(validation, text):
    (validation / "report" / "metrics.csv").write_text(text)
    with pytest.raises(DocumentError, match=r"metrics\.csv"):
        read_judged(validation)
