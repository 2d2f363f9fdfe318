"""The trend that no field can tell from background."""

import numpy as np
import pytest

from napari_qsm.errors import Cancelled
from napari_qsm.recon.fourier import forward_field
from napari_qsm.recon.inversion.trend import settled

VOXEL_MM = (2.0, 1.5, 3.0)
SHAPE = (48, 56, 30)


@pytest.fixture(scope="module")
def head():
    rng = np.random.default_rng(8)
    at = np.meshgrid(
        *((np.arange(n) - n / 2) * h for n, h in zip(SHAPE, VOXEL_MM, strict=True)), indexing="ij"
    )
    x, y, z = at
    mask = (x / 44) ** 2 + (y / 38) ** 2 + (z / 40) ** 2 < 1
    chi = np.zeros(SHAPE)
    for _ in range(60):
        middle = rng.uniform(-35, 35, 3)
        apart = sum((a - m) ** 2 for a, m in zip(at, middle, strict=True))
        chi[apart < rng.uniform(4, 8) ** 2] = rng.uniform(-0.08, 0.15)
    chi += 0.005 * rng.standard_normal(SHAPE)
    chi = np.where(mask, chi - chi[mask].mean(), 0)
    return chi, mask, x**2 + y**2 + z**2


@pytest.mark.parametrize("rise_ppb", [20.0, -12.0])
def test_a_trend_goes_and_the_rest_stays(head, rise_ppb):
    chi, mask, r2 = head
    bowl = 1e-3 * rise_ppb * r2 / r2[mask].max()
    bowl = np.where(mask, bowl - bowl[mask].mean(), 0)
    out = settled(chi + bowl, mask, VOXEL_MM)
    assert np.abs(out - chi).max() < 2e-3 + 0.15 * np.abs(bowl).max()
    assert abs(out[mask].mean()) < 1e-9
    assert np.all(out[~mask] == 0)


def test_without_a_trend_hardly_anything_changes(head):
    chi, mask, _ = head
    assert np.abs(settled(chi, mask, VOXEL_MM) - chi)[mask].max() < 2e-3


def test_its_field_is_harmonic_whatever_the_direction_of_b0(head):
    """The reason for it all: Laplace's equation on the field of a bowl."""
    sides, n = (2.0, 2.0, 2.0), 32
    at = (np.arange(n) - n / 2 + 0.5) * 2
    r2 = at[:, None, None] ** 2 + at[:, None] ** 2 + at**2
    chi = 1e-3 * r2 / (1 + np.exp((np.sqrt(r2) - 22) / 1.5))  # ends softly: no ringing
    deep = (r2 < 10**2)[1:-1, 1:-1, 1:-1]
    for b0 in ((0, 0, 1), (0.6, 0, 0.8)):
        field = forward_field(chi, sides, b0)
        low, mid, high = field[:-2], field[1:-1], field[2:]
        bends = [(low - 2 * mid + high)[:, 1:-1, 1:-1]]
        bends.append((field[:, :-2] - 2 * field[:, 1:-1] + field[:, 2:])[1:-1, :, 1:-1])
        bends.append((field[..., :-2] - 2 * field[..., 1:-1] + field[..., 2:])[1:-1, 1:-1])
        laplacian = sum(bends)[deep]
        source = 6e-3 * 4  # that of the susceptibility itself, in the same steps
        assert np.abs(laplacian).mean() < 0.1 * source


def test_few_voxels_are_left_as_they_are():
    chi = np.arange(343.0).reshape(7, 7, 7)
    mask = np.ones(chi.shape, bool)
    assert np.array_equal(settled(chi, mask, (1.0, 1.0, 1.0)), chi)


def test_it_can_be_stopped_on_its_way():
    """Settling takes a second on a large scan."""
    chi, mask = np.random.default_rng(0).random((24,) * 3, np.float32), np.ones((24,) * 3, bool)
    asked = []

    def alive():
        asked.append(1)
        if len(asked) == 5:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        settled(chi, mask, VOXEL_MM, alive)
