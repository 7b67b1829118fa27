import json

import nibabel
import numpy as np
import pytest

from leanseg.datasets import find_cases
from leanseg.errors import BudgetError
from leanseg.inference import memory, predict_cases
from leanseg.inference.case_memory import CaseMemory
from leanseg.inference.engine_memory import TileMemory
from leanseg.inference.memory import Demand, MemoryLimitError, promise

ENGINE = TileMemory((8, 8, 8), process=1_000_000, opening=10_000_000, opened=5_000_000, computing=40_000_000)
HUGE = 10**12


@pytest.fixture(autouse=True)
def _given_bytes(monkeypatch):
    """Bytes of process and engine are given: what measures them has tests of its own."""
    monkeypatch.setattr(memory, "measure", lambda *_: ENGINE)
    monkeypatch.setattr(memory, "rss_bytes", lambda: 100_000_000)


@pytest.fixture
def package(make_package, tmp_path):
    return make_package(tmp_path / "package")


@pytest.fixture
def cases(tmp_path):
    folder = tmp_path / "scans"
    folder.mkdir()
    image = np.random.default_rng(0).normal(size=(20, 30, 40)).astype(np.float32)
    for name in "abc":
        nibabel.save(nibabel.Nifti1Image(image, np.eye(4)), folder / f"{name}.nii.gz")
    return find_cases([folder])


def promised(package, cases, limit, *, read_ahead=True):
    return promise(package, cases, limit, engine="openvino", read_ahead=read_ahead, max_voxels=10**9)


def demand(sizes, engine=ENGINE):
    return Demand(0, engine, tuple((str(number), CaseMemory(*size)) for number, size in enumerate(sizes)))


def test_one_case_at_a_time_takes_the_most_of_any_stage():
    sizes = [(10**9, 3 * 10**8, 10**6), (4 * 10**8, 6 * 10**8, 10**6)]
    needed = demand(sizes).bytes(read_ahead=False)
    # The first case is prepared before the engine has computed a tile.
    before_first_tile = ENGINE.computing - ENGINE.opened
    assert needed == round(1.02 * (ENGINE.computing + 10**9 - before_first_tile)) + 10_000_000


def test_read_ahead_takes_three_cases_at_a_time():
    sizes = [(100, 10**8, 7 * 10**7), (100, 3 * 10**8, 100), (2 * 10**8, 100, 100)]
    together = 7 * 10**7 + 3 * 10**8 + 2 * 10**8
    assert demand(sizes).bytes(read_ahead=True) == round(1.02 * (ENGINE.computing + together)) + 10_000_000


def test_opening_may_be_what_takes_the_most():
    engine = TileMemory((8, 8, 8), 0, opening=10**9, opened=10, computing=20)
    assert demand([(5, 5, 5)], engine).bytes(read_ahead=False) > 10**9


def test_a_case_that_will_be_refused_takes_nothing():
    assert Demand(0, ENGINE, (("a", None),)).bytes(read_ahead=True) == demand([(0, 0, 0)]).bytes(read_ahead=False)


def test_what_the_open_engine_takes_more_than_was_told_is_counted():
    told = demand([(1, 1, 1)])
    assert told.opened(ENGINE.opened + 10**8).base == 10**8
    assert told.opened(ENGINE.opened - 1) == told


def test_reading_ahead_is_given_up_first(package, cases):
    roomy = promised(package, cases, HUGE)
    assert roomy.read_ahead
    tight = promised(package, cases, roomy.bytes - 1)
    assert not tight.read_ahead
    assert tight.bytes < roomy.bytes


def test_the_number_that_a_refusal_names_is_enough(package, cases):
    with pytest.raises(MemoryLimitError) as refused:
        promised(package, cases, 1_000_000)
    assert promised(package, cases, refused.value.needed).bytes <= refused.value.needed
    assert f"--max-ram {refused.value.needed // 1_000_000}MB" in refused.value.fix
    assert refused.value.exit_code == BudgetError.exit_code


def test_a_refusal_writes_nothing(package, cases, tmp_path):
    with pytest.raises(MemoryLimitError):
        predict_cases(package, cases, tmp_path / "out", max_ram=1_000_000)
    assert not (tmp_path / "out").exists()


def test_labels_are_the_same_within_a_limit_and_the_sidecar_names_it(package, cases, tmp_path):
    predict_cases(package, cases[:1], tmp_path / "free")
    predict_cases(package, cases[:1], tmp_path / "limited", max_ram=HUGE)
    free, limited = (np.asarray(nibabel.load(tmp_path / name / "a.nii.gz").dataobj) for name in ("free", "limited"))
    np.testing.assert_array_equal(free, limited)
    said = json.loads((tmp_path / "limited" / "a.json").read_text())
    assert said["max_ram_bytes"] == HUGE
    assert said["promised_bytes"] < HUGE
    assert said["tile"] == [8, 8, 8]


def test_an_engine_that_takes_more_once_open_is_refused(package, cases, monkeypatch):
    made = promised(package, cases, 300_000_000)
    monkeypatch.setattr(memory, "rss_bytes", lambda: 400_000_000)
    with pytest.raises(MemoryLimitError):
        made.checked()


def test_an_engine_that_takes_more_once_open_may_leave_no_room_to_read_ahead(package, cases, monkeypatch):
    roomy = promised(package, cases, HUGE)
    made = promised(package, cases, roomy.bytes)
    assert made.read_ahead
    monkeypatch.setattr(memory, "rss_bytes", lambda: 100_000_000 + ENGINE.opened + 1000)
    assert not made.checked().read_ahead


def test_an_open_engine_is_tried(package, cases):
    class Small:
        name, precision = "small", "fp32"

        def __call__(self, tile):
            return np.zeros((1, 3, *tile.shape[2:]), dtype=np.float32)

    made = promise(package, cases, HUGE, engine=Small(), read_ahead=False, max_voxels=10**9)
    assert made.source == "just now"


class Told:
    """What a manifest would say of two tiles."""

    def at(self, tile):
        return TileMemory(tile, 50_000_000, 10_000_000, 5_000_000, {(8, 8, 8): 300_000_000}.get(tile, 40_000_000))


def test_another_tile_is_taken_only_if_the_package_lists_it(package, add_tile, cases, monkeypatch):
    monkeypatch.setattr(memory, "measured_at_export", lambda *_: Told())
    own = promised(package, cases, HUGE)
    assert own.package.plan.inference.tile == (8, 8, 8)
    limit = own.bytes - 200_000_000
    with pytest.raises(MemoryLimitError):
        promised(package, cases, limit)
    listed = promised(add_tile(package, (4, 4, 4), dice=0.8), cases, limit)
    assert listed.package.plan.inference.tile == (4, 4, 4)
    assert listed.source == "at export"
