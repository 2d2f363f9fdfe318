import numpy as np
import pytest

from napari_qsm.errors import GeometryError, MetadataError, QsmError
from napari_qsm.recon.reference.csf import ventricular_fluid
from napari_qsm.recon.stages import get_method, methods

VOXEL = (2.0, 2.0, 2.5)
TIMES = (0.005, 0.012, 0.019)


@pytest.fixture
def chi():
    rng = np.random.default_rng(0)
    return rng.normal(0.03, 0.05, (12, 10, 8)).astype(np.float32)


@pytest.fixture
def mask(chi):
    inside = np.zeros(chi.shape, bool)
    inside[2:10, 2:8, 1:7] = True
    return inside


def run(name, *inputs, **settings):
    return get_method("reference", name).function(*inputs, **settings)


def test_register():
    assert list(methods("reference")) == ["none", "whole-mask", "roi", "csf"]
    for found in methods("reference").values():
        assert found.inputs[:2] == ("chi_ppm", "local_mask")


def test_none_leaves_the_map_alone(chi, mask):
    out, reference = run("none", chi, mask)
    assert reference == 0 and np.array_equal(out, chi)


def test_the_mean_of_the_mask_becomes_zero(chi, mask):
    before = chi.copy()
    out, reference = run("whole-mask", chi, mask)
    assert reference == pytest.approx(chi[mask].astype(float).mean(), abs=1e-9)
    assert abs(out[mask].mean(dtype=float)) < 1e-8
    assert not out[~mask].any() and out.dtype == np.float32
    assert np.array_equal(chi, before)


def test_the_mean_is_summed_in_double_precision():
    chi = np.full((200, 200, 60), 1e-3, np.float32)
    chi[0, 0, 0] = 1e4
    _, reference = run("whole-mask", chi, np.ones(chi.shape, bool))
    assert reference == pytest.approx(1e-3 + 1e4 / chi.size, rel=1e-6)


@pytest.mark.parametrize("offset", [-0.4, 0.0, 2.0])
def test_an_offset_of_the_map_does_not_matter(chi, mask, offset):
    region = mask.copy()
    region[:5] = False
    shifted = chi.astype(float) + offset
    for name, more in (("whole-mask", ()), ("roi", (region,))):
        first, zero = run(name, chi.astype(float), mask, *more)
        second, there = run(name, shifted, mask, *more)
        assert second == pytest.approx(first, abs=1e-12)
        assert there - zero == pytest.approx(offset)


def test_the_mean_of_a_region_becomes_zero(chi, mask):
    region = np.zeros(mask.shape)
    region[3:5, 3:5, 3:5] = 1
    out, reference = run("roi", chi, mask, region)
    assert reference == pytest.approx(chi[3:5, 3:5, 3:5].astype(float).mean())
    assert abs(out[3:5, 3:5, 3:5].mean(dtype=float)) < 1e-8


def test_a_region_that_leaves_the_mask_counts_inside_only_and_says_so(chi, mask):
    region = np.zeros(mask.shape, bool)
    region[:4, 4, 4] = True
    warnings = []
    _, reference = run("roi", chi, mask, region, warn=warnings.append)
    assert reference == pytest.approx(chi[2:4, 4, 4].astype(float).mean())
    assert warnings == ["2 of 4 voxels of the reference region lie outside the mask."]


def test_missing_empty_and_misplaced_regions_are_refused(chi, mask):
    nowhere = np.zeros(mask.shape, bool)
    with pytest.raises(MetadataError, match="none was given"):
        run("roi", chi, mask)
    with pytest.raises(QsmError, match="region is empty"):
        run("roi", chi, mask, nowhere)
    nowhere[0, 0, 0] = True
    with pytest.raises(QsmError, match="outside the mask"):
        run("roi", chi, mask, nowhere)
    with pytest.raises(GeometryError, match="region has shape"):
        run("roi", chi, mask, np.ones((3, 3, 3), bool))


def test_empty_masks_and_maps_with_nan_are_refused(chi, mask):
    with pytest.raises(QsmError, match="mask is empty"):
        run("whole-mask", chi, np.zeros_like(mask))
    with pytest.raises(GeometryError, match="its mask has"):
        run("whole-mask", chi, mask[1:])
    chi[5, 5, 5] = np.nan
    with pytest.raises(QsmError, match="not finite inside the mask"):
        run("whole-mask", chi, mask)
    region = np.zeros(mask.shape, bool)
    region[5, 5, 5:7] = True
    with pytest.raises(QsmError, match="not finite inside the reference region"):
        run("roi", chi, mask, region)


# Ventricular fluid.


def brain_with_ventricles(scale=1.0, noise=0.01, seed=0):
    """Magnitudes of a ball of tissue (R2* 18/s) round two cylinders of fluid (1.5/s)."""
    shape = (44, 48, 36)
    x, y, z = np.meshgrid(
        *[(np.arange(n) - (n - 1) / 2) * v for n, v in zip(shape, VOXEL, strict=True)],
        indexing="ij",
        sparse=True,
    )
    mask = (x / 40) ** 2 + (y / 44) ** 2 + (z / 42) ** 2 < 1
    fluid = ((np.abs(x) - 10) ** 2 + z**2 < (5 * scale) ** 2) & (np.abs(y) < 20 * scale)
    # Fluid elsewhere, larger, that must not be taken.
    sulcus = (x**2 + (z - 36) ** 2 < 49) & (np.abs(y) < 25)
    rate = np.where(fluid | sulcus, 1.5, 18.0)
    decay = np.stack([np.exp(-t * rate) for t in TIMES]) * mask
    rng = np.random.default_rng(seed)
    noisy = np.hypot(decay + noise * rng.standard_normal(decay.shape),
                     noise * rng.standard_normal(decay.shape))  # fmt: skip
    return (700 * noisy).astype(np.float32), mask, fluid & mask


@pytest.mark.parametrize("seed", [0, 1])
def test_the_ventricles_are_found_and_become_zero(seed):
    magnitude, mask, fluid = brain_with_ventricles(seed=seed)
    found = ventricular_fluid(magnitude, TIMES, mask, VOXEL)
    assert (found & ~fluid).sum() <= 0.02 * found.sum()
    assert found.sum() > 0.5 * fluid.sum()
    chi = np.where(fluid, 0.02, -0.03).astype(np.float32)
    out, reference = run("csf", chi, mask, magnitude, TIMES, VOXEL)
    assert reference == pytest.approx(0.02, abs=0.002)
    assert abs(out[found].mean(dtype=float)) < 1e-7


def test_flips_flip_the_fluid():
    magnitude, mask, _ = brain_with_ventricles()
    found = ventricular_fluid(magnitude, TIMES, mask, VOXEL)
    for axis in range(3):
        flipped = ventricular_fluid(np.flip(magnitude, axis + 1), TIMES, np.flip(mask, axis), VOXEL)
        assert np.array_equal(flipped, np.flip(found, axis))


def test_the_unit_of_the_magnitude_does_not_matter():
    magnitude, mask, _ = brain_with_ventricles()
    found = ventricular_fluid(magnitude, TIMES, mask, VOXEL)
    assert np.array_equal(ventricular_fluid(magnitude * 0.001, TIMES, mask, VOXEL), found)


@pytest.mark.parametrize("case", ["slit ventricles", "no fluid", "noise"])
def test_it_refuses_rather_than_guesses(case):
    magnitude, mask, _ = brain_with_ventricles(
        scale={"slit ventricles": 0.45, "no fluid": 0.0, "noise": 1.0}[case],
        noise=0.4 if case == "noise" else 0.01,
    )
    chi = np.zeros(mask.shape, np.float32)
    with pytest.raises(QsmError, match=r"not found: only .* cm³"):
        run("csf", chi, mask, magnitude, TIMES, VOXEL)


def test_one_echo_is_not_enough():
    magnitude, mask, _ = brain_with_ventricles()
    chi = np.zeros(mask.shape, np.float32)
    for given, times in ((None, ()), (magnitude[:1], TIMES[:1]), (magnitude, ())):
        with pytest.raises(MetadataError, match="two echo times"):
            run("csf", chi, mask, given, times, VOXEL)


def test_the_built_in_head(multi_echo_head):
    head = multi_echo_head
    magnitude = np.stack([v.data for v in head.scan.magnitude])
    mask = np.asarray(head.mask.data) > 0
    found = ventricular_fluid(
        magnitude, head.scan.echo_times_s, mask, head.mask.voxel_size_mm, smallest_mm3=300.0
    )
    assert (np.asarray(head.r2star.data)[found] < 5).mean() > 0.8
    ventricles = np.isin(head.labels.data, (17, 18))
    apart = head.chi.data[found].mean() - np.median(head.chi.data[ventricles])
    assert abs(apart) < 0.005
