"""Dipole inversion against definitions, analytic fields, symmetries and bad input."""

import functools

import numpy as np
import pytest
from scipy import ndimage

from napari_qsm.errors import Cancelled, GeometryError, QsmError
from napari_qsm.recon import fourier, inversion
from napari_qsm.recon.inversion import passes
from napari_qsm.recon.inversion.admm import Ending, solve_tv
from napari_qsm.recon.inversion.problem import data_weights, magnitude_edges, prepare
from napari_qsm.recon.stages import methods
from tests.recon.inversion import plain_passes

ITERATIVE = ("star", "tv", "tgv", "weak_harmonic", "medi", "ilsqr", "rts", "ndi")
ALL = (*ITERATIVE, "tkd", "l2")
Z = (0.0, 0.0, 1.0)
OBLIQUE = tuple(np.array([0.2, -0.3, 1.0]) / np.sqrt(1.13))


def invert(name, *arguments, **settings):
    return getattr(inversion, name)(*arguments, **settings)


@pytest.fixture(scope="module")
def brain():
    """A blob with nuclei, its field, and a mask: 30 x 27 x 22 voxels of 1 x 1 x 1.5 mm."""
    return make_brain()


@pytest.fixture(scope="module")
def straight(brain):
    """The brain's field inverted by each method as it comes, once for all tests."""
    _, field, mask, voxel, b0, _ = brain

    @functools.cache
    def inverted(name):
        found = invert(name, field, mask, voxel, b0)
        found.setflags(write=False)
        return found

    return inverted


def make_brain(noise=5e-4, bleed=0.0, b0=OBLIQUE, dtype=np.float32):
    shape, voxel = (30, 27, 22), (1.0, 1.0, 1.5)
    x, y, z = ((np.arange(n) - n / 2 + 0.5) * v for n, v in zip(shape, voxel, strict=True))
    x, y, z = x[:, None, None], y[None, :, None], z[None, None, :]
    mask = (x / 12) ** 2 + (y / 11) ** 2 + (z / 13) ** 2 < 1
    chi = 0.02 * ((x / 9) ** 2 + (y / 8) ** 2 + (z / 10) ** 2 < 1) * mask
    nuclei = {}
    for name, centre, value in (("a", (5, 0, 0), 0.06), ("b", (-5, 0, 1), 0.12)):
        inside = (x - centre[0]) ** 2 + (y - centre[1]) ** 2 + (z - centre[2]) ** 2 < 3.2**2
        chi = np.where(inside, value, chi)
        nuclei[name] = inside
    if bleed:
        source = (x - 1) ** 2 + (y - 6) ** 2 + (z + 4) ** 2 < 2.3**2
        chi = np.where(source, bleed, chi)
        nuclei["bleed"] = source
    field = fourier.forward_field(chi, voxel, b0)
    field = field + noise * np.random.default_rng(5).standard_normal(shape)
    return chi.astype(dtype), (field * mask).astype(dtype), mask, voxel, b0, nuclei


def nrmse(map_, truth, mask):
    r, t = map_[mask] - map_[mask].mean(), truth[mask] - truth[mask].mean()
    return np.linalg.norm(r - t) / np.linalg.norm(t)


# Definitions


def naive_kernel(shape, voxel, b0):
    """The dipole kernel on the full grid, voxel by voxel of k-space."""
    k = np.stack(
        np.meshgrid(
            *[np.fft.fftfreq(n, v) for n, v in zip(shape, voxel, strict=True)], indexing="ij"
        )
    )
    k2 = (k**2).sum(axis=0)
    k2[0, 0, 0] = 1
    kernel = 1 / 3 - np.tensordot(b0, k, 1) ** 2 / k2
    kernel[0, 0, 0] = 0
    return kernel


@pytest.mark.parametrize("corrected", [False, True])
def test_tkd_is_its_definition(corrected):
    shape, voxel = (15, 9, 25), (0.7, 0.9, 1.6)  # odd and transform-friendly: nothing is padded
    field = np.random.default_rng(0).standard_normal(shape)
    mask = np.ones(shape, bool)
    kernel = naive_kernel(shape, voxel, OBLIQUE)
    inverse = np.where(np.abs(kernel) > 0.2, 1 / np.where(kernel == 0, 1, kernel), 0)
    inverse = np.where(np.abs(kernel) <= 0.2, np.sign(kernel) / 0.2, inverse)
    if corrected:
        inverse /= np.mean(inverse * kernel)
    expected = np.fft.ifftn(np.fft.fftn(field) * inverse).real
    found = inversion.tkd(
        field, mask, voxel, OBLIQUE, threshold=0.2, corrected=corrected, padding_mm=0
    )
    np.testing.assert_allclose(found, expected, atol=1e-10)


def test_l2_is_its_definition():
    shape, voxel, lam = (15, 9, 25), (0.7, 0.9, 1.6), 0.01
    field = np.random.default_rng(0).standard_normal(shape)
    kernel = naive_kernel(shape, voxel, OBLIQUE)
    # The gradient's spectrum by transforming a difference stencil per axis.
    size = np.prod(voxel) ** (1 / 3)
    gradient = 0
    for axis in range(3):
        stencil = np.zeros(shape)
        stencil[0, 0, 0] = -1
        stencil[tuple(1 if a == axis else 0 for a in range(3))] = 1
        gradient = gradient + np.abs(np.fft.fftn(stencil) * size / voxel[axis]) ** 2
    denominator = kernel**2 + lam * gradient
    denominator[0, 0, 0] = 1
    expected = np.fft.ifftn(np.fft.fftn(field) * kernel / denominator).real
    found = inversion.l2(field, np.ones(shape, bool), voxel, OBLIQUE, lambda_l2=lam, padding_mm=0)
    np.testing.assert_allclose(found, expected, atol=1e-10)


def test_tv_reaches_the_minimum_another_solver_finds():
    # The smoothed objective, minimised by L-BFGS on a tiny grid, can only lie a little lower.
    from scipy.optimize import minimize

    _, field, mask, voxel, b0, _ = make_brain(dtype=np.float64)
    cut = np.s_[7:15, 9:17, 9:15]
    problem = prepare(field[cut], mask[cut], voxel, b0, padding_mm=3, support_margin_mm=100)
    lam = 2e-3

    def field_of(image):
        return np.fft.irfftn(np.fft.rfftn(image) * problem.dipole, problem.shape, axes=(0, 1, 2))

    def steps(image):
        return [s * (np.roll(image, -1, a) - image) for a, s in enumerate(problem.scales)]

    def objective(image):
        misfit = problem.weight * (field_of(image) - problem.field)
        return 0.5 * (misfit**2).sum() + lam * sum(np.abs(d).sum() for d in steps(image))

    def smooth(values):
        image = values.reshape(problem.shape)
        misfit = problem.weight**2 * (field_of(image) - problem.field)
        value = 0.5 * ((field_of(image) - problem.field) ** 2 * problem.weight**2).sum()
        slope = field_of(misfit)
        for axis, (d, s) in enumerate(zip(steps(image), problem.scales, strict=True)):
            length = np.sqrt(d**2 + 1e-10)
            value += lam * length.sum()
            part = lam * s * d / length
            slope += np.roll(part, 1, axis) - part
        return value, slope.ravel()

    start = np.zeros(problem.field.size)
    reference = minimize(smooth, start, jac=True, method="L-BFGS-B", options={"maxiter": 300})
    found = solve_tv(problem, lam, Ending(400, 0.0), lambda _: None)
    other = objective(reference.x.reshape(problem.shape))
    assert objective(found) < other * 1.002
    assert objective(found) < 0.9 * objective(0 * found)


# Analytic fields


@pytest.mark.parametrize("name", ITERATIVE)
@pytest.mark.parametrize("voxel", [(1.0, 1.0, 1.0), (0.8, 0.8, 1.5)])
def test_sphere(name, voxel):
    # Outside a sphere f = chi/3 (a/r)³ (3cos² - 1); inside it is zero (Lorentz-corrected).
    chi, radius = 0.1, 6.0
    shape = tuple(int(34 / v) for v in voxel)
    grid = np.meshgrid(
        *[(np.arange(n) - n / 2 + 0.5) * v for n, v in zip(shape, voxel, strict=True)],
        indexing="ij",
    )
    r = np.sqrt(sum(g**2 for g in grid))
    along = sum(b * g for b, g in zip(OBLIQUE, grid, strict=True))
    field = np.where(r > radius, chi / 3 * (radius / r) ** 3 * (3 * (along / r) ** 2 - 1), 0)
    mask = r < 16
    found = invert(name, field.astype(np.float32), mask, voxel, OBLIQUE)
    inside = found[r < radius - 1.5].mean()
    outside = found[(r > radius + 1.5) & (r < 13)].mean()
    # Stopped early, least squares leaves what the kernel hardly shows near zero: big bodies are pale.
    pale = name in ("ilsqr", "rts", "ndi")
    assert inside - outside == pytest.approx(chi, rel=0.4 if pale else 0.06)


def test_cylinder_across_the_field():
    # Across B0: outside f = chi/2 (a/r)² cos 2phi, inside -chi/6.
    chi, radius = 0.1, 4.0
    x, y = np.meshgrid(np.arange(32) - 15.5, np.arange(32) - 15.5, indexing="ij")
    r2 = x**2 + y**2
    plane = np.where(r2 > radius**2, chi / 2 * radius**2 * (x**2 - y**2) / r2**2, -chi / 6)
    # Periodic along the cylinder, so the mask leaves the ends open.
    field = np.repeat(plane[:, :, None], 48, axis=2).astype(np.float32)
    mask = np.repeat((r2 < 14**2)[:, :, None], 48, axis=2)
    found = inversion.tv(field, mask, (1, 1, 1), (1.0, 0.0, 0.0))[:, :, 18:30]
    r = np.sqrt(r2)
    step = found[r < radius - 1].mean() - found[(r > radius + 1) & (r < 11)].mean()
    assert step == pytest.approx(chi, rel=0.1)


@pytest.mark.parametrize(("name", "limit"), [("star", 0.2), ("tv", 0.2), ("medi", 0.2)])
def test_regions_come_out_right(brain, straight, name, limit):
    chi, _, mask, _, _, nuclei = brain
    found = straight(name)
    assert nrmse(found, chi, mask) < limit
    step = found[nuclei["b"]].mean() - found[nuclei["a"]].mean()
    assert step == pytest.approx(0.06, rel=0.07)


# Symmetries


@pytest.mark.parametrize("name", ALL)
def test_scale_of_the_field_is_the_scale_of_the_map(brain, straight, name):
    # Echo time and field strength only enter the conversion to ppm before this stage. The
    # methods with a lambda in ppm follow when the lambda is scaled with the field.
    _, field, mask, voxel, b0, _ = brain
    scaled = {
        "tv": {"lambda_ppm": 1e-4},
        "star": {"lambda_ppm": 1e-4, "strong_lambda_ppm": 2e-3, "threshold_ppm": 0.4},
        "medi": {"lambda_ppm": 1e-4, "radians_per_ppm": 8.0},
        "tgv": {"lambda_ppm": 1e-4},
        "weak_harmonic": {"lambda_ppm": 1e-4},
        "rts": {"lambda_ppm": 2e-3},
        "ndi": {"radians_per_ppm": 8.0},
    }
    once = straight(name)
    twice = invert(name, 2 * field, mask, voxel, b0, **scaled.get(name, {}))
    np.testing.assert_allclose(twice, 2 * once, atol=2e-4 * np.abs(once).max())


@pytest.mark.parametrize("name", ALL)
def test_flips_and_permutations(brain, name):
    _, field, mask, voxel, b0, _ = brain
    magnitude = 1 + ndimage.gaussian_filter(mask.astype(float), 2)
    extra = (magnitude[None],) if name in ITERATIVE else ()
    straight = invert(name, field, mask, voxel, b0, *extra)
    flipped = invert(
        name,
        field[::-1, :, ::-1],
        mask[::-1, :, ::-1],
        voxel,
        (-b0[0], b0[1], -b0[2]),
        *(m[:, ::-1, :, ::-1] for m in extra),
    )
    tolerance = 2e-3 * np.abs(straight).max()
    np.testing.assert_allclose(flipped[::-1, :, ::-1], straight, atol=tolerance)
    turned = invert(
        name,
        field.transpose(2, 0, 1),
        mask.transpose(2, 0, 1),
        (voxel[2], voxel[0], voxel[1]),
        (b0[2], b0[0], b0[1]),
        *(m.transpose(0, 3, 1, 2) for m in extra),
    )
    np.testing.assert_allclose(turned.transpose(1, 2, 0), straight, atol=tolerance)


@pytest.mark.parametrize("name", ALL)
def test_precision_of_the_input_is_kept(brain, straight, name):
    _, field, mask, voxel, b0, _ = brain
    single = straight(name)
    double = invert(name, field.astype(np.float64), mask, voxel, b0)
    assert single.dtype == np.float32
    assert double.dtype == np.float64
    np.testing.assert_allclose(single, double, atol=2e-3 * np.abs(double).max())


def test_constant_in_the_field_hardly_matters(brain, straight):
    # Inside a closed mask a constant is the field of no tissue; sources outside take it up.
    chi, field, mask, voxel, b0, _ = brain
    shifted = np.where(mask, field + np.float32(0.005), 0)
    found = straight("tv")
    moved = inversion.tv(shifted, mask, voxel, b0)
    assert nrmse(moved, found, mask) < 0.25
    assert nrmse(inversion.l2(shifted, mask, voxel, b0), chi, mask) > nrmse(moved, chi, mask)


def test_nothing_outside_the_mask_counts(brain, straight):
    _, field, mask, voxel, b0, _ = brain
    dirty = np.where(mask, field, np.nan)
    for name in ALL:
        found = invert(name, dirty, mask, voxel, b0)
        np.testing.assert_array_equal(found, straight(name))
        assert not found[~mask].any()


def test_empty_surroundings_do_not_matter(brain, straight):
    # The padded grid may differ in size by a little, never in what it holds.
    _, field, mask, voxel, b0, _ = brain
    wide = np.pad(field, 7), np.pad(mask, 7)
    inner = (slice(7, -7),) * 3
    for name in ALL:
        np.testing.assert_array_equal(invert(name, *wide, voxel, b0)[inner], straight(name))


# Strong sources


def test_star_is_tv_where_nothing_is_strong(straight):
    np.testing.assert_array_equal(straight("star"), straight("tv"))


def test_star_beats_tv_round_a_bleed():
    chi, field, mask, voxel, b0, nuclei = make_brain(bleed=1.0)
    # In the bleed the signal is gone and the phase with it, and at its rim unwrapping fails.
    rng = np.random.default_rng(1)
    broken = ndimage.binary_dilation(nuclei["bleed"]) & mask
    field = field + (broken * rng.normal(0, 0.08, mask.shape)).astype(np.float32)
    star = inversion.star(field, mask, voxel, b0)
    tv = inversion.tv(field, mask, voxel, b0)
    around = mask & ~ndimage.binary_dilation(nuclei["bleed"], iterations=2)
    assert nrmse(star, chi, mask) < nrmse(tv, chi, mask)
    assert (star - chi)[around].std() < (tv - chi)[around].std()


def test_star_does_not_shrink_strong_sources():
    chi, field, mask, voxel, b0, nuclei = make_brain(bleed=1.0)
    found = inversion.star(field, mask, voxel, b0)
    core = ndimage.binary_erosion(nuclei["bleed"])
    step = found[core].mean() - found[mask].mean()
    assert step == pytest.approx(1.0 - chi[mask].mean(), rel=0.05)


# Weights and edges


def test_noisy_voxels_are_trusted_less(brain):
    chi, field, mask, voxel, b0, _ = brain
    bad = np.zeros(mask.shape, bool)
    bad[20:24, 12:16, 9:13] = True
    bad &= mask
    spoilt = np.where(bad, field + np.float32(0.05), field)
    noise = np.where(bad, 0.1, 1e-3)
    plain = inversion.tv(spoilt, mask, voxel, b0, outlier_sd=0.0)
    weighted = inversion.tv(spoilt, mask, voxel, b0, None, noise, outlier_sd=0.0)
    robust = inversion.tv(spoilt, mask, voxel, b0)
    assert nrmse(weighted, chi, mask) < 0.7 * nrmse(plain, chi, mask)
    assert nrmse(robust, chi, mask) < nrmse(plain, chi, mask)


def test_trust():
    mask = np.ones((2, 2, 2), bool)
    noise = np.full((2, 2, 2), 1.0)
    noise[0, 0] = (8.0, np.inf)
    noise[0, 1, 0] = 0  # no voxel is free of noise: nothing is known about this one
    expected = np.ones((2, 2, 2))
    expected[0, 0] = (2 / 8, 0)
    expected[0, 1, 0] = 0
    np.testing.assert_allclose(data_weights(mask, None, noise), expected)
    assert data_weights(mask, None, None) is None
    np.testing.assert_allclose(data_weights(mask, np.full((3, 2, 2, 2), 5.0), None), 1)


def test_zero_magnitude_is_reported_and_ignored(brain):
    _, field, mask, voxel, b0, _ = brain
    said = []
    found = inversion.tv(field, mask, voxel, b0, np.zeros((1, *mask.shape)), warn=said.append)
    assert len(said) == 1
    assert "magnitude" in said[0]
    np.testing.assert_array_equal(found, inversion.tv(field, mask, voxel, b0))


def test_edges_lie_where_the_magnitude_steps(brain):
    _, field, mask, voxel, b0, _ = brain
    problem = prepare(field, mask, voxel, b0)
    magnitude = np.zeros(mask.shape)
    magnitude[15:] = 1
    bits = magnitude_edges(magnitude[problem.box], problem, 0.3)
    start = problem.box[0].start
    assert set(np.unique(np.nonzero(bits)[0])) == {14 - start}
    assert set(np.unique(bits)) == {0, 1}
    both = problem.mask & np.roll(problem.mask, -1, 0)
    assert (bits == 1)[14 - start].sum() == both[14 - start].sum()


def test_magnitude_edges_sharpen(brain):
    chi, field, mask, voxel, b0, _ = brain
    magnitude = (1 - 3 * chi)[None]
    plain = inversion.tv(field, mask, voxel, b0, magnitude, edge_fraction=0.0, lambda_ppm=5e-4)
    edged = inversion.tv(field, mask, voxel, b0, magnitude, edge_fraction=0.3, lambda_ppm=5e-4)
    assert nrmse(edged, chi, mask) < nrmse(plain, chi, mask)


# Compiled passes against plain numpy


def test_passes_agree():
    rng = np.random.default_rng(0)
    for shape in ((7, 9, 12), (1, 5, 6), (33, 3, 2), (20, 6, 7)):

        def image(*lead, shape=shape):
            return rng.standard_normal((*lead, *shape)).astype(np.float32)

        for edges in (np.zeros((0, 0, 0), np.uint8), rng.integers(0, 8, shape, dtype=np.uint8)):
            chi, v = image(), image(3)
            results = []
            for module in (plain_passes, passes):
                mine, out = v.copy(), image()
                module.shrink(chi, mine, out, (0.3, 0.5, 0.7), (1.0, 1.3, 0.5), edges, 0.2, 1.6)
                results.append((mine, out))
            for a, b in zip(*results, strict=True):
                np.testing.assert_allclose(a, b, atol=1e-5)
        support = rng.random(shape) > 0.5
        weight = rng.random(shape).astype(np.float32)
        weight[rng.random(shape) > 0.7] = 0
        field, q, target, model = (image() for _ in range(4))
        spectra = [rng.standard_normal((*shape, 2)).view(complex)[..., 0] for _ in range(2)]
        dipole, inverse = image(), np.abs(image())
        calls = {
            "confine": ((field,), (q, target), (support, 2.0, 1.6)),
            "fit_field": ((), (field, q), (target, weight, 1.6)),
            "fit_phase": ((), (field, q, model), (target, weight, 1.6, 0.3, 9.0)),
            "solve": ((), tuple(s.astype(np.complex64) for s in spectra), (dipole, inverse, 3.0)),
        }
        for name, (before, changed, after) in calls.items():
            copies = [[a.copy() for a in changed] for _ in range(2)]
            for module, mine in zip((plain_passes, passes), copies, strict=True):
                getattr(module, name)(*before, *mine, *after)
            for a, b in zip(*copies, strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-4, atol=2e-5, err_msg=name)


# Input


@pytest.mark.parametrize("name", ALL)
def test_inputs_stay_and_odd_masks_work(name):
    rng = np.random.default_rng(2)
    shape = (11, 13, 9)
    field = rng.normal(0, 0.01, shape).astype(np.float32)
    for mask in (np.ones(shape, bool), np.indices(shape)[0] < 4):
        held = field.copy(), mask.copy()
        field.flags.writeable = mask.flags.writeable = False
        found = invert(name, field, mask, (1, 1, 2), Z)
        np.testing.assert_array_equal(field, held[0])
        np.testing.assert_array_equal(mask, held[1])
        assert np.isfinite(found).all()
        assert found[mask].std() > 0


@pytest.mark.parametrize("name", ALL)
def test_zero_field_gives_zero(name):
    mask = np.ones((8, 9, 10), bool)
    assert not invert(name, np.zeros((8, 9, 10), np.float32), mask, (1, 1, 1), Z).any()


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"field": "nan"}, QsmError, "NaN"),
        ({"mask": "empty"}, GeometryError, "empty"),
        ({"mask": "slice"}, GeometryError, "at least 3"),
        ({"mask": "other"}, GeometryError, "shape"),
        ({"voxel": (1, 0, 1)}, GeometryError, "voxel size"),
        ({"b0": (0, 0, 3)}, GeometryError, "unit vector"),
    ],
)
def test_bad_input(brain, name, change, error, words):
    _, field, mask, voxel, b0, _ = brain
    field, mask = field.copy(), mask.copy()
    kind = change.get("mask")
    if kind == "empty":
        mask[:] = False
    elif kind == "slice":
        mask[:, :, :10] = mask[:, :, 11:] = False
    elif kind == "other":
        mask = mask[1:]
    if "field" in change:
        field[tuple(np.argwhere(mask)[0])] = np.nan
    with pytest.raises(error, match=words):
        invert(name, field, mask, change.get("voxel", voxel), change.get("b0", b0))


def test_maps_of_other_shapes_are_refused(brain):
    _, field, mask, voxel, b0, _ = brain
    with pytest.raises(GeometryError, match="magnitude"):
        inversion.tv(field, mask, voxel, b0, np.ones((1, 4, 4, 4)))
    with pytest.raises(GeometryError, match="noise"):
        inversion.tv(field, mask, voxel, b0, None, np.ones((4, 4, 4)))


@pytest.mark.parametrize("name", ALL)
def test_progress_rises_to_one_and_can_stop(brain, name):
    _, field, mask, voxel, b0, _ = brain
    seen = []
    invert(name, field, mask, voxel, b0, progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1
    assert len(seen) >= (10 if name in ITERATIVE else 2)

    def stop(fraction):
        if fraction > 0.25:
            raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        invert(name, field, mask, voxel, b0, progress=stop)


def test_register():
    known = dict(methods("inversion"))
    assert known.pop("two-pass").inputs[4:7] == ("phase", "total_field_ppm", "mask")
    assert set(known) == {name.replace("_", "-") for name in ALL}
    for name in (name.replace("_", "-") for name in ITERATIVE):
        renewed = {"total_field_ppm", "mask"} if name in ("star", "tv") else set()
        assert known[name].optional_inputs == {"magnitude", "noise_ppm"} | renewed
    for entry in known.values():
        assert entry.references
        for setting in entry.settings.values():
            setting.check(setting.default, entry.name)
