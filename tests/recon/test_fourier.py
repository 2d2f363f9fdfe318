"""Transforms that leave out lines of zeros, against those of numpy that do not."""

from __future__ import annotations

import numpy as np
import pytest

from napari_qsm.recon.fourier import (
    forward_field,
    irfftn_of_box,
    pad_to,
    quick_forward_field,
    rfftn_of_padded,
)

_A = np.random.default_rng(3).standard_normal((9, 7, 5))
_SHAPE = (20, 16, 12)


@pytest.mark.parametrize("dtype, close", [(np.float64, 1e-12), (np.float32, 1e-5)])
def test_a_padded_volume_has_the_transform_of_the_whole(dtype: type, close: float) -> None:
    found = rfftn_of_padded(_A.astype(dtype), _SHAPE)
    assert found.dtype == np.result_type(dtype, np.complex64)
    np.testing.assert_allclose(found, np.fft.rfftn(pad_to(_A, _SHAPE)), atol=close)


def test_a_box_of_the_inverse_transform_is_that_of_the_whole() -> None:
    spectrum = np.fft.rfftn(pad_to(_A, _SHAPE))
    box = (slice(2, 11), slice(0, 16), slice(3, 4))
    whole = np.fft.irfftn(spectrum, _SHAPE, axes=(0, 1, 2))
    np.testing.assert_allclose(irfftn_of_box(spectrum, _SHAPE, box), whole[box], atol=1e-12)


def test_the_quick_field_is_the_field() -> None:
    grid = ((0.7, 1.0, 2.0), (0.0, 0.6, 0.8))
    known = forward_field(_A, *grid)
    np.testing.assert_allclose(quick_forward_field(_A, *grid), known, atol=1e-6)
