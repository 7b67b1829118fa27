"""Operators that compute numbers of numbers: alone, in pairs, by channel, along axes, and products of matrices."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leanseg.packages.graphs.call import SMALL, Call
from leanseg.packages.graphs.graph import TYPES, Shape, Tensor


def elementwise(call: Call) -> list[Tensor]:
    """Relu, Sigmoid, Clip, ...: the result has the shape of the first input; others are single numbers."""
    first = call.tensor(0)
    if any(tensor is not None and tensor.size != 1 for tensor in call.given[1:]):
        call.refuse("a list where one number should be")
    return [Tensor(first.shape)]


def along_axis(call: Call) -> list[Tensor]:
    """Softmax and its kin."""
    first = call.tensor(0)
    call.axis("axis", -1, len(first.shape))
    return [Tensor(first.shape)]


def cast(call: Call) -> list[Tensor]:
    """Cast to another type."""
    first, kind = call.tensor(0), call.number("to", 0)
    if kind not in TYPES:
        call.refuse(f"to type {kind}")
    with np.errstate(all="ignore"):
        return [Tensor(first.shape, None if first.numbers is None else first.numbers.astype(TYPES[kind]))]


def pairwise(call: Call) -> list[Tensor]:
    """Add, Mul, Where, ...: shapes are broadcast; numbers are followed where all are known."""
    given = call.tensors()
    shape = call.broadcast(*(tensor.shape for tensor in given))
    numbers = [tensor.numbers for tensor in given if tensor.numbers is not None]
    compute = _FOLLOWED.get(call.node.operator)
    if compute is None or len(numbers) < len(given) or math.prod(shape) > SMALL:
        return [Tensor(shape)]
    with np.errstate(all="ignore"):
        return [Tensor(shape, np.asarray(compute(*numbers)))]


def channelwise(call: Call) -> list[Tensor]:
    """InstanceNormalization and BatchNormalization: scale, shift and statistics have one number per channel."""
    first, *others = call.tensors()
    if len(first.shape) < 3 or any(tensor.shape != first.shape[1:2] for tensor in others):
        call.refuse("not one number per channel")
    return [Tensor(first.shape)]


def layer_normalisation(call: Call) -> list[Tensor]:
    """LayerNormalization: scale and shift have the shape of what is normalised."""
    first, *others = call.tensors()
    normalised = first.shape[call.axis("axis", -1, len(first.shape)) :]
    if any(tensor.shape != normalised for tensor in others):
        call.refuse(f"scale or shift have not the shape {normalised}")
    return [Tensor(first.shape)]


def quantisation(call: Call) -> list[Tensor]:
    """QuantizeLinear, DequantizeLinear: scale and zero point are one number, or one per place along an axis."""
    first, scale, zero = call.tensor(0), call.tensor(1), call.optional(2)
    if len(scale.shape) == 1 and scale.size > 1:
        fits = scale.size == first.shape[call.axis("axis", 1, len(first.shape))]
    else:
        fits = scale.size == 1 and len(scale.shape) <= 1
    if not fits or (zero is not None and zero.shape != scale.shape):
        call.refuse(f"a scale of shape {scale.shape} for {first.shape}")
    return [Tensor(first.shape)]


def reduction(call: Call) -> list[Tensor]:
    """ReduceMean, ReduceMax, ...: axes become one number, or vanish. ReduceSum takes them as an input."""
    first, named = call.tensor(0), call.node.attributes.get("axes")
    rank = len(first.shape)
    if call.optional(1) is not None:
        axes = call.integers(1)
    else:
        axes = list(range(rank)) if not isinstance(named, tuple) else call.numbers("axes", [0] * len(named))
    places = {call.place(axis, rank) for axis in axes}
    if call.number("keepdims", 1):
        return [Tensor(tuple(1 if axis in places else size for axis, size in enumerate(first.shape)))]
    return [Tensor(tuple(size for axis, size in enumerate(first.shape) if axis not in places))]


def matrix_product(call: Call) -> list[Tensor]:
    """MatMul of (..., n, k) and (..., k, m)."""
    first, second = call.tensor(0).shape, call.tensor(1).shape
    if min(len(first), len(second)) < 2 or first[-1] != second[-2]:
        call.refuse(f"{first} by {second}")
    return [Tensor((*call.broadcast(first[:-2], second[:-2]), first[-2], second[-1]))]


def affine_product(call: Call) -> list[Tensor]:
    """Gemm: a product of two matrices, and a shift."""
    first, second = call.tensor(0).shape, call.tensor(1).shape
    first = first[::-1] if call.number("transA", 0) else first
    second = second[::-1] if call.number("transB", 0) else second
    if not len(first) == len(second) == 2 or first[1] != second[0]:
        call.refuse(f"{first} by {second}")
    shape: Shape = (first[0], second[1])
    shift = call.optional(2)
    if shift is not None and call.broadcast(shift.shape, shape) != shape:
        call.refuse(f"a shift of shape {shift.shape} for {shape}")
    return [Tensor(shape)]


def work_of_product(call: Call, result: Tensor) -> int:
    """Multiplications of a product of matrices."""
    first = call.tensor(0).shape
    return result.size * (first[0] if call.number("transA", 0) else first[-1])


def work_on_input(call: Call, _: Tensor) -> int:
    """Steps of an operator that looks at every number it is given."""
    return call.tensor(0).size


def _quotient(first: NDArray[Any], second: NDArray[Any]) -> NDArray[Any]:
    if "f" in (first.dtype.kind, second.dtype.kind):
        return np.asarray(first / second)
    return np.asarray(first // np.where(second == 0, 1, second))


_FOLLOWED: dict[str, Callable[..., Any]] = {
    "Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": _quotient, "Max": np.maximum, "Min": np.minimum,
    "Equal": np.equal, "Where": np.where,
}  # fmt: skip
