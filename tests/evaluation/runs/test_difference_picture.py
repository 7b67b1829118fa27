from leanseg.evaluation.runs.difference_picture import difference_picture
from leanseg.evaluation.runs.differences import Difference


def difference(better, worse, target="", mean=0.02, low=0.01, strict=(0.005, 0.05)):
    return Difference(better, worse, target, 12, mean, low, 0.04, strict, 0.95, 0.7)


def test_each_pair_has_its_row_and_each_class_none():
    rows = [difference("a", "b"), difference("a", "b", "liver"), difference("a", "<c>")]
    svg = difference_picture(rows, "key")
    assert "a \u2212 b</text>" in svg
    assert "a \u2212 &lt;c&gt;</text>" in svg
    assert "liver" not in svg
    assert "a \u2212 b: +0.0200" in svg


def test_without_pairs_or_intervals_nothing_breaks():
    assert difference_picture([], "key") is None
    nan = float("nan")
    assert "a \u2212 b" in difference_picture([difference("a", "b", low=nan, strict=(nan, nan))], "key")
