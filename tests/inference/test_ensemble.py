import gc
import weakref

import numpy as np
import pytest

from leanseg.errors import InputError
from leanseg.inference import fuse, open_engine
from leanseg.inference.engines import Ensemble
from leanseg.packages import Package


class Scaling:
    """An engine that multiplies; counts how many of them are alive at once."""

    name, precision = "scaling", "fp32"
    alive, most = weakref.WeakSet(), 0

    def __init__(self, factor):
        self.factor = factor
        Scaling.alive.add(self)
        Scaling.most = max(Scaling.most, len(Scaling.alive))

    def __call__(self, tile):
        return np.concatenate([tile, -tile], axis=1) * self.factor


@pytest.mark.parametrize("shape", [(1, 4, 5, 6), (1, 9, 11, 7)])
def test_an_ensemble_averages_scores_and_keeps_one_member_alive(shape):
    Scaling.most = 0
    image = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    ensemble = Ensemble([lambda: Scaling(1.0), lambda: Scaling(2.0), lambda: Scaling(6.0)])
    scores = fuse(ensemble, image, (4, 5, 6), 0.5)
    np.testing.assert_allclose(scores, np.concatenate([3 * image, -3 * image]), rtol=1e-5)
    gc.collect()
    assert Scaling.most == 1
    assert not Scaling.alive


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_a_package_of_several_networks_gives_the_mean_of_their_scores(engine, make_package, tmp_path):
    package = make_package(tmp_path / "package", random=True, members=3)
    image = np.random.default_rng(1).normal(size=(1, 10, 8, 13)).astype(np.float32)
    tile, singles = package.plan.inference.tile, []
    for member in range(3):
        single = Ensemble([lambda member=member: _only(package, engine, member)])
        singles.append(fuse(single, image, tile, 0.5))
    assert np.abs(singles[0] - singles[1]).max() > 0.1
    np.testing.assert_allclose(fuse(open_engine(package, engine), image, tile, 0.5), np.mean(singles, 0), atol=1e-5)


def test_progress_sees_every_tile_of_every_member():
    from leanseg.progress import Progress

    class Counting(Progress):
        seen, ended = 0, False

        def track(self, items, doing, total=None):
            assert total == 2 * 3
            for item in items:
                yield item
                self.seen += 1
            self.ended = True

    progress = Counting()
    fuse(Ensemble([lambda: Scaling(1.0)] * 2), np.zeros((1, 8, 4, 4), np.float32), (4, 4, 4), 0.5, progress)
    assert (progress.seen, progress.ended) == (6, True)


def test_a_package_that_lacks_a_member_is_refused(make_package, tmp_path):
    package = make_package(tmp_path / "package", members=2)
    (package.path / "model_1.onnx").unlink()
    with pytest.raises(InputError, match=r"model_1\.onnx is missing"):
        Package.read(package.path)


def _only(package, engine, member):
    from leanseg.inference.engines.onnxruntime_engine import OnnxRuntimeEngine
    from leanseg.inference.engines.openvino_engine import OpenVinoEngine

    return {"openvino": OpenVinoEngine, "onnxruntime": OnnxRuntimeEngine}[engine](package.onnx_bytes(member))
