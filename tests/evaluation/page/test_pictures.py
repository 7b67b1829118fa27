import base64
import io
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from leanseg.evaluation.page import pictures
from leanseg.evaluation.page.pictures import planes_picture
from leanseg.evaluation.planes import cut_planes

AFFINE = np.diag([1.0, 2.0, 4.0, 1.0])
CLASSES = {"one": (1,), "two": (2,)}


def scene():
    """Two label maps on one grid, with each kind of voxel in every slice of a block, and a scan."""
    prediction, reference = np.zeros((2, 40, 30, 12), dtype=np.uint8)
    noise = np.random.default_rng(0).integers(0, 3, (2, 10, 10, 4))
    prediction[10:20, 10:20, 4:8], reference[10:20, 10:20, 4:8] = noise
    image = np.arange(reference.size, dtype=np.float32).reshape(reference.shape)
    return prediction, reference, image


@pytest.fixture
def planes():
    prediction, reference, image = scene()
    return cut_planes(prediction, reference, AFFINE, CLASSES, image)


def figures(picture):
    return ET.fromstring(picture).findall("figure")


def test_a_plane_has_the_shape_of_the_body_and_all_share_one_scale(planes):
    picture = ET.fromstring(planes_picture(planes, (0.0, 1.0), "case-1", "class"))
    for plane, figure in zip(planes, picture.findall("figure"), strict=True):
        svg = figure.find("div/svg")
        tall, wide = plane.size
        assert [float(number) for number in svg.get("viewBox").split()] == pytest.approx([0, 0, wide, tall])
        across, down = map(float, re.findall(r"[\d.]+", svg.find("g").get("transform")))
        image = svg.find("g/image")
        assert (int(image.get("width")) * across, int(image.get("height")) * down) == pytest.approx((wide, tall))
    columns = [float(number) for number in re.findall(r"([\d.]+)fr", picture.get("style"))]
    assert columns == pytest.approx([plane.size[1] for plane in planes])
    # One above the other they share a scale, too: as wide as their part of the widest, and of the tallest.
    for key, side in (("of-widest", 1), ("of-tallest", 0)):
        parts = [float(re.search(rf"--{key}: ([\d.]+)", each.get("style"))[1]) for each in picture.findall("figure")]
        largest = max(plane.size[side] for plane in planes)
        assert parts == pytest.approx([plane.size[1] / largest for plane in planes], rel=1e-3)


def test_letters_stand_at_the_sides_they_name(planes):
    placed = {}
    for plane, figure in zip(planes, figures(planes_picture(planes, (0.0, 1.0), "a", "class")), strict=True):
        placed[plane.name] = {each.get("class").split()[-1]: each.text for each in figure.iter("span")}
    sides = ("left", "right", "head", "foot")
    assert [placed["axial"][side] for side in sides] == ["R", "L", "A", "P"]
    assert [placed["coronal"][side] for side in sides] == ["R", "L", "S", "I"]
    assert [placed["sagittal"][side] for side in sides] == ["A", "P", "S", "I"]


def test_the_scale_bar_is_as_long_as_it_says(planes):
    for plane, figure in zip(planes, figures(planes_picture(planes, (0.0, 1.0), "a", "class")), strict=True):
        (bar,) = [each for each in figure.iter("span") if each.get("class") == "bar"]
        share = float(re.search(r"([\d.]+)%", bar.get("style"))[1]) / 100
        assert share * plane.size[1] == pytest.approx(float(bar.text.split("\u00a0")[0]), rel=1e-3)


def test_the_scan_is_embedded_voxel_by_voxel(planes):
    low, high = 0.0, float(scene()[2].max())
    for plane, figure in zip(planes, figures(planes_picture(planes, (low, high), "a", "class")), strict=True):
        kind, data = figure.find("div/svg/g/image").get("href").split(",")
        assert kind == "data:image/webp;base64"
        shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("L"), dtype=float)
        assert shown.shape == plane.image.shape
        assert np.abs(shown - plane.image * 255 / high).mean() < 4  # it is compressed


def test_each_kind_of_voxel_is_a_layer_and_both_borders_are(planes):
    for figure in figures(planes_picture(planes, (0.0, 1.0), "a", "class")):
        layers = {each.get("class") for each in figure.find("div/svg/g")} - {None}
        assert layers == {
            *("scan", "found", "missed", "added", "wrong"),
            *("line reference", "casing reference", "line prediction", "casing prediction"),
        }


def test_a_reader_who_does_not_see_is_told_the_voxels_of_a_plane(planes):
    picture = ET.fromstring(planes_picture(planes, (0.0, 1.0), "a", "region"))
    labels = [each.get("aria-label") for each in picture.iter("svg")]
    for plane, label in zip(planes, labels, strict=True):
        numbers = [int(mask.sum()) for mask in plane.masks().values()]
        assert label.startswith(f"{plane.name.capitalize()} plane: {numbers[0]} voxels found")
        assert [int(number) for number in re.findall(r"\d+", label)] == numbers
        assert label.endswith("of the wrong region")


def test_without_scan_and_without_any_label_there_is_still_a_picture():
    empty = np.zeros((6, 5, 4), dtype=np.uint8)
    for figure in figures(planes_picture(cut_planes(empty, empty, AFFINE, CLASSES), (0.0, 1.0), "a", "class")):
        assert list(figure.find("div/svg/g")) == []
        assert "no voxels found" in figure.find("div/svg").get("aria-label")


def test_fields_with_a_border_without_end_are_pixels_and_such_outlines_are_left_out(planes, monkeypatch):
    monkeypatch.setattr(pictures, "MOST_EDGES", 20)
    for plane, figure in zip(planes, figures(planes_picture(planes, (0.0, 1.0), "a", "class")), strict=True):
        drawing = figure.find("div/svg/g")
        fields = {each.get("class"): each for each in drawing.findall("rect")}
        masks = {pictures.FIELDS[kind]: mask for kind, mask in plane.masks().items()}
        assert set(fields) == set(masks)
        for name, mask in masks.items():
            (held,) = [
                each for each in drawing.findall("mask") if f"url(#{each.get('id')})" == fields[name].get("mask")
            ]
            _, data = held.find("image").get("href").split(",")
            pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
            assert np.array_equal(pixels, mask)
            assert (fields[name].get("height"), fields[name].get("width")) == tuple(map(str, mask.shape))
        assert drawing.findall("use") == []
        caption = figure.find("figcaption").text
        assert caption.endswith("; the outline of the reference and prediction is too dense to be drawn")


def test_speckle_takes_no_megabytes():
    speckle = np.random.default_rng(0).integers(0, 2, (2, 512, 512, 2), dtype=np.uint8)
    assert len(planes_picture(cut_planes(*speckle, AFFINE, CLASSES), (0.0, 1.0), "a", "class")) < 300_000
