"""The suite itself: it sees every fault that is planted, counts right, and makes the same inputs again."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from tests.hostile.families import families
from tests.hostile.runner import Ask, asks, meet, shared_out
from tests.hostile.trial import Family

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="measures with Linux's /proc")

FAULTS = {
    "crash": "crash",
    "exit": "crash",
    "hang": "hang",
    "spin": "hang",
    "foreign exception": "foreign exception",
    "memory": "memory",
    "address space": "foreign exception",
    "incomplete message": "incomplete message",
    "left behind": "files changed",
    "input spoilt": "files changed",
    "warning": "warning shown",
    "wrong": "wrong voxels",
    "sound refused": "sound input refused",
    "nothing wrong": None,
}


def test_every_fault_has_its_test():
    assert {family.name for family in families("planted")} == set(FAULTS)


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """What became of one input of each planted family, and where the failing ones are kept."""
    keep = tmp_path_factory.mktemp("kept")
    tally = meet([Ask(f"planted: {name}", 1, 0) for name in FAULTS], longest=0.3, keep=keep)
    return {met.ask.family.removeprefix("planted: "): met for met in [*tally.failures, *tally.slowest]}, tally, keep


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_seen_and_named(planted, fault):
    _, tally, keep = planted
    found = {one.ask.family: one.failed for one in tally.failures}.get(f"planted: {fault}")
    assert found == FAULTS[fault]
    assert (keep / f"planted-{fault.replace(' ', '-')}-1-0" / "met.json").is_file() == (FAULTS[fault] is not None)


def test_a_failing_input_is_kept_with_what_was_said_and_how_to_make_it_again(planted):
    *_, keep = planted
    folder = keep / "planted-foreign-exception-1-0"
    told = json.loads((folder / "met.json").read_text())
    assert told["again"] == "python -m tests.hostile --again 'planted: foreign exception' 1 0"
    assert "KeyError" in told["message"]
    assert len((folder / "input" / "input").read_bytes()) == 8
    assert "SIGSEGV" in (keep / "planted-crash-1-0" / "met.json").read_text()


def test_all_inputs_are_counted(planted):
    _, tally, _ = planted
    assert tally.asked == len(FAULTS) == tally.outcomes.total()
    assert len(tally.failures) == len(FAULTS) - 1


def test_inputs_are_shared_out_exactly():
    kinds = [Family("g", str(share), lambda *_: None, share) for share in (1, 10, 100, 3)]
    assert sum(count for _, count in shared_out(kinds, 1000)) == 1000
    assert all(count >= 1 for _, count in shared_out(kinds, 4))
    assert Counter(ask.family for ask in asks(kinds, 1000, 0))["g: 100"] == pytest.approx(877, abs=2)
    assert asks(kinds, 1000, 5) == asks(kinds, 1000, 5) != asks(kinds, 1000, 6)


def test_the_same_seed_makes_the_same_inputs():
    chosen = [ask for ask in asks(families("volumes"), 60, 3) if "elsewhere" not in ask.family]
    first, second = meet(chosen), meet(chosen)
    assert first.hashes == second.hashes
    assert first.outcomes == second.outcomes
    assert len(first.hashes) > 50


def test_the_command_prints_a_table_and_writes_json(tmp_path):
    words = ["--inputs", "20", "--only", "volumes: sound N", "--json", tmp_path / "a.json", "--workers", "1"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.hostile", *map(str, words)],
        capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "20 inputs, 20 distinct, 0 failed" in done.stdout
    record = json.loads((tmp_path / "a.json").read_text())
    assert sum(count for *_, count in record["outcomes"]) == record["inputs"] == 20
