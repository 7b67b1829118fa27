import numpy as np

from leanseg.inference.constant_tiles import ConstantTiles, TileCount


class Counted:
    """An engine that reuses its memory and counts what it computes."""

    name, precision = "counted", "fp32"

    def __init__(self):
        self.calls = 0
        self.memory = np.zeros((1, 2, 2, 3, 4), np.float32)

    def __call__(self, tile):
        self.calls += 1
        self.memory[0, 0] = tile[0].sum(axis=0) * np.arange(4)
        self.memory[0, 1] = self.calls
        return self.memory


def tile_of(*values):
    return np.stack([np.full((2, 3, 4), value, np.float32) for value in values])[None]


def test_a_constant_tile_is_computed_once_and_its_answer_survives_others():
    engine, count = Counted(), TileCount()
    network = ConstantTiles(engine, count)
    first = network(tile_of(1, 2)).copy()
    network(np.random.default_rng(0).normal(size=(1, 2, 2, 3, 4)).astype(np.float32))
    np.testing.assert_array_equal(network(tile_of(1, 2)), first)
    assert (engine.calls, count) == (2, TileCount(asked=3, known=1))


def test_tiles_that_differ_in_one_bit_are_computed():
    engine, count = Counted(), TileCount()
    network = ConstantTiles(engine, count)
    network(tile_of(0, 2))
    almost = tile_of(0, 2)
    almost[0, 1, 1, 1, 1] = np.nextafter(np.float32(2), np.float32(3))
    last = tile_of(0, 2)
    last[0, 0, -1, -1, -1] = 1
    for tile in (almost, last, tile_of(-0.0, 2), tile_of(2, 0), tile_of(0, 2)):
        network(tile)
    assert count == TileCount(asked=6, known=0)
    assert engine.calls == 6


def test_it_is_known_by_the_name_of_its_engine():
    network = ConstantTiles(Counted(), TileCount())
    assert (network.name, network.precision, network.head) == ("counted", "fp32", None)
