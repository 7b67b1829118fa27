import csv
import json

import numpy as np
import pytest

from leanseg.datasets import open_dataset
from leanseg.evaluation.overlap import dice
from leanseg.evaluation.report import OutputHoldsInputError
from leanseg.evaluation.stress import STRESSES, Question, stress_test, study
from leanseg.evaluation.stress.measuring import NoCaseReadError
from leanseg.evaluation.stress.study import NotAStressTestError
from leanseg.inference import Predictor
from leanseg.progress import Progress
from leanseg.storage import OutputNotEmptyError

QUICK = Question(stresses=("noise", "axial_slices"), levels=2)


class Notes(Progress):
    def __init__(self):
        self.told, self.totals = [], []

    def note(self, message):
        self.told.append(message)

    def track(self, items, doing, total=None):
        done = 0
        for done, item in enumerate(items, start=1):  # noqa: B007
            yield item
        self.totals.append((doing, done, total))


class StopAfter(Progress):
    """Ctrl-C after some predictions."""

    def __init__(self, steps):
        self.steps, self.told = steps, []

    def note(self, message):
        self.told.append(message)

    def track(self, items, doing, total=None):
        for item in items:
            self.steps -= 1
            if self.steps < 0:
                raise KeyboardInterrupt
            yield item


@pytest.fixture(autouse=True)
def pictures(monkeypatch, request):
    """Pictures are drawn for the test that looks at them; for others they would take most of the time."""
    if "drawn" not in request.fixturenames:
        monkeypatch.setattr(study, "draw_pictures", lambda _, folder: (folder / "curves.svg").write_text("<svg/>"))


@pytest.fixture
def drawn():
    """Asks for pictures."""


def rows_of(out):
    with (out / "stress.csv").open(newline="") as file:
        return {
            (row["case"], row["package"], row["stress"], int(row["level"]), row["class"]): row
            for row in csv.DictReader(file)
        }


@pytest.fixture
def predictions(monkeypatch):
    """What was predicted: how many scans, counted."""
    counted = []
    original = Predictor.labels
    monkeypatch.setattr(Predictor, "labels", lambda *given, **named: counted.append(1) or original(*given, **named))
    return counted


def test_the_report_holds_curves_tables_and_a_page(package, other, data, tmp_path, drawn):
    found = stress_test([package, other], data, tmp_path / "out", QUICK)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        *("classes.png", "classes.svg", "curves.png", "curves.svg", "report.html", "stress.csv", "stress.json")
    ]
    assert not (tmp_path / "out.unfinished").exists()
    rows = rows_of(tmp_path / "out")
    assert len(rows) == 4 * 2 * 2 * 3 * 2  # cases, packages, stresses, levels with 0, classes
    assert json.loads((tmp_path / "out" / "stress.json").read_text()) == json.loads(json.dumps(found.record))
    assert not found.failures


def test_on_scans_as_they_are_a_perfect_package_is_perfect(package, data, tmp_path):
    stress_test([package], data, tmp_path / "out", QUICK)
    for (*_, level, _), row in rows_of(tmp_path / "out").items():
        if level == 0:
            assert float(row["dice"]) == float(row["attainable"]) == 1


def test_dice_under_stress_is_that_of_the_stressed_scan_thresholded_by_hand(package, data, tmp_path, shaded):
    question = Question(stresses=("noise", "deformation", "field_of_view"), levels=1)
    stress_test([package], data, tmp_path / "out", question)
    rows = rows_of(tmp_path / "out")
    from leanseg.evaluation.stress.catalogue import LabelledScan
    from leanseg.volumes import Geometry

    image, labels = shaded(2)
    scan = LabelledScan(image[None], Geometry(image.shape, np.eye(4)), labels, (False,))
    for stress in (one for one in STRESSES if one.name in question.stresses):
        changed = stress.on(scan, stress.most, 0, "case2")
        seen = np.select([changed.channels[0] > 1, changed.channels[0] > 0], [5, 2], 0)
        expected = dice(seen, changed.reference, [(2,), (5,)])
        found = [float(rows["case2", "perfect", stress.name, 1, name]["dice"] or "nan") for name in ("grey", "white")]
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_thick_slices_are_judged_on_the_scans_own_grid(package, data, tmp_path, shaded):
    stress_test([package], data, tmp_path / "out", Question(stresses=("axial_slices",), levels=2))
    row = rows_of(tmp_path / "out")["case0", "perfect", "axial_slices", 2, "grey"]
    image, labels = shaded(0)
    # 12 slices of 1 mm in two of 8 mm, centred: each is the mean of the six that it has.
    halves = image.reshape(12, 12, 2, 6).mean(axis=3)
    seen = np.select([halves > 1, halves > 0], [5, 2], 0).repeat(6, axis=2)
    assert float(row["dice"]) == pytest.approx(float(dice(seen, labels, [(2,)])[0]), abs=1e-5)
    assert 0 < float(row["attainable"]) < 1


def test_neither_order_nor_company_changes_a_score(package, other, data, tmp_path):
    stress_test([package, other], data, tmp_path / "both", QUICK)
    alone = Question(stresses=("axial_slices", "noise"), levels=2, cases=2)
    stress_test([other], data, tmp_path / "alone", alone)
    both = rows_of(tmp_path / "both")
    for key, row in rows_of(tmp_path / "alone").items():
        assert both[key] == row


def test_a_stopped_run_goes_on_and_ends_like_one_that_was_not(package, other, data, tmp_path, predictions):
    stress_test([package, other], data, tmp_path / "whole", QUICK)
    whole = len(predictions)
    assert whole == 2 * 4 * 5
    stopped = StopAfter(13)
    with pytest.raises(KeyboardInterrupt):
        stress_test([package, other], data, tmp_path / "out", QUICK, progress=stopped)
    assert not (tmp_path / "out").exists()
    assert "the same command goes on" in stopped.told[-1]
    before = len(predictions)
    notes = Notes()
    stress_test([package, other], data, tmp_path / "out", QUICK, progress=notes)
    assert whole - 13 <= len(predictions) - before < whole - 9  # at most the levels of one stress are done again
    assert any("Going on" in told for told in notes.told)
    for name in ("stress.csv", "curves.svg"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert not (tmp_path / "out.unfinished").exists()


def test_progress_counts_every_prediction(package, other, data, tmp_path):
    notes = Notes()
    stress_test([package, other], data, tmp_path / "out", QUICK, progress=notes)
    assert notes.totals == [("Stressing perfect", 20, 20), ("Stressing random", 20, 20)]
    assert notes.told == ["All labelled cases of the data set are judged."]


def test_a_case_that_cannot_be_read_is_left_out_and_named(package, data, tmp_path):
    data.cases[1].images[0].write_bytes(b"no scan")
    found = stress_test([package], data, tmp_path / "out", QUICK)
    assert [failure.case for failure in found.failures] == ["case1"]
    assert found.record["cases"] == ["case0", "case2", "case3"]
    assert found.record["failures"][0]["package"] is None


def test_where_no_case_can_be_read_nothing_is_written(package, data, tmp_path):
    for case in data.cases:
        case.label.unlink()
    with pytest.raises(NoCaseReadError):
        stress_test([package], data, tmp_path / "out", QUICK)
    assert not (tmp_path / "out").exists()


def test_a_failed_prediction_counts_as_an_empty_one(package, data, tmp_path, monkeypatch):
    from leanseg.inference.predictor import NotFiniteScoresError

    original = Predictor.labels

    def fails_in_thick_slices(self, array, geometry):
        if array.shape[-1] < 12:
            raise NotFiniteScoresError
        return original(self, array, geometry)

    monkeypatch.setattr(Predictor, "labels", fails_in_thick_slices)
    found = stress_test([package], data, tmp_path / "out", QUICK)
    assert len(found.failures) == 4 * 2
    assert {failure.stress for failure in found.failures} == {"axial_slices"}
    assert float(rows_of(tmp_path / "out")["case0", "perfect", "axial_slices", 1, "grey"]["dice"]) == 0


def test_running_out_of_memory_ends_the_run_and_keeps_what_is_done(package, data, tmp_path, monkeypatch):
    from leanseg.errors import OutOfMemoryError

    def fails(self, array, geometry):
        if array.shape[-1] < 12:
            raise MemoryError
        return np.zeros(geometry.shape, np.uint8)

    monkeypatch.setattr(Predictor, "labels", fails)
    with pytest.raises(OutOfMemoryError):
        stress_test([package], data, tmp_path / "out", QUICK)
    assert list((tmp_path / "out.unfinished").iterdir())
    assert not (tmp_path / "out").exists()


def test_one_case_has_no_interval_and_says_so(package, data, tmp_path):
    found = stress_test([package], data, tmp_path / "out", Question(stresses=("noise",), levels=1, cases=1))
    levels = found.record["dice"]["perfect"]["noise"]["foreground_mean"]
    assert [one["interval"] for one in levels] == [None, None]
    assert "One case says nothing about the next" in " ".join(found.cautions)


def test_with_few_cases_nothing_is_claimed_and_with_enough_it_is(package, other, make_data, tmp_path):
    question = Question(stresses=("noise",), levels=2)
    few = stress_test([package, other], make_data(), tmp_path / "few", question)
    many = stress_test([package, other], make_data("ten", cases=10), tmp_path / "many", question)
    assert few.claims == []
    (claim,) = many.claims
    assert claim.startswith("Noise: ")
    assert "more Dice than" in claim


def test_groups_are_in_the_page_and_in_the_record(package, data, tmp_path):
    table = tmp_path / "participants.tsv"
    table.write_text("participant_id\tsex\n" + "".join(f"case{n}\t{'FM'[n % 2]}\n" for n in range(4)))
    question = Question(stresses=("noise",), levels=1, participants=table)
    found = stress_test([package], data, tmp_path / "out", question)
    assert [(one["column"], one["value"], one["cases"]) for one in found.record["groups"]] == [
        ("sex", "F", ["case0", "case2"]),
        ("sex", "M", ["case1", "case3"]),
    ]
    assert "sex: F" in (tmp_path / "out" / "report.html").read_text()


def test_channels_of_ct_are_stressed_as_ct(package, make_data, tmp_path):
    found = stress_test([package], make_data("ct", channel="CT"), tmp_path / "out", Question(levels=1, cases=1))
    assert set(found.record["stresses"]) == {one.name for one in STRESSES if not one.of_mr}


def test_names_are_escaped_in_the_page(make_package, data, tmp_path):
    path = make_package(tmp_path / "<script>alert(1)", tile=(12, 12, 12)).path
    stress_test([path], data, tmp_path / "out", Question(stresses=("noise",), levels=1, cases=2))
    page = (tmp_path / "out" / "report.html").read_text()
    assert page.count("<script") == 1  # the page's own
    assert "&lt;script&gt;alert(1)" in page
    assert "default-src &#x27;none&#x27;" in page or "default-src 'none'" in page


def test_an_output_that_is_used_is_refused_and_replaced_only_if_it_is_ours(package, data, tmp_path):
    out = tmp_path / "out"
    question = Question(stresses=("noise",), levels=1, cases=1)
    stress_test([package], data, out, question)
    with pytest.raises(OutputNotEmptyError):
        stress_test([package], data, out, question)
    stress_test([package], data, out, question, overwrite=True)
    (out / "stress.json").unlink()
    with pytest.raises(NotAStressTestError):
        stress_test([package], data, out, question, overwrite=True)
    with pytest.raises(NotAStressTestError):
        stress_test([package], data, data.root, question, overwrite=True)


def test_what_is_judged_is_never_replaced(package, data, tmp_path):
    out = tmp_path / "out"
    stress_test([package], data, out, Question(stresses=("noise",), levels=1, cases=1))
    data.root.rename(out / "data")
    with pytest.raises(OutputHoldsInputError):
        stress_test([package], open_dataset(out / "data"), out, QUICK, overwrite=True)
