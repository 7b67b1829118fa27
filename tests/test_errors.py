"""What every error of leanseg has, and what becomes of those of the operating system."""

import errno

import pytest

from leanseg.errors import InputError, RefusedBySystemError, did_you_mean, refused_by_system


def test_a_message_is_short_whatever_is_quoted_in_it():
    error = InputError(what="a" * 10**6, why="b", fix="c")
    assert len(error.what) < 2100
    assert error.what.startswith("aaa")
    assert "[998,000 characters]" in error.what
    assert (error.why, error.fix) == ("b", "c")


def test_what_the_system_refuses_is_an_input_error_that_names_the_file():
    with pytest.raises(RefusedBySystemError, match="secret: Permission denied"), refused_by_system():
        raise PermissionError(errno.EACCES, "Permission denied", "secret")


@pytest.mark.parametrize(
    "other",
    [OSError(errno.ENOMEM, "Cannot allocate memory"), BrokenPipeError(errno.EPIPE, "Broken pipe"), KeyError("a")],
)
def test_other_errors_stay_what_they_are(other):
    with pytest.raises(type(other)) as raised, refused_by_system():
        raise other
    assert raised.value is other


@pytest.mark.parametrize(
    ("word", "guess"),
    [("e2ent", "did you mean 'e2enet'?"), ("E2ENet", "did you mean 'e2enet'?"), ("DYNUNET", "did you mean 'DynUNet'?")],
)
def test_the_word_meant_is_found_whatever_its_capitals(word, guess):
    assert did_you_mean(word, ["unet3d", "e2enet", "DynUNet"]) == guess


def test_a_word_unlike_all_others_is_no_guess():
    assert not did_you_mean("transformer", ["unet3d", "e2enet"])
