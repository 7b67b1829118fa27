"""Networks in packages whose hashes are right: what OpenVINO and ONNX Runtime make of graphs that are wrong."""

import functools
import tempfile
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from tests.hostile import graph_traps
from tests.hostile.graph_mutations import mutated
from tests.hostile.mutations import damaged, flipped
from tests.hostile.package_contents import LABELS, contents, save_folder, sound_graph, with_manifest
from tests.hostile.random_networks import random_network
from tests.hostile.trial import MEGABYTE, Family, Trial, WrongError

from leanseg.errors import LeansegError
from leanseg.inference import Predictor, open_engine
from leanseg.packages import Package
from leanseg.packages.errors import CorruptPackageError
from leanseg.volumes import Geometry

_ALLOWANCE = 192 * MEGABYTE  # what the two engines take for a sound graph, and what they keep
_SHAPE = (9, 10, 11)
_ENGINES = ("openvino", "onnxruntime")


def predicting(path: Path, *, sound: bool = False, described: str = "") -> Trial:
    """Read the package at `path` and label a small scan with each engine. One may refuse what the other takes."""
    return Trial(run=lambda: _labels(path, sound), judge=_judge, sound=sound, allowance=_ALLOWANCE, described=described)


def _labels(path: Path, sound: bool) -> dict[str, Any]:
    package = Package.read(path)
    scan = np.random.default_rng(0).normal(size=(1, *_SHAPE)).astype(np.float32) * 500
    found: dict[str, Any] = {}
    for name in _ENGINES:
        try:
            predictor = Predictor(package.plan, open_engine(package, name, threads=1))
            found[name] = predictor.labels(scan, Geometry(_SHAPE, np.eye(4)))
        except LeansegError as error:
            if sound:
                raise
            found[name] = error
    refused = [one for one in found.values() if isinstance(one, LeansegError)]
    if len(refused) == len(_ENGINES):
        raise refused[0]
    return found


def _judge(found: dict[str, Any]) -> str:
    taken = [name for name, labels in found.items() if not isinstance(labels, LeansegError)]
    for name in taken:
        labels = found[name]
        if labels.shape != _SHAPE or not set(np.unique(labels)) <= set(LABELS.values()):
            raise WrongError("wrong labels", f"{name}: {labels.shape} {np.unique(labels)}")
    return "by " + " and ".join(taken)


def _package(folder: Path, graph: bytes) -> Path:
    _warm()
    return save_folder(folder / "package", with_manifest(contents(model__onnx=graph)))


@functools.cache
def _warm() -> None:
    """Load both libraries before anything is measured."""
    with tempfile.TemporaryDirectory() as folder:
        path = save_folder(Path(folder) / "package", with_manifest(contents()))
        _judge(_labels(path, sound=True))


def _sound(random: Random, folder: Path) -> Trial:
    from onnx import ModelProto

    model = ModelProto.FromString(sound_graph())
    for tensor in model.graph.initializer[:-1]:
        values = np.frombuffer(tensor.raw_data, np.float32) * random.uniform(0.5, 2)
        tensor.raw_data = values.astype(np.float32).tobytes()
    return predicting(_package(folder, model.SerializeToString()), sound=True)


def _bytes(random: Random, folder: Path) -> Trial:
    graph = sound_graph()
    return predicting(
        _package(folder, flipped(random, graph, 0, 1200) if random.random() < 0.5 else damaged(random, graph))
    )


def _structure(random: Random, folder: Path) -> Trial:
    return predicting(_package(folder, mutated(random, sound_graph())))


def _random(random: Random, folder: Path) -> Trial:
    """What passes leanseg's own rules must do no engine harm, however odd."""
    return predicting(_package(folder, random_network(random)))


def _control_flow(random: Random, folder: Path) -> Trial:
    return predicting(_package(folder, graph_traps.with_control_flow(random, sound_graph())))


def _growth(random: Random, folder: Path) -> Trial:
    return predicting(_package(folder, graph_traps.growing(random, sound_graph())))


def _external(random: Random, folder: Path) -> Trial:
    """Whoever opens the file that is named would see that it is there: reading the package must refuse the name."""
    (folder / "secret.bin").write_bytes(bytes(8192))
    place = random.choice(
        (
            str(folder / "secret.bin"),
            "../secret.bin",
            "secret.bin",
            "/etc/passwd",
            "/dev/zero",
            "",
            "model.safetensors",
            "C:\\x",
        )
    )
    path = _package(folder, graph_traps.with_external_data(random, sound_graph(), place))

    def judge(_: Any) -> str:
        raise WrongError("outside data read", place)

    def run() -> Any:
        try:
            return Package.read(path)
        except CorruptPackageError:  # unsafe, or nested too deeply to be looked at
            raise
        except Exception as error:
            raise WrongError("other reason", f"{type(error).__name__}: {error}") from error

    return Trial(run=run, judge=judge, allowance=_ALLOWANCE)


ENGINES = (
    Family("engines", "sound", _sound, 10),
    Family("engines", "graph, bytes", _bytes, 50),
    Family("engines", "graph, structure", _structure, 110),
    Family("engines", "graph, operators at random", _random, 60),
    Family("engines", "graph, loops and branches", _control_flow, 6),
    Family("engines", "graph, tensors that grow", _growth, 10),
    Family("engines", "graph, data outside", _external, 30),
)
