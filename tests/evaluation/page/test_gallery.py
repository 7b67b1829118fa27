import re
from dataclasses import replace

import numpy as np
import pytest

from leanseg.evaluation.page import gallery
from leanseg.evaluation.page.gallery import gallery_of
from leanseg.evaluation.pairing import Pair
from leanseg.progress import Progress

DICE = np.array([[0.9], [0.4], [0.7], [np.nan], [0.6]])


@pytest.fixture
def cohort(new_cohort, write_labels, tmp_path):
    """Five cases in files; the third has failed, the fourth has nothing to show."""
    made = new_cohort(DICE, failed={2})
    labels = np.zeros((12, 10, 8), dtype=np.uint8)
    labels[4:8, 3:7, 2:6] = 1
    results = []
    for result in made.results:
        name = f"{result.pair.name}.nii.gz"
        for folder, array in (("references", labels), ("predictions", np.roll(labels, 1)), ("scans", labels * 9)):
            write_labels(tmp_path / folder / name, array)
        folders = ("references", "predictions", "scans")
        results.append(replace(result, pair=Pair(result.pair.name, *(tmp_path / folder / name for folder in folders))))
    return replace(made, results=tuple(results))


def names_in(cards):
    return re.findall(r'<h3><span class="name">([^<]*)', cards)


def test_cases_come_worst_first_and_those_without_a_score_not_at_all(cohort):
    shown = gallery_of(cohort, Progress())
    assert names_in(shown.cards) == ["case_001", "case_004", "case_000"]
    assert shown.places == {"case_001": "case-1", "case_004": "case-2", "case_000": "case-3"}
    assert re.findall(r'id="(case-\d+)"', shown.cards) == list(shown.places.values())
    assert re.findall(r"<b>([\d.]+)</b>", shown.cards) == ["0.400", "0.600", "0.900"]


def test_what_does_not_fit_is_left_out_from_the_best_on(cohort, monkeypatch):
    whole = gallery_of(cohort, Progress())
    monkeypatch.setattr(gallery, "MOST_BYTES", len(whole.cards.encode()) - 1)
    assert list(gallery_of(cohort, Progress()).places) == ["case_001", "case_004"]
    monkeypatch.setattr(gallery, "MOST_CASES", 1)
    assert list(gallery_of(cohort, Progress()).places) == ["case_001"]


def test_a_scan_on_another_grid_is_left_out_with_a_remark(cohort, write_labels):
    write_labels(cohort.results[1].pair.image, np.zeros((3, 3, 3), dtype=np.uint8))
    first, second, _ = gallery_of(cohort, Progress()).cards.split("</details>")[:3]
    assert "Shown without its scan: " in first
    assert 'class="scan"' not in first
    assert 'class="scan"' in second
    assert "Shown without" not in second


def test_ignored_voxels_are_neither_missed_nor_added(cohort, write_labels):
    labels = np.zeros((12, 10, 8), dtype=np.uint8)
    labels[4:8, 3:7, 2:6] = 1
    judged = labels.copy()
    judged[:, :5] = 7
    write_labels(cohort.results[1].pair.reference, judged)
    write_labels(cohort.results[1].pair.prediction, labels)
    first = gallery_of(replace(cohort, ignore=7), Progress()).cards.split("</details>")[0]
    assert first.count("no voxels missed, no voxels added") == 3


def test_of_many_classes_the_lowest_are_named(new_cohort, cohort):
    many = new_cohort(np.linspace(0.2, 0.9, 20)[None])
    result = replace(many.results[0], pair=cohort.results[0].pair)
    card = gallery_of(replace(many, results=(result,)), Progress()).cards
    named = re.findall(r'<dt><span class="name">([^<]*)</span></dt><dd>([^<]*)</dd>', card)
    assert [name for name, _ in named] == [*(f"class {value}" for value in range(1, 13)), "8 more classes", "HD95"]
    assert named[-2][1] == "0.605 or better"
