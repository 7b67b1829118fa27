"""One run of several."""

from pathlib import Path

import pytest

from leanseg.learning.jobs import series
from leanseg.learning.jobs.run_folder import RunFolder
from leanseg.learning.jobs.series import carry_on
from leanseg.progress import Progress


@pytest.mark.parametrize("begun_before", [False, True])
def test_what_other_folds_judge_is_kept_away_whether_a_run_begins_or_goes_on(begun_before, tmp_path, monkeypatch):
    given = {}
    for name in ("start", "resume"):
        monkeypatch.setattr(series, name, lambda *_, name=name, **options: given.update(options, did=name))
    monkeypatch.setattr(series, "is_done", lambda _: False)
    run = RunFolder(tmp_path)
    if begun_before:
        run.record.write_text("{}")
    carry_on(
        "Fold 0",
        None,
        None,
        run,
        None,
        fold=0,
        splits=Path("splits.json"),
        judged_by_others=["ball3"],
        begun=lambda: None,
        progress=Progress(),
    )
    assert given["judged_by_others"] == ["ball3"]
    assert given["did"] == ("resume" if begun_before else "start")
