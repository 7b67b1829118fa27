import hashlib
import json
import os
import shutil
import zipfile

import numpy as np
import pytest
from safetensors.numpy import save

from leanseg.errors import InputError
from leanseg.packages import CorruptPackageError, NotAPackageError, Package, pack, write_package
from leanseg.packages.errors import UnsafePackageError


@pytest.fixture
def package(make_package, tmp_path):
    return make_package(tmp_path / "run" / "package")


def rewritten_manifest(package, change):
    """Change the manifest as someone would who also knows how to keep it valid."""
    path = package.path / "manifest.json"
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def admit(package, name):
    data = (package.path / name).read_bytes()
    record = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    rewritten_manifest(package, lambda document: document["files"].__setitem__(name, record))


def zip_of(package, path, rename=None, extra=()):
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(package.path.iterdir()):
            archive.write(file, (rename or {}).get(file.name, file.name))
        for info, data in extra:
            archive.writestr(info, data)
    return path


def test_a_package_reads_back_from_folder_run_and_zip_with_one_hash(package, tmp_path):
    zipped = pack(package.path, tmp_path / "model.zip")
    for path in (package.path, tmp_path / "run", tmp_path / "model.zip"):
        found = Package.read(path)
        assert found.hash == package.hash == zipped.hash
        assert found.plan == package.plan
        assert found.card() == "# Shades of grey\n"
        assert found.manifest.measured == {"parity": {"openvino": 1.0}}
        np.testing.assert_array_equal(found.weights()["head.weight"], [[0, 1, 2], [3, 4, 5]])
        assert found.onnx_bytes() == (package.path / "model.onnx").read_bytes()
    assert pack(tmp_path / "model.zip", tmp_path / "again.zip").hash == package.hash
    assert (tmp_path / "again.zip").read_bytes() == (tmp_path / "model.zip").read_bytes()


def test_a_deflated_zip_is_read_too(package, tmp_path):
    shutil.make_archive(str(tmp_path / "deflated"), "zip", package.path)
    with zipfile.ZipFile(tmp_path / "deflated.zip") as archive:
        names = {info.filename for info in archive.infolist() if not info.is_dir()}
    assert "plan.json" in names
    deflated = tmp_path / "plain.zip"
    with zipfile.ZipFile(deflated, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in package.path.iterdir():
            archive.write(file, file.name)
    assert Package.read(deflated).hash == package.hash


@pytest.mark.parametrize("name", ["plan.json", "model.safetensors", "model.onnx", "card.md"])
def test_one_changed_byte_anywhere_is_found_and_named(package, name):
    path = package.path / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(CorruptPackageError, match=f"{name} has changed: SHA-256") as refused:
        Package.read(package.path)
    assert "train again" in refused.value.fix


@pytest.mark.parametrize("name", ["plan.json", "model.safetensors", "model.onnx", "card.md"])
def test_a_cut_off_file_is_found_before_it_is_read(package, name):
    path = package.path / name
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CorruptPackageError, match=f"{name} has [0-9,]+ bytes instead of"):
        Package.read(package.path)


@pytest.mark.parametrize("name", ["plan.json", "model.onnx", "model.safetensors", "card.md"])
def test_a_missing_file_is_named(package, name):
    (package.path / name).unlink()
    with pytest.raises(CorruptPackageError, match=f"{name} is missing"):
        Package.read(package.path)
    rewritten_manifest(package, lambda document: document["files"].pop(name))
    with pytest.raises(CorruptPackageError, match=f"{name} is missing"):
        Package.read(package.path)


def test_a_file_that_the_manifest_does_not_name_is_refused(package):
    (package.path / "helper.bin").write_bytes(b"?")
    with pytest.raises(UnsafePackageError, match=r"'helper\.bin' is not named"):
        Package.read(package.path)


def test_later_engines_may_add_their_own_files(package):
    (package.path / "openvino.bin").write_bytes(b"weights")
    admit(package, "openvino.bin")
    assert Package.read(package.path).file("openvino.bin") == b"weights"


@pytest.mark.parametrize("name", ["start.py", "weights.pkl", "kernel.so", "weights.pt", "nothing"])
def test_files_that_can_be_executed_are_refused_even_when_named(package, name):
    (package.path / name).write_bytes(b"x")
    admit(package, name)
    with pytest.raises(UnsafePackageError, match=name):
        Package.read(package.path)


def test_file_managers_droppings_do_no_harm(package):
    (package.path / ".DS_Store").write_bytes(b"icons")
    assert Package.read(package.path).hash == package.hash


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="needs links")
def test_links_and_folders_inside_are_refused(package, tmp_path):
    (tmp_path / "secret").write_text("# Shades of grey\n")
    (package.path / "card.md").unlink()
    (package.path / "card.md").symlink_to(tmp_path / "secret")
    with pytest.raises(UnsafePackageError, match=r"card\.md"):
        Package.read(package.path)
    (package.path / "card.md").unlink()
    (package.path / "card.md").mkdir()
    with pytest.raises(UnsafePackageError, match=r"card\.md"):
        Package.read(package.path)


@pytest.mark.parametrize("name", ["../card.md", "/etc/passwd", "folder/plan.json", "..\\card.md", "C:\\x.json", "a/"])
def test_members_of_a_zip_that_leave_its_top_are_refused(package, tmp_path, name):
    path = zip_of(package, tmp_path / "evil.zip", extra=[(zipfile.ZipInfo(name), b"x")])
    with pytest.raises(UnsafePackageError):
        Package.read(path)
    assert not (tmp_path / "card.md").exists()


def test_a_link_in_a_zip_is_refused(package, tmp_path):
    link = zipfile.ZipInfo("card.md")
    link.external_attr = 0o120777 << 16
    path = zip_of(package, tmp_path / "link.zip", {"card.md": "other.md"}, [(link, b"/etc/passwd")])
    with pytest.raises(UnsafePackageError, match="is a link"):
        Package.read(path)


def test_a_name_that_occurs_twice_in_a_zip_is_refused(package, tmp_path):
    with pytest.warns(UserWarning, match="Duplicate"):
        path = zip_of(package, tmp_path / "twice.zip", extra=[("plan.json", b"{}")])
    with pytest.raises(UnsafePackageError, match=r"'plan\.json' occurs twice"):
        Package.read(path)


def test_a_zip_bomb_is_refused_before_it_grows(package, tmp_path):
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("card.md", bytes(50_000_000))
    with pytest.raises(UnsafePackageError, match="claims to grow"):
        Package.read(path)


def test_a_member_larger_than_its_manifest_says_is_refused(package, tmp_path):
    path = zip_of(package, tmp_path / "more.zip", {"card.md": "other.md"}, [("card.md", b"# Shades of grey\n ")])
    with pytest.raises(CorruptPackageError):
        Package.read(path)


def test_a_damaged_zip_is_one_message(package, tmp_path):
    pack(package.path, tmp_path / "model.zip")
    data = bytearray((tmp_path / "model.zip").read_bytes())
    (tmp_path / "short.zip").write_bytes(data[: len(data) // 2])
    with pytest.raises(NotAPackageError, match="cut off"):
        Package.read(tmp_path / "short.zip")


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_bytes_flipped_anywhere_in_a_zip_never_change_what_is_read(package, tmp_path, compression):
    whole, broken = tmp_path / "whole.zip", tmp_path / "broken.zip"
    with zipfile.ZipFile(whole, "w", compression) as archive:
        for file in package.path.iterdir():
            archive.write(file, file.name)
    data = whole.read_bytes()
    for at in np.random.default_rng(0).integers(0, len(data), size=200):
        broken.write_bytes(data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :])
        try:
            assert Package.read(broken).hash == package.hash
        except InputError:
            continue


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda m: m.__setitem__("format", 2), "format 2"),
        (lambda m: m.__setitem__("surprise", 1), "surprise"),
        (lambda m: m.pop("files"), "files"),
        (lambda m: m["files"].__setitem__("../x.json", {"sha256": "0" * 64, "bytes": 1}), "files"),
        (lambda m: m["files"]["plan.json"].__setitem__("bytes", -1), "bytes"),
        (lambda m: m["files"]["plan.json"].__setitem__("sha256", "short"), "sha256"),
    ],
)
def test_a_manifest_that_leanseg_would_not_write_is_refused(package, change, said):
    rewritten_manifest(package, change)
    with pytest.raises(CorruptPackageError, match=said):
        Package.read(package.path)


@pytest.mark.parametrize("text", [b"", b"{", b"[1]", b"\xff\xfe", b"[" * 5000, b'{"format": NaN}'])
def test_a_manifest_that_is_no_document_is_refused(package, text):
    (package.path / "manifest.json").write_bytes(text)
    with pytest.raises(CorruptPackageError, match=r"manifest\.json"):
        Package.read(package.path)


def test_a_huge_manifest_is_not_read(package):
    (package.path / "manifest.json").write_bytes(b" " * 1_000_001)
    with pytest.raises(UnsafePackageError, match="far more"):
        Package.read(package.path)


def test_a_plan_of_another_version_names_the_version_to_use(package):
    plan = json.loads((package.path / "plan.json").read_text())
    plan["network"]["depth"] = 3
    (package.path / "plan.json").write_text(json.dumps(plan))
    admit(package, "plan.json")
    with pytest.raises(CorruptPackageError, match="depth") as refused:
        Package.read(package.path)
    assert "leanseg 0" in refused.value.fix


def test_places_without_a_package_say_what_to_name(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.zip").write_text("no archive")
    for path in (tmp_path / "nowhere", tmp_path / "empty", tmp_path / "text.zip"):
        with pytest.raises(NotAPackageError, match=path.name):
            Package.read(path)


def test_a_file_that_changes_after_reading_is_not_used(package):
    found = Package.read(package.path)
    (package.path / "model.onnx").write_bytes(b"something else")
    with pytest.raises(CorruptPackageError, match=r"model\.onnx changed"):
        found.onnx_bytes()


def test_a_package_is_written_whole_or_not_at_all(package, make_package, monkeypatch):
    before = {file.name: file.read_bytes() for file in package.path.iterdir()}

    def fail(path, plan):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("leanseg.packages.writing.write_plan", fail)
    with pytest.raises(InputError, match="No space left"):
        make_package(package.path)
    assert {file.name: file.read_bytes() for file in package.path.iterdir()} == before
    assert [entry.name for entry in package.path.parent.iterdir()] == ["package"]


def test_a_new_package_takes_the_place_of_the_old_one(package, make_package):
    newer = make_package(package.path, tile=(4, 4, 4))
    assert Package.read(package.path).plan.inference.tile == (4, 4, 4)
    assert newer.hash != package.hash


def test_masks_of_every_network_are_read_back_from_folder_and_zip(package, tmp_path):
    masks = [
        {"head.weight": np.array([[True, False, True], [False, False, True]])},
        {"head.weight": np.ones((2, 3), bool)},
    ]
    for members in (1, 2):
        made = write_package(
            tmp_path / f"of_{members}",
            plan=package.plan,
            weights=[package.file("model.safetensors")] * members,
            onnx=[package.onnx_bytes()] * members,
            masks=[save(one) for one in masks[:members]],
            card="# Sparse\n",
            facts={},
        )
        for found in (made, pack(made.path, tmp_path / f"of_{members}.zip")):
            for member in range(members):
                np.testing.assert_array_equal(found.masks(member)["head.weight"], masks[member]["head.weight"])
        if members == 1:
            assert made.hash == package.hash  # masks decide no label: what they say is in the weights
    assert package.masks() == {}


def test_masks_that_are_none_are_refused(package):
    (package.path / "masks.safetensors").write_bytes(b"nonsense")
    admit(package, "masks.safetensors")
    with pytest.raises(CorruptPackageError, match=r"masks\.safetensors is not a safetensors file"):
        Package.read(package.path).masks()


def test_the_hash_stands_for_plan_weights_and_graph_not_for_the_card(package, tmp_path):
    def again(name, **changed):
        contents = {
            "plan": package.plan,
            "weights": [package.file("model.safetensors")],
            "onnx": [package.onnx_bytes()],
        }
        return write_package(tmp_path / name, **{**contents, **changed}, card="# Another\n", facts={}).hash

    assert again("same") == package.hash
    assert again("other", weights=[save({"head.weight": np.zeros(1, np.float32)})]) != package.hash


def test_a_zip_of_very_many_members_is_refused_by_the_size_of_its_directory(package, tmp_path):
    path = zip_of(
        package, tmp_path / "many.zip", extra=[(zipfile.ZipInfo(f"{number:0200}.md"), b"") for number in range(600)]
    )
    with pytest.raises(NotAPackageError, match=r"not a \.zip") as refused:
        Package.read(path)
    assert "too many members" in str(refused.value.__cause__)


def test_a_member_without_a_name_is_refused(package, tmp_path):
    path = zip_of(package, tmp_path / "nameless.zip", extra=[(zipfile.ZipInfo("x"), b"")])
    path.write_bytes(nameless(path.read_bytes()))
    with pytest.raises(UnsafePackageError, match="is no name"):
        Package.read(path)


def nameless(data):
    """Shorten the name of the last member of a .zip, one letter without content, to none."""
    start, directory = data.rindex(b"PK\3\4"), data.rindex(b"PK\1\2")
    local = bytearray(data[start : start + 30])
    central = bytearray(data[directory : directory + 46])
    local[26] = central[28] = 0
    ending = bytearray(data[-22:])
    first = int.from_bytes(ending[16:20], "little")
    ending[12:16] = (int.from_bytes(ending[12:16], "little") - 1).to_bytes(4, "little")
    ending[16:20] = (first - 1).to_bytes(4, "little")
    return data[:start] + local + data[first:directory] + central + ending


def test_a_card_that_is_no_text_is_corrupt(package):
    (package.path / "card.md").write_bytes(b"\xff")
    admit(package, "card.md")
    with pytest.raises(CorruptPackageError, match="no UTF-8 text"):
        Package.read(package.path).card()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
@pytest.mark.parametrize("replace", [os.mkfifo, lambda path: path.symlink_to("/etc/passwd")])
def test_what_takes_the_place_of_a_file_that_was_verified_is_neither_followed_nor_waited_for(package, replace):
    found = Package.read(package.path)
    (package.path / "card.md").unlink()
    replace(package.path / "card.md")
    with pytest.raises(UnsafePackageError, match=r"'card\.md' is not a plain file"):
        found.card()


@pytest.mark.parametrize("facts", [{"dtype": "F8_E4M3", "shape": [4]}, {"dtype": "F32", "shape": [1] * 100}])
def test_weights_that_numpy_cannot_hold_are_refused(package, facts):
    header = json.dumps({"a": {**facts, "data_offsets": [0, 4]}}).encode()
    (package.path / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    admit(package, "model.safetensors")
    with pytest.raises(CorruptPackageError, match="not a safetensors file"):
        Package.read(package.path).weights()


def test_a_file_that_vanishes_is_a_corrupt_package(package):
    found = Package.read(package.path)
    (package.path / "card.md").unlink()
    with pytest.raises(CorruptPackageError, match=r"card\.md cannot be read"):
        found.card()


def test_a_plan_that_changes_after_it_was_verified_is_not_followed(package, monkeypatch):
    from leanseg.packages import package as module

    verify = module._verify

    def verified(store, manifest, name):
        verify(store, manifest, name)
        if name == "plan.json":
            path = store.path / name
            path.write_text(path.read_text().replace("shades", "shadow"))

    monkeypatch.setattr(module, "_verify", verified)
    with pytest.raises(CorruptPackageError, match=r"plan\.json changed while it was in use"):
        Package.read(package.path)
