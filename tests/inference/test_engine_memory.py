import json
from dataclasses import replace

import pytest

from leanseg.inference.engine_memory import (
    EngineMemory,
    NotMeasuredError,
    TileMemory,
    engine_key,
    measure,
    measured_at_export,
)

SMALL = TileMemory((4, 8, 8), process=50, opening=30, opened=20, computing=1000 + 7 * 256)
LARGE = TileMemory((8, 16, 16), process=50, opening=40, opened=25, computing=1000 + 7 * 2048)


def test_what_was_measured_survives_a_manifest():
    memory = EngineMemory.of([LARGE, SMALL])
    assert EngineMemory.from_facts(json.loads(json.dumps(memory.facts()))) == memory


def test_a_manifest_names_the_line_through_both_tiles():
    facts = EngineMemory.of([SMALL, LARGE]).facts()
    assert facts["base_bytes"] == 1000
    assert facts["bytes_per_voxel"] == 7
    assert facts["tiles"] == [[4, 8, 8, SMALL.computing], [8, 16, 16, LARGE.computing]]


def test_another_tile_lies_on_the_line_and_a_measured_one_is_as_measured():
    memory = EngineMemory.of([SMALL, LARGE])
    assert memory.at((8, 16, 16)) == LARGE
    assert memory.at((8, 8, 16)).computing == 1000 + 7 * 1024


def test_from_one_tile_alone_all_is_taken_to_grow_with_it():
    memory = EngineMemory.of([SMALL])
    assert memory.at((8, 8, 8)).computing == 2 * SMALL.computing


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"tiles": [], "steps": []},
        {"tiles": [[1, 2]], "steps": [{}]},
        {"tiles": [[4, 8, 8, 9]], "steps": []},
        {"tiles": [[4, 8, 8, 9]], "steps": [{"process": -1, "opening": 1, "opened": 1, "computing": 1}]},
        {"tiles": 3, "steps": None},
    ],
)
def test_facts_that_are_not_ours_say_nothing(facts):
    assert EngineMemory.from_facts(facts) is None


def test_the_names_of_engines_have_no_version():
    assert engine_key("openvino 2026.4.1") == "openvino"
    assert engine_key("openvino 2026.4.1", "bf16") == "openvino bf16"


def test_a_process_of_its_own_measures_a_package(make_package, tmp_path):
    package = make_package(tmp_path / "package", tile=(16, 32, 32), random=True)
    found = measure(package, "openvino")
    assert found.tile == (16, 32, 32)
    activations = 4 * 8 * 16 * 32 * 32  # of one layer
    assert found.computing > max(found.opened, activations)
    assert found.opening >= found.opened > 1_000_000
    assert measured_at_export(package, "openvino") is None


def test_what_cannot_be_measured_is_told(make_package, tmp_path):
    gone = replace(make_package(tmp_path / "package"), path=tmp_path / "none")
    with pytest.raises(NotMeasuredError, match="openvino"):
        measure(gone, "openvino")
