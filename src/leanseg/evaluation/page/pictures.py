"""Planes of a case as inline SVG: the scan voxel by voxel, and lines and fields over it that are sharp at every size.

A plane's voxels are one unit wide and high inside; the picture around them has the shape that they have in mm.
"""

import base64
from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leanseg.evaluation.page.markup import Html, element, join
from leanseg.evaluation.page.tracing import border_path
from leanseg.evaluation.page.wording import count
from leanseg.evaluation.planes import Plane, scale_bar

FIELDS = {"found": "found", "missed": "missed", "added": "added", "wrong class": "wrong"}  # kind -> CSS class
_SIDES = ("left", "right", "head", "foot")
_QUALITY = 90


def planes_picture(planes: Sequence[Plane], window: tuple[float, float], key: str, noun: str) -> Html:
    """Return the planes of a case side by side. `window` holds the values drawn black and white.

    key: begins the ids; unique in the page. noun: what a target is, "class" or "region".
    """
    length = scale_bar(planes)
    tallest, wide = max(plane.size[0] for plane in planes), sum(plane.size[1] for plane in planes)
    columns = " ".join(f"{plane.size[1]:g}fr" for plane in planes)
    return element(
        "div",
        *(_figure(plane, window, f"{key}-{plane.name}", length, noun) for plane in planes),
        class_="planes",
        style=f"--columns: {columns}; --shape: {wide / tallest:.4g}",
    )


def _figure(plane: Plane, window: tuple[float, float], key: str, length: int, noun: str) -> Html:
    tall, wide = plane.size
    letters = (
        element("span", letter, class_=f"letter {side}", aria_hidden="true")
        for letter, side in zip(plane.letters, _SIDES, strict=True)
    )
    bar = element(
        "span", f"{length}\u00a0mm", class_="bar", aria_hidden="true", style=f"width: {100 * length / wide:.4g}%"
    )
    return element(
        "figure",
        element("div", _drawing(plane, window, key, noun), *letters, bar, class_="panel"),
        element("figcaption", f"{plane.name.capitalize()}, slice {plane.at:,} of {plane.slices:,}"),
        class_="plane",
        style=f"--shape: {wide / tall:.4g}",
    )


def _drawing(plane: Plane, window: tuple[float, float], key: str, noun: str) -> Html:
    tall, wide = plane.size
    down, across = plane.step
    return element(
        "svg",
        element("g", *_layers(plane, window, key), transform=f"scale({across:.6g} {down:.6g})"),
        viewBox=f"0 0 {wide:.6g} {tall:.6g}",
        role="img",
        aria_label=_described(plane, noun),
    )


def _layers(plane: Plane, window: tuple[float, float], key: str) -> Iterator[Html]:
    if plane.image is not None:
        rows, columns = plane.image.shape
        yield element(
            "image",
            href=f"data:image/webp;base64,{_encoded(plane.image, window)}",
            width=columns,
            height=rows,
            preserveAspectRatio="none",
            class_="scan",
        )
    for kind, mask in plane.masks().items():
        if mask.any():
            yield element("path", d=border_path(mask), class_=FIELDS[kind])
    for name, labels in (("reference", plane.reference), ("prediction", plane.prediction)):
        if labels.any():
            yield _outline(name, border_path(labels), f"{key}-{name}")


def _outline(name: str, path: str, key: str) -> Html:
    """Return a line with a dark casing, so that it shows on any scan; the path is written once."""
    return join(
        [
            element("defs", element("path", id=key, d=path, vector_effect="non-scaling-stroke")),
            element("use", href=f"#{key}", class_=f"casing {name}"),
            element("use", href=f"#{key}", class_=f"line {name}"),
        ]
    )


def _encoded(image: NDArray[Any], window: tuple[float, float]) -> str:
    from PIL import Image

    low, high = window
    grey = np.clip((image.astype(np.float64) - low) * (255 / (high - low)), 0, 255).round().astype(np.uint8)
    written = BytesIO()
    Image.fromarray(grey).save(written, format="WEBP", quality=_QUALITY)
    return base64.b64encode(written.getvalue()).decode("ascii")


def _described(plane: Plane, noun: str) -> str:
    told = [
        f"{count(int(mask.sum()), 'voxel')} {kind if kind != 'wrong class' else f'of the wrong {noun}'}"
        for kind, mask in plane.masks().items()
    ]
    return f"{plane.name.capitalize()} plane: {', '.join(told)}"
