"""What many tests need: scans in files, and model packages without training.

The packages are real; in them are small ONNX graphs whose labelling is known.
"""

import json
import os
import shutil
import tempfile

import numpy as np
import pytest

# The user's own cache is left alone, in this process and in those that tests start.
CACHE = tempfile.mkdtemp(prefix="leanseg-tests-")
os.environ["LEANSEG_CACHE"] = CACHE

LABELS = {"background": 0, "grey": 2, "white": 5}
THRESHOLDS = (0.0, 1.0)  # from which intensity on a voxel is grey, white


def pytest_unconfigure():
    shutil.rmtree(CACHE, ignore_errors=True)


def threshold_model(channels, tile):
    """A 1x1x1 convolution of the first channel whose highest score is the class of the intensity."""
    from onnx import TensorProto, helper, numpy_helper

    low, high = THRESHOLDS
    weights = np.zeros((3, channels, 1, 1, 1), dtype=np.float32)
    weights[:, 0, 0, 0, 0] = [0, 1, 2]
    biases = np.array([0, -low, -low - high], dtype=np.float32)
    return _saved(
        [helper.make_node("Conv", ["image", "weights", "biases"], ["scores"])],
        helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, channels, *tile]),
        helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 3, *tile]),
        [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(biases, "biases")],
    )


def random_model(channels, tile, seed=0):
    """Three 3x3x3 convolutions with instance norm and LeakyReLU between them, random weights."""
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(seed)
    nodes, tensors, last, width = [], [], "image", channels
    for layer, out in enumerate((8, 8, 3)):
        kernel = random.normal(size=(out, width, 3, 3, 3)).astype(np.float32) / np.sqrt(27 * width)
        tensors.append(numpy_helper.from_array(kernel.astype(np.float32), f"kernel{layer}"))
        result = "scores" if layer == 2 else f"convolved{layer}"
        nodes.append(helper.make_node("Conv", [last, f"kernel{layer}"], [result], pads=[1] * 6))
        if layer < 2:
            tensors.append(numpy_helper.from_array(np.ones(out, np.float32), f"scale{layer}"))
            tensors.append(numpy_helper.from_array(np.zeros(out, np.float32), f"shift{layer}"))
            names = [result, f"scale{layer}", f"shift{layer}"]
            nodes.append(helper.make_node("InstanceNormalization", names, [f"normed{layer}"]))
            nodes.append(helper.make_node("LeakyRelu", [f"normed{layer}"], [f"active{layer}"], alpha=0.01))
        last, width = f"active{layer}", out
    return _saved(
        nodes,
        helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, channels, *tile]),
        helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 3, *tile]),
        tensors,
    )


def _saved(nodes, taken, given, tensors):
    from onnx import checker, helper

    graph = helper.make_graph(nodes, "network", [taken], [given], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    checker.check_model(model)
    return model.SerializeToString()


@pytest.fixture(scope="session")
def save_scan():
    """A function that writes an array (X, Y, Z) as NIfTI, voxels of 1 x 1 x 1.5 mm unless told."""
    import nibabel

    def save(path, array, affine=None):
        path.parent.mkdir(parents=True, exist_ok=True)
        nibabel.save(nibabel.Nifti1Image(array, np.diag([1.0, 1.0, 1.5, 1.0]) if affine is None else affine), path)
        return path

    return save


@pytest.fixture
def make_package():
    """A function that writes a package and returns it; `random` weights label at random, else by thresholds."""

    def make(
        path,
        *,
        channels=1,
        tile=(8, 8, 8),
        spacing=(1.0, 1.0, 1.0),
        overlap=0.5,
        random=False,
        members=1,
        **preprocessing,
    ):
        from safetensors.numpy import save

        from leanseg.packages import write_package
        from leanseg.plans import Plan

        plan = {
            "data": {"name": "shades", "channels": [f"channel {c}" for c in range(channels)], "labels": LABELS},
            "preprocessing": {
                "spacing": spacing,
                "normalisation": [{"scheme": "none"}] * channels,
                **preprocessing,
            },
            "network": {"name": "thresholds"},
            "training": {"patch": tile},
            "inference": {"tile": tile, "overlap": overlap},
        }
        return write_package(
            path,
            plan=Plan.model_validate(json.loads(json.dumps(plan))),
            weights=[save({"head.weight": np.arange(6, dtype=np.float32).reshape(2, 3)})] * members,
            onnx=[
                random_model(channels, tile, m) if random else threshold_model(channels, tile) for m in range(members)
            ],
            card="# Shades of grey\n",
            facts={"parity": {"openvino": 1.0}},
        )

    return make


@pytest.fixture
def add_tile():
    """A function that lists another tile in a package of `make_package`, adds its graph, and returns the package."""

    def add(package, tile, dice):
        import hashlib

        from leanseg.packages import Package
        from leanseg.packages.tiles import tile_graph_name

        name = tile_graph_name(tile, 0, 1)
        graph = threshold_model(len(package.plan.data.channels), tile)
        (package.path / name).write_bytes(graph)
        document = json.loads((package.path / "manifest.json").read_text())
        document["files"][name] = {"sha256": hashlib.sha256(graph).hexdigest(), "bytes": len(graph)}
        document["measured"].setdefault("tiles", []).append({"tile": list(tile), "dice": dice})
        (package.path / "manifest.json").write_text(json.dumps(document))
        return Package.read(package.path)

    return add


@pytest.fixture
def shades():
    """A function that gives the label values that the threshold network has for an image."""

    def label(image):
        low, high = THRESHOLDS
        values = list(LABELS.values())
        return np.where(image > high, values[2], np.where(image > low, values[1], values[0]))

    return label
