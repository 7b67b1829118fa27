import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from leanseg.inference.canvas import Canvas
from leanseg.inference.preprocessing import prepare
from leanseg.inference.streaming import finished_slabs
from leanseg.kernels import Head, labels_of_scores
from leanseg.plans import Normalisation, Preprocessing
from leanseg.volumes import Geometry

SIZES = st.tuples(*[st.integers(1, 11)] * 3)
SPACINGS = st.tuples(*[st.sampled_from([0.4, 1.0, 1.7, 3.0])] * 3)
TILE = (5, 4, 6)


def prepared_of(shape, spacing):
    plan = Preprocessing(orientation="SAR", spacing=(1.0, 1.0, 1.0), normalisation=[Normalisation(scheme="none")])
    scan = np.random.default_rng(0).normal(size=(1, *shape)).astype(np.float32)
    return prepare(scan, Geometry(shape, np.diag([-spacing[0], spacing[1], spacing[2], 1.0])), plan)


def classes(tile):
    return np.concatenate([tile, -tile, tile**2 - 0.5, 0.3 * tile + 0.1], axis=1)


def painted(prepared, network, outputs, axis, **options):
    canvas = Canvas(prepared.grid, np.dtype(np.int16), outputs, axis=axis, **options)
    before = canvas.slices_before(TILE[axis], 0.5)
    for slab in finished_slabs(network, prepared.array, TILE, 0.5, axis=axis, before=before):
        canvas.paint(slab)
    return canvas.labels


def whole(prepared, written=None):
    """Scores of the whole image, and their labels, all at once."""
    parts = [slab.array.copy() for slab in finished_slabs(classes, prepared.array, TILE, 0.5)]
    scores = np.concatenate(parts, axis=1)
    expected = np.zeros(prepared.grid.geometry.shape, np.int16)
    prepared.grid.kept(expected)[...] = labels_of_scores(scores, prepared.grid.box_shape, written)
    return scores, expected


@given(shape=SIZES, spacing=SPACINGS, written=st.sampled_from([None, (2, 300, 1, 7)]))
@settings(deadline=None, max_examples=20)
def test_labels_painted_slab_by_slab_are_those_of_all_scores_at_once(shape, spacing, written):
    prepared = prepared_of(shape, spacing)
    _, expected = whole(prepared, written)
    np.testing.assert_array_equal(painted(prepared, classes, 4, 0, written=written), expected)
    for axis in (1, 2):  # other order of additions: only ties within rounding may differ
        differing = painted(prepared, classes, 4, axis, written=written) != expected
        assert differing.sum() <= 1 + 0.002 * differing.size


@given(shape=SIZES, spacing=SPACINGS, seed=st.integers(0, 100))
@settings(deadline=None, max_examples=10)
def test_labels_of_features_are_those_of_scores_but_for_ties(shape, spacing, seed):
    prepared = prepared_of(shape, spacing)
    random = np.random.default_rng(seed)
    head = Head(random.normal(size=(9, 4)), random.normal(size=9))

    def scores(tile):
        return head.scores(classes(tile)[0])[None]

    expected = painted(prepared, scores, 9, 0)
    differing = painted(prepared, classes, 9, 0, head=head) != expected
    assert differing.sum() <= 1 + 0.002 * differing.size
