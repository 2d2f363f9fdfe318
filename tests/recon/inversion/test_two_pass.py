"""Two passes: what is left out, how the passes are put together, and what that is worth."""

import numpy as np
import pytest

from napari_qsm.errors import Cancelled, GeometryError, QsmError
from napari_qsm.recon import fourier
from napari_qsm.recon.background import vsharp
from napari_qsm.recon.inversion import star, two_pass
from napari_qsm.recon.inversion.two_pass import combined, poor_pieces

B0 = (0.0, 0.0, 1.0)
VOXEL = (1.5, 1.5, 1.5)
SHAPE = (34, 34, 32)


@pytest.fixture(scope="module")
def bled():
    """A nucleus and a bleed whose phase is noise: total field, mask, wrapped phase, the bleed."""
    x, y, z = ((np.arange(n) - n / 2 + 0.5) * 1.5 for n in SHAPE)
    x, y, z = x[:, None, None], y[None, :, None], z[None, None, :]
    mask = x**2 + y**2 + z**2 < 22**2
    nucleus = (x - 8) ** 2 + y**2 + z**2 < 16
    bleed = (x + 7) ** 2 + (y - 2) ** 2 + z**2 < 12
    chi = 0.1 * nucleus + 1.5 * bleed
    field = fourier.forward_field(chi, VOXEL, B0)
    rng = np.random.default_rng(2)
    field = field + 1e-3 * rng.standard_normal(SHAPE)
    field = np.where(bleed, rng.uniform(-0.4, 0.4, SHAPE), field)
    wrapped = np.angle(np.exp(1j * field * 16.0))[None]
    return (field * mask).astype(np.float32), mask, wrapped, bleed, nucleus


def test_only_large_pieces_of_poor_phase_are_left_out(bled):
    _, mask, wrapped, bleed, _ = bled
    noisy = wrapped.copy()
    noisy[0, 17, 10, 17] += 3.0
    poor = poor_pieces(noisy, None, mask, 0.5, 8)
    assert poor[bleed].mean() > 0.95
    assert not poor[15:20, 8:13, 15:20].any()
    assert poor.sum() < 4 * bleed.sum()
    assert not poor_pieces(noisy, None, mask, 0.0, 1).any()


def test_the_first_pass_stands_where_it_is_valid_and_the_second_is_brought_to_it():
    rng = np.random.default_rng(0)
    truth = rng.standard_normal((6, 7, 8))
    whole = np.ones(truth.shape, bool)
    whole[0] = False
    valid = whole.copy()
    valid[2:4] = False
    first, second = np.where(valid, truth, 0), truth - 5.0
    found = combined(first, valid, second, whole)
    np.testing.assert_allclose(found[whole], truth[whole] - truth[whole].mean(), atol=1e-12)
    assert not found[~whole].any()
    with pytest.raises(QsmError, match="no voxel in common"):
        combined(first, ~whole, second, whole)


def test_a_broken_bleed_no_longer_spoils_the_tissue_and_is_still_there(bled):
    field, mask, wrapped, bleed, nucleus = bled
    local, valid = vsharp(field, mask, VOXEL, B0)
    one = star(local, valid, VOXEL, B0)
    two = two_pass(local, valid, VOXEL, B0, wrapped, field, mask)
    assert two.dtype == np.float32 and not two[~valid].any()
    tissue = valid & ~np.roll(bleed, 2, 0) & ~np.roll(bleed, -2, 0) & ~bleed

    def error(chi):
        off = (chi - 0.1 * nucleus)[tissue]
        return (off - off.mean()).std()

    assert error(two) < 0.8 * error(one)
    assert two[bleed].mean() > 0.5 * one[bleed].mean() > 0.2


def test_without_poor_phase_one_pass_is_made_and_said(bled):
    field, mask, wrapped, _, _ = bled
    said = []
    smooth = np.zeros_like(wrapped)
    found = two_pass(field, mask, VOXEL, B0, smooth, field, mask, iterations=3, warn=said.append)
    np.testing.assert_array_equal(found, star(field, mask, VOXEL, B0, iterations=3))
    assert said == ["No phase inside the mask is poor enough to be left out, so one pass was made."]


def test_it_can_be_stopped_in_each_part_and_refuses_what_does_not_fit(bled):
    field, mask, wrapped, _, _ = bled
    told = []
    two_pass(field, mask, VOXEL, B0, wrapped, field, mask, iterations=2, progress=told.append)
    assert told == sorted(told) and told[-1] == 1.0
    for limit in (0.01, 0.1, 0.3, 0.7):

        def stop(fraction, limit=limit):
            if fraction > limit:
                raise Cancelled("stopped")

        with pytest.raises(Cancelled):
            two_pass(field, mask, VOXEL, B0, wrapped, field, mask, iterations=2, progress=stop)
    with pytest.raises(GeometryError, match="phase has shape"):
        two_pass(field, mask, VOXEL, B0, wrapped[:, 1:], field, mask)
