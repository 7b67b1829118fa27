import pytest

from leanseg.datasets.fingerprint import ChannelFingerprint, ClassFingerprint, Fingerprint
from leanseg.learning.planning.contrast import AbsoluteIntensitiesError, explain_contrast, few_labels
from leanseg.plans import Normalisation, RandomContrast


def fingerprint(share, background_share=0.0):
    """What counts here: one channel, and one class that takes `share` of all voxels."""
    empty = dict.fromkeys(ChannelFingerprint.model_fields, 0.0)
    channel = ChannelFingerprint(**{**empty, "name": "MR", "background_share": background_share})
    classes = {
        "background": ClassFingerprint(value=0, share=1 - share, cases=1),
        "thing": ClassFingerprint(value=1, share=share, cases=1),
    }
    return Fingerprint.model_construct(channels=(channel,), classes=classes)


def test_without_random_contrast_nothing_is_said():
    assert explain_contrast(None, [Normalisation(scheme="none")], fingerprint(0.2)) == []


def test_it_is_said_how_much_of_a_scan_is_labelled():
    (sentence,) = explain_contrast(RandomContrast(), [Normalisation()], fingerprint(0.1, background_share=0.75))
    assert "50% of the patches" in sentence
    assert "name 40.0% of" in sentence
    assert "6 parts" in sentence


@pytest.mark.parametrize("scheme", ["clip", "window"])
def test_a_channel_with_absolute_intensities_is_refused_by_name(scheme):
    window = {"low": 0.0, "high": 1.0} | ({"mean": 0.5, "sd": 0.2} if scheme == "clip" else {})
    with pytest.raises(AbsoluteIntensitiesError, match="--random-contrast") as refused:
        explain_contrast(RandomContrast(), [Normalisation(scheme=scheme, **window)], fingerprint(0.1))
    assert "channel MR" in refused.value.what
    assert scheme in refused.value.what


@pytest.mark.parametrize(
    ("share", "empty", "warned"), [(0.02, 0.0, True), (0.02, 0.7, False), (0.049, 0.0, True), (0.05, 0.0, False)]
)
def test_few_labels_are_warned_of_by_their_share_of_the_content(share, empty, warned):
    found = few_labels(fingerprint(share, empty))
    assert (found is not None) == warned
    assert found is None or f"{share:.1%}" in found


def test_a_scan_of_nothing_but_background_is_not_divided_by():
    assert few_labels(fingerprint(0.0, background_share=1.0)) is None
