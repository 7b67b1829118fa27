from pathlib import Path

import numpy as np
from scipy.stats import chisquare

from leanseg.learning.training.cache import CachedScan
from leanseg.learning.training.pairs import in_rounds, partners


def scan(number, content=None):
    return CachedScan(f"scan{number}", Path(f"{number}"), (1, 1, 1), content or f"{number:064x}")


def drawn(labelled, others, number=3, seed=0, registration="default"):
    return partners(labelled, others, number=number, seed=seed, registration=registration)


OTHERS = [scan(number) for number in range(100, 110)]


def test_partners_are_those_of_the_seed_and_never_twice_the_same():
    assert drawn(scan(1), OTHERS) == drawn(scan(1), OTHERS)
    assert drawn(scan(1), OTHERS) != drawn(scan(1), OTHERS, seed=1)
    assert drawn(scan(1), OTHERS) != drawn(scan(2), OTHERS)
    assert len({pair.unlabelled.name for pair in drawn(scan(1), OTHERS, number=50)}) == len(OTHERS)


def test_a_scan_is_no_partner_of_itself():
    assert drawn(scan(1), [scan(7, content=scan(1).content)]) == []


def test_every_unlabelled_scan_is_drawn_as_often():
    names = [drawn(scan(case), OTHERS, number=1)[0].unlabelled.name for case in range(1000)]
    assert chisquare(np.unique(names, return_counts=True)[1]).pvalue > 0.01


def test_the_key_changes_with_what_both_hold_and_how_they_are_registered():
    keys = {
        drawn(labelled, [other], registration=how)[0].key
        for labelled in (scan(1), scan(2))
        for other in (scan(3), scan(4))
        for how in ("coarse", "fine")
    }
    assert len(keys) == 8
    assert drawn(scan(1, "a" * 64), [scan(3)])[0].key == drawn(scan(2, "a" * 64), [scan(3)])[0].key  # not the name


def test_all_cases_get_a_partner_before_any_gets_a_second_one():
    pairs = in_rounds([drawn(scan(1), OTHERS), drawn(scan(2), OTHERS, number=1), drawn(scan(3), OTHERS)])
    assert [pair.labelled.name for pair in pairs] == ["scan1", "scan2", "scan3", "scan1", "scan3", "scan1", "scan3"]
