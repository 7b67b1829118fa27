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
from leanseg.evaluation.page.tracing import border_length, border_path
from leanseg.evaluation.page.wording import count, listed
from leanseg.evaluation.planes import MOST_EDGES, Plane, scale_bar

FIELDS = {"found": "found", "missed": "missed", "added": "added", "wrong class": "wrong"}  # kind -> CSS class
_SIDES = ("left", "right", "head", "foot")
_QUALITY = 90


def planes_picture(planes: Sequence[Plane], window: tuple[float, float], key: str, noun: str) -> Html:
    """Return the planes of a case side by side. `window` holds the values drawn black and white.

    key: begins the ids; unique in the page. noun: what a target is, "class" or "region".
    """
    length = scale_bar(planes)
    largest = max(plane.size[0] for plane in planes), max(plane.size[1] for plane in planes)
    wide = sum(plane.size[1] for plane in planes)
    columns = " ".join(f"{plane.size[1]:g}fr" for plane in planes)
    return element(
        "div",
        *(_figure(plane, _drawing(plane, window, f"{key}-{plane.name}", noun), length, largest) for plane in planes),
        class_="planes",
        style=f"--columns: {columns}; --shape: {wide / largest[0]:.4g}",
    )


def _figure(plane: Plane, drawing: Html, length: float, largest: tuple[float, float]) -> Html:
    """Return a drawn plane. length: of its scale bar; largest: height and width of the largest planes beside; in mm."""
    wide = plane.size[1]
    letters = (
        element("span", letter, class_=f"letter {side}", aria_hidden="true")
        for letter, side in zip(plane.letters, _SIDES, strict=True)
    )
    bar = element(
        "span", f"{length:g}\u00a0mm", class_="bar", aria_hidden="true", style=f"width: {100 * length / wide:.4g}%"
    )
    return element(
        "figure",
        element("div", drawing, *letters, bar, class_="panel"),
        element("figcaption", f"{plane.name.capitalize()}, slice {plane.at:,} of {plane.slices:,}{_left_out(plane)}"),
        class_="plane",
        style=f"--of-tallest: {wide / largest[0]:.4g}; --of-widest: {wide / largest[1]:.4g}",
    )


def _left_out(plane: Plane) -> str:
    dense = [name for name, labels in _outlined(plane).items() if _is_dense(labels)]
    return f"; the outline of the {listed(dense)} is too dense to be drawn" if dense else ""


def _outlined(plane: Plane) -> dict[str, NDArray[Any]]:
    return {"reference": plane.reference, "prediction": plane.prediction}


def _is_dense(labels: NDArray[Any]) -> bool:
    return border_length(labels) > MOST_EDGES


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
            href=_encoded(_grey(plane.image, window), "webp", quality=_QUALITY),
            width=columns,
            height=rows,
            preserveAspectRatio="none",
            class_="scan",
        )
    for kind, mask in plane.masks().items():
        if mask.any():
            yield _field(mask, FIELDS[kind], key)
    for name, labels in _outlined(plane).items():
        if labels.any() and not _is_dense(labels):
            yield _outline(name, border_path(labels), f"{key}-{name}")


def _field(mask: NDArray[np.bool_], name: str, key: str) -> Html:
    """Return the voxels of `mask` [row, column] as a path or, where its border is very long, as pixels."""
    if not _is_dense(mask):
        return element("path", d=border_path(mask), class_=name)
    rows, columns = mask.shape
    shape: dict[str, str | float] = {"width": columns, "height": rows}
    pixels = element("image", href=_encoded(mask, "png"), preserveAspectRatio="none", **shape)
    return join(
        [
            element("mask", pixels, id=f"{key}-{name}"),
            element("rect", mask=f"url(#{key}-{name})", class_=name, **shape),
        ]
    )


def _outline(name: str, path: str, key: str) -> Html:
    """Return a line with a dark casing, so that it shows on any scan; the path is written once."""
    return join(
        [
            element("defs", element("path", id=key, d=path, vector_effect="non-scaling-stroke")),
            element("use", href=f"#{key}", class_=f"casing {name}"),
            element("use", href=f"#{key}", class_=f"line {name}"),
        ]
    )


def _grey(image: NDArray[Any], window: tuple[float, float]) -> NDArray[np.uint8]:
    low, high = window
    return np.clip((image.astype(np.float64) - low) * (255 / (high - low)), 0, 255).round().astype(np.uint8)


def _encoded(pixels: NDArray[Any], form: str, **settings: int) -> str:
    """Return pixels [row, column], grey values or true and false, as a link that holds them as "webp" or "png"."""
    from PIL import Image

    written = BytesIO()
    Image.fromarray(pixels).save(written, format=form.upper(), **settings)
    return f"data:image/{form};base64,{base64.b64encode(written.getvalue()).decode('ascii')}"


def _described(plane: Plane, noun: str) -> str:
    told = [
        f"{count(int(mask.sum()), 'voxel')} {kind if kind != 'wrong class' else f'of the wrong {noun}'}"
        for kind, mask in plane.masks().items()
    ]
    return f"{plane.name.capitalize()} plane: {', '.join(told)}"
