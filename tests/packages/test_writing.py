"""Packages written again with another way to be applied."""

import pytest

from leanseg.packages import CorruptPackageError, Package, pack
from leanseg.packages.writing import write_tuned


@pytest.fixture
def package(make_package, tmp_path):
    return make_package(tmp_path / "run" / "package", random=True)


def with_precision(package, precision):
    return package.plan.inference.model_copy(update={"precision": precision})


def test_the_same_inference_keeps_the_hash_and_the_evidence_is_there(package):
    before = package.hash
    found = write_tuned(package, package.path, inference=package.plan.inference, tuned={"cases": 12})
    assert found.hash == before
    assert found.manifest.measured == {"parity": {"openvino": 1.0}, "tuned": {"cases": 12}}
    assert found.card() == package.card()


def test_a_precision_and_a_quantised_graph_change_the_hash(package, tmp_path):
    bf16 = write_tuned(package, tmp_path / "bf16", inference=with_precision(package, "bf16"))
    with_graph = write_tuned(package, tmp_path / "graph", inference=package.plan.inference, int8=[package.onnx_bytes()])
    assert len({package.hash, bf16.hash, with_graph.hash}) == 3
    assert with_graph.has_int8
    assert with_graph.int8_bytes() == package.onnx_bytes()
    assert write_tuned(with_graph, tmp_path / "back", inference=package.plan.inference).hash == package.hash


def test_an_older_quantised_graph_is_left_out(package, tmp_path):
    path = tmp_path / "graph"
    write_tuned(package, path, inference=package.plan.inference, int8=[package.onnx_bytes()])
    found = write_tuned(Package.read(path), path, inference=package.plan.inference)
    assert not found.has_int8
    assert not (path / "int8.onnx").exists()


def test_a_zip_is_written_in_its_place(package, tmp_path):
    zipped = pack(package.path, tmp_path / "model.zip")
    found = write_tuned(zipped, zipped.path, inference=with_precision(package, "bf16"), tuned={"threads": "one"})
    assert found.path == tmp_path / "model.zip"
    assert Package.read(found.path).plan.inference.precision == "bf16"
    assert found.threads == "one"


def test_what_could_not_be_read_back_leaves_the_package_as_it_was(package):
    for bad in ({"inference": with_precision(package, "int8")}, {"inference": package.plan.inference, "int8": [b"x"]}):
        with pytest.raises(CorruptPackageError):
            write_tuned(package, package.path, **bad)
        assert Package.read(package.path).manifest == package.manifest


def test_a_graph_of_another_tile_needs_a_plan_of_that_tile(package, make_package, tmp_path):
    other = make_package(tmp_path / "other", random=True, tile=(8, 4, 8))
    with pytest.raises(CorruptPackageError):
        write_tuned(package, package.path, inference=package.plan.inference, graphs=[other.onnx_bytes()])
    inference = package.plan.inference.model_copy(update={"tile": (8, 4, 8)})
    found = write_tuned(package, package.path, inference=inference, graphs=[other.onnx_bytes()])
    assert found.plan.inference.tile == (8, 4, 8)


def test_a_quantised_graph_is_needed_of_all_networks(make_package, tmp_path):
    both = make_package(tmp_path / "both", random=True, members=2)
    with pytest.raises(CorruptPackageError, match=r"int8_1\.onnx is missing"):
        write_tuned(both, tmp_path / "half", inference=both.plan.inference, int8=[both.onnx_bytes(0)])
    graphs = [both.onnx_bytes(member) for member in range(2)]
    found = write_tuned(both, tmp_path / "all", inference=with_precision(both, "int8"), int8=graphs)
    assert [found.int8_bytes(member) for member in range(2)] == graphs


def test_a_quantised_graph_that_refers_to_other_files_is_refused(package, tmp_path):
    import onnx

    graph = onnx.load_from_string(package.onnx_bytes())
    tensor = graph.graph.initializer[0]
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")
    with pytest.raises(CorruptPackageError, match=r"int8.onnx refers to files outside"):
        write_tuned(package, tmp_path / "bad", inference=package.plan.inference, int8=[graph.SerializeToString()])


@pytest.mark.parametrize("told", ["all", "many", None, 3])
def test_threads_are_all_where_nothing_sensible_is_said(package, told):
    assert (
        write_tuned(package, package.path, inference=package.plan.inference, tuned={"threads": told}).threads == "all"
    )
