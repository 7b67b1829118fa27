import pytest

from leanseg.cli.variations import (
    UnreadableSeedsError,
    UnreadableVariationError,
    parse_seeds,
    parse_variations,
)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("alpha=0.25,0.5,1", {"alpha": [0.25, 0.5, 1]}),
        ("network=unet2d,unet3d", {"network": ["unet2d", "unet3d"]}),
        ("kernel=[1,3,3],[3,3,3]", {"kernel": [[1, 3, 3], [3, 3, 3]]}),
        ("shift_groups=3,null", {"shift_groups": [3, None]}),
        ("faithful=true,false", {"faithful": [True, False]}),
        ("mlp=full", {"mlp": ["full"]}),
        ("x=1,wide", {"x": [1, "wide"]}),
    ],
)
def test_values_are_read_as_options_are(text, values):
    assert parse_variations([text]) == values


def test_the_order_of_options_is_kept():
    assert list(parse_variations(["b=1", "a=2"])) == ["b", "a"]


@pytest.mark.parametrize("texts", [["alpha"], ["=1"], ["alpha="], ["alpha=0.5", "alpha=1"]])
def test_what_is_no_variation_is_refused(texts):
    with pytest.raises(UnreadableVariationError):
        parse_variations(texts)


def test_seeds_are_whole_numbers():
    assert parse_seeds("0, 1,17") == [0, 1, 17]
    for text in ("", "1,,2", "-1", "a", "1.5"):
        with pytest.raises(UnreadableSeedsError):
            parse_seeds(text)
