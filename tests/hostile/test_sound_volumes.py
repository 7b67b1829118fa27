"""Sound images of every kind are read, and read as nibabel, SimpleITK and pynrrd read them."""

import itertools
import tempfile
from pathlib import Path
from random import Random

import nibabel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.hostile import sound_volumes
from tests.hostile.oracles import agree
from tests.hostile.sound_volumes import DTYPES, ORIENTATIONS, Picture
from tests.hostile.volume_families import save_meta, save_nifti, save_nrrd

from leanseg.volumes import read_frames, read_volume

# Hypothesis draws each choice of these randoms, so that a failing image shrinks to a simple one.
RANDOMS = st.randoms(use_true_random=False)


@pytest.mark.parametrize("save", [save_nifti, save_meta, save_nrrd])
def test_a_sound_image_is_read_as_elsewhere(save):
    @settings(deadline=None, max_examples=60)
    @given(random=RANDOMS)
    def check(random):
        with tempfile.TemporaryDirectory() as folder:
            path = save(random, Path(folder))
            array, geometry = read_frames(path)
            assert agree((array, geometry.affine), path) == "read as elsewhere"

    check()


def test_there_are_48_orientations():
    assert len({orientation.tobytes() for orientation in ORIENTATIONS}) == 48
    assert all(abs(np.linalg.det(orientation)) == 1 for orientation in ORIENTATIONS)


def written(folder, suffix, shown):
    path = folder / f"a{suffix}"
    random = Random(0)
    if suffix.startswith(".nii"):
        content = sound_volumes.nifti(random, shown)
        path.write_bytes(content if suffix == ".nii" else sound_volumes.gzipped(random, content))
    else:
        lines, voxels = (sound_volumes.meta if suffix == ".mha" else sound_volumes.nrrd)(random, shown)
        path.write_bytes("\n".join(lines).encode() + (b"\n" if suffix == ".mha" else b"\n\n") + voxels)
    return path


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".mha", ".nrrd"])
def test_each_of_the_48_orientations_is_told(tmp_path, suffix):
    voxels = np.asfortranarray(np.arange(24, dtype="<i2").reshape(2, 3, 4))
    for orientation in ORIENTATIONS:
        affine = np.eye(4)
        affine[:3, :3] = orientation * [0.7, 1.3, 4.0]
        path = written(tmp_path, suffix, Picture(voxels, affine))
        volume = read_volume(path)
        if (
            suffix not in {".nii", ".nii.gz"}
            or nibabel.load(path).header["sform_code"]
            or nibabel.load(path).header["qform_code"]
        ):
            assert volume.geometry.axcodes == "".join(nibabel.aff2axcodes(affine))
            np.testing.assert_allclose(volume.geometry.spacing, (0.7, 1.3, 4.0), rtol=1e-6)
        assert agree((volume.array, volume.geometry.affine), path) == "read as elsewhere"


@pytest.mark.parametrize(("kind", "order"), list(itertools.product(DTYPES, "<>")))
@pytest.mark.parametrize("suffix", [".nii", ".mha", ".nrrd"])
def test_each_type_in_each_byte_order_is_read_to_its_limits(tmp_path, kind, order, suffix):
    dtype = np.dtype(kind).newbyteorder(order)
    ends = np.finfo(kind) if dtype.kind == "f" else np.iinfo(kind)
    voxels = np.asfortranarray(np.array([ends.min, 0, 1, ends.max], kind).reshape(1, 2, 2).astype(dtype))
    path = written(tmp_path, suffix, Picture(voxels, np.eye(4)))
    if suffix == ".nii":
        data = bytearray(path.read_bytes())
        data[112:120] = bytes(8)  # no scaling
        path.write_bytes(data)
    array = read_volume(path).array
    assert array.dtype == np.dtype(kind)
    np.testing.assert_array_equal(array, voxels.astype(kind))
