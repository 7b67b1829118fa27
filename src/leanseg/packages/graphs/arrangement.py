"""Operators that move, copy, leave out or name numbers, and compute none: what shapes and axes are made with."""

import math
from collections.abc import Sequence

import numpy as np

from leanseg.packages.graphs.call import SMALL, Call
from leanseg.packages.graphs.graph import Shape, Tensor


def identity(call: Call) -> list[Tensor]:
    """Identity."""
    return [call.tensor(0)]


def shape_of(call: Call) -> list[Tensor]:
    """Shape."""
    shape = call.tensor(0).shape
    return [Tensor((len(shape),), np.array(shape, np.int64))]


def constant(call: Call) -> list[Tensor]:
    """Constant: a tensor, a number or a list of them."""
    values = list(call.node.attributes.items())
    if len(values) != 1:
        call.refuse(f"{len(values)} values")
    name, value = values[0]
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, str):
        call.refuse("a text")
    numbers = np.array(value, np.float32 if name.startswith("value_float") else np.int64)
    return [Tensor(numbers.shape, numbers if numbers.size <= SMALL else None)]


def constant_of_shape(call: Call) -> list[Tensor]:
    """ConstantOfShape: one number everywhere."""
    shape, value = tuple(call.integers(0)), call.node.attributes.get("value", Tensor((1,), np.zeros(1, np.float32)))
    if not isinstance(value, Tensor) or value.size != 1 or value.numbers is None or min(shape, default=0) < 0:
        call.refuse(f"of shape {shape}")
    few = math.prod(shape) <= SMALL
    return [Tensor(shape, np.broadcast_to(value.numbers.reshape(()), shape) if few else None)]


def concatenation(call: Call) -> list[Tensor]:
    """Concat."""
    given = call.tensors()
    rank = len(given[0].shape)
    axis = call.axis("axis", rank, rank)
    if any(_without(tensor.shape, axis) != _without(given[0].shape, axis) for tensor in given):
        call.refuse(f"shapes {', '.join(str(tensor.shape) for tensor in given[:5])} do not fit together")
    size = sum(tensor.shape[axis] for tensor in given)
    shape = (*given[0].shape[:axis], size, *given[0].shape[axis + 1 :])
    known = [tensor.numbers for tensor in given if tensor.numbers is not None]
    few = len(known) == len(given) and math.prod(shape) <= SMALL
    return [Tensor(shape, np.concatenate(known, axis) if few else None)]


def split(call: Call) -> list[Tensor]:
    """Split into parts of given or equal sizes."""
    first, count = call.tensor(0), len(call.node.outputs)
    axis = call.axis("axis", 0, len(first.shape))
    size = first.shape[axis]
    parts = [size // count] * count if call.optional(1) is None else call.integers(1)
    if len(parts) != count or min(parts) < 0 or sum(parts) != size:
        call.refuse(f"{size} into {parts[:10]}")
    return [Tensor((*first.shape[:axis], part, *first.shape[axis + 1 :])) for part in parts]


def slices(call: Call) -> list[Tensor]:
    """Slice: every start, end, axis and step is constant."""
    first, starts, ends = call.tensor(0), call.integers(1), call.integers(2)
    rank = len(first.shape)
    axes = list(range(len(starts))) if call.optional(3) is None else call.integers(3)
    steps = [1] * len(starts) if call.optional(4) is None else call.integers(4)
    places = [call.place(axis, rank) for axis in axes]
    if not len(starts) == len(ends) == len(set(places)) == len(steps) == len(axes) or 0 in steps:
        call.refuse("starts, ends, axes and steps do not fit together")
    index = [slice(None)] * rank
    for place, start, end, step in zip(places, starts, ends, steps, strict=True):
        before_all = step < 0 and end < -first.shape[place]
        index[place] = slice(start, None if before_all else end, step)
    shape = tuple(len(range(*part.indices(size))) for part, size in zip(index, first.shape, strict=True))
    return [Tensor(shape, None if first.numbers is None else first.numbers[tuple(index)])]


def gathering(call: Call) -> list[Tensor]:
    """Gather by constant indices."""
    first, indices = call.tensor(0), call.constant(1)
    axis = call.axis("axis", 0, len(first.shape))
    size = first.shape[axis]
    if indices.dtype.kind != "i" or not np.logical_and(-size <= indices, indices < size).all():
        call.refuse("indices that point outside")
    shape = (*first.shape[:axis], *indices.shape, *first.shape[axis + 1 :])
    few = first.numbers is not None and math.prod(shape) <= SMALL
    return [Tensor(shape, np.take(first.numbers, indices, axis) if first.numbers is not None and few else None)]


def reshaping(call: Call) -> list[Tensor]:
    """Reshape: 0 copies a size, one -1 takes what is left."""
    first, wanted = call.tensor(0), call.integers(1)
    if call.number("allowzero", 0) or min(wanted, default=0) < -1 or wanted.count(-1) > 1:
        call.refuse(f"{first.shape} to {wanted}")
    if any(size == 0 for size in wanted[len(first.shape) :]):
        call.refuse(f"{first.shape} to {wanted}")
    shape = [first.shape[at] if size == 0 else size for at, size in enumerate(wanted)]
    if -1 in shape:
        others = -math.prod(shape)
        shape[shape.index(-1)] = first.size // others if others else 0
    return [_with_shape(call, first, shape)]


def flattening(call: Call) -> list[Tensor]:
    """Flatten into a matrix."""
    first, axis = call.tensor(0), call.number("axis", 1)
    if not -len(first.shape) <= axis <= len(first.shape):
        call.refuse(f"axis {axis} of {first.shape}")
    return [_with_shape(call, first, [math.prod(first.shape[:axis]), math.prod(first.shape[axis:])])]


def transposition(call: Call) -> list[Tensor]:
    """Transpose."""
    first = call.tensor(0)
    order = call.numbers("perm", range(len(first.shape))[::-1])
    if sorted(order) != list(range(len(first.shape))):
        call.refuse(f"perm {order} of {first.shape}")
    numbers = None if first.numbers is None else first.numbers.transpose(order)
    return [Tensor(tuple(first.shape[axis] for axis in order), numbers)]


def squeezing(call: Call) -> list[Tensor]:
    """Squeeze: leave out given axes of size one, or all of them."""
    first = call.tensor(0)
    if call.optional(1) is None:
        axes = {axis for axis, size in enumerate(first.shape) if size == 1}
    else:
        axes = {call.place(axis, len(first.shape)) for axis in call.integers(1)}
    if any(first.shape[axis] != 1 for axis in axes):
        call.refuse(f"axes {sorted(axes)} of {first.shape}")
    return [_with_shape(call, first, [size for axis, size in enumerate(first.shape) if axis not in axes])]


def unsqueezing(call: Call) -> list[Tensor]:
    """Unsqueeze: put in axes of size one."""
    first, axes = call.tensor(0), call.integers(1)
    rank = len(first.shape) + len(axes)
    places = {call.place(axis, rank) for axis in axes}
    if len(places) < len(axes):
        call.refuse("an axis is named twice")
    sizes = iter(first.shape)
    return [_with_shape(call, first, [1 if axis in places else next(sizes) for axis in range(rank)])]


def expansion(call: Call) -> list[Tensor]:
    """Expand: repeat axes of size one."""
    first, wanted = call.tensor(0), call.integers(1)
    if min(wanted, default=1) < 1:
        call.refuse(f"{first.shape} to {wanted}")
    return [Tensor(call.broadcast(first.shape, tuple(wanted)))]


def tiling(call: Call) -> list[Tensor]:
    """Tile: repeat everything."""
    first, repeats = call.tensor(0), call.integers(1)
    if len(repeats) != len(first.shape) or min(repeats, default=1) < 1:
        call.refuse(f"{repeats} times {first.shape}")
    return [Tensor(tuple(size * times for size, times in zip(first.shape, repeats, strict=True)))]


def _with_shape(call: Call, tensor: Tensor, shape: Sequence[int]) -> Tensor:
    if math.prod(shape) != tensor.size:
        call.refuse(f"{tensor.shape} to {tuple(shape)}")
    return Tensor(tuple(shape), None if tensor.numbers is None else tensor.numbers.reshape(tuple(shape)))


def _without(shape: Shape, axis: int) -> Shape:
    return (*shape[:axis], -1, *shape[axis + 1 :])
