import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from leanseg.datasets import labels
from leanseg.datasets.labels import count_values


@settings(deadline=None)
@given(st.data())
def test_counts_agree_with_counting_one_by_one(data):
    dtype = data.draw(st.sampled_from([np.uint8, np.int8, np.uint16, np.int32, np.int64]))
    array = data.draw(arrays(dtype, array_shapes(min_dims=3, max_dims=3, max_side=5)))
    values = array.ravel().tolist()
    assert count_values(array) == {value: values.count(value) for value in sorted(set(values))}


def test_blocks_are_added_up(monkeypatch):
    monkeypatch.setattr(labels, "_BLOCK_VOXELS", 7)
    array = np.asfortranarray(np.random.default_rng(0).integers(0, 4, (5, 6, 7), dtype=np.uint8))
    assert count_values(array) == {value: int((array == value).sum()) for value in range(4)}
