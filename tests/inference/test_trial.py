import numpy as np

from leanseg.inference.trial import tried


class Hungry:
    """An engine that takes and gives back some memory for each tile."""

    name, precision = "hungry", "fp32"

    def __call__(self, tile):
        taken = np.ones(50_000_000, dtype=np.uint8)
        return tile + taken[0]


def test_one_tile_tells_what_an_open_engine_takes():
    found = tried(Hungry(), 1, (4, 8, 8))
    assert found.tile == (4, 8, 8)
    assert found.computing >= 45_000_000  # pages of libraries may have left meanwhile
    assert found.process > 10_000_000
