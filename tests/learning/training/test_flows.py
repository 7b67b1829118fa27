import errno

import numpy as np
import pytest
from tests.learning.training.registration_stand_in import TooUnlikeError, register, scan

from leanseg.learning.augmentation.registered import flow_of
from leanseg.learning.training import flows
from leanseg.learning.training.flows import FlowStore
from leanseg.learning.training.pairs import in_rounds, partners
from leanseg.storage import CannotWriteError

ONE = 2 * 3 * 4 * 5 * 5 * 2 + 2048  # bytes of a flow of 8 x 9 x 10 voxels, and what is said of it


@pytest.fixture
def pairs(tmp_path):
    others = [scan(tmp_path, f"other{number}", 10 + number) for number in range(3)]
    labelled = [scan(tmp_path, f"case{number}", number) for number in range(2)]
    return in_rounds([partners(each, others, number=2, seed=0, registration="") for each in labelled])


def registered(pair):
    image = pair.unlabelled.image[0]
    return register(image, image, moving_spacing=(1, 1, 1), fixed_spacing=(1, 1, 1), initial=np.eye(4))


def test_a_flow_comes_back_as_it_was_kept(pairs, tmp_path):
    store = FlowStore(tmp_path / "flows", 10**6)
    table = np.ones((2, 1, 5), np.float32)
    outcome = store.write(pairs[0], registered(pairs[0]), table, 1.5, ())
    found, made = FlowStore(tmp_path / "flows", 10**6).flow(pairs[0]), flow_of(registered(pairs[0]))
    assert np.array_equal(found.flow.offsets, made.offsets)
    assert np.array_equal(found.flow.affine, made.affine)
    assert (found.flow.step, found.flow.shape) == (2, (8, 9, 10))
    assert np.array_equal(found.intensities, table)
    assert store.outcome(pairs[0]) == outcome
    assert (outcome.similarity, outcome.seconds, outcome.refused) == ((0.1, 0.5), 1.5, None)
    assert store.flow(pairs[1]) is store.outcome(pairs[1]) is None


def test_a_refusal_is_remembered_with_its_reason(pairs, tmp_path):
    store = FlowStore(tmp_path / "flows", 10**6)
    store.refuse(pairs[0], TooUnlikeError(), 0.1)
    assert store.outcome(pairs[0]).refused == "the scans do not match"
    assert store.flow(pairs[0]) is None


def test_no_more_bytes_are_taken_than_allowed(pairs, tmp_path):
    store = FlowStore(tmp_path / "flows", 2 * ONE)
    wanted = {pair.key for pair in pairs}
    kept = [store.write(pair, registered(pair), None, 0.0, wanted) is not None for pair in pairs]
    assert kept == [True, True, False, False]
    assert sum(file.stat().st_size for file in store.folder.glob("*/*")) <= store.limit


def test_what_other_runs_left_makes_room(pairs, tmp_path):
    store = FlowStore(tmp_path / "flows", 2 * ONE)
    for pair in pairs[:2]:
        store.write(pair, registered(pair), None, 0.0, ())
    assert store.write(pairs[2], registered(pairs[2]), None, 0.0, {pairs[1].key, pairs[2].key}) is not None
    assert [store.flow(pair) is not None for pair in pairs[:3]] == [False, True, True]


def test_a_full_disk_leaves_nothing_half_written(pairs, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    store = FlowStore(tmp_path / "flows", 10**6)
    monkeypatch.setattr(flows.np, "save", full)
    with pytest.raises(CannotWriteError, match="No space left"):
        store.write(pairs[0], registered(pairs[0]), None, 0.0, ())
    assert list(store.folder.iterdir()) == []


def test_what_a_killed_process_left_is_removed(tmp_path):
    store = FlowStore(tmp_path / "flows", 10**6)
    (store.folder / ".writing-0123-abc").mkdir(parents=True)
    store.clear_remains()
    assert list(store.folder.iterdir()) == []
