import csv
import json
import xml.etree.ElementTree as ET

import pytest

from leanseg.evaluation.report import OutputHoldsInputError
from leanseg.evaluation.runs import write_comparison
from leanseg.evaluation.runs.report import NotAComparisonError
from leanseg.storage import OutputNotEmptyError


@pytest.fixture
def two(new_run):
    return [new_run("dense", 0.9, parameters=4000, random=True), new_run("small", 0.8, parameters=1000)]


def test_the_folder_holds_a_page_pictures_and_numbers(two, tmp_path):
    report = write_comparison(two, tmp_path / "out")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    pictures = {"convergence.svg", "scaling.svg", "ranking.svg", "differences.svg"}
    assert names == {"runs.html", "runs.csv", "runs.json"} | pictures
    assert json.loads((tmp_path / "out" / "runs.json").read_text()) == report.record
    (group,) = report.record["groups"]
    assert set(group["figures"].values()) == pictures
    page = (tmp_path / "out" / "runs.html").read_text()
    for sentence in group["findings"]:
        assert sentence in page
    for name in pictures:
        drawn = ET.parse(tmp_path / "out" / name).getroot()
        text = "".join(drawn.itertext())
        assert "dense" in text
        assert "small" in text
        assert "var(" not in (tmp_path / "out" / name).read_text()


def test_one_row_per_run_says_what_it_is_and_what_it_reached(two, tmp_path):
    write_comparison(two, tmp_path / "out")
    with (tmp_path / "out" / "runs.csv").open() as file:
        rows = {row["run"]: row for row in csv.DictReader(file)}
    assert list(rows) == ["dense", "small"]
    row = rows["dense"]
    assert (row["network"], row["parameters"], row["steps"], row["cases"]) == ("unet3d", "4000", "90.0", "12")
    assert float(row["minutes"]) == pytest.approx(90 * 1.2 / 60)
    assert float(row["seconds_per_case"]) == pytest.approx(0.5)
    assert float(row["dice/low"]) < float(row["dice"]) < float(row["dice/high"])
    assert float(row["dice"]) == pytest.approx((float(row["dice/grey"]) + float(row["dice/white"])) / 2)
    assert set(rows["small"]) == set(row)


def test_runs_of_other_cases_are_shown_apart(two, new_run, tmp_path):
    apart = [new_run("elsewhere", 0.7, volume=77.0), new_run("fewer", 0.7, cases=("case_00", "case_01"))]
    report = write_comparison([*two, *apart], tmp_path / "out")
    assert [group["runs"] for group in report.record["groups"]] == [["dense", "small"], ["elsewhere"], ["fewer"]]
    assert (tmp_path / "out" / "convergence_3.svg").is_file()
    page = (tmp_path / "out" / "runs.html").read_text()
    assert "judged on 3 different sets of cases" in page
    assert page.count("<h2") == len(set(page.split('<h2 id="')[1:]))


def test_a_comparison_replaces_an_earlier_one_and_nothing_else(two, tmp_path):
    out = tmp_path / "out"
    write_comparison(two[:1], out)
    with pytest.raises(OutputNotEmptyError):
        write_comparison(two, out)
    assert len(write_comparison(two, out, overwrite=True).record["runs"]) == 2
    other = tmp_path / "mine"
    other.mkdir()
    (other / "letter.txt").touch()
    with pytest.raises(NotAComparisonError):
        write_comparison(two, other, overwrite=True)
    assert [path.name for path in other.iterdir()] == ["letter.txt"]


def test_no_run_is_written_over(new_run, tmp_path):
    run = new_run("out/run")
    (tmp_path / "out" / "runs.json").write_text('{"leanseg": "0.1.0", "groups": []}')
    with pytest.raises(OutputHoldsInputError):
        write_comparison([run], tmp_path / "out", overwrite=True)
    assert (run / "run.json").is_file()
    assert write_comparison([tmp_path / "out"], tmp_path / "out" / "inside").record["runs"][0]["run"] == "run"


def test_the_masks_of_a_sparse_run_are_in_the_page(new_run, tmp_path):
    svg = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"/>'
    write_comparison([new_run("sparse", picture=svg)], tmp_path / "out")
    page = (tmp_path / "out" / "runs.html").read_text()
    assert "data:image/svg+xml;base64," in page
    assert "Shares of kernels over the training of sparse" in page


def test_names_of_runs_are_text_and_nothing_more(new_run, tmp_path):
    write_comparison([new_run("<b>&x"), new_run("$title")], tmp_path / "out")
    page = (tmp_path / "out" / "runs.html").read_text()
    assert "<b>&x" not in page
    assert "&lt;b&gt;&amp;x" in page
    assert "$title" in page
    for name in ("convergence.svg", "ranking.svg"):
        ET.parse(tmp_path / "out" / name)
