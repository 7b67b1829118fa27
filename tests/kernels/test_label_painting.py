import itertools
import threading
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leanseg.kernels import Head, LabelPainter, resample

pytestmark = pytest.mark.usefixtures("way")

SHAPES = st.tuples(*[st.integers(1, 9)] * 3)
WIDE_SHAPES = st.tuples(st.integers(1, 9), st.integers(1, 70), st.integers(1, 150))


def painted(scores, new, *, head=None, written=None, threads=1, dtype=np.uint16):
    outputs = len(scores) if head is None else head.outputs
    painter = LabelPainter(scores.shape[1:], new, outputs, head=head, written=written, threads=threads)
    labels = np.full(new, 77, dtype)
    painter.paint(scores, 0, slice(0, new[0]), labels)
    return labels


def interpolated(scores, new):
    """In float64 by torch where nothing shrinks; `resample` is tested against its definition elsewhere."""
    import torch

    if any(a > b for a, b in zip(scores.shape[1:], new, strict=True)):
        return resample(scores, new).astype(np.float64)
    volume = torch.from_numpy(np.ascontiguousarray(scores)).double()[None]
    return torch.nn.functional.interpolate(volume, size=new, mode="trilinear", align_corners=False)[0].numpy()


def random_head(random, outputs, features):
    return Head(random.normal(size=(outputs, features)), random.normal(size=outputs))


@given(
    classes=st.integers(1, 40),
    old=SHAPES,
    new=WIDE_SHAPES,
    features=st.integers(0, 5),
    half=st.booleans(),
    smooth=st.booleans(),
)
@settings(deadline=None, max_examples=60)
def test_a_label_is_the_class_of_the_highest_interpolated_score(classes, old, new, features, half, smooth):
    random = np.random.default_rng(classes)
    taken = random.normal(size=(features or classes, *old)).astype(np.float16 if half else np.float32)
    if smooth:  # then most classes are out of the question
        taken *= 0.01
        taken += 10 * random.normal(size=(len(taken), 1, 1, 1)).astype(taken.dtype)
    head = random_head(random, classes, features) if features else None
    labels = painted(taken, new, head=head)
    naive = interpolated(taken.astype(np.float32) if head is None else head.scores(taken), new)
    chosen = np.take_along_axis(naive, labels[None].astype(np.int64), axis=0)[0]
    np.testing.assert_allclose(chosen, naive.max(axis=0), atol=1e-5 * max(1, abs(naive).max()))


@pytest.mark.parametrize("smooth", [False, True])
@pytest.mark.parametrize("classes", [2, 17, 117])
def test_only_ties_within_rounding_differ_from_the_naive_float32_computation(classes, smooth):
    import torch

    random, old, new = np.random.default_rng(classes), (5, 9, 14), (16, 29, 45)
    scores = random.normal(size=(classes, *old)).astype(np.float32)
    if smooth:
        scores = resample(random.normal(size=(classes, 2, 2, 2)), old) * 5 + scores * np.float32(0.05)
    labels = painted(scores, new)
    volume = torch.from_numpy(scores)[None]
    naive = torch.nn.functional.interpolate(volume, size=new, mode="trilinear", align_corners=False)[0].argmax(dim=0)
    differing = labels != naive.numpy()
    exact = np.sort(interpolated(scores, new), axis=0)
    assert differing.mean() < 1e-4, f"{differing.sum()} of {differing.size} labels differ"
    assert (exact[-1] - exact[-2])[differing].max(initial=0) < 1e-5


@given(
    classes=st.integers(1, 20),
    old=st.tuples(*[st.integers(1, 12)] * 3),
    axes=st.sets(st.sampled_from([0, 1, 2])),
    regions=st.booleans(),
)
@settings(deadline=None, max_examples=60)
def test_where_arithmetic_is_exact_so_are_labels_and_ties_go_to_the_lowest_class(classes, old, axes, regions):
    """Of small integers, doubled sizes need only quarters."""
    new = tuple(size * (2 if axis in axes else 1) for axis, size in enumerate(old))
    scores = np.random.default_rng(classes).integers(-2, 3, size=(classes, *old)).astype(np.float32)
    exact = interpolated(scores, new)
    if regions:
        written = list(range(7, 7 + classes))
        expected = np.zeros(new, int)
        for value, logits in zip(written, exact, strict=True):
            expected[logits > 0] = value
        np.testing.assert_array_equal(painted(scores, new, written=written), expected)
    else:
        np.testing.assert_array_equal(painted(scores, new), exact.argmax(axis=0))


def test_classes_that_nearly_win_a_whole_volume_are_not_left_out():
    """All scores lie within what a cell's bounds leave open; only exact comparison finds the pattern."""
    scores = np.ones((3, 6, 6, 40), np.float32)
    scores[1] += np.float32(2**-23) * np.arange(40)  # higher by one step of float32 or more, but in the first column
    labels = painted(scores, (6, 6, 40))
    assert (labels[..., 0] == 0).all()
    assert (labels[..., 1:] == 1).all()


@given(
    old=SHAPES,
    new=st.tuples(st.integers(1, 40), st.integers(1, 20), st.integers(1, 40)),
    features=st.integers(0, 3),
    regions=st.booleans(),
    data=st.data(),
)
@settings(deadline=None, max_examples=50)
def test_slabs_have_the_labels_of_the_whole_bit_for_bit(old, new, features, regions, data):
    random = np.random.default_rng(sum(old))
    taken = random.normal(size=(features or 12, *old)).astype(np.float32)
    head = random_head(random, 12, features) if features else None
    written = list(range(1, 13)) if regions else None
    painter = LabelPainter(old, new, 12, head=head, written=written, threads=1)
    labels = np.zeros(new, np.uint8)
    start = 0
    while start < new[0]:
        outputs = slice(start, data.draw(st.integers(start + 1, new[0])))
        needed = painter.inputs_of(outputs)
        before = data.draw(st.integers(0, needed.start))
        part = np.full_like(taken[:, before:], np.nan)  # what is not needed may not be there yet
        part[:, needed.start - before : needed.stop - before] = taken[:, needed]
        painter.paint(part, before, outputs, labels[outputs])
        start = outputs.stop
    np.testing.assert_array_equal(labels, painted(taken, new, head=head, written=written))


@given(old=st.integers(1, 30), new=st.integers(1, 30))
@settings(deadline=None, max_examples=60)
def test_inputs_and_finished_outputs_are_those_that_an_impulse_shows(old, new):
    impulses = np.eye(old, dtype=np.float32)[..., None, None]
    seen = resample(impulses, (new, 1, 1))[..., 0, 0] > 0  # (input, output)
    painter = LabelPainter((old, 1, 1), (new, 1, 1), 2)
    for start, stop in itertools.combinations(range(new + 1), 2):
        needed = np.flatnonzero(seen[:, start:stop].any(axis=1))
        assert painter.inputs_of(slice(start, stop)) == slice(needed[0], needed[-1] + 1)
    for inputs in range(old + 1):
        ready = ~seen[inputs:].any(axis=0)
        assert painter.finished(inputs) == (new if ready.all() else int(ready.argmin()))


@pytest.mark.parametrize("order", list(itertools.permutations((0, 1, 2))))
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_arrays_may_be_views_of_any_strides(order, dtype):
    random = np.random.default_rng(3)
    scores, new = random.normal(size=(4, 5, 6, 7)).astype(np.float32), (9, 8, 40)
    expected = painted(scores, new)
    back = np.argsort(order)
    turned = np.ascontiguousarray(scores.transpose(0, *(np.array(order) + 1))).transpose(0, *(back + 1))
    around = np.full([new[axis] + 4 for axis in order], 77, dtype).transpose(back)
    inside = around[2:-2, 2:-2, 2:-2][:, ::-1]
    painter = LabelPainter((5, 6, 7), new, 4)
    painter.paint(turned[:, :, :, ::-1][..., ::-1], 0, slice(0, 9), inside)
    np.testing.assert_array_equal(inside, expected)
    inside[...] = 77
    assert (around == 77).all(), "written beside the labels"


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32])
def test_labels_are_written_into_whatever_unsigned_integers_hold_them(dtype):
    scores = np.random.default_rng(4).normal(size=(200, 3, 4, 5)).astype(np.float32)
    np.testing.assert_array_equal(painted(scores, (5, 6, 21), dtype=dtype), painted(scores, (5, 6, 21)))


def test_values_of_regions_may_need_32_bits():
    scores = np.array([1, -1, 1, 1], np.float32).reshape(2, 1, 1, 2)
    assert painted(scores, (1, 1, 2), written=[5, 3_000_000_000], dtype=np.uint32).tolist() == [[[3_000_000_000] * 2]]


@pytest.mark.parametrize("threads", [2, 5])
def test_threads_change_nothing(threads):
    scores = np.random.default_rng(5).normal(size=(6, 7, 20, 20)).astype(np.float32)
    new = (15, 64, 150)
    np.testing.assert_array_equal(painted(scores, new, threads=threads), painted(scores, new))


def test_a_painter_may_be_used_by_several_threads_at_a_time():
    scores = np.random.default_rng(6).normal(size=(6, 7, 20, 20)).astype(np.float32)
    painter = LabelPainter((7, 20, 20), (15, 64, 70), 6, threads=2)
    results = np.zeros((4, 15, 64, 70), np.uint8)
    users = [threading.Thread(target=painter.paint, args=(scores, 0, slice(0, 15), result)) for result in results]
    for user in users:
        user.start()
    for user in users:
        user.join()
    assert (results == painted(scores, (15, 64, 70))).all()


@pytest.mark.parametrize("features", [0, 3])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("new", [(6, 7, 8), (4, 20, 40), (2, 3, 1)])
def test_what_is_not_finite_is_never_painted_over(features, value, dtype, new):
    random, old = np.random.default_rng(7), (4, 5, 6)
    head = random_head(random, 8, features) if features else None
    for place in ((0, 0, 0, 0), (2, 3, 4, 5), (1, 1, 0, 5)):
        taken = random.normal(size=(features or 8, *old)).astype(dtype)
        taken[place] = value
        with pytest.raises(FloatingPointError, match="NaN or infinity"):
            painted(taken, new, head=head)


def test_scores_that_only_the_head_makes_infinite_are_refused():
    head = Head(np.full((2, 2), 1e38), np.zeros(2))
    with pytest.raises(FloatingPointError):
        painted(np.full((2, 3, 3, 3), 100, np.float32), (5, 5, 5), head=head)


@pytest.mark.parametrize("features", [0, 4])
@pytest.mark.parametrize("new", [(40, 96, 96), (9, 20, 100), (20, 30, 40)])
def test_no_more_memory_is_taken_than_was_said(features, new):
    random, old = np.random.default_rng(8), (20, 30, 40)
    head = random_head(random, 50, features) if features else None
    painter = LabelPainter(old, new, 50, head=head, threads=1)
    taken, labels = random.normal(size=(features or 50, *old)).astype(np.float16), np.zeros(new, np.uint8)
    tracemalloc.start()
    painter.paint(taken, 0, slice(0, new[0]), labels)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most <= painter.extra_bytes


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"first": 1}, "input slices 0 to 4 are needed, 1 to 5 given"),
        ({"part": np.zeros((3, 4, 5, 6), np.float32)}, "a part of shape"),
        ({"part": np.zeros((2, 4, 5, 7), np.float32)}, "a part of shape"),
        ({"into": np.zeros((7, 9, 10), np.uint8)}, "labels of shape"),
        ({"into": np.zeros((8, 9, 10), np.int8)}, "do not fit into int8"),
        ({"outputs": slice(3, 3)}, "are not slices"),
        ({"outputs": slice(0, 8, 2)}, "are not slices"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(change, message):
    arguments = {"part": np.zeros((2, 4, 5, 6), np.float32), "first": 0, "outputs": slice(0, 8)}
    arguments |= {"into": np.zeros((8, 9, 10), np.uint8)} | change
    with pytest.raises(ValueError, match=message):
        LabelPainter((4, 5, 6), (8, 9, 10), 2).paint(**arguments)


def test_values_and_heads_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="3 regions and 2 values"):
        LabelPainter((1, 1, 1), (1, 1, 1), 3, written=[1, 2])
    with pytest.raises(ValueError, match="a head of 2 outputs"):
        LabelPainter((1, 1, 1), (1, 1, 1), 3, head=Head(np.zeros((2, 1)), np.zeros(2)))
    with pytest.raises(ValueError, match="up to 256 do not fit into uint8"):
        painted(np.zeros((1, 1, 1, 1), np.float32), (1, 1, 1), written=[256], dtype=np.uint8)
