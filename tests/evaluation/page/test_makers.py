import json
from collections import Counter

import pytest

from leanseg.evaluation.page.makers import Maker, makers_of
from leanseg.evaluation.pairing import Pair

RECORD = {"package": "3f2a9c017be4d1c0", "engine": "openvino 2026.4.1", "precision": "bf16", "leanseg": "0.1.0"}


@pytest.fixture
def pairs(tmp_path):
    def make(*sidecars):
        made = []
        for number, text in enumerate(sidecars):
            if text is not None:
                (tmp_path / f"case{number}.json").write_text(text)
            path = tmp_path / f"case{number}.nii.gz"
            made.append(Pair(f"case{number}", path, path, None))
        return made

    return make


def test_sidecars_tell_what_made_the_predictions(pairs):
    other = RECORD | {"precision": "fp32"}
    found = makers_of(pairs(json.dumps(RECORD), json.dumps(other), json.dumps(RECORD)))
    assert found == Counter({Maker(*RECORD.values()): 2, Maker(*other.values()): 1})


def test_a_maker_is_told_with_the_beginning_of_its_hash():
    assert str(Maker(*RECORD.values())) == "package 3f2a9c017be4, openvino 2026.4.1 in bf16, leanseg 0.1.0"


@pytest.mark.parametrize(
    "text", [None, "", "[]", "[" * 100_000, "3", "{}", '{"package": 3}', json.dumps(RECORD | {"engine": ""})]
)
def test_what_is_no_sidecar_counts_nowhere(pairs, text):
    assert makers_of(pairs(text)) == Counter()


def test_a_missing_prediction_has_no_maker(tmp_path):
    assert makers_of([Pair("a", tmp_path / "a.nii.gz", None, None)]) == Counter()
