"""Look into a trained network: what of a scan decides, where its taps look, what its slices tell one another.

look.json                 every number
receptive_field.png       of any network
offsets.png               of networks with deformable convolutions
exchange.png              of networks with depth shifts
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from leanseg import __version__
from leanseg.errors import InputError
from leanseg.evaluation.planes import grey_window
from leanseg.inference import Prepared
from leanseg.inference.sliding_window import fuse
from leanseg.learning.export.torch_engine import TorchEngine, build_network
from leanseg.learning.inspection import Exchange, ExchangeMeter, Offsets, ReceptiveField, record_offsets, score_gradient
from leanseg.learning.inspection.exchange_figure import draw_exchanges
from leanseg.learning.inspection.offsets_figure import draw_offsets, step_of
from leanseg.learning.inspection.receptive_field_figure import SHARES, draw_receptive_field
from leanseg.learning.inspection.views import axis_name
from leanseg.learning.training.patches import region
from leanseg.packages import Package
from leanseg.plans import Plan
from leanseg.progress import Progress
from leanseg.storage import refuse_if_used, whole_folder, write_json
from leanseg.volumes import orientation_spacing

Triple = tuple[int, int, int]
Spacing = tuple[float, float, float]

RECORD = "look.json"
_PICTURES = ("receptive_field.png", "offsets.png", "exchange.png")
_QUANTILES = (0.5, 0.95)


class SeveralNetworksError(InputError):
    """An ensemble has no single network to look into."""

    def __init__(self, path: Path, networks: int) -> None:
        super().__init__(
            what=f"{path} is an ensemble of {networks} networks",
            why="each of them has learned something else",
            fix="name the run of one fold, for example RUN/fold_0",
        )


class NotALookError(InputError):
    """What should be replaced was not made by leanseg look."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            what=f"{path} holds something that leanseg look has not written (it has no {RECORD})",
            why="--overwrite replaces the folder as a whole, and only an earlier look is meant to go",
            fix="choose another folder with -o",
        )


@dataclass(frozen=True)
class Look:
    """What was found. folder: where it is written. record: what look.json says. pictures: names of the files.

    absent: a line for every kind of picture that this network has not.
    """

    folder: Path
    record: dict[str, Any]
    pictures: tuple[str, ...]
    absent: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Scene:
    """A scan on the plan's grid, and the voxels (D, H, W) in the middle of the tiles that are looked at."""

    name: str
    prepared: Prepared
    plan: Plan
    positions: list[Triple]
    found: bool  # whether they lie in what the network segments

    @property
    def spacing(self) -> Spacing:
        """Of the plan's grid in mm."""
        own = self.plan.preprocessing.spacing
        if own is not None:
            return own
        depth, height, width = orientation_spacing(self.prepared.grid.geometry.affine, self.orientation)
        return depth, height, width

    @property
    def orientation(self) -> str:
        """Of the plan's grid."""
        return self.plan.preprocessing.orientation

    def tile(self, position: Triple) -> NDArray[np.float32]:
        """Return the tile (1, C, D, H, W) around `position`, with 0 where the scan ends, as in prediction."""
        size = self.plan.inference.tile
        corner = [at - whole // 2 for at, whole in zip(position, size, strict=True)]
        return region(self.prepared.array, corner, size)[None].astype(np.float32)

    def shown(self) -> NDArray[np.float32]:
        """Return the first channel of the first tile (D, H, W), with NaN where the scan ends."""
        size, position = self.plan.inference.tile, self.positions[0]
        corner = [at - whole // 2 for at, whole in zip(position, size, strict=True)]
        inside = region(np.ones(self.prepared.array.shape[1:], dtype=bool), corner, size)
        return np.where(inside, self.tile(position)[0, 0], np.float32(np.nan))


def refuse_other_output(out: Path, *, overwrite: bool) -> None:
    """Raise an InputError where `out` is in use, unless an earlier look may be replaced."""
    refuse_if_used(out, overwrite=overwrite)
    if out.is_dir() and any(out.iterdir()) and not (out / RECORD).is_file():
        raise NotALookError(out)


def look_into(
    package: Package, name: str, prepared: Prepared, out: Path, *, positions: int, device: str, progress: Progress
) -> Look:
    """Look into the network of `package` at some places of a prepared scan, and write pictures to the folder `out`.

    name: of the scan. positions: how many tiles are looked at. Raises SeveralNetworksError, BlindNetworkError or
    CannotWriteError; then nothing is written.
    """
    if package.members > 1:
        raise SeveralNetworksError(package.path, package.members)
    plan = package.plan
    network = build_network(plan).requires_grad_(requires_grad=False)
    network.load_state_dict({key: torch.from_numpy(array) for key, array in package.weights().items()})
    engine = TorchEngine(network, device)
    scores = fuse(engine, prepared.array, plan.inference.tile, plan.inference.overlap, progress, f"{name}: tiles")
    places, found = _positions(scores, positions, regions=bool(plan.data.regions))
    del scores
    scene = _Scene(name, prepared, plan, places, found)
    meter = ExchangeMeter()
    offsets: list[Offsets] = []

    def gradients() -> Iterator[NDArray[np.float64]]:
        for number, position in enumerate(progress.track(places, "Looking")):
            tile = torch.from_numpy(scene.tile(position)).to(device)
            with meter.watching(network), record_offsets(network) as recorded:
                yield score_gradient(network, tile, regions=bool(plan.data.regions))
            if number == 0:
                offsets.extend(recorded)

    field = ReceptiveField.of(gradients(), scene.spacing)
    return _written(package, scene, field, offsets, meter.exchanges(), out)


def _positions(scores: NDArray[np.float32], number: int, *, regions: bool) -> tuple[list[Triple], bool]:
    """Return up to `number` voxels, and whether they lie in what is found: the most central one first, then evenly.

    scores: logits (K, D, H, W). Where nothing is found they are spread over the whole scan.
    """
    inside = (scores > 0).any(axis=0) if regions else scores.argmax(axis=0) > 0
    spread = (np.arange(number - 1) + 0.5) / max(number - 1, 1)
    if not inside.any():
        places = np.stack(np.unravel_index((spread * inside.size).astype(int), inside.shape), axis=1)
        return _distinct([np.array(inside.shape) // 2, *places]), False
    voxels = np.argwhere(inside)
    central = int(((voxels - voxels.mean(axis=0)) ** 2).sum(axis=1).argmin())
    return _distinct([voxels[central], *voxels[(spread * len(voxels)).astype(int)]]), True


def _distinct(voxels: Sequence[NDArray[np.integer]]) -> list[Triple]:
    return list(dict.fromkeys((int(d), int(h), int(w)) for d, h, w in voxels))


def _written(
    package: Package,
    scene: _Scene,
    field: ReceptiveField,
    offsets: Sequence[Offsets],
    exchanges: Sequence[Exchange],
    out: Path,
) -> Look:
    plan = scene.plan
    tile = scene.tile(scene.positions[0])[0]
    absent = tuple(_absent(plan.network.name, offsets, exchanges))
    record = {
        "leanseg": __version__,
        "package": str(package.path),
        "hash": package.hash,
        "network": plan.network.model_dump(mode="json"),
        "scan": scene.name,
        "orientation": scene.orientation,
        "spacing_mm": list(scene.spacing),
        "tile": list(plan.inference.tile),
        "positions": [list(position) for position in scene.positions],
        "segmented": scene.found,
        "receptive_field": _described_field(field, plan),
        "offsets": [_described_offsets(layer, tile.shape[1:], scene.spacing) for layer in offsets] or None,
        "exchange": [_described_exchange(layer) for layer in exchanges] or None,
        "absent": list(absent),
    }
    scan, window = scene.shown(), grey_window(scene.prepared.array[0])
    places = f"{len(scene.positions)} place{'s' * (len(scene.positions) != 1)}"
    where = f"{scene.name}, {places} {'in what is segmented' if scene.found else 'anywhere in the scan'}"
    with whole_folder(out) as folder:
        draw_receptive_field(
            field,
            scan,
            window,
            scene.orientation,
            folder / _PICTURES[0],
            title=f"Effective receptive field of {plan.network.name}",
            about=f"{where}; the gradient is summed along the line of sight",
        )
        if offsets:
            draw_offsets(
                offsets,
                scan,
                window,
                scene.spacing,
                scene.orientation,
                folder / _PICTURES[1],
                title=f"Learned offsets of {plan.network.name}",
                about=f"{scene.name}; rings: taps of a regular kernel, arrows: to where they look, dot: voxel computed",
            )
        if exchanges:
            draw_exchanges(
                exchanges,
                folder / _PICTURES[2],
                title=f"What the slices of {plan.network.name} tell one another",
                about=f"{where}; shares of each depth shift's output by the slice that it comes from",
            )
        write_json(folder / RECORD, record)
        pictures = tuple(picture for picture in _PICTURES if (folder / picture).is_file())
    return Look(out, record, pictures, absent)


def _absent(network: str, offsets: Sequence[Offsets], exchanges: Sequence[Exchange]) -> Iterator[str]:
    if not offsets:
        yield f"{network} has no deformable convolution: there are no offsets to draw"
    if not exchanges:
        yield f"{network} has no depth shift: its slices exchange no channels"


def _described_field(field: ReceptiveField, plan: Plan) -> dict[str, Any]:
    axes, noun = {}, "region" if plan.data.regions else "class"
    for axis in range(3):
        distance, mass = field.profile(axis)
        axes["DHW"[axis]] = {
            "along": axis_name(plan.preprocessing.orientation, axis),
            "within_mm": {f"{share:g}": field.extent(axis, share) for share in SHARES},
            "distance_mm": distance.tolist(),
            "share": mass.tolist(),
        }
    return {
        "score": f"{'logit' if plan.data.regions else 'log-odds'} of the {noun} with the highest logit",
        "axes": axes,
        "within_mm": {f"{share:g}": field.radius(share) for share in SHARES},
        "share_of_channels": dict(zip(plan.data.channels, field.mass.sum(axis=(1, 2, 3)).tolist(), strict=True)),
    }


def _described_offsets(layer: Offsets, tile: Sequence[int], spacing: Spacing) -> dict[str, Any]:
    step = step_of(layer, tile, spacing)
    lengths = layer.lengths(step)
    return {
        "layer": layer.layer,
        "feature_map": list(layer.shape),
        "voxel_mm": list(step),
        "taps": layer.kernel**3,
        "length_mm": {
            "mean": float(lengths.mean()),
            **{f"quantile_{share:g}": float(np.quantile(lengths, share)) for share in _QUANTILES},
            "largest": float(lengths.max()),
        },
        "mean_mm_along_DHW": (layer.moves.mean(axis=(0, 2, 3, 4)).astype(np.float64) * step).tolist(),
    }


def _described_exchange(layer: Exchange) -> dict[str, Any]:
    """Return the shares by the slice that they come from: "-1" is the previous slice, "0" the same, "1" the next."""

    def named(shares: Any) -> dict[str, float] | None:
        return None if shares is None else {str(origin): share for origin, share in shares.items()}

    return {
        "layer": layer.layer,
        "kind": layer.kind,
        "channels": layer.channels,
        "energy": named(layer.energy),
        "influence": named(layer.influence),
        "weights": named(layer.weights),
    }
