"""leanseg.register: choices in words; what it does is tested in tests/learning/registration."""

import numpy as np
import pytest

import leanseg
from leanseg.volumes import Geometry, write_volume


def test_choices_are_handed_on(tmp_path, monkeypatch):
    asked = {}
    monkeypatch.setattr(
        "leanseg.learning.registration.folder.register_files",
        lambda files, out, **options: asked.update(options, files=files, out=out),
    )
    leanseg.register("a.nii", "b.nii", "out", labels="c.nii", similarity="mind", start="centres", device="cpu")
    assert str(asked["files"].labels) == "c.nii"
    assert asked["files"].fixed_labels is None
    assert asked["settings"].similarity == "mind"
    assert asked["settings"].device == "cpu"
    assert asked["start"] == "centres"
    assert asked["backend"] == "leanseg"


def test_a_scan_of_one_value_is_refused(tmp_path):
    path = tmp_path / "flat.nii.gz"
    write_volume(path, np.ones((6, 6, 6), np.float32), Geometry((6, 6, 6), np.eye(4)))
    with pytest.raises(leanseg.InputError, match="all its voxels are 1"):
        leanseg.register(path, path, tmp_path / "out")
