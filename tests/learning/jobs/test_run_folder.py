"""The record of a run: read back, or refused whatever stands in it."""

import pytest

from leanseg.learning.jobs.cross_validation_folder import CrossValidationFolder
from leanseg.learning.jobs.run_folder import NotARunError, RunFolder, RunRecord

RECORD = RunRecord(
    leanseg="0.1.0", dataset="/d", fold=0, minutes=None, steps=5, device="cpu", precision="fp32", state="interrupted"
)


def test_a_record_is_read_back(tmp_path):
    RunFolder(tmp_path).write(RECORD)
    assert RunFolder(tmp_path).read() == RECORD


@pytest.mark.parametrize("kind", [RunFolder, CrossValidationFolder])
@pytest.mark.parametrize(
    "text", [None, "", "{}", "[" * 100_000, '{"format": 1, "format": 1}', "\ud83d".encode("utf-16", "surrogatepass")]
)
def test_what_is_no_record_is_refused(tmp_path, kind, text):
    folder = kind(tmp_path)
    if text is not None:
        folder.record.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(NotARunError) as refused:
        folder.read()
    assert str(tmp_path) in refused.value.what


@pytest.mark.parametrize("kind", [RunFolder, CrossValidationFolder])
def test_a_gigabyte_is_no_record(tmp_path, kind):
    folder = kind(tmp_path)
    with folder.record.open("wb") as file:
        file.truncate(10**9)
    with pytest.raises(NotARunError, match="larger than 32 MB"):
        folder.read()
