"""JSON that other people wrote: whatever is in the file, it is read or refused by name, in bounded memory and time."""

import os
import tracemalloc

import pytest
from pydantic import BaseModel

from leanseg.datasets.documents import DocumentError, inner_path, read_object, read_text, validated


def refusal(path, content):
    path.write_bytes(content)
    with pytest.raises(DocumentError) as refused:
        read_object(path)
    assert str(path) in refused.value.what
    return refused.value.what


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is not JSON"),
        (b'{"a": 1', "line 1, column 8"),
        (b'{"a": NaN}', "NaN is no JSON number"),
        (b'{"a": -Infinity}', "-Infinity is no JSON number"),
        (b'{"a": 1, "a": 2}', "the key 'a' occurs twice"),
        (b'{"a": ' + b"9" * 5000 + b"}", "is not plain JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested too deeply"),
        (b"[1]", "holds a list instead of an object"),
        (b"null", "holds a NoneType"),
        (b"\xff\xfe{\0}\0", "is not UTF-8 text"),
        (b'{"a": "\xe9"}', "is not UTF-8 text"),
        (b'{"a": "\\ud800"}', "surrogates not allowed"),
        (b'{"\\udc80": 1}', "surrogates not allowed"),
        (b'{"a": 1}\0', "is not JSON"),
    ],
)
def test_what_is_no_plain_json_object_is_refused_with_its_place(tmp_path, content, told):
    assert told in refusal(tmp_path / "a.json", content)


def test_sound_documents_are_read(tmp_path):
    (tmp_path / "a.json").write_bytes(b'\xef\xbb\xbf{"a": ["\\ud83d\\ude00", 1e5, null]}')
    assert read_object(tmp_path / "a.json") == {"a": ["\U0001f600", 1e5, None]}


def test_a_gigabyte_is_refused_without_reading_it_all(tmp_path):
    with (tmp_path / "a.json").open("wb") as file:
        file.truncate(10**9)
    tracemalloc.start()
    with pytest.raises(DocumentError, match="larger than 32 MB"):
        read_object(tmp_path / "a.json")
    assert tracemalloc.get_traced_memory()[1] < 80e6
    tracemalloc.stop()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_pipes_and_folders_are_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(DocumentError, match="not a plain file"):
            read_text(path)


@pytest.mark.parametrize(
    "name", ["\ud800.nii", "a" * 256, "é" * 128, "a/" * 1500 + "b", "a\0b", "", " ", "../a", "/a", "C:\\a", "..\\a"]
)
def test_names_that_no_file_can_have_and_paths_that_lead_out_are_refused(tmp_path, name):
    with pytest.raises(DocumentError) as refused:
        inner_path(tmp_path / "dataset.json", "training[0].image", name)
    assert len(refused.value.what) < 1000


def test_a_long_path_inside_is_kept(tmp_path):
    name = "a" * 255
    assert inner_path(tmp_path / "dataset.json", "key", f"folder/{name}") == tmp_path / "folder" / name


class Described(BaseModel):
    labels: dict[str, int]


@pytest.mark.parametrize(
    ("key", "fix"), [("label", "add 'labels' (is it spelled 'label' there?)"), ("other", "add 'labels'")]
)
def test_a_key_that_is_missing_may_be_there_under_another_spelling(tmp_path, key, fix):
    with pytest.raises(DocumentError) as refused:
        validated(tmp_path / "a.json", {key: {}}, Described)
    assert refused.value.fix == fix
