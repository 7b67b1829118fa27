import json
import math
from dataclasses import replace

from ct_budget import BF16, BUDGETS
from peers import growth


def test_only_what_is_swept_changes():
    for sweep in ("voxels", "classes", "tiles"):
        points = list(growth.points([sweep], 2))
        assert len({point.at for point in points}) == len(points) > 3
        assert {point.threads for point in points} == {2}
    assert {point.case.classes for point in growth.points(["voxels", "tiles"], 2)} == {14}
    assert {point.case.tile for point in growth.points(["voxels", "classes"], 2)} == {None}
    assert [point.threads for point in growth.points(["threads"], 3)] == [1, 2, 3]


def test_packages_of_different_points_have_different_names():
    cases = [point.case for point in growth.points(["classes", "tiles"], 2)]
    assert len({case.name for case in cases}) == len({(case.classes, case.tile) for case in cases})


def test_curves_are_drawn_without_points_that_failed(tmp_path):
    found = [
        {"sweep": "classes", "at": k, "row": row, "seconds": k, "peak_rss_bytes": k * 10**9, "extrapolated": k > 10}
        for k in (2, 117)
        for row in growth.ROWS
    ]
    found.append({"sweep": "classes", "at": 60, "row": growth.ROWS[1], "problem": "stopped"})
    growth.draw(found, tmp_path / "growth.png", "a processor")
    assert (tmp_path / "growth.png").read_bytes().startswith(b"\x89PNG")


def test_a_budget_is_kept_below_its_limits_only():
    budget = BUDGETS["e2enet-3mm-14-fp32"]
    assert budget.kept({"seconds": 19.9, "peak_rss_bytes": 1.9e9})
    assert not budget.kept({"seconds": 20.0, "peak_rss_bytes": 1.9e9})
    assert not budget.kept({"seconds": 19.9, "peak_rss_bytes": 2e9})
    assert not budget.kept({"problem": "stopped"})


def test_every_judged_figure_has_a_budget():
    judged = {budget.name: (budget.seconds, budget.memory) for budget in BUDGETS.values() if budget.seconds}
    assert judged == {
        "distill_dsm_unet-3mm-14-fp32": (20, 2e9),
        "e2enet-3mm-14-fp32": (20, 2e9),
        "distill_dsm_unet-1.5mm-14-fp32": (30, None),
        "e2enet-1.5mm-14-bf16": (60, None),
    }
    assert BUDGETS["e2enet-1.5mm-14-bf16"].row == BF16
    assert all(math.isclose(budget.case.spacing, budget.spacing) for budget in BUDGETS.values())


def test_points_that_were_measured_before_are_kept(tmp_path, monkeypatch):
    done = []

    def attempt(job):
        done.append((job.row, job.threads))
        (tmp_path / "run").mkdir()
        return {"seconds": 1.0, "peak_rss_bytes": 10**9, "extrapolated": False}

    monkeypatch.setattr(growth, "attempt", attempt)
    monkeypatch.setattr(growth, "package_for", lambda case, folder: folder / case.name)
    monkeypatch.setattr(growth.scans, "ct", lambda shape: tmp_path)
    monkeypatch.setattr(growth, "_BASE", replace(growth._BASE, scan=lambda: tmp_path))
    facts = {"machine": {"processor": "a processor"}, "date": "2026-01-01T00:00"}
    monkeypatch.setattr(growth, "about", lambda package, settings: facts)
    growth.measure(["threads"], tmp_path, 1)
    growth.measure(["threads", "classes"], tmp_path, 1)
    assert done[:2] == [(row, 1) for row in growth.ROWS]
    assert len(done) == 2 + 2 * len(growth._CLASSES)
    found = json.loads((tmp_path / "growth.json").read_text())
    assert [point["sweep"] for point in found] == ["threads"] * 2 + ["classes"] * 2 * len(growth._CLASSES)
    assert (tmp_path / "growth.png").exists()
