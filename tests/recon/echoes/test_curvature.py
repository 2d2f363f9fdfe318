"""The bowl that a receive coil's phase has."""

import numpy as np
import pytest

from napari_qsm.recon.echoes import laplacian_sum, weighted
from napari_qsm.recon.echoes.curvature import without_bowl
from napari_qsm.recon.fourier import forward_field

VOXEL_MM = (2.0, 2.0, 2.5)
SHAPE = (44, 40, 34)


@pytest.fixture(scope="module")
def head():
    """Field of balls inside a mask, of a far source, and where r is, ppm and mm."""
    at = np.meshgrid(
        *((np.arange(n) - n / 2) * h for n, h in zip(SHAPE, VOXEL_MM, strict=True)), indexing="ij"
    )
    x, y, z = at
    mask = (x / 40) ** 2 + (y / 36) ** 2 + (z / 38) ** 2 < 1
    rng = np.random.default_rng(5)
    chi = np.zeros(SHAPE)
    for _ in range(30):
        middle = rng.uniform(-22, 22, 3)
        apart = sum((a - m) ** 2 for a, m in zip(at, middle, strict=True))
        chi[apart < rng.uniform(3, 7) ** 2] = rng.uniform(-0.1, 0.15)
    tissue = forward_field(chi * mask, VOXEL_MM, (0, 0, 1))
    r2 = x**2 + y**2 + (z + 70) ** 2
    background = 1e5 * (3 * (z + 70) ** 2 - r2) / r2**2.5
    return tissue + background, mask, x, y, z


@pytest.mark.parametrize("bowl_ppm_per_mm2", [8e-5, -4e-5, 0.0])
def test_the_bowl_goes_and_the_field_stays(head, bowl_ppm_per_mm2):
    field, mask, x, y, z = head
    bowl = bowl_ppm_per_mm2 * ((x - 9) ** 2 + (y + 4) ** 2 + z**2)  # not about the mask's middle
    out = without_bowl(np.where(mask, field + bowl, 0), mask, VOXEL_MM)
    left = (out - field)[mask]
    # What moves the middle of a bowl is linear, and background: it goes with that.
    linear = np.column_stack([np.ones(mask.sum()), x[mask], y[mask], z[mask]])
    left -= linear @ np.linalg.lstsq(linear, left, rcond=None)[0]
    assert left.std() < 0.06 * 8e-5 * (x**2 + y**2 + z**2)[mask].std()
    assert np.all(out[~mask] == 0)


def test_a_thin_mask_is_left_as_it_is(head):
    field, mask, *_ = head
    thin = mask.copy()
    thin[:, :, 20:] = thin[:, :, :14] = False
    assert np.array_equal(without_bowl(field * thin, thin, VOXEL_MM), field * thin)


@pytest.mark.parametrize("method", [weighted, laplacian_sum])
def test_it_is_taken_out_only_where_asked(head, method):
    _, mask, x, y, z = head
    phase = 2e-3 * (x**2 + y**2 + z**2) * mask
    given = (phase[None], mask)
    options = {"echo_times_s": (0.02,), "field_strength_t": 3.0, "voxel_size_mm": VOXEL_MM}
    kept, _ = method(*given, **options)
    gone, _ = method(*given, **options, coil_curvature=True)
    assert kept[mask].std() > 0.02
    assert gone[mask].std() < 1e-3 * kept[mask].std()


def test_an_estimated_offset_leaves_nothing_to_take_out(head):
    field, mask, *_ = head
    phases = np.stack([field * t * mask for t in (0.5, 1.0)])
    options = {"echo_times_s": (0.01, 0.02), "field_strength_t": 3.0, "voxel_size_mm": VOXEL_MM}
    one, _ = weighted(phases, mask, **options)
    other, _ = weighted(phases, mask, **options, coil_curvature=True)
    assert np.array_equal(one, other)
