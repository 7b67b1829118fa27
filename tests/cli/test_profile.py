"""leanseg profile, as a person runs it."""

import json
import subprocess
import sys

import pytest

SMALL = ("--static", "distill_dsm_unet", "--shape", "8x32x32")


def test_the_table_tells_parameters_macs_and_memory(leanseg):
    done = leanseg("profile", *SMALL, "--channels", "4", "--classes", "3", "--option", "alpha=0.5")
    assert done.code == 0
    for fact in ("distill_dsm_unet: 4 -> 3 at 8 x 32 x 32", "1,216,715", "MACs (G)", "backward pass, fp32 (GB)"):
        assert fact in done.out
    assert "FLOPs" not in done.out
    assert "density" not in done.out


def test_json_tells_it_to_machines_layer_by_layer(leanseg):
    found = json.loads(leanseg("profile", *SMALL, "--channels", "4", "--classes", "3", "--json").out)
    assert found["parameters"] == 1_216_715
    assert found["macs"] == 42_816 * 8 * 32 * 32
    assert found["shape"] == [8, 32, 32]
    assert sum(layer["macs"] for layer in found["layers"]) == found["macs"]


def test_e2enets_convention_is_shown_when_asked_for(leanseg):
    done = leanseg("profile", *SMALL, "--convention", "e2enet")
    assert "FLOPs as E2ENet counts (G)" in done.out


@pytest.mark.parametrize("shape", ["128", "3x4", "0x4x4", "4x4x-4", "4x4x4x4", "axbxc", "9999999x1x1", ""])
def test_a_shape_that_is_none_is_refused_with_an_example(shape, leanseg):
    done = leanseg("profile", "--static", "unet3d", "--shape", shape)
    assert done.code == 2
    assert "--shape 64x160x160" in done.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--static", "unet4d"), "did you mean 'unet3d'"),
        (("--static", "distill_dsm_unet", "--option", "alpa=1"), "did you mean 'alpha'"),
        (("--static", "unet3d", "--channels", "0"), "--channels"),
        ((), "--static"),
    ],
)
def test_what_does_not_exist_is_refused(arguments, told, leanseg):
    done = leanseg("profile", *arguments)
    assert done.code == 2
    assert told in done.err


def test_a_package_is_measured_by_phase_as_table_json_and_picture(leanseg, make_package, tmp_path):
    package = make_package(tmp_path / "package", random=True).path
    size = ("--volume", "20x24x12", "--spacing", "1x1x2")
    done = leanseg("profile", package, *size, "-o", tmp_path / "out", "--threads", "1")
    assert done.code == 0, done.err
    for fact in ("20 x 24 x 12 voxels of 1 x 1 x 2 mm", "peak RSS", "1 thread,", "tiles through the network"):
        assert fact in done.out
    said = json.loads((tmp_path / "out" / "profile.json").read_text())
    assert said["volume"] == [20, 24, 12]
    assert set(said["phases"]) == {"start", "read", "prepare", "network", "labels", "write", "rest"}
    assert (tmp_path / "out" / "profile.svg").read_text().startswith("<?xml")
    again = leanseg("profile", package, *size, "-o", tmp_path / "out")
    assert again.code == 2
    assert "--overwrite" in again.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("p",), "--volume was not given"),
        (("p", "--volume", "8x8x8"), "--spacing was not given"),
        (("p", "--volume", "8x8", "--spacing", "1"), "--volume 8x8 is not three sizes"),
        (("p", "--volume", "8x8x8", "--spacing", "1x1"), "--spacing 1x1"),
        (("p", "--volume", "8x8x8", "--spacing", "1"), "p: does not exist"),
        (("p", "--static", "unet3d"), "a package and --static were both given"),
        (("p", "--volume", "8x8x8", "--spacing", "1", "--classes", "3"), "--classes was given beside a package"),
        (("--static", "unet3d", "--volume", "8x8x8"), "--volume was given beside --static"),
        (("--static", "unet3d", "--overwrite"), "--overwrite was given beside --static"),
    ],
)
def test_a_profile_of_nothing_or_of_two_things_is_refused(arguments, told, leanseg, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = leanseg("profile", *arguments)
    assert done.code == 2
    assert told in done.err


def test_measuring_imports_no_torch(make_package, tmp_path):
    package = make_package(tmp_path / "package").path
    code = (
        "import sys; import leanseg; leanseg.profile(sys.argv[1], volume=(8, 8, 8), spacing=1); "
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, package], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
