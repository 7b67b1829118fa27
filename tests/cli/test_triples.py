"""Sizes and spacings as a person types them."""

import pytest

from leanseg.cli.triples import UnreadableTripleError, read_sizes, read_spacing


def test_sizes_are_three_whole_numbers():
    assert read_sizes("shape", " 64x0160x7 ", "why", "1x2x3") == (64, 160, 7)


@pytest.mark.parametrize(
    "text", ["", "64", "64x64", "0x1x2", "1x2x3x4", "1.5x2x3", "-1x2x3", "1 x 2 x 3", "1x2x1000000"]
)
def test_other_sizes_are_refused_by_the_name_of_their_option(text):
    with pytest.raises(UnreadableTripleError) as refused:
        read_sizes("shape", text, "why", "1x2x3")
    assert refused.value.what == f"--shape {text} is not three sizes"
    assert refused.value.fix.endswith("--shape 1x2x3")


@pytest.mark.parametrize(
    ("text", "spacing"), [("3", (3, 3, 3)), ("0.8x0.8x1", (0.8, 0.8, 1)), (" 1.5 ", (1.5, 1.5, 1.5))]
)
def test_spacing_is_one_number_or_three(text, spacing):
    assert read_spacing("spacing", text) == spacing


@pytest.mark.parametrize("text", ["", "0", "-1", "1x1", "1x0x1", "1e3", "nan", "inf", "1x1x1x1", "1,5", ".5"])
def test_other_spacings_are_refused(text):
    with pytest.raises(UnreadableTripleError, match="one or three lengths in mm"):
        read_spacing("spacing", text)
