"""Small scans that show something everywhere."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter


@pytest.fixture(scope="session")
def blobs():
    """A function that returns a smooth random scan (D, H, W) of about unit contrast."""

    def make(shape=(16, 18, 14), seed=0, width=1.5):
        noise = np.random.default_rng(seed).standard_normal(shape)
        smooth = gaussian_filter(noise, width)
        return (smooth / smooth.std() + 3).astype(np.float32)

    return make
