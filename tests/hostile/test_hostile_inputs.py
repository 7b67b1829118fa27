"""Over two thousand hostile inputs, the same in every run: no crash, no hang, no surprise, no trace left behind.

Many more are tried with `python -m tests.hostile`; docs/reliability.md says what is tried and what was found.
"""

import sys

import pytest
from tests.hostile.disks import may_mount
from tests.hostile.families import families
from tests.hostile.runner import asks, meet

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="measures with Linux's /proc")

SEED = 20261121
# Inputs of each group, and how many of them are surely different.
QUOTAS = {
    "volumes": (1300, 1250),
    "packages": (400, 330),
    "documents": (260, 230),
    "engines": (160, 140),
    "races": (110, 90),
    "commands": (110, 105),
    "system": (90, 85),
}


def test_there_are_more_than_two_thousand_even_without_the_rights_to_mount_disks():
    assert sum(distinct for group, (_, distinct) in QUOTAS.items() if group != "system") > 2000


@pytest.mark.parametrize("group", QUOTAS)
def test_every_hostile_input_is_refused_in_leansegs_words_or_taken_for_what_it_says(group, tmp_path):
    if group == "system" and not may_mount():
        pytest.skip("only root may mount the small disks that this needs")
    inputs, distinct = QUOTAS[group]
    tally = meet(asks(families(group), inputs, SEED), keep=tmp_path)
    told = [
        f"{met.failed}: {met.ask.family} {met.ask.seed} {met.ask.index}\n{met.message[-1500:]}"
        for met in tally.failures
    ]
    assert not told, "\n\n".join(told[:5])
    assert tally.asked == inputs
    assert len(tally.hashes) >= distinct
