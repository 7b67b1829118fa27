"""What a registration is expected to take."""

import pytest

from leanseg.learning.registration.memory import registration_ram
from leanseg.learning.registration.settings import Settings


@pytest.mark.parametrize(("voxels", "peak"), [(64_260, 400e6), (860_160, 883e6), (6_881_280, 998e6)])
def test_the_peaks_that_were_measured_are_met(voxels, peak):
    assert peak <= registration_ram(voxels) <= 1.1 * peak


def test_scans_that_are_compared_at_every_second_voxel_take_less():
    most = Settings().voxels
    assert registration_ram(4 * most) < registration_ram(3 * most)
