"""Plug-and-play: give any 2D network depth shifts, without changing its code or the names of its parameters.

Source: Maheshwari et al., Distill DSM (MIDL 2021), section 3: the module can be inserted in any 2D network.
"""

import copy
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import Tensor, nn

from leanseg.errors import InputError, did_you_mean
from leanseg.learning.layers.depth_shift import DepthShift, DistillDepthShift
from leanseg.learning.layers.slices import fold_slices, unfold_slices

Where = Iterable[str] | Callable[[str, nn.Module], bool]
Side = Literal["before", "after"]


class NoSuchModuleError(InputError):
    """A depth shift was to be inserted at a module that the network does not have."""

    def __init__(self, path: str, known: list[str]) -> None:
        guess = did_you_mean(path, known)
        super().__init__(
            what=f"the network has no module {path!r}" + (f" ({guess})" if guess else ""),
            why="a depth shift is inserted at modules named by their paths",
            fix="take paths from the network's named_modules(), or give a function of path and module",
        )


class NowhereToInsertError(InputError):
    """The choice of modules is empty, so that slices would stay blind."""

    def __init__(self) -> None:
        super().__init__(
            what="no module was chosen for a depth shift",
            why="without one the network would treat every slice by itself",
            fix="name at least one path of the network's named_modules(), or a function that is true for one",
        )


class UnshiftablePlaceError(InputError):
    """What passes through a module is not one feature map (B, C, H, W) whose slices could exchange channels."""

    def __init__(self, path: str, side: str, found: str) -> None:
        super().__init__(
            what=f"no depth shift fits {side} module {path!r}: {found} passes there",
            why="slices can exchange channels only of a feature map (B, C, H, W) with always the same C",
            fix="choose another module, for example a convolution",
        )


class ShiftedSlices(nn.Module):
    """A 2D network on volumes: (B, C, D, H, W) -> (B, K, D, H, W), its slices exchanging channels on the way.

    model: the 2D network; its parameters keep their names under "model.".
    shifts: the inserted modules by path, with "/" for "." and for the whole network.
    """

    def __init__(self, model: nn.Module, shifts: dict[str, DepthShift], side: Side) -> None:
        super().__init__()
        self.model = model
        self.shifts = nn.ModuleDict({path.replace(".", "/") or "/": shift for path, shift in shifts.items()})
        self._places: list[_Place] = []
        for path, shift in shifts.items():
            place = _Place(shift)
            module = model.get_submodule(path)
            if side == "before":
                module.register_forward_pre_hook(place.before)
            else:
                module.register_forward_hook(place.after)
            self._places.append(place)

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, C, D, H, W). Returns what the 2D network makes of the slices, as volumes (B, K, D, H', W')."""
        depth = int(x.shape[2])
        for place in self._places:
            place.depth = depth
        return unfold_slices(self.model(fold_slices(x)), depth)


def insert_depth_shift(
    model_2d: nn.Module,
    where: Where,
    *,
    slice_shape: tuple[int, int, int],
    shift: Callable[[int], DepthShift] = DistillDepthShift,
    side: Side = "after",
) -> ShiftedSlices:
    """Insert depth shifts into a copy of a 2D network, which then takes volumes of any depth.

    where: paths of modules as in `named_modules()`, or a function of path and module that is true where to insert.
    slice_shape: (C, H, W) of a slice the network accepts; one run with it finds the channels at each place.
    shift: makes the module from its number of channels, for example partial(DistillDepthShift, alpha=0.25).
    side: whether the module's first input ("before") or its output ("after") is shifted.
    Raises InputError for a path that does not exist and for a place where no shift fits.
    """
    model = copy.deepcopy(model_2d)
    paths = _chosen(model, where)
    channels = _channels(model, paths, slice_shape, side)
    parameter = next(model.parameters(), torch.empty(0))
    shifts = {path: shift(channels[path]).to(parameter.device, parameter.dtype) for path in paths}
    return ShiftedSlices(model, shifts, side)


class _Place:
    """One depth shift and the depth of the volumes that are on their way through it."""

    # Hooks are methods of an object rather than closures, so that a deep copy of the network shifts with its own.
    def __init__(self, shift: DepthShift) -> None:
        self.shift = shift
        self.depth = 1

    def before(self, _module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        return self.shift(inputs[0], self.depth), *inputs[1:]

    def after(self, _module: nn.Module, _inputs: tuple[Any, ...], output: Tensor) -> Tensor:
        shifted: Tensor = self.shift(output, self.depth)
        return shifted


def _chosen(model: nn.Module, where: Where) -> list[str]:
    modules = dict(model.named_modules())
    if callable(where):
        paths = [path for path, module in modules.items() if where(path, module)]
    else:
        paths = list(dict.fromkeys([where] if isinstance(where, str) else where))
    for path in paths:
        if path not in modules:
            raise NoSuchModuleError(path, list(modules))
    if not paths:
        raise NowhereToInsertError
    return paths


def _channels(model: nn.Module, paths: list[str], slice_shape: tuple[int, int, int], side: Side) -> dict[str, int]:
    """Run one slice through `model` and note how many channels pass at each of `paths`."""
    passing: dict[str, list[Any]] = {path: [] for path in paths}
    handles = []
    for path in paths:
        seen = passing[path]
        if side == "before":
            hook = model.get_submodule(path).register_forward_pre_hook(
                lambda _module, inputs, seen=seen: seen.append(inputs[0])
            )
        else:
            hook = model.get_submodule(path).register_forward_hook(
                lambda _module, _inputs, output, seen=seen: seen.append(output)
            )
        handles.append(hook)
    parameter = next(model.parameters(), torch.empty(0))
    with torch.no_grad(), _evaluating(model):
        model(torch.zeros(1, *slice_shape, device=parameter.device, dtype=parameter.dtype))
    for handle in handles:
        handle.remove()
    return {path: _one_width(path, side, seen) for path, seen in passing.items()}


def _one_width(path: str, side: Side, seen: list[Any]) -> int:
    if not seen:
        raise UnshiftablePlaceError(path, side, "nothing")
    for value in seen:
        if not isinstance(value, Tensor) or value.dim() != 4 or value.shape[1] != seen[0].shape[1]:
            found = f"a tensor of shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
            raise UnshiftablePlaceError(path, side, found)
    return int(seen[0].shape[1])


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    # A trial run must not move the running statistics of a batch norm.
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True
