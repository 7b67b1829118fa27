"""leanseg networks, as a person runs it."""

import importlib.metadata
import json
import math
import subprocess
import sys

import nibabel
import numpy as np
import pytest

from leanseg.packages import Package
from leanseg.plans.network_facts import own_networks

OWN = own_networks()


def loaded_after(*arguments):
    code = (
        "import sys; from leanseg.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('loaded:', *{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_the_table_has_a_line_for_every_network_with_what_it_costs(leanseg):
    done = leanseg("networks")
    assert done.code == 0
    for name, facts in OWN.items():
        (line,) = [line for line in done.out.splitlines() if line.split()[:1] == [name]]
        assert str(facts.year or "") in line
        assert f"{facts.counted.parameters / 1e6:.2f} M" in line
        assert f"{facts.counted.macs / math.prod(facts.counted.shape):,.0f}" in line


@pytest.mark.parametrize("name", OWN)
def test_all_about_one_network_is_shown(name, leanseg):
    done = leanseg("networks", name)
    facts = OWN[name]
    assert done.code == 0
    for fact in (
        facts.source,
        str(facts.year or "not published"),
        facts.licence,
        facts.good_at,
        *facts.deviations,
        facts.notes,
    ):
        assert fact in done.out
    assert f"{facts.counted.parameters:,}" in done.out
    for key, option in facts.options.items():
        (line,) = [line for line in done.out.splitlines() if line.split()[:1] == [key]]
        assert option.meaning in line


def test_options_are_shown_with_default_and_range(leanseg):
    out = leanseg("networks", "dynunet").out
    assert "[[2, 2, 2], [2, 2, 2], [2, 2, 2], [2, 2, 2], [2, 2, 2]]" in out
    assert "a list of 2 to 6" in out
    assert "a whole number of at least 4 and at most 320" in out


def test_json_tells_the_same_to_machines(leanseg):
    listed = json.loads(leanseg("networks", "--json").out)
    assert [entry["name"] for entry in listed] == list(OWN)
    one = json.loads(leanseg("networks", "distill_dsm_unet", "--json").out)
    assert one in listed
    assert one["options"]["alpha"]["choices"] == [0.25, 0.5, 0.75, 1.0]
    assert one["counted"]["parameters"] == 1_216_504
    assert one["macs_per_voxel"] == one["counted"]["macs"] / 128**3


def test_a_wrong_name_is_refused_with_a_guess(leanseg):
    done = leanseg("networks", "distil_dsm_unet")
    assert done.code == 2
    assert "did you mean 'distill_dsm_unet'" in done.err


@pytest.mark.parametrize("arguments", [["networks"], ["networks", "dynunet"], ["networks", "unet4d"]])
def test_neither_torch_nor_monai_is_imported(arguments):
    assert not loaded_after(*arguments) & {"torch", "monai"}


def test_networks_of_other_packages_are_listed_and_told_about(leanseg, monkeypatch):
    entry = importlib.metadata.EntryPoint("elsewhere", "elsewhere.module", "leanseg.networks")
    monkeypatch.setattr("leanseg.plans.network_plugins.entry_points", lambda group: [entry])
    assert "elsewhere (elsewhere.module)" in leanseg("networks").out
    with pytest.warns(UserWarning, match="elsewhere"):
        done = leanseg("networks", "elsewhere")
    assert done.code == 2
    assert "No module named 'elsewhere'" in done.err


PACKAGE = ["--classes", "3", "--tile", "8x16x12", "--option", "base=4", "--option", "pools=[[2,2,2],[2,2,2]]"]


def test_a_package_without_training_is_written_and_predicts(leanseg, tmp_path, save_scan):
    done = leanseg(
        "networks", "e2enet", "--package", tmp_path / "p", "--spacing", "2x2x1", "--density", "0.2", *PACKAGE
    )
    assert done.code == 0, done.err
    assert "random weights" in done.out
    assert "its label maps mean nothing" in done.out
    scan = save_scan(tmp_path / "scan.nii.gz", np.random.default_rng(0).normal(size=(9, 8, 7)).astype(np.float32))
    assert leanseg("predict", tmp_path / "p", scan, "-o", tmp_path / "out").code == 0
    assert nibabel.load(tmp_path / "out" / "scan.nii.gz").shape == (9, 8, 7)


def test_the_package_is_described_to_machines(leanseg, tmp_path):
    done = leanseg(
        "networks", "e2enet", "--package", tmp_path / "p", "--spacing", "3", "--seed", "5", "--json", *PACKAGE
    )
    said = json.loads(done.out)
    assert said["measured"]["untrained"] == {"seed": 5}
    assert said["tile"] == [8, 16, 12]
    assert said["hash"] == Package.read(tmp_path / "p").hash


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["e2enet", "--package", "p", "--classes", "3"], "without --spacing"),
        (["e2enet", "--package", "p", "--spacing", "3"], "without --classes"),
        (["--package", "p", "--classes", "3", "--spacing", "3"], "without a network"),
        (["e2enet", "--classes", "3"], "--classes was given without --package"),
        (["e2enet", "--package", "p", "--classes", "3", "--spacing", "3x3"], "--spacing 3x3"),
        (["e2enet", "--package", "p", "--classes", "3", "--spacing", "0"], "--spacing 0"),
        (["e2enet", "--package", "p", "--classes", "3", "--spacing", "3", "--tile", "3"], "--tile 3"),
        (["e2enot", "--package", "p", "--classes", "3", "--spacing", "3"], "did you mean 'e2enet'"),
        (["e2enet", "--package", "p", "--classes", "3", "--spacing", "3", "--option", "bass=4"], "bass"),
        (["e2enet", "--package", "p", "--classes", "3", "--spacing", "3", "--density", "0"], "--density 0"),
    ],
)
def test_half_a_wish_for_a_package_is_refused_and_nothing_written(leanseg, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    done = leanseg("networks", *arguments)
    assert done.code == 2
    assert said in done.err
    assert not list(tmp_path.iterdir())
