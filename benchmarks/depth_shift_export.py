"""What depth shifts cost in engines: networks exported with the shift, with other forms of it, and without it.

    python benchmarks/depth_shift_export.py [--threads 1] [--rounds 7] [--engines NAME ...] [--json OUT]

Every form is a whole exported network on one tile. Forms run in turn, a round of all after a round of all, and the
fastest of the rounds counts, so that other work on the machine touches all alike. "without" is the same network with
the shift replaced by nothing, all sizes of tensors kept: what it takes is the price of the convolutions alone.
"""

import argparse
import json
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from leanseg.inference.engines.onnxruntime_engine import OnnxRuntimeEngine
from leanseg.inference.engines.openvino_engine import OpenVinoEngine
from leanseg.learning import networks
from leanseg.learning.export.onnx_graph import export_onnx
from leanseg.learning.layers import depth_shift
from leanseg.learning.layers.restricted_depth_shift import Part, _pieces
from leanseg.learning.networks import e2enet_block

ENGINES = {
    "openvino": OpenVinoEngine,
    "openvino-bf16": partial(OpenVinoEngine, precision="bf16"),  # where the processor can
    "onnxruntime": OnnxRuntimeEngine,
}
SMALL = {"base": 16, "pools": [[2, 2, 2], [2, 2, 2], [2, 2, 2]]}
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
# name -> network, options, tile (D, H, W)
CASES = {
    "distill 16x64x64": ("distill_dsm_unet", {}, (16, 64, 64)),
    "e2enet base 8 16x64x64": ("e2enet", {**SMALL, "base": 8}, (16, 64, 64)),
    "e2enet base 16 16x64x64": ("e2enet", SMALL, (16, 64, 64)),
    "distill 32x128x128": ("distill_dsm_unet", {}, (32, 128, 128)),
    "distill 48x64x64": ("distill_dsm_unet", {}, (48, 64, 64)),
    "distill alpha 1 32x96x96": ("distill_dsm_unet", {"alpha": 1.0}, (32, 96, 96)),
    "dsm 32x96x96": ("dsm_unet", {}, (32, 96, 96)),
    "e2enet base 16 32x96x96": ("e2enet", SMALL, (32, 96, 96)),
    "e2enet base 16 64x64x64": ("e2enet", SMALL, (64, 64, 64)),
    "e2enet base 48 32x64x64": ("e2enet", {**SMALL, "base": 48}, (32, 64, 64)),
}
CLASSES = 14


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", nargs="*", default=list(CASES), help="names of cases; all unless given")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--engines", nargs="*", default=["openvino", "onnxruntime"], help=", ".join(ENGINES))
    parser.add_argument(
        "--clock", choices=CLOCKS, default="wall", help="cpu where the machine is shared; 1 thread then"
    )
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows = [row for case in options.cases for engine in options.engines for row in measure(case, engine, options)]
    if options.json:
        facts = {
            "machine": platform.processor() or platform.machine(),
            "threads": options.threads,
            "clock": options.clock,
        }
        options.json.write_text(json.dumps({**facts, "rows": rows}, indent=1) + "\n")


def measure(case: str, engine: str, options: argparse.Namespace) -> Iterator[dict]:
    """Yield a row for every form of the case's shift."""
    network, settings, tile = CASES[case]
    clock = CLOCKS[options.clock]
    forms = SLICES if "dsm" in network else VOLUMES
    image = np.random.default_rng(0).normal(size=(1, 1, *tile)).astype(np.float32)
    engines = {
        name: ENGINES[engine](_exported(network, settings, tile, form), options.threads) for name, form in forms.items()
    }
    expected = engines["library"](image)
    allowed = (0.1 if "bf16" in engine else 1e-4) * np.abs(expected).max()
    for name, each in engines.items():
        assert name == "without" or np.abs(each(image) - expected).max() < allowed, name
    seconds = {name: [] for name in engines}
    for _ in range(options.rounds):
        for name, each in engines.items():
            began = clock()
            each(image)
            seconds[name].append(clock() - began)
    least = {name: min(found) for name, found in seconds.items()}
    for name, found in least.items():
        share = found / least["without"] - 1
        print(f"{case:26} {engine:12} {name:12} {found:7.3f} s  {share:+7.1%}", flush=True)
        yield {"case": case, "engine": engine, "form": name, "seconds": found, "over_without": share}


def _exported(network: str, settings: dict, tile: tuple[int, int, int], form: Callable | None) -> bytes:
    torch.manual_seed(0)
    made = networks.create(network, 1, CLASSES, **settings)
    with form() if form else nullcontext():
        return export_onnx(made, 1, tile)


# Slices (B * D, C, H, W): the U-Nets of Distill DSM.


@contextmanager
def _slices(shift: Callable[[Tensor, int, int], Tensor]) -> Iterator[None]:
    def join(to_next: Tensor, to_previous: Tensor, rest: Sequence[Tensor], depth: int) -> Tensor:
        return shift(torch.cat([to_next, to_previous, *rest], dim=1), depth, to_next.shape[1])

    with mock.patch.object(depth_shift, "_joined", join), mock.patch.object(depth_shift, "_exported", shift):
        yield


def slices_without(x: Tensor, depth: int, moved: int) -> Tensor:  # noqa: ARG001
    return x


def slices_joined(x: Tensor, depth: int, moved: int) -> Tensor:
    """The form of leanseg 0.1: two concatenations of slices, and one of channels."""
    border = x.new_zeros(1, moved, *x.shape[2:])
    from_previous, from_next = [], []
    for volume in torch.split(x, depth):
        from_previous += [border, volume[:-1, :moved]]
        from_next += [volume[1:, moved : 2 * moved], border]
    return torch.cat([torch.cat(from_previous), torch.cat(from_next), x[:, 2 * moved :]], dim=1)


def slices_one_hot(x: Tensor, depth: int, moved: int) -> Tensor:
    """A depthwise 3x1x1 convolution of volumes, which costs a transposition there and back."""
    volumes = x.view(-1, depth, *x.shape[1:]).transpose(1, 2)
    out = functional.conv3d(volumes, _one_hot(x, x.shape[1], moved), padding=(1, 0, 0), groups=x.shape[1])
    return out.transpose(1, 2).reshape(x.shape)


def slices_one_hot_flat(x: Tensor, depth: int, moved: int) -> Tensor:
    """Depth as the height of a picture whose width is a whole slice: a 3x1 convolution over (C, D, H * W)."""
    volumes = x.view(-1, depth, *x.shape[1:]).transpose(1, 2).flatten(3)
    weight = _one_hot(x, x.shape[1], moved)[..., 0]
    out = functional.conv2d(volumes, weight, padding=(1, 0), groups=x.shape[1])
    return out.view(-1, x.shape[1], depth, *x.shape[2:]).transpose(1, 2).reshape(x.shape)


def _one_hot(x: Tensor, channels: int, moved: int) -> Tensor:
    weight = x.new_zeros(channels, 1, 3, 1, 1)
    weight[:moved, 0, 0] = 1
    weight[moved : 2 * moved, 0, 2] = 1
    weight[2 * moved :, 0, 1] = 1
    return weight


def slices_padded(x: Tensor, depth: int, moved: int) -> Tensor:  # noqa: ARG001
    """All slices with a border, from which each part takes its own: for one volume."""
    padded = functional.pad(x, (0, 0, 0, 0, 0, 0, 1, 1))
    return torch.cat([padded[:-2, :moved], padded[2:, moved : 2 * moved], padded[1:-1, 2 * moved :]], dim=1)


SLICES = {
    "library": None,
    "without": lambda: _slices(slices_without),
    "joined": lambda: _slices(slices_joined),
    "one-hot 3D": lambda: _slices(slices_one_hot),
    "one-hot 2D": lambda: _slices(slices_one_hot_flat),
    "padded": lambda: _slices(slices_padded),
}


# Volumes (B, C, D, H, W): E2ENet. The library's form is one depthwise convolution of all channels.


@contextmanager
def _volumes(join: Callable[[Sequence[Tensor], Sequence[Part]], Tensor]) -> Iterator[None]:
    with mock.patch.object(e2enet_block, "join_shifted", join):
        yield


def volumes_without(flows: Sequence[Tensor], parts: Sequence[Part]) -> Tensor:  # noqa: ARG001
    return torch.cat(list(flows), dim=1) if len(flows) > 1 else flows[0]


def volumes_joined(flows: Sequence[Tensor], parts: Sequence[Part]) -> Tensor:
    """The form of leanseg 0.1: each piece of a flow that moves is joined with a border along depth."""
    return _by_piece(flows, parts, _with_border)


def volumes_one_hot(flows: Sequence[Tensor], parts: Sequence[Part]) -> Tensor:
    """A depthwise convolution for each piece of a flow that moves."""
    return _by_piece(flows, parts, _one_hot_piece)


def volumes_padded(flows: Sequence[Tensor], parts: Sequence[Part]) -> Tensor:
    """All channels with borders, from which each part takes its own slices."""
    x = volumes_without(flows, parts)
    reach = max(abs(slices) for _, slices in parts)
    padded = functional.pad(x, (0, 0, 0, 0, reach, reach))
    pieces, start = [], 0
    for channels, slices in parts:
        pieces.append(padded[:, start : start + channels, reach - slices : reach - slices + x.shape[2]])
        start += channels
    return torch.cat(pieces, dim=1)


def _by_piece(flows: Sequence[Tensor], parts: Sequence[Part], move: Callable[[Tensor, int], Tensor]) -> Tensor:
    pieces = _pieces([flow.shape[1] for flow in flows], parts)
    moved = [(flows[one.flow].narrow(1, one.source, one.channels), one.slices) for one in pieces]
    return torch.cat([move(x, slices) if slices else x for x, slices in moved], dim=1)


def _with_border(x: Tensor, slices: int) -> Tensor:
    border = x.new_zeros(*x.shape[:2], abs(slices), *x.shape[3:])
    kept = x.shape[2] - abs(slices)
    return torch.cat([border, x[:, :, :kept]] if slices > 0 else [x[:, :, -kept:], border], dim=2)


def _one_hot_piece(x: Tensor, slices: int) -> Tensor:
    reach = abs(slices)
    weight = x.new_zeros(x.shape[1], 1, 2 * reach + 1, 1, 1)
    weight[:, 0, reach - slices] = 1
    return functional.conv3d(x, weight, padding=(reach, 0, 0), groups=x.shape[1])


VOLUMES = {
    "library": None,
    "without": lambda: _volumes(volumes_without),
    "joined": lambda: _volumes(volumes_joined),
    "one-hot part": lambda: _volumes(volumes_one_hot),
    "padded": lambda: _volumes(volumes_padded),
}


if __name__ == "__main__":
    main()
