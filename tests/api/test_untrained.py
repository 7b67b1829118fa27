"""leanseg.untrained_package."""

import pytest

import leanseg

SMALL = {"base": 4, "pools": [[2, 2, 2], [2, 2, 2]]}


def test_what_it_returns_predicts(tmp_path, scan):
    made = leanseg.untrained_package(
        "e2enet", tmp_path / "p", classes=4, spacing=1.5, options=SMALL, density=0.5, tile=(8, 8, 8)
    )
    assert made.plan.preprocessing.spacing == (1.5, 1.5, 1.5)
    assert made.plan.training.sparsity.method == "static"
    assert set(leanseg.predict(made, scan).labels) == {"background", "class 1", "class 2", "class 3"}


@pytest.mark.parametrize(
    ("network", "changed", "said"),
    [
        ("e2enet", {"channels": 0}, "--channels 0"),
        ("e2enet", {"classes": 1}, "--classes 1"),
        ("e2enet", {"density": 0.0}, "--density 0"),
        ("e2enet", {"options": {"bass": 4}}, "bass"),
        ("e2enot", {}, "e2enot"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_written(tmp_path, network, changed, said):
    with pytest.raises(leanseg.InputError, match=said):
        leanseg.untrained_package(
            network, tmp_path / "p", **{"classes": 2, "spacing": 1.0, "options": SMALL, **changed}
        )
    assert not list(tmp_path.iterdir())
