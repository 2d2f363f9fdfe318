"""Background removal: what lies outside goes, what lies inside stays, and odd input is told."""

import itertools

import numpy as np
import pytest
from scipy import ndimage, sparse
from scipy.sparse.linalg import spsolve

from napari_qsm.errors import Cancelled, GeometryError, MetadataError, QsmError
from napari_qsm.recon import background
from napari_qsm.recon.background import balls, depth
from napari_qsm.recon.background.sharp import deconvolve
from napari_qsm.recon.conjugate import conjugate_gradients
from napari_qsm.recon.fourier import dipole_kernel, forward_field, irfftn, kernel_spectrum, rfftn
from napari_qsm.recon.stages import methods, no_progress, no_warning

UP = (0.0, 0.0, 1.0)
SIDES = (2.0, 2.0, 2.0)


def axes(shape, sides=SIDES):
    lines = [(np.arange(n) - (n - 1) / 2) * size for n, size in zip(shape, sides, strict=True)]
    return np.meshgrid(*lines, indexing="ij")


def ellipsoid(shape, sides=SIDES, part=0.8):
    x, y, z = axes(shape, sides)
    semi = [part * n * size / 2 for n, size in zip(shape, sides, strict=True)]
    return (x / semi[0]) ** 2 + (y / semi[1]) ** 2 + (z / semi[2]) ** 2 < 1


def small_head(shape=(48, 54, 44), sides=SIDES, b0=UP, seed=1, dtype=np.float32):
    """Total field, mask and true local field of blobs in an ellipsoid with air beside it."""
    rng = np.random.default_rng(seed)
    x, y, z = axes(shape, sides)
    mask = ellipsoid(shape, sides)
    chi = np.zeros(shape)
    for _ in range(60):
        place = rng.uniform(-0.5, 0.5, 3) * [n * size for n, size in zip(shape, sides, strict=True)]
        r2 = (x - place[0]) ** 2 + (y - place[1]) ** 2 + (z - place[2]) ** 2
        chi += rng.normal(0, 0.1) * np.exp(-r2 / (2 * rng.uniform(2, 4) ** 2))
    chi[mask] -= chi[mask].mean()
    local = forward_field((chi * mask).astype(dtype), sides, b0)
    far = [0.5 * n * size for n, size in zip(shape, sides, strict=True)]
    total = local.copy()
    for place, radius in (((0, 0.3 * far[1], -1.1 * far[2]), 12), ((1.15 * far[0], 0, 0), 9)):
        total += sphere_field((x, y, z), place, radius, 9.4, b0).astype(dtype)
    return total, mask, local


def sphere_field(points, place, radius, chi, b0):
    """Field in ppm outside a sphere: that of a dipole at its centre."""
    way = [a - p for a, p in zip(points, place, strict=True)]
    r = np.maximum(np.sqrt(sum(w * w for w in way)), radius)
    along = sum(b * w for b, w in zip(b0, way, strict=True)) / r
    return chi / 3 * (radius / r) ** 3 * (3 * along**2 - 1)


def remove(
    name, total, mask, sides=SIDES, b0=UP, warn=no_warning, progress=no_progress, **settings
):
    """Run a method by name; ``vsharp/tissue`` names its deconvolution too."""
    name, _, deconvolution = name.partition("/")
    if deconvolution:
        settings["deconvolution"] = deconvolution
    directed = [b0] if name in ("vsharp", "pdf") else []
    function = getattr(background, name)
    return function(total, mask, sides, *directed, **settings, warn=warn, progress=progress)


def differs(a, b):
    """Norm of the difference relative to that of ``b``."""
    return np.linalg.norm(np.subtract(a, b, dtype=np.float64)) / np.linalg.norm(b)


def error(local, truth, mask):
    """Root-mean-square error relative to the truth's spread, both demeaned."""
    r, t = local[mask] - local[mask].mean(), truth[mask] - truth[mask].mean()
    return np.linalg.norm(r - t) / np.linalg.norm(t)


ALL = ("vsharp/none", "vsharp/truncated", "vsharp/tissue", "sharp", "resharp", "ismv", "pdf", "lbv")

#: Iterative methods, stopped early where two runs must take the same way through rounding.
STEADY = {"pdf": {"tolerance": 1e-2}, "vsharp/tissue": {"iterations": 10}}


@pytest.fixture(scope="module")
def head():
    return small_head()


# ---------------------------------------------------------------- balls and depth


def harmonics(x, y, z):
    """Harmonic polynomials with their degrees."""
    r2 = x**2 + y**2
    return (
        (1, x),
        (2, x * y),
        (2, x**2 - z**2),
        (3, x**3 - 3 * x * z**2),
        (4, x**4 - 6 * x**2 * y**2 + y**4),
        (4, 8 * z**4 - 24 * z**2 * r2 + 3 * r2**2),
        (5, x**5 - 10 * x**3 * y**2 + 5 * x * y**4),
    )


@pytest.mark.parametrize("sides", [(1, 1, 1), (0.625, 0.625, 2.0), (1.5, 0.8, 2.2)])
@pytest.mark.parametrize("radius", [3.5, 5.0, 12.0])
def test_ball_means_of_harmonic_fields_are_their_centre(sides, radius):
    weights = balls.balanced_ball(radius, sides)
    x, y, z = axes(weights.shape, sides)
    assert weights.min() >= 0
    assert weights.sum() == pytest.approx(1, abs=1e-12)
    assert (np.sqrt(x**2 + y**2 + z**2)[weights > 0] <= radius * (1 + 1e-9)).all()
    exact = 5 if radius >= 5 else 3  # small balls of long voxels manage degree 2 only
    for degree, values in harmonics(x, y, z):
        if degree <= exact:
            assert (weights * values).sum() == pytest.approx(0, abs=1e-8 * radius**degree)


@pytest.mark.parametrize(("radius", "side"), [(5.0, 4.0), (4.0, 3.0), (3.0, 2.5)])
def test_a_small_ball_of_coarse_voxels_is_a_mean_and_not_its_centre(radius, side):
    weights = balls.balanced_ball(radius, (side, side, side))
    assert (weights > 0.05).sum() == 7


def test_ball_stays_plain_where_it_is_flat():
    weights = balls.balanced_ball(2.0, (0.7, 0.7, 3.0))
    assert weights.shape[2] == 1
    assert np.unique(weights[weights > 0]).size == 1


@pytest.mark.parametrize("shape", [(40, 45, 24), (27, 32, 25), (32, 30, 15)])
def test_transfer_function_equals_that_by_fft(shape):
    weights = balls.balanced_ball(5.0, (0.7, 0.6, 2.0))
    by_fft = kernel_spectrum(weights, shape, np.float64)
    np.testing.assert_allclose(balls.ball_transfer(weights, shape, np.float64), by_fft, atol=1e-12)
    spectrum = rfftn(np.random.default_rng(0).standard_normal(shape))
    out = np.empty_like(spectrum)
    balls.apply_ball(spectrum, weights, shape, out)
    np.testing.assert_allclose(out, spectrum * by_fft, atol=1e-9)


@pytest.mark.parametrize("limit", [3.0, 60.0])
def test_depth_is_the_distance_to_the_nearest_voxel_outside(limit):
    rng = np.random.default_rng(4)
    sides = (0.7, 0.6, 2.0)
    mask = ndimage.gaussian_filter(rng.standard_normal((20, 17, 9)), 1.5) > -0.05
    mask[:4, :, 2:] = True  # touches the edge
    given = depth.depth_mm(mask, sides, limit)
    where = np.argwhere(np.pad(mask, 1)) - 1
    outside = np.argwhere(~np.pad(mask, 1)) - 1
    ways = (where[:, None] - outside[None]) * np.array(sides)
    brute = np.minimum(np.sqrt((ways**2).sum(axis=2)).min(axis=1), limit)
    np.testing.assert_allclose(given[tuple(where.T)], brute, rtol=1e-6)
    assert (given[~mask] == 0).all()


def test_conjugate_gradients_solve_a_small_system():
    rng = np.random.default_rng(2)
    a = rng.standard_normal((24, 24))
    a = a @ a.T + np.eye(24)
    b = rng.standard_normal(24)

    def apply(v):
        return (a @ v.ravel()).reshape(v.shape)

    def divide(v):
        return v / np.diag(a).reshape(v.shape)

    settings = {"progress": no_progress, "warn": pytest.fail}
    x = conjugate_gradients(apply, b.reshape(2, 3, 4), 1e-10, 100, **settings)
    np.testing.assert_allclose(x.ravel(), np.linalg.solve(a, b), rtol=1e-7)
    x = conjugate_gradients(apply, b.reshape(2, 3, 4), 1e-10, 100, precondition=divide, **settings)
    np.testing.assert_allclose(x.ravel(), np.linalg.solve(a, b), rtol=1e-7)
    said = []
    conjugate_gradients(apply, b.reshape(2, 3, 4), 1e-10, 2, progress=no_progress, warn=said.append)
    assert "2 iterations" in said[0]


# ---------------------------------------------------------------- analytic truth


@pytest.mark.parametrize("sides", [(2.0, 2.0, 2.0), (1.5, 1.5, 3.0)])
@pytest.mark.parametrize("name", ALL)
def test_harmonic_background_is_removed(name, sides):
    shape = (40, 42, 28)
    mask = ellipsoid(shape, sides)
    x, y, z = (a / 30 for a in axes(shape, sides))
    total = 0.7 + 2 * x - y + x * y + 1.5 * (x**2 - z**2) + x**3 - 3 * x * z**2
    settings = {"radius_min_mm": 5.0} if name.startswith("vsharp") else {}
    local, local_mask = remove(name, total, mask, sides, **settings)
    assert np.count_nonzero(local_mask) > 0.3 * np.count_nonzero(mask)
    left = local[local_mask].std() / total[local_mask].std()
    # No finite number of outer dipoles makes these fields exactly.
    assert left < (0.03 if name == "pdf" else 3e-4 if name == "lbv" else 1e-6)


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("vsharp/none", 0.65),
        ("vsharp/truncated", 0.55),
        ("vsharp/tissue", 0.37),
        ("sharp", 0.55),
        ("resharp", 0.46),
        ("ismv", 0.50),
        ("pdf", 0.40),
        ("lbv", 0.50),
    ],
)
def test_local_field_is_kept(name, most, head):
    total, mask, truth = head
    inner = ndimage.binary_erosion(mask, iterations=4)
    local, local_mask = remove(name, total, mask)
    assert np.ptp(total[mask]) > 20 * np.ptp(truth[mask])
    assert error(local, truth, inner & local_mask) < most
    assert (local[~local_mask] == 0).all()
    assert not (local_mask & ~mask).any()


def test_estimate_of_tissue_puts_back_what_the_balls_took(head):
    total, mask, truth = head
    none, local_mask = remove("vsharp/none", total, mask)
    tissue, same_mask = remove("vsharp/tissue", total, mask)
    np.testing.assert_array_equal(local_mask, same_mask)
    assert error(tissue, truth, local_mask) < 0.75 * error(none, truth, local_mask)


def test_oblique_field_in_long_voxels_of_odd_numbers():
    b0 = np.array([0.3, -0.4, np.sqrt(0.75)])
    sides = (1.7, 1.9, 3.1)
    total, mask, truth = small_head((53, 49, 27), sides, tuple(b0))
    inner = ndimage.binary_erosion(mask, iterations=3)
    for name in ("pdf", "vsharp/tissue"):
        local, local_mask = remove(name, total, mask, sides, tuple(b0))
        assert error(local, truth, inner & local_mask) < (0.7 if name == "pdf" else 0.3)
    wrong, _ = remove("vsharp/tissue", total, mask, sides, (b0[0], -b0[1], b0[2]))
    assert error(wrong, truth, inner & local_mask) > 0.35


# ---------------------------------------------------------------- definitions


def test_vsharp_equals_direct_convolution():
    rng = np.random.default_rng(5)
    shape, sides = (15, 16, 11), (1.0, 1.2, 2.0)
    mask = ellipsoid(shape, sides, 0.95)
    total = rng.standard_normal(shape)
    local, local_mask = remove(
        "vsharp/none", total, mask, sides, radius_max_mm=5.0, radius_min_mm=2.0, step_mm=1.5
    )
    expected, done = np.zeros(shape), np.zeros(shape, bool)
    for radius in (5.0, 3.5, 2.0):
        weights = balls.balanced_ball(radius, sides)
        fits = ndimage.binary_erosion(mask, weights > 0)
        mean = ndimage.convolve(total, weights, mode="constant")
        here = fits & ~done
        expected[here] = (total - mean)[here]
        done |= fits
    np.testing.assert_array_equal(local_mask, done)
    np.testing.assert_allclose(local, expected, atol=1e-12)


def test_sharp_is_vsharp_with_one_ball(head):
    total, mask, _ = head
    one = remove("sharp", total, mask, radius_mm=6.0, threshold=0.1)
    same = remove(
        "vsharp/truncated", total, mask, radius_max_mm=6.0, radius_min_mm=6.0, threshold=0.1
    )
    np.testing.assert_array_equal(one[0], same[0])
    np.testing.assert_array_equal(one[1], same[1])


def test_truncated_deconvolution_inverts_the_ball_where_it_can():
    rng = np.random.default_rng(0)
    wave = ndimage.gaussian_filter(rng.standard_normal((40, 40, 40)), 1.0)
    wave[:8] = wave[-8:] = wave[:, :8] = wave[:, -8:] = wave[..., :8] = wave[..., -8:] = 0
    weights = balls.balanced_ball(6.0, SIDES)
    high = wave - ndimage.convolve(wave, weights, mode="constant")
    back = deconvolve(high, 6.0, SIDES, 1e-3)
    shift = (back - wave).mean()  # the mean is what no ball lets through
    np.testing.assert_allclose(back - shift, wave, atol=0.02 * np.abs(wave).max())


def test_resharp_solves_its_least_squares_problem():
    rng = np.random.default_rng(6)
    shape, weight = (9, 8, 7), 0.05
    mask = ellipsoid(shape, (1, 1, 1), 1.0)
    total = rng.standard_normal(shape)
    local, local_mask = remove(
        "resharp", total, mask, (1, 1, 1), radius_mm=2.0, regularization=weight, tolerance=1e-6
    )
    ball = balls.balanced_ball(2.0, (1, 1, 1))
    units = np.eye(total.size).reshape(-1, *shape)
    rows = np.stack(
        [(u - ndimage.convolve(u, ball, mode="constant"))[local_mask] for u in units], axis=1
    )
    field = np.where(mask, total, 0).ravel()
    normal = rows.T @ rows + weight * np.eye(total.size)
    expected = np.linalg.solve(normal, rows.T @ (rows @ field)).reshape(shape)
    np.testing.assert_allclose(local[local_mask], expected[local_mask], atol=1e-4)


def test_lbv_solves_its_boundary_value_problem():
    rng = np.random.default_rng(7)
    shape, sides = (13, 12, 10), (1.0, 1.5, 2.5)
    mask = ellipsoid(shape, sides, 0.95)
    total = np.where(mask, rng.standard_normal(shape), np.nan)
    local, _ = remove("lbv", total, mask, sides, peel_mm=0.0, tolerance=1e-6)
    interior = ndimage.binary_erosion(mask)
    number = np.cumsum(interior.ravel()).reshape(shape) - 1
    size = np.count_nonzero(interior)
    matrix, right = sparse.lil_matrix((size, size)), np.zeros(size)
    for voxel in np.argwhere(interior):
        row = number[tuple(voxel)]
        for axis, step in itertools.product(range(3), (-1, 1)):
            other = voxel.copy()
            other[axis] += step
            weight = 1 / sides[axis] ** 2
            matrix[row, row] += weight
            if interior[tuple(other)]:
                matrix[row, number[tuple(other)]] -= weight
            else:
                right[row] += weight * total[tuple(other)]
    expected = total[interior] - spsolve(matrix.tocsr(), right)
    np.testing.assert_allclose(local[interior], expected, atol=1e-5)
    np.testing.assert_allclose(local[mask & ~interior], 0, atol=1e-12)


def test_pdf_leaves_nothing_that_outer_dipoles_explain(head):
    total, mask, _ = head
    noise = np.where(axes(mask.shape)[0] > 0, 2.0, 1.0)
    local, _ = background.pdf(total, mask, SIDES, UP, noise, tolerance=1e-4, max_iterations=400)
    field = np.where(mask, total - total[mask].mean(), 0)

    def seen_outside(f):
        grown = np.pad(f / noise**2, 6)
        kernel = dipole_kernel(grown.shape, SIDES, UP)
        source = irfftn(rfftn(grown) * kernel, grown.shape)
        return np.linalg.norm(source[~np.pad(mask, 6)])

    assert seen_outside(local) < 0.01 * seen_outside(field)


def test_pdf_trusts_voxels_by_noise_or_magnitude(head):
    total, mask, truth = head
    spoilt = mask & (axes(mask.shape)[2] > 20)
    noisy = total + spoilt * np.random.default_rng(3).normal(0, 0.3, mask.shape).astype("f4")
    noise = np.where(spoilt, 0.3, 0.003)
    signal = np.stack([1 / noise, 1 / noise])  # two echoes
    good = ndimage.binary_erosion(mask & ~spoilt, iterations=3)
    plain, _ = background.pdf(noisy, mask, SIDES, UP)
    by_noise, _ = background.pdf(noisy, mask, SIDES, UP, noise)
    by_signal, _ = background.pdf(noisy, mask, SIDES, UP, None, signal)
    assert error(by_noise, truth, good) < error(plain, truth, good)
    np.testing.assert_allclose(by_signal, by_noise, atol=1e-5)


# ---------------------------------------------------------------- invariances


@pytest.mark.parametrize("name", ALL)
def test_offset_scale_and_type_do_not_matter(name, head):
    total, mask, _ = (a[::2, ::2, ::2] for a in head)
    sides = (4.0, 4.0, 4.0)
    settings = {"radius_min_mm": 6.0} if name.startswith("vsharp") else {}
    settings |= {"radius_mm": 8.0} if name.endswith("sharp") and name != "vsharp" else {}
    settings |= STEADY.get(name, {})
    local, local_mask = remove(name, total, mask, sides, **settings)
    assert local.dtype == np.float32
    little = 2e-3
    shifted, _ = remove(name, total + np.float32(3), mask, sides, **settings)
    assert differs(shifted, local) < little
    larger, _ = remove(name, 4 * total, mask, sides, **settings)
    assert differs(larger, 4 * local) < little
    exact, exact_mask = remove(name, total.astype(np.float64), mask, sides, **settings)
    assert exact.dtype == np.float64
    np.testing.assert_array_equal(exact_mask, local_mask)
    assert differs(exact, local) < little


@pytest.mark.parametrize("name", ALL)
def test_mirrored_and_turned_volumes_give_mirrored_and_turned_fields(name):
    sides = np.array([2.0, 2.3, 3.0])
    b0 = np.array([0.3, -0.4, np.sqrt(0.75)])
    total, mask, _ = small_head((30, 29, 22), sides, b0, dtype=np.float64)
    settings = {"radius_min_mm": 4.0} if name.startswith("vsharp") else {}
    settings |= STEADY.get(name, {})
    local, local_mask = remove(name, total, mask, sides, b0, **settings)
    for order, steps in (((0, 1, 2), (-1, 1, -1)), ((2, 0, 1), (1, -1, 1))):

        def turn(a, order=order, steps=steps):
            return a.transpose(order)[tuple(slice(None, None, s) for s in steps)]

        again, again_mask = remove(
            name, turn(total), turn(mask), sides[list(order)], b0[list(order)] * steps, **settings
        )
        np.testing.assert_array_equal(again_mask, turn(local_mask))
        # The cells of LBV's coarse grids are not mirrored.
        assert differs(again, turn(local)) < (5e-3 if name == "lbv" else 1e-6)


@pytest.mark.parametrize("name", ALL)
def test_input_is_not_changed_and_the_grid_around_does_not_matter(name):
    total, mask, _ = small_head((30, 29, 22))
    settings = {"radius_min_mm": 4.0} if name.startswith("vsharp") else {}
    for a in (total, mask):
        a.flags.writeable = False
    local, local_mask = remove(name, total, mask, **settings)
    room = ((3, 5), (2, 0), (1, 4))
    wider, wider_mask = remove(
        name, np.pad(total, room, constant_values=99), np.pad(mask, room), **settings
    )
    inside = tuple(slice(b, b + n) for (b, _), n in zip(room, mask.shape, strict=True))
    np.testing.assert_array_equal(wider_mask[inside], local_mask)
    np.testing.assert_array_equal(wider[inside], local)


def test_small_balls_are_summed_directly_to_the_same_means():
    field = np.random.default_rng(0).standard_normal((20, 21, 16))
    inner = np.zeros(field.shape, bool)
    inner[6:-6, 6:-6, 5:-5] = True
    weights = balls.balanced_ball(5.0, (1, 1, 1.5))
    voxels = np.flatnonzero(inner)
    means = balls.ball_means(field)
    few = np.concatenate([means(voxels[i : i + 1], weights) for i in range(voxels.size)])
    every = ndimage.convolve(field, weights)[inner]
    np.testing.assert_allclose(few, every, atol=1e-12)
    np.testing.assert_allclose(
        means(np.tile(voxels, 60), weights)[: voxels.size], every, atol=1e-12
    )


# ---------------------------------------------------------------- odd input


@pytest.mark.parametrize("name", ALL)
def test_unusable_input_is_refused(name, head):
    total, mask, _ = head
    with pytest.raises(QsmError, match="mask is empty"):
        remove(name, total, np.zeros_like(mask))
    with pytest.raises(GeometryError, match=r"\(48, 54, 40\).*\(48, 54, 44\)"):
        remove(name, total, mask[:, :, :40])
    with pytest.raises(GeometryError, match="3-D"):
        remove(name, total[0], mask[0])
    with pytest.raises(GeometryError, match="Voxel sizes"):
        remove(name, total, mask, (1.0, 0.0, 1.0))
    with pytest.raises(QsmError, match="not finite anywhere"):
        remove(name, np.full_like(total, np.nan), mask)


@pytest.mark.parametrize("name", ALL)
def test_voxels_without_a_field_leave_the_mask(name, head):
    total, mask, _ = head
    spoilt = total.copy()
    spoilt[24, 27, 22] = np.nan
    spoilt[20, 20, 20] = np.inf
    said = []
    local, local_mask = remove(name, spoilt, mask, warn=said.append)
    assert any("2 voxels" in sentence for sentence in said)
    assert np.isfinite(local).all()
    assert not local_mask[24, 27, 22]
    without = mask.copy()
    without[24, 27, 22] = without[20, 20, 20] = False
    np.testing.assert_array_equal(local, remove(name, total, without)[0])


@pytest.mark.parametrize("name", ALL)
def test_mask_may_fill_the_volume(name):
    total, _, _ = small_head((24, 26, 20))
    said = []
    local, local_mask = remove(name, total, np.ones(total.shape, bool), warn=said.append)
    assert "touches the edge" in said[0]
    assert np.isfinite(local).all()
    assert local_mask[12, 13, 10]
    # A ball does not reach beyond the volume.
    assert name == "pdf" or not local_mask[[0, -1]].any()


def test_balls_that_fit_nowhere_are_left_out():
    shape, sides = (40, 40, 9), (2.0, 2.0, 2.0)
    total = axes(shape)[0].astype(np.float32)
    mask = np.ones(shape, bool)
    said = []
    local, local_mask = remove("vsharp/none", total, mask, sides, warn=said.append)
    assert any("fit nowhere" in sentence and "3 of 10" in sentence for sentence in said)
    np.testing.assert_allclose(local[local_mask], 0, atol=1e-4)
    np.testing.assert_array_equal(np.flatnonzero(local_mask.any(axis=(0, 1))), range(1, 8))


def test_single_slice_is_told():
    total, mask = np.zeros((20, 20, 1)), np.ones((20, 20, 1), bool)
    for name in ("vsharp/none", "vsharp/tissue", "sharp", "resharp"):
        with pytest.raises(QsmError, match=r"No ball of .* fits"):
            remove(name, total, mask, (1.0, 1.0, 2.0))
    with pytest.raises(QsmError, match="two voxels thick"):
        remove("lbv", total, mask)


def test_flat_balls_are_left_out(head):
    total, mask, _ = head
    said = []
    settings = {"radius_max_mm": 8.0, "step_mm": 1.5}
    local, local_mask = remove(
        "vsharp/none", total, mask, (1, 1, 3), radius_min_mm=0.5, **settings, warn=said.append
    )
    assert any("3 mm" in sentence and "2 of 6 radii" in sentence for sentence in said)
    same, same_mask = remove("vsharp/none", total, mask, (1, 1, 3), radius_min_mm=3.5, **settings)
    np.testing.assert_array_equal(local, same)
    np.testing.assert_array_equal(local_mask, same_mask)


def test_mask_too_thin_for_an_estimate_is_told():
    total, mask = small_head((24, 26, 20))[0], np.zeros((24, 26, 20), bool)
    mask[4:20, 4:20, 8:11] = True
    said = []
    local, _ = remove("vsharp/tissue", total, mask, warn=said.append)
    assert any("too thin" in sentence for sentence in said)
    np.testing.assert_array_equal(local, remove("vsharp/none", total, mask)[0])


def test_impossible_settings_are_refused(head):
    total, mask, _ = head
    with pytest.raises(QsmError, match="smallest V-SHARP radius"):
        remove("vsharp", total, mask, radius_min_mm=9.0, radius_max_mm=8.0)
    with pytest.raises(MetadataError, match="direction of B0 is needed"):
        background.vsharp(total, mask, SIDES)
    for b0 in ((0, 0, 0), (0, 1), (np.nan, 0, 1)):
        with pytest.raises(MetadataError, match="three numbers"):
            remove("pdf", total, mask, b0=b0)
    with pytest.raises(QsmError, match="leaves nothing"):
        remove("lbv", total, mask, peel_mm=60.0)
    with pytest.raises(GeometryError, match="noise map"):
        background.pdf(total, mask, SIDES, UP, np.ones((2, 2, 2)))
    with pytest.raises(GeometryError, match="magnitude"):
        background.pdf(total, mask, SIDES, UP, None, np.ones((1, 2, 2, 2)))
    with pytest.raises(QsmError, match="zero or not finite"):
        background.pdf(total, mask, SIDES, UP, np.zeros(mask.shape))


@pytest.mark.parametrize("name", ALL)
def test_progress_grows_to_one_and_may_stop_the_work(name, head):
    total, mask, _ = head
    steps = []
    remove(name, total, mask, progress=steps.append)
    assert steps == sorted(steps)
    assert steps[-1] == 1
    assert len(steps) >= (1 if name == "sharp" else 5)

    def stop(_):
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        remove(name, total, mask, progress=stop)


def test_a_field_without_anything_stays_empty(head):
    _, mask, _ = head
    for name in ALL:
        local, _ = remove(name, np.zeros(mask.shape, np.float32), mask)
        assert (local == 0).all()


def test_methods_are_registered():
    known = methods("background")
    assert list(known) == ["vsharp", "sharp", "resharp", "ismv", "pdf", "lbv"]
    assert known["vsharp"].settings["deconvolution"].param.choices == (
        "none",
        "truncated",
        "tissue",
    )
    for method in known.values():
        assert method.summary
        assert all("doi:" in reference for reference in method.references)
