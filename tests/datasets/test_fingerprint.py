import shutil

import nibabel
import numpy as np
import pytest

from leanseg.datasets import cache_folder, fingerprint, open_dataset
from leanseg.datasets.measurement import UnknownLabelError
from leanseg.errors import InputError
from leanseg.progress import Progress


class Doing(Progress):
    """Remembers what was done."""

    def __init__(self):
        self.seen = []
        self.notes = []

    def track(self, items, doing, total=None):
        self.seen.append(doing)
        yield from items

    def note(self, message):
        self.notes.append(message)


def voxels(path):
    return np.asarray(nibabel.load(path).dataobj, np.float64)


def test_statistics_agree_with_all_voxels_put_together(nnunet, write_volume, new_image, new_label):
    written = nnunet(4, channels=2)
    for channel in range(2):
        write_volume(written.image(0, channel), new_image(50 + channel, (9, 4, 5)))
    write_volume(written.label(0), new_label(50, (9, 4, 5)))
    result = fingerprint(open_dataset(written.root))
    labels = np.concatenate([voxels(written.label(index)).ravel() for index in range(4)])
    for channel, found in enumerate(result.channels):
        values = np.concatenate([voxels(written.image(index, channel)).ravel() for index in range(4)])
        inside = values[labels > 0]
        assert found.mean == pytest.approx(values.mean())
        assert found.sd == pytest.approx(values.std())
        assert found.foreground_mean == pytest.approx(inside.mean())
        assert found.foreground_sd == pytest.approx(inside.std())
        shares = (found.foreground_percentile_00_5, found.foreground_median, found.foreground_percentile_99_5)
        assert shares == pytest.approx(tuple(np.percentile(inside, [0.5, 50, 99.5])))
    for name, value in {"background": 0, "left": 1, "right": 2}.items():
        assert result.classes[name].share == pytest.approx((labels == value).mean())
        assert result.classes[name].cases == 4


def test_percentiles_of_large_cases_come_from_a_sample_that_stays_the_same(decathlon, write_volume, tmp_path):
    written = decathlon(2)
    rng = np.random.default_rng(0)
    values = [rng.normal(100, 20, (40, 40, 40)).astype(np.float32) for _ in range(2)]
    for index, array in enumerate(values):
        write_volume(written.image(index), array)
        write_volume(written.label(index), np.full((40, 40, 40), 1 + index, np.uint8))
    first, second = (fingerprint(open_dataset(written.root), cache=tmp_path / name) for name in "ab")
    assert first == second
    expected = np.percentile(values, [0.5, 50, 99.5])
    found = first.channels[0]
    shares = (found.foreground_percentile_00_5, found.foreground_median, found.foreground_percentile_99_5)
    assert np.abs(np.array(shares) - expected).max() < 3  # 3 of 20: six standard errors of the extreme ones


def test_sizes_are_compared_along_the_sides_of_the_body(decathlon, write_volume, new_image, new_label):
    written = decathlon(1)
    # Axes of the file grow to Posterior, Superior, Left.
    affine = np.array([[0, 0, -3.0, 0], [-1.0, 0, 0, 0], [0, 2.0, 0, 0], [0, 0, 0, 1]])
    write_volume(written.image(0), new_image(0), affine=affine)
    write_volume(written.label(0), new_label(0), affine=affine)
    result = fingerprint(open_dataset(written.root))
    assert result.cases[0].axcodes == "PSL"
    assert (result.cases[0].shape, result.cases[0].spacing) == ((6, 7, 5), (1.0, 2.0, 3.0))
    assert (result.median_shape, result.median_spacing) == ((5, 6, 7), (3.0, 1.0, 2.0))
    assert result.largest_shape == (5, 6, 7)


def test_the_box_of_nonzero_voxels_is_measured(nnunet, write_volume, new_image):
    written = nnunet(1, channels=2)
    boxes = [(slice(1, 3), slice(2, 4), slice(0, 1)), (slice(2, 5), slice(3, 4), slice(0, 2))]
    for channel, box in enumerate(boxes):
        array = np.zeros((6, 7, 5), np.float32)
        array[box] = new_image(channel)[box]
        write_volume(written.image(0, channel), array)
    result = fingerprint(open_dataset(written.root))
    assert result.cases[0].content_shape == (4, 2, 2)
    assert result.content_share == pytest.approx(16 / 210)
    assert [channel.background_share for channel in result.channels] == pytest.approx([1 - 4 / 210, 1 - 6 / 210])


def test_labelled_voxels_that_cropping_would_lose_are_counted(decathlon, write_volume, new_image):
    written = decathlon(2)
    label = np.zeros((6, 7, 5), np.uint8)
    label[1:4, 2, 1] = 1
    for number, kept in enumerate((slice(1, 4), slice(2, 4))):
        array = np.zeros((6, 7, 5), np.float32)
        array[kept, 1:5, 1:3] = 1 + np.abs(new_image(number)[kept, 1:5, 1:3])
        write_volume(written.image(number), array)
        write_volume(written.label(number), label)
    assert [case.cropped for case in fingerprint(open_dataset(written.root)).cases] == [0, 1]


def test_a_second_time_it_comes_from_the_cache(decathlon):
    dataset = open_dataset(decathlon(3).root)
    first, again = Doing(), Doing()
    assert fingerprint(dataset, first) == fingerprint(dataset, again)
    assert ("Measuring" in first.seen, "Measuring" in again.seen) == (True, False)


def test_the_cache_goes_by_content_wherever_the_data_set_lies(decathlon, tmp_path):
    root = decathlon(3).root
    first = fingerprint(open_dataset(root))
    shutil.move(root, tmp_path / "moved")
    doing = Doing()
    assert fingerprint(open_dataset(tmp_path / "moved"), doing) == first
    assert "Measuring" not in doing.seen


def test_one_changed_voxel_is_noticed(decathlon, write_volume, new_image):
    written = decathlon(3)
    first = fingerprint(open_dataset(written.root))
    array = new_image(0)
    array[0, 0, 0] += 1
    write_volume(written.image(0), array)
    assert fingerprint(open_dataset(written.root)).channels != first.channels


def test_one_changed_voxel_beside_a_detached_header_is_noticed(decathlon):
    written = decathlon(2)
    header, data = written.root / "imagesTr" / "case_a.mhd", written.root / "imagesTr" / "case_a.raw"
    header.write_text(
        "NDims = 3\nDimSize = 6 7 5\nElementType = MET_UCHAR\n"
        "TransformMatrix = -1 0 0 0 -1 0 0 0 1\nElementDataFile = case_a.raw\n"
    )
    data.write_bytes(bytes(range(210)))
    written.describe(training=[{**written.content["training"][0], "image": "./imagesTr/case_a.mhd"}])
    first = fingerprint(open_dataset(written.root))
    data.write_bytes(bytes(range(1, 211)))
    assert fingerprint(open_dataset(written.root)).channels[0].mean == first.channels[0].mean + 1


def test_renamed_classes_are_noticed(decathlon):
    written = decathlon(3)
    fingerprint(open_dataset(written.root))
    written.describe(labels={"0": "background", "1": "right", "2": "left"})
    assert fingerprint(open_dataset(written.root)).classes["right"].value == 1


def test_ignored_voxels_are_no_foreground_and_no_class(decathlon, write_volume, new_label):
    written = decathlon(2)
    fingerprint(open_dataset(written.root))
    array = new_label(0)
    array[3:] = 9
    write_volume(written.label(0), array)
    written.describe(labels={**written.content["labels"], "9": "ignore"})
    result = fingerprint(open_dataset(written.root))
    labels = np.stack([voxels(written.label(index)) for index in range(2)])
    inside = np.stack([voxels(written.image(index)) for index in range(2)])[(labels > 0) & (labels != 9)]
    assert result.channels[0].foreground_mean == pytest.approx(inside.mean())
    assert result.channels[0].foreground_sd == pytest.approx(inside.std())
    assert list(result.classes) == ["background", "left", "right"]
    assert result.classes["left"].share == pytest.approx((labels == 1).mean())


def test_only_what_changes_the_numbers_makes_them_be_computed_again(decathlon):
    written = decathlon(3)
    first = fingerprint(open_dataset(written.root))
    for changes, again in (
        ({"left_right_pairs": [["left", "right"]]}, False),
        ({"regions": {"both": [1, 2], "right": [2]}}, False),
        ({"labels": {**written.content["labels"], "5": "ignore"}}, True),
    ):
        written.describe(**changes)
        doing = Doing()
        assert fingerprint(open_dataset(written.root), doing).channels == first.channels
        assert ("Measuring" in doing.seen) == again


@pytest.mark.parametrize("damage", [b"", b"{", b'{"version": 1}', b"\xff\xfe"])
def test_a_damaged_cache_is_computed_again(decathlon, damage):
    dataset = open_dataset(decathlon(3).root)
    first = fingerprint(dataset)
    (file,) = cache_folder().glob("fingerprints/*.json")
    file.write_bytes(damage)
    assert fingerprint(dataset) == first
    assert file.read_bytes() != damage


def test_nothing_is_written_into_the_data_set(decathlon):
    root = decathlon(3).root
    before = sorted(root.rglob("*"))
    fingerprint(open_dataset(root))
    assert sorted(root.rglob("*")) == before


def test_a_cache_that_cannot_be_written_only_costs_time(decathlon, tmp_path):
    (tmp_path / "file").touch()
    doing = Doing()
    result = fingerprint(open_dataset(decathlon(3).root), doing, cache=tmp_path / "file")
    assert len(result.cases) == 3
    assert len(doing.notes) == 1


def test_an_unknown_label_value_is_refused_with_file_and_value(decathlon, write_volume, new_label):
    written = decathlon(3)
    write_volume(written.label(1), new_label(1) * np.uint8(7))
    with pytest.raises(UnknownLabelError) as caught:
        fingerprint(open_dataset(written.root))
    assert "case_b" in caught.value.what
    assert "7" in caught.value.what


def test_files_that_do_not_fit_together_are_refused(decathlon, write_volume, new_label, new_image):
    written = decathlon(3)
    write_volume(written.label(1), new_label(1), spacing=(1, 1, 2))
    with pytest.raises(InputError):
        fingerprint(open_dataset(written.root))
    write_volume(written.label(1), new_label(1))
    write_volume(written.image(1), new_image(1, (6, 7, 5, 2)))
    with pytest.raises(InputError):
        fingerprint(open_dataset(written.root))
    written.image(1).unlink()
    with pytest.raises(InputError):
        fingerprint(open_dataset(written.root))


def test_the_hippocampus_set_is_measured(real_data):
    result = fingerprint(open_dataset(real_data("Task04_Hippocampus")))
    assert len(result.cases) == 208
    assert result.median_spacing == (1.0, 1.0, 1.0)
    assert all(low <= high for low, high in zip(result.median_shape, result.largest_shape, strict=True))
    assert 0.04 < result.classes["Anterior"].share + result.classes["Posterior"].share < 0.07
