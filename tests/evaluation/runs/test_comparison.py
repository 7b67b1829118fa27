import pytest

from leanseg.errors import InputError
from leanseg.evaluation.runs import compare


def test_runs_keep_their_order_and_their_looks(new_run, tmp_path):
    for name in ("b=16", "b=4"):
        new_run(name, root=tmp_path / "ladder")
    comparison = compare([tmp_path / "ladder"])
    assert [run.name for run in comparison.runs] == list(comparison.looks) == ["b=4", "b=16"]
    (part,) = comparison.parts
    assert [name for name, _ in part.pictures(comparison.looks, "0")] == [
        *("convergence", "scaling", "ranking", "differences")
    ]


def test_a_broken_run_is_named(new_run):
    folder = new_run("broken")
    (folder / "plan.json").write_text("{}")
    with pytest.raises(InputError, match="broken"):
        compare([new_run("sound"), folder])
