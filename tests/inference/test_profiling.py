"""What predicting a scan costs: measured by really predicting one in another process."""

import math
import signal
import tempfile
from types import SimpleNamespace
from xml.etree import ElementTree as ET

import psutil
import pytest

from leanseg.errors import InputError
from leanseg.inference import profiling
from leanseg.inference.profile_figure import draw_profile
from leanseg.inference.profiling import (
    PHASES,
    BrokenPredictionError,
    KilledError,
    NoRoomForScanError,
    NoSuchScanError,
    ScanTooLargeError,
    profile_prediction,
)
from leanseg.inference.watching import Watched
from leanseg.progress import Progress

VOLUME, SPACING = (24, 20, 16), (1.0, 1.0, 2.0)


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """The folder for temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def package(make_package, tmp_path):
    return make_package(tmp_path / "package", spacing=(2.0, 1.0, 1.0), random=True)


def test_a_prediction_is_measured_and_leaves_nothing_behind(package, temporary):
    found = profile_prediction(package, VOLUME, SPACING, threads=1)
    assert (found.volume, found.spacing, found.threads, found.package) == (VOLUME, SPACING, 1, package.hash)
    assert (found.channels, found.classes) == (1, 3)
    assert found.engine.startswith("openvino")
    assert set(found.phases) == set(PHASES)
    assert all(phase.seconds >= 0 for phase in found.phases.values())
    assert math.fsum(phase.seconds for phase in found.phases.values()) == pytest.approx(found.seconds, rel=0.01)
    assert all(10e6 < phase.peak_rss_bytes <= found.peak_rss_bytes < 10e9 for phase in found.phases.values())
    assert [at for at, _ in found.samples] == sorted(at for at, _ in found.samples)
    assert found.samples[-1][0] <= found.seconds
    assert not list(temporary.iterdir())
    draw_profile(found, temporary / "profile.svg")
    text = "".join(ET.parse(temporary / "profile.svg").getroot().itertext())
    for name in PHASES:
        assert f"{name}: {found.phases[name].seconds:.2f} s" in text
    assert "24 × 20 × 16 voxels" in text


class Interrupting(Progress):
    """Ctrl-C as soon as the prediction goes on."""

    def status(self, doing, share, facts):
        raise KeyboardInterrupt


def test_ctrl_c_leaves_neither_files_nor_processes(package, temporary):
    before = set(psutil.Process().children())
    with pytest.raises(KeyboardInterrupt):
        profile_prediction(package, VOLUME, SPACING, progress=Interrupting())
    assert not list(temporary.iterdir())
    assert not set(psutil.Process().children()) - before


def test_what_the_prediction_refuses_is_raised_here_as_it_was(package, temporary):
    (package.path / "model.onnx").write_bytes(b"")
    with pytest.raises(InputError, match=r"model\.onnx has 0 bytes") as refused:
        profile_prediction(package, VOLUME, SPACING)
    assert refused.value.fix
    assert not list(temporary.iterdir())


def test_what_no_scan_can_be_is_refused_before_anything_is_written(package, temporary, monkeypatch):
    monkeypatch.setattr(profiling, "write_phantom_scan", None)
    for volume, spacing in (((0, 4, 4), SPACING), (VOLUME, (1.0, 0.0, 1.0)), (VOLUME, (1.0, math.nan, 1.0))):
        with pytest.raises(NoSuchScanError):
            profile_prediction(package, volume, spacing)
    with pytest.raises(ScanTooLargeError, match=r"1,000,000,000,000 voxels"):
        profile_prediction(package, (10_000, 10_000, 10_000), SPACING)
    assert not list(temporary.iterdir())


def test_a_full_disk_is_seen_before_anything_is_written(package, temporary, monkeypatch):
    needed = 24 * 20 * 16 * 4
    for free, fits in ((needed, True), (needed - 1, False)):
        monkeypatch.setattr(profiling.shutil, "disk_usage", lambda folder, free=free: SimpleNamespace(free=free))
        if fits:
            profiling._refuse_impossible(VOLUME, SPACING, 1)
        else:
            with pytest.raises(NoRoomForScanError, match="temporary has"):
                profile_prediction(package, VOLUME, SPACING)
    assert not list(temporary.iterdir())


def watched(spans=(), samples=((0.1, 7),), seconds=1.0, code=0, **more):
    return Watched(spans, samples, seconds, code, "the last words", **more)


def test_a_phase_has_its_time_and_the_highest_memory_while_it_lasted():
    spans = [("read", 1.0, 2.0), ("network", 2.0, 3.0), ("labels", 3.0, 3.5), ("network", 3.5, 4.0)]
    samples = [(0.5, 3), (1.5, 5), (2.5, 9), (3.2, 8), (3.8, 11), (4.5, 2)]
    phases = profiling._phases(watched(spans, samples, 5.0))
    assert {name: (phase.seconds, phase.peak_rss_bytes) for name, phase in phases.items()} == {
        "start": (1.0, 3),
        "read": (1.0, 5),
        "network": (1.5, 11),
        "labels": (0.5, 8),
        "rest": (1.0, 2),
    }
    assert list(phases) == [name for name in PHASES if name in phases]


def test_a_phase_between_two_looks_has_the_memory_of_the_closest_one():
    phases = profiling._phases(watched([("read", 1.0, 1.001)], [(0.5, 3), (1.01, 5), (2.0, 9)], 3.0))
    assert phases["read"].peak_rss_bytes == 5


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal here")
def test_a_killed_process_is_a_matter_of_the_budget():
    with pytest.raises(KilledError, match="7 B"):
        profiling._require_end(watched(code=-signal.SIGKILL))


def test_another_death_is_told_with_its_last_words():
    with pytest.raises(BrokenPredictionError, match="code 3: the last words"):
        profiling._require_end(watched(code=3))


@pytest.mark.parametrize("count", [1, 499, 500, 501, 10_000])
def test_fewer_samples_keep_their_order_and_the_peak(count):
    samples = [(at / 100, at * 7919 % 10_007) for at in range(count)]
    fewer = profiling._fewer(samples)
    assert len(fewer) <= 500
    assert set(fewer) <= set(samples)
    assert fewer == sorted(fewer)
    assert max(rss for _, rss in fewer) == max(rss for _, rss in samples)
