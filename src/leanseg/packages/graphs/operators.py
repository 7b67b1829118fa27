"""The operators that networks are made of: how many tensors each takes and gives, and what its result looks like.

Source: onnx/docs/Operators.md, operator sets 13 to 17 and 20. A graph with any other operator is refused: engines have
hundreds, and those that no network uses are where they crash.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from leanseg.packages.graphs import arithmetic, arrangement, windows
from leanseg.packages.graphs.call import Call
from leanseg.packages.graphs.graph import Node, Tensor
from leanseg.packages.graphs.protobuf import MalformedModelError

_ALONE = (
    "Abs", "Ceil", "Cos", "Erf", "Exp", "Floor", "HardSwish", "Log", "Neg", "Not", "Reciprocal", "Relu", "Round",
    "Sigmoid", "Sign", "Sin", "Softplus", "Softsign", "Sqrt", "Tanh",
)  # fmt: skip
_PAIRS = (
    "Add", "Sub", "Mul", "Div", "Pow", "PRelu", "Equal", "Less", "Greater", "LessOrEqual", "GreaterOrEqual", "And",
    "Or",
)  # fmt: skip
_REDUCTIONS = ("ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceSumSquare")
_MANY = 150


@dataclass(frozen=True)
class Operator:
    """What is known of an operator.

    rule: the results of a call. inputs, outputs: least and most. attributes: the names it knows. work: multiplications
    or other steps that one of the results takes.
    """

    rule: Callable[[Call], list[Tensor]]
    inputs: tuple[int, int] = (1, 1)
    outputs: tuple[int, int] = (1, 1)
    attributes: frozenset[str] = frozenset()
    work: Callable[[Call, Tensor], int] = lambda _, result: result.size


def results(node: Node, given: Sequence[Tensor | None]) -> tuple[list[Tensor], int]:
    """Return what `node` makes of `given`, and the steps that takes. Raises MalformedModelError."""
    operator = OPERATORS.get(node.operator)
    if operator is None:
        raise MalformedModelError(f"the operator {node.operator[:60]!r} is none that leanseg's networks are made of")
    call = Call(node, given)
    if not operator.inputs[0] <= len(node.inputs) <= operator.inputs[1]:
        call.refuse(f"{len(node.inputs)} inputs")
    if not operator.outputs[0] <= len(node.outputs) <= operator.outputs[1]:
        call.refuse(f"{len(node.outputs)} outputs")
    if unknown := node.attributes.keys() - operator.attributes:
        call.refuse(f"it has no attribute {min(unknown)[:60]!r}")
    made = operator.rule(call)
    for tensor in made:  # a list of sizes may be empty, what is computed may not
        if min(tensor.shape, default=1) < (1 if tensor.numbers is None else 0):
            call.refuse(f"its result has the shape {tensor.shape}")
    return made, sum(operator.work(call, tensor) for tensor in made)


def _names(*words: str) -> frozenset[str]:
    return frozenset(words)


_SLIDING = _names("auto_pad", "dilations", "kernel_shape", "pads", "strides")
_RESIZING = _names("mode", "coordinate_transformation_mode", "cubic_coeff_a", "nearest_mode")
_VALUES = _names("value", "value_int", "value_ints", "value_float", "value_floats")
_CONVOLUTIONS = {
    "Conv": Operator(windows.convolution, (2, 3), attributes=_SLIDING | {"group"}, work=windows.work_of_convolution),
    "ConvTranspose": Operator(
        windows.transposed_convolution,
        (2, 3),
        attributes=_SLIDING | {"group", "output_padding"},
        work=windows.work_of_transposed_convolution,
    ),
}
_POOLING = {
    "MaxPool": Operator(
        windows.pooling,
        outputs=(1, 2),
        attributes=_SLIDING | {"ceil_mode", "storage_order"},
        work=windows.work_of_pooling,
    ),
    "AveragePool": Operator(
        windows.pooling,
        attributes=_SLIDING - {"dilations"} | {"ceil_mode", "count_include_pad"},
        work=windows.work_of_pooling,
    ),
    "GlobalAveragePool": Operator(windows.global_pooling, work=arithmetic.work_on_input),
    "GlobalMaxPool": Operator(windows.global_pooling, work=arithmetic.work_on_input),
    "Resize": Operator(windows.resizing, (3, 4), attributes=_RESIZING, work=windows.work_of_resizing),
    "Pad": Operator(windows.padding, (2, 3), attributes=_names("mode")),
    "GridSample": Operator(
        windows.sampling,
        (2, 2),
        attributes=_names("align_corners", "mode", "padding_mode"),
        work=windows.work_of_resizing,
    ),
}
_ACTIVATIONS = {
    **{name: Operator(arithmetic.elementwise) for name in _ALONE},
    **{name: Operator(arithmetic.elementwise, attributes=_names("alpha")) for name in ("LeakyRelu", "Elu", "Celu")},
    **{name: Operator(arithmetic.along_axis, attributes=_names("axis")) for name in ("Softmax", "LogSoftmax")},
    "ThresholdedRelu": Operator(arithmetic.elementwise, attributes=_names("alpha")),
    "HardSigmoid": Operator(arithmetic.elementwise, attributes=_names("alpha", "beta")),
    "Selu": Operator(arithmetic.elementwise, attributes=_names("alpha", "gamma")),
    "Gelu": Operator(arithmetic.elementwise, attributes=_names("approximate")),
    "Clip": Operator(arithmetic.elementwise, (1, 3)),
    "Dropout": Operator(arithmetic.elementwise, (1, 3), attributes=_names("seed")),
}
_NORMALISATIONS = {
    "InstanceNormalization": Operator(arithmetic.channelwise, (3, 3), attributes=_names("epsilon")),
    "BatchNormalization": Operator(
        arithmetic.channelwise, (5, 5), attributes=_names("epsilon", "momentum", "training_mode")
    ),
    "LayerNormalization": Operator(
        arithmetic.layer_normalisation, (2, 3), attributes=_names("axis", "epsilon", "stash_type")
    ),
}
_COMPUTING = {
    **{name: Operator(arithmetic.pairwise, (2, 2)) for name in _PAIRS},
    **{name: Operator(arithmetic.pairwise, (2, 2)) for name in ("Max", "Min", "Sum", "Mean")},
    **{
        name: Operator(arithmetic.reduction, attributes=_names("axes", "keepdims"), work=arithmetic.work_on_input)
        for name in _REDUCTIONS
    },
    "ReduceSum": Operator(arithmetic.reduction, (1, 2), attributes=_names("keepdims"), work=arithmetic.work_on_input),
    "Where": Operator(arithmetic.pairwise, (3, 3)),
    "Cast": Operator(arithmetic.cast, attributes=_names("to")),
    "MatMul": Operator(arithmetic.matrix_product, (2, 2), work=arithmetic.work_of_product),
    "Gemm": Operator(
        arithmetic.affine_product,
        (2, 3),
        attributes=_names("alpha", "beta", "transA", "transB"),
        work=arithmetic.work_of_product,
    ),
}
_QUANTISING = {  # what networks that are quantised to int8 have around their convolutions
    name: Operator(arithmetic.quantisation, (2, 3), attributes=_names("axis"))
    for name in ("QuantizeLinear", "DequantizeLinear")
}
_ARRANGING = {
    "Identity": Operator(arrangement.identity),
    "Concat": Operator(arrangement.concatenation, (1, _MANY), attributes=_names("axis")),
    "Split": Operator(arrangement.split, (1, 2), (1, _MANY), _names("axis")),
    "Slice": Operator(arrangement.slices, (3, 5)),
    "Gather": Operator(arrangement.gathering, (2, 2), attributes=_names("axis")),
    "Reshape": Operator(arrangement.reshaping, (2, 2), attributes=_names("allowzero")),
    "Flatten": Operator(arrangement.flattening, attributes=_names("axis")),
    "Transpose": Operator(arrangement.transposition, attributes=_names("perm")),
    "Squeeze": Operator(arrangement.squeezing, (1, 2)),
    "Unsqueeze": Operator(arrangement.unsqueezing, (2, 2)),
    "Shape": Operator(arrangement.shape_of),
    "Constant": Operator(arrangement.constant, (0, 0), attributes=_VALUES),
    "ConstantOfShape": Operator(arrangement.constant_of_shape, attributes=_names("value")),
    "Expand": Operator(arrangement.expansion, (2, 2)),
    "Tile": Operator(arrangement.tiling, (2, 2)),
}

OPERATORS: dict[str, Operator] = {
    **_CONVOLUTIONS, **_POOLING, **_ACTIVATIONS, **_NORMALISATIONS, **_COMPUTING, **_QUANTISING, **_ARRANGING,
}  # fmt: skip
