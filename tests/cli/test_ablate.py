"""What leanseg ablate refuses before anything is trained. Whole ablations are in tests/e2e."""

import sys

import pytest


@pytest.fixture
def refused(leanseg, tmp_path, monkeypatch):
    """A function that runs leanseg ablate on a missing data set and asserts that it was refused without torch."""

    def ablate(*options):
        for module in ("torch", "pytorch_lightning", "monai", "scipy", "openvino"):
            monkeypatch.setitem(sys.modules, module, None)  # importing it is an ImportError
        done = leanseg("ablate", tmp_path / "nowhere", "-o", tmp_path / "out", *options)
        assert done.code == 2
        assert "nowhere" not in done.err
        assert not (tmp_path / "out").exists()
        return done.err

    return ablate


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--vary", "alpha", "--steps", "1"], "is not KEY=VALUE,VALUE,.."),
        (["--vary", "alpha=1", "--vary", "alpha=0.5", "--steps", "1"], "alpha is given twice"),
        (["--vary", "alpha=1", "--seeds", "one", "--steps", "1"], "--seeds one"),
        (["--vary", "alpha=1"], "--minutes 15 or --steps"),
        (["--vary", "alpha=1", "--steps", "1", "--minutes", "1"], "--minutes and --steps"),
        (["--resume", "--overwrite"], "--resume and --overwrite"),
        (["--resume", "--vary", "alpha=1"], "--resume and --vary"),
        (["--resume", "--seeds", "0"], "--resume and --seeds"),
        (["--resume"], "ablation.json"),
    ],
)
def test_what_makes_no_sense_is_refused_at_once(options, said, refused):
    assert said in refused(*options)


def test_every_setting_is_checked_before_the_data_set_is_read(leanseg, tmp_path):
    done = leanseg("ablate", tmp_path / "nowhere", "--vary", "alpha=0.5,0.3", "--steps", "1", "-o", tmp_path / "out")
    assert done.code == 2
    assert "alpha of network distill_dsm_unet is 0.3" in done.err
    assert "nowhere" not in done.err
