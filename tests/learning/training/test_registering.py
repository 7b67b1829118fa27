import os
import time
from pathlib import Path

import blosc2
import numpy as np
import pytest
from tests.learning.training.registration_stand_in import register, scan

from leanseg.learning.training.flows import FlowStore
from leanseg.learning.training.pairs import Pair, in_rounds, partners
from leanseg.learning.training.registering import BackgroundRegistration, own_registration, register_pairs

# What Python imports first in the process of the background: there the stand-in takes the place of the registration.
_SITE = """
import sys, types
module = types.ModuleType("leanseg.learning.registration")
module.__path__ = [{registration!r}]
sys.path.insert(0, {root!r})
class Stand:
    def __call__(self, *arrays, **options):
        from tests.learning.training.registration_stand_in import register
        return register(*arrays, **options)
module.register = Stand()
module.Settings = lambda device="cpu": device
sys.modules["leanseg.learning.registration"] = module
"""


@pytest.fixture
def pairs(tmp_path):
    others = [scan(tmp_path, f"other{number}", 10 + number, unlike=number == 1) for number in range(3)]
    labelled = [scan(tmp_path, f"case{number}", number, spacing=(2.0, 1.0, 1.0)) for number in range(2)]
    return in_rounds([partners(each, others, number=3, seed=0, registration="") for each in labelled])


@pytest.fixture
def store(tmp_path):
    return FlowStore(tmp_path / "flows", 10**6)


def test_refused_pairs_are_counted_and_the_others_kept(pairs, store):
    outcomes = list(register_pairs(pairs, store, register, intensities=False))
    assert [bool(outcome.refused) for outcome in outcomes] == [pair.unlabelled.name == "other1" for pair in pairs]
    assert sum(store.flow(pair) is not None for pair in pairs) == 4


def test_our_own_registration_does_it(store, tmp_path):
    """The stand-in of the other tests must not be all that fits."""
    both = [scan(tmp_path, name, 0, shape=(16, 18, 20)) for name in ("labelled", "unlabelled")]
    places = np.indices((16, 18, 20), np.float32)
    for each, shift in zip(both, (0.0, 1.0), strict=True):
        image = np.sin(places[0] / 2) * np.cos(places[1] / 3) + np.sin((places[2] + shift) / 4)
        blosc2.asarray(image[None], urlpath=str(each.folder / "image.b2nd"), mode="w")
    flat = scan(tmp_path, "flat", 1, shape=(16, 18, 20))
    blosc2.asarray(np.zeros((1, 16, 18, 20), np.float32), urlpath=str(flat.folder / "image.b2nd"), mode="w")
    pairs = [Pair(both[0], both[1], "alike"), Pair(both[0], flat, "flat")]
    found, refused = register_pairs(pairs, store, own_registration()[0], intensities=True)
    assert found.refused is None
    assert found.similarity[1] > 0.8
    assert store.flow(pairs[0]).flow.shape == (16, 18, 20)
    assert refused.refused == "the fixed scan cannot be registered: all its voxels are 0"


@pytest.mark.parametrize("spacing", [(1.0, 4.0, 4.0), (0.5, 0.5, 0.1)])
def test_scans_of_another_field_of_view_are_not_even_read(spacing, store, tmp_path):
    whole, part = scan(tmp_path, "whole", 0), scan(tmp_path, "part", 1, spacing=spacing)
    (outcome,) = register_pairs([Pair(whole, part, "both")], store, None, intensities=False)
    assert outcome.refused.startswith("the fields of view do not match: 0.72 ml")


def test_what_is_there_is_not_registered_again(pairs, store):
    first = list(register_pairs(pairs, store, register, intensities=True))
    assert list(register_pairs(pairs, store, None, intensities=True)) == first
    assert all(store.flow(pair).intensities.shape[:2] == (2, 1) for pair in pairs if store.flow(pair))


def test_it_begins_with_middle_on_middle(pairs, store):
    list(register_pairs(pairs, store, register, intensities=False))
    affine = next(found for pair in pairs if (found := store.flow(pair))).flow.affine
    middle = np.array([(size - 1) / 2 for size in (8, 9, 10)] + [1])
    assert np.allclose(affine @ middle, middle)
    assert np.allclose(np.diag(affine), [0.5, 1, 1, 1])  # the moving scan's slices are twice as thick


def test_it_ends_where_there_is_no_room(pairs, tmp_path):
    small = FlowStore(tmp_path / "flows", 4000)
    assert sum(not outcome.refused for outcome in register_pairs(pairs, small, register, intensities=False)) == 1


def site(folder):
    from leanseg.learning.registration import deformation

    text = _SITE.format(registration=str(Path(deformation.__file__).parent), root=str(Path(__file__).parents[3]))
    (folder / "sitecustomize.py").write_text(text)
    return os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])


def test_the_background_registers_what_is_left(pairs, store, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", site(tmp_path))
    with BackgroundRegistration(pairs, store, intensities=False) as background:
        until = time.monotonic() + 60
        while any(store.outcome(pair) is None for pair in pairs) and time.monotonic() < until:
            time.sleep(0.05)
    assert background.failure is None
    assert all(store.outcome(pair) for pair in pairs)


def test_the_background_ends_with_training_and_leaves_nothing_half_written(pairs, store, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", site(tmp_path))
    with BackgroundRegistration(pairs, store, intensities=False) as background:
        process = background._process
    assert process.returncode is not None
    assert background.failure is None
    assert not list(store.folder.glob(".writing-*"))
