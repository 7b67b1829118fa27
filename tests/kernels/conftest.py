import pytest

from leanseg.kernels.native import available


@pytest.fixture(params=["native", "numpy"], scope="module")
def way(request):
    """Each of the two ways in which kernels are computed, for all tests of a module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEANSEG_NATIVE", "1" if request.param == "native" else "0")
        if request.param == "native" and not available():
            pytest.skip("the kernels in C were not compiled: make native")
        yield request.param
