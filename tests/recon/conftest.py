"""One small built-in head for all tests of this folder."""

import pytest


@pytest.fixture(scope="session")
def head():
    from napari_qsm.phantom import SMALL, make_head

    return make_head("control", **SMALL, seed=3)


@pytest.fixture(scope="session")
def multi_echo_head():
    from napari_qsm.phantom import SMALL, make_head

    return make_head("patient", **SMALL, seed=4, echo_times_s=(0.006, 0.013, 0.020))
