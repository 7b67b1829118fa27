"""A model that stays open, and what it says when a scan goes wrong."""

from dataclasses import replace

import numpy as np
import pytest

import leanseg
import leanseg.api.model
from leanseg.datasets import Region
from leanseg.errors import BudgetError, InputError
from leanseg.inference.cohort import NotANumberError
from leanseg.inference.engines import UnknownEngineError


class Scripted:
    """An engine that raises, or labels everything as the first class."""

    name = "scripted 1.0"
    precision = "fp32"

    def __init__(self, error=None):
        self.error = error
        self.calls = 0

    def __call__(self, tile):
        self.calls += 1
        if self.error:
            raise self.error
        return np.stack([np.ones_like(tile[:, 0]), *[np.zeros_like(tile[:, 0])] * 2], axis=1)


def test_the_engine_is_opened_once_for_many_scans(package, image, affine, monkeypatch):
    opened = []
    open_engine = leanseg.api.model.open_engine
    monkeypatch.setattr(
        "leanseg.api.model.open_engine", lambda *given, **how: opened.append(given) or open_engine(*given, **how)
    )
    model = leanseg.Model(str(package))
    first, second = model.predict((image, affine)), model.predict((-image, affine))
    assert len(opened) == 1
    assert (first.array != second.array).any()
    np.testing.assert_array_equal(model.predict((image, affine)).array, first.array)
    assert model.plan == leanseg.Package.read(package).plan
    assert str(package) in repr(model)
    assert "grey, white" in repr(model)


def test_an_engine_can_be_handed_in(package, scan):
    engine = Scripted()
    found = leanseg.Model(package, engine=engine).predict(scan)
    assert engine.calls > 0
    assert (found.engine, np.unique(found.array).tolist()) == ("scripted 1.0", [0])


def test_regions_are_what_is_named_where_the_plan_has_regions(package, image, affine):
    class Regions(Scripted):
        def __call__(self, tile):
            return np.concatenate([tile, tile - 1], axis=1)  # logits: grey or white where above 0, white above 1

    opened = leanseg.Package.read(package)
    regions = {"matter": Region(values=(2, 5), written=2), "white": Region(values=(5,), written=5)}
    data = opened.plan.data.model_copy(update={"regions": regions, "ignore": 9})
    preprocessing = opened.plan.preprocessing.model_copy(update={"spacing": (1.5, 1.25, 1.0)})
    plan = opened.plan.model_copy(update={"data": data, "preprocessing": preprocessing})
    found = leanseg.predict(replace(opened, plan=plan), (image, affine), engine=Regions())
    assert found.targets == {"matter": (2, 5), "white": (5,)}
    assert found.ignore == 9
    np.testing.assert_array_equal(found.mask("matter"), image > 0)
    np.testing.assert_array_equal(found.mask("white"), image > 1)


def test_torch_can_be_the_engine(package, scan, monkeypatch):
    from leanseg.learning.export.torch_engine import TorchEngine

    asked = []
    monkeypatch.setattr(TorchEngine, "from_package", lambda given, device: asked.append(device) or Scripted())
    assert leanseg.predict(package, scan, engine="torch", device="cpu").engine == "scripted 1.0"
    leanseg.predict(package, scan, engine="torch")
    assert asked == ["cpu", "auto"]


def test_an_unknown_engine_is_refused(package):
    with pytest.raises(UnknownEngineError):
        leanseg.Model(package, engine="abacus")


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (MemoryError("Unable to allocate 9 GiB"), BudgetError, "9 GiB"),
        (RuntimeError("CUDA out of memory. Tried to allocate 9 GiB"), BudgetError, "9 GiB"),
        (RuntimeError("kernel lost"), InputError, "kernel lost"),
        (OSError(5, "Input/output error", "weights"), InputError, "weights: Input/output error"),
    ],
)
def test_what_goes_wrong_in_an_engine_is_said_with_the_scan(error, kind, said, package, scan):
    with pytest.raises(kind) as refused:
        leanseg.predict(package, scan, engine=Scripted(error))
    assert said in refused.value.what
    assert "a.nii.gz" in refused.value.what


def test_a_broken_scan_is_named_once(package, scan):
    scan.write_bytes(b"")
    with pytest.raises(InputError) as refused:
        leanseg.predict(package, scan)
    assert refused.value.what.count("a.nii.gz") == 1


def test_a_scan_of_the_wrong_kind_is_named(package, scan, save_scan):
    save_scan(scan, np.zeros((4, 4, 4, 2), np.float32))
    with pytest.raises(InputError, match=r"a\.nii\.gz: the case has 2 channels"):
        leanseg.predict(package, scan)


@pytest.mark.parametrize("nan", [np.nan, np.inf])
def test_what_takes_the_place_of_nan_is_a_number(nan, package, scan):
    with pytest.raises(NotANumberError):
        leanseg.predict(package, scan, nan=nan)


def test_voxels_that_are_nan_are_refused_or_replaced(make_package, tmp_path, image, shades):
    package = make_package(tmp_path / "thresholds")
    broken = image.copy()
    broken[4, 4, 4] = np.nan
    with pytest.raises(InputError) as refused:
        leanseg.predict(package, (broken, np.eye(4)))
    assert "--nan 0" in refused.value.fix
    found = leanseg.predict(package, (broken, np.eye(4)), nan=0)
    np.testing.assert_array_equal(found.array, shades(np.nan_to_num(broken)))


def test_progress_is_told_and_silence_is_the_default(make_package, image, affine, tmp_path, capfd):
    class Heard(leanseg.Progress):
        def __init__(self):
            self.said = []

        def track(self, items, doing, total=None):
            self.said.append((doing, total))
            yield from items

    package = make_package(tmp_path / "tiles", tile=(4, 4, 4))
    heard = Heard()
    leanseg.predict(package, (image, affine), progress=heard)
    ((doing, total),) = heard.said
    assert doing == "array: tiles"
    assert total > 1
    leanseg.predict(package, (image, affine))
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "")
