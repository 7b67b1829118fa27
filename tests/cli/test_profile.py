"""leanseg profile, as a person runs it."""

import json

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
