"""SWI, tSWI and the projection against formulas written out anew."""

import math

import numpy as np
import pytest

from napari_qsm.errors import MetadataError
from napari_qsm.recon.contrasts import mip, swi, tswi

SIZE_MM = (1.0, 1.0, 2.0)
RNG = np.random.default_rng(7)
SHAPE = (8, 7, 6)
FIELD = RNG.uniform(-1, 1, SHAPE).astype(np.float32)
MAGNITUDE = RNG.uniform(50, 100, (2, *SHAPE)).astype(np.float32)
TIMES = (0.008, 0.02)
B0 = 3.0


def turned(field_ppm, time_s):
    """Phase of a voxel, rad: 2 pi times its frequency, 127.7 Hz a ppm at 3 T, times the time."""
    return 2 * math.pi * 42.577478518 * B0 * field_ppm * time_s


@pytest.mark.parametrize(("darkens", "sign"), [("paramagnetic", 1), ("diamagnetic", -1)])
def test_swi_is_the_mean_of_the_echoes_each_darkened_by_its_own_phase(darkens, sign):
    found = swi(MAGNITUDE, TIMES, SIZE_MM, 2, FIELD, B0, darkens=darkens, power=3)
    for voxel in ((0, 0, 0), (3, 5, 2), (7, 6, 5), (4, 1, 3)):
        expected = 0.0
        for image, time in zip(MAGNITUDE, TIMES, strict=True):
            angle = sign * turned(float(FIELD[voxel]), time)
            weight = 1.0 if angle <= 0 else max(0.0, 1 - angle / math.pi)
            expected += float(image[voxel]) * weight**3 / 2
        assert found[voxel] == pytest.approx(expected, rel=1e-4)
    longest = swi(MAGNITUDE, TIMES, SIZE_MM, 2, FIELD, B0, echoes="longest")
    alone = swi(MAGNITUDE[1:], TIMES[1:], SIZE_MM, 2, FIELD, B0)
    np.testing.assert_array_equal(longest, alone)


def test_without_a_local_field_the_swi_is_the_magnitude():
    found = swi(MAGNITUDE, TIMES, SIZE_MM, 2, np.zeros(SHAPE, np.float32), B0)
    np.testing.assert_allclose(found, MAGNITUDE.mean(axis=0), rtol=1e-6)


def test_the_homodyne_filter_takes_slow_phase_out_and_leaves_a_vein():
    x, y, _ = np.meshgrid(*(np.arange(n) for n in (64, 64, 3)), indexing="ij")
    slow = 2.0 * np.cos(2 * np.pi * x / 64) + 1.0 * np.sin(2 * np.pi * y / 64)
    vein = np.where((x == 20) & (y == 31), 1.2, 0.0)
    flat = np.full((1, *slow.shape), 100.0, np.float32)
    wrapped = np.angle(np.exp(1j * (slow + vein)))[None].astype(np.float32)
    field = np.zeros(slow.shape, np.float32)
    found = swi(flat, (0.02,), (1.0, 1.0, 2.0), 2, field, None, wrapped, (0.02,), source="homodyne")
    around = np.ones(slow.shape, bool)
    around[16:25, 27:36] = False
    assert found[20, 31, 1] < 45  # (1 - 1.2 / pi) ** 4 is 0.146, less what the filter takes of it
    assert np.median(found[around]) > 97
    # Nothing crosses from slice to slice: one slice alone gives the same.
    alone = swi(
        flat[..., :1], (0.02,), (1.0, 1.0, 2.0), 2, field[..., :1], None, wrapped[..., :1],
        (0.02,), source="homodyne",
    )  # fmt: skip
    np.testing.assert_allclose(found[..., :1], alone, rtol=1e-4)


def test_a_short_echo_is_said_to_show_little():
    said = []
    swi(MAGNITUDE[:1], (0.002,), SIZE_MM, 2, FIELD, B0, warn=said.append)
    assert len(said) == 1 and "2 ms" in said[0] and "9°" in said[0]
    said.clear()
    swi(MAGNITUDE, TIMES, SIZE_MM, 2, FIELD, B0, warn=said.append)
    assert not said


def test_tswi_falls_from_one_to_zero_between_its_limits():
    chi = np.array([-0.2, 0.0, 0.25, 0.5, 1.0, 3.0], np.float32).reshape(1, 1, 6)
    images = np.full((2, 1, 1, 6), 80.0, np.float32)
    found = tswi(images, TIMES, chi)
    np.testing.assert_allclose(found.ravel(), [80, 80, 45, 20, 0, 0], atol=1e-4)
    with pytest.raises(MetadataError, match="above from_ppm"):
        tswi(images, TIMES, chi, from_ppm=0.5, to_ppm=0.4)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize(("thickness", "slices"), [(10, 5), (8, 4), (1, 1)])
def test_the_projection_is_the_minimum_of_the_slab_within_the_mask(axis, thickness, slices):
    image = RNG.uniform(1, 2, (6, 7, 8)).astype(np.float32)
    mask = RNG.random(image.shape) > 0.3
    size = [1.0, 1.0, 1.0]
    size[axis] = 2.0
    said = []
    found = mip(image, mask, size, axis, thickness_mm=thickness, warn=said.append)
    assert bool(said) == (slices == 1)
    for voxel in np.ndindex(image.shape):
        first = voxel[axis] - slices // 2
        slab = [
            image[other]
            for k in range(first, first + slices)
            if 0 <= k < image.shape[axis]
            for other in [(*voxel[:axis], k, *voxel[axis + 1 :])]
            if mask[other]
        ]
        assert found[voxel] == (min(slab) if mask[voxel] else 0)


def test_what_is_missing_is_said():
    with pytest.raises(MetadataError, match="magnitude images"):
        swi(None, (), SIZE_MM, 2, FIELD, B0)
    with pytest.raises(MetadataError, match="echo times"):
        tswi(MAGNITUDE, (), FIELD)
    with pytest.raises(MetadataError, match="field strength"):
        swi(MAGNITUDE, TIMES, SIZE_MM, 2, FIELD, None)
    with pytest.raises(MetadataError, match="source=local-field"):
        swi(MAGNITUDE, TIMES, SIZE_MM, 2, FIELD, B0, source="homodyne")
