"""Shapes and limits of single operators; random networks of them are compared with onnx's own in tests/hostile."""

import numpy as np
import pytest

from leanseg.packages.graphs.graph import Node, Tensor
from leanseg.packages.graphs.operators import OPERATORS, results
from leanseg.packages.graphs.protobuf import MalformedModelError

IMAGE = Tensor((1, 4, 8, 8, 8))
WEIGHTS = Tensor((6, 4, 3, 3, 3))


def numbers(*values, dtype=np.int64):
    return Tensor((len(values),), np.array(values, dtype))


def made(operator, *given, outputs=1, **attributes):
    names = tuple("" if tensor is None else str(at) for at, tensor in enumerate(given))
    node = Node(operator, names, tuple(f"out{at}" for at in range(outputs)), attributes)
    return results(node, list(given))


def shape(*arguments, **attributes):
    return made(*arguments, **attributes)[0][0].shape


def test_a_convolution_costs_its_weights_for_every_result():
    (result,), work = made("Conv", IMAGE, WEIGHTS, pads=(1,) * 6)
    assert result.shape == (1, 6, 8, 8, 8)
    assert work == 6 * 8**3 * 4 * 27


def test_a_transposed_convolution_undoes_a_stride():
    assert shape("ConvTranspose", IMAGE, Tensor((4, 2, 2, 2, 2)), strides=(2, 2, 2)) == (1, 2, 16, 16, 16)


def test_sampling_takes_the_size_of_its_places_and_eight_neighbours_for_each():
    (result,), work = made("GridSample", IMAGE, Tensor((1, 2, 3, 5, 3)), mode="linear", padding_mode="zeros")
    assert result.shape == (1, 4, 2, 3, 5)
    assert work == 8 * 4 * 2 * 3 * 5


@pytest.mark.parametrize(
    ("operator", "given", "attributes"),
    [
        ("NoSuchOperator", [IMAGE], {}),
        ("Loop", [IMAGE], {}),
        ("Conv", [], {}),  # OpenVINO crashes
        ("Conv", [IMAGE], {}),
        ("Conv", [IMAGE, None], {}),
        ("Conv", [IMAGE, Tensor((6, 3, 3, 3, 3))], {}),
        ("Conv", [IMAGE, WEIGHTS], {"group": 0}),
        ("Conv", [IMAGE, WEIGHTS], {"group": 3}),
        ("Conv", [IMAGE, WEIGHTS], {"strides": (0, 1, 1)}),
        ("Conv", [IMAGE, WEIGHTS], {"strides": (1, 1)}),
        ("Conv", [IMAGE, WEIGHTS], {"strides": 1}),
        ("Conv", [IMAGE, WEIGHTS], {"strides": (1.0, 1.0, 1.0)}),
        ("Conv", [IMAGE, WEIGHTS], {"dilations": (9, 1, 1)}),
        ("Conv", [IMAGE, WEIGHTS], {"pads": (-1,) * 6}),
        ("Conv", [IMAGE, WEIGHTS], {"pads": (2**40,) * 6}),
        ("Conv", [IMAGE, WEIGHTS], {"kernel_shape": (2, 3, 3)}),
        ("Conv", [IMAGE, WEIGHTS], {"auto_pad": "SAME_UPPER"}),
        ("Conv", [IMAGE, WEIGHTS], {"surprise": 1}),
        ("Conv", [IMAGE, WEIGHTS, Tensor((5,))], {}),
        ("Conv", [Tensor((1, 4, 8, 8, 8, 8)), Tensor((1, 4, 1, 1, 1, 1))], {}),
        ("ConvTranspose", [IMAGE, Tensor((4, 2, 2, 2, 2))], {"output_padding": (1, 0, 0)}),
        ("ConvTranspose", [IMAGE, Tensor((4, 2, 1, 1, 1))], {"pads": (4,) * 6}),
        ("MaxPool", [IMAGE], {}),
        ("MaxPool", [IMAGE], {"kernel_shape": (9, 1, 1)}),
        ("MaxPool", [IMAGE], {"kernel_shape": (2, 2, 2), "pads": (2,) * 6}),
        ("MaxPool", [IMAGE], {"kernel_shape": (2, 2, 2), "ceil_mode": 7}),
        ("Resize", [IMAGE, None, numbers(1, 1, 2, 2, 2, dtype=np.float32)], {"mode": "cubic"}),  # OpenVINO hangs
        ("Resize", [IMAGE, None, numbers(1, 1, 2, 2, float("nan"), dtype=np.float32)], {}),
        ("Resize", [IMAGE, None, numbers(1, 1, 0, 2, 2, dtype=np.float32)], {}),
        ("Resize", [IMAGE, None, Tensor((5,))], {}),
        ("Resize", [IMAGE, None, None, numbers(1, 4, 0, 8, 8)], {}),
        ("Resize", [Tensor((1,) * 6), None, None, numbers(1, 1, 1, 1, 1, 1)], {"mode": "linear"}),  # OpenVINO crashes
        ("GridSample", [IMAGE, Tensor((1, 4, 4, 4, 2))], {"mode": "linear"}),
        ("GridSample", [IMAGE, Tensor((2, 4, 4, 4, 3))], {"mode": "linear"}),
        ("GridSample", [Tensor((1, 4, 8, 8)), Tensor((1, 4, 4, 2))], {"mode": "linear"}),
        ("GridSample", [IMAGE, Tensor((1, 4, 4, 4, 3))], {"mode": "cubic"}),
        ("GridSample", [IMAGE, Tensor((1, 4, 4, 4, 3))], {"padding_mode": "reflection"}),
        ("GridSample", [IMAGE, Tensor((1, 4, 4, 4, 3))], {"align_corners": 2}),
        ("Pad", [IMAGE, numbers(*[0] * 9, -1)], {}),
        ("Pad", [IMAGE, numbers(*[8] * 10)], {"mode": "reflect"}),
        ("Concat", [IMAGE, Tensor((1, 4, 8, 8, 7))], {"axis": 1}),
        ("Concat", [IMAGE], {"axis": 5}),
        ("Concat", [IMAGE], {}),
        ("Split", [IMAGE, numbers(5)], {"axis": 1}),
        ("Slice", [IMAGE, numbers(0), numbers(0), numbers(4)], {}),
        ("Slice", [IMAGE, numbers(0), numbers(5), numbers(4), numbers(0)], {}),
        ("Slice", [IMAGE, numbers(0, 0), numbers(5, 5), numbers(4, -1)], {}),
        ("Slice", [IMAGE, Tensor((1,)), numbers(5)], {}),
        ("Gather", [IMAGE, numbers(4)], {"axis": 1}),
        ("Gather", [IMAGE, numbers(-5)], {"axis": 1}),
        ("Reshape", [IMAGE, numbers(-1, -1)], {}),
        ("Reshape", [IMAGE, numbers(2048, 0)], {"allowzero": 1}),
        ("Reshape", [IMAGE, numbers(7, -1)], {}),
        ("Transpose", [IMAGE], {"perm": (0, 0, 1, 2, 3)}),
        ("Squeeze", [IMAGE, numbers(1)], {}),
        ("Unsqueeze", [IMAGE, numbers(0, 0)], {}),
        ("Expand", [IMAGE, numbers(0)], {}),
        ("Tile", [IMAGE, numbers(1, 1)], {}),
        ("Add", [IMAGE, Tensor((3,))], {}),
        ("Clip", [IMAGE, Tensor((3,))], {}),
        ("InstanceNormalization", [IMAGE, Tensor((3,)), Tensor((4,))], {}),
        ("LayerNormalization", [IMAGE, Tensor((4,))], {}),
        ("MatMul", [IMAGE, Tensor((7, 2))], {}),
        ("Gemm", [Tensor((2, 3)), Tensor((3, 4)), Tensor((5, 2, 4))], {}),
        ("Softmax", [IMAGE], {"axis": 5}),
        ("Cast", [IMAGE], {"to": 8}),
        ("ReduceMean", [IMAGE], {"axes": (5,)}),
        ("ConstantOfShape", [numbers(-1)], {}),
    ],
)
def test_what_makes_no_sense_is_refused_by_the_operators_name(operator, given, attributes):
    with pytest.raises(MalformedModelError, match=operator):
        made(operator, *given, **attributes)


def test_shapes_are_followed_as_tracing_writes_them():
    """The way from a tensor's shape to that of a reshaped one."""
    size = made("Shape", IMAGE)[0][0]
    batch = made("Gather", size, Tensor((), np.array(0)), axis=0)[0][0]
    rest = made("Slice", size, numbers(2), numbers(2**63 - 1), numbers(0))[0][0]
    first = made("Unsqueeze", batch, numbers(0))[0][0]
    wanted = made("Concat", first, numbers(-1), rest, axis=0)[0][0]
    assert wanted.numbers.tolist() == [1, -1, 8, 8, 8]
    assert shape("Reshape", IMAGE, wanted) == (1, 4, 8, 8, 8)
    assert made("Mul", numbers(2, 3), numbers(4, 5))[0][0].numbers.tolist() == [8, 15]
    assert made("Div", numbers(7, 3), numbers(2, 0))[0][0].numbers.tolist() == [3, 3]
    assert made("Cast", numbers(1, 2), to=1)[0][0].numbers.dtype == np.float32


@pytest.mark.parametrize("name", OPERATORS)
def test_no_operator_falls_over_its_own_inputs(name):
    """Whatever it is given, an operator gives shapes or refuses."""
    odd = (
        None,
        Tensor(()),
        Tensor((0,)),
        IMAGE,
        numbers(),
        numbers(1, 2),
        numbers(0.5, dtype=np.float32),
        Tensor((1,) * 8),
    )
    random = np.random.default_rng(0)
    for count in range(5):
        for _ in range(60):
            given = [odd[at] for at in random.integers(0, len(odd), count)]
            try:
                tensors, work = made(name, *given)
            except MalformedModelError:
                continue
            assert all(isinstance(tensor.shape, tuple) for tensor in tensors)
            assert work >= 0


@pytest.mark.parametrize("operator", ["QuantizeLinear", "DequantizeLinear"])
def test_quantising_takes_one_scale_or_one_per_place_along_an_axis(operator):
    one, four, six = Tensor(()), Tensor((4,)), Tensor((6,))
    assert shape(operator, IMAGE, one) == shape(operator, IMAGE, one, one) == IMAGE.shape
    assert shape(operator, IMAGE, four, four) == IMAGE.shape  # the axis of channels is the default
    assert shape(operator, WEIGHTS, six, six, axis=0) == WEIGHTS.shape
    for given, attributes in (
        ([IMAGE, six, six], {}),
        ([IMAGE, four, one], {}),
        ([IMAGE, four, four], {"axis": 5}),
        ([IMAGE, Tensor((1, 4)), Tensor((1, 4))], {}),
        ([IMAGE], {}),
        ([IMAGE, None], {}),
        ([IMAGE, one], {"block_size": 2}),
    ):
        with pytest.raises(MalformedModelError):
            made(operator, *given, **attributes)
