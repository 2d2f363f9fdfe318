"""From tissues to what a scanner would measure: field, shim, complex signal, noise."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_qsm.arrays import Array, bounding_box
from napari_qsm.phantom.anatomy import Anatomy
from napari_qsm.phantom.cell_field import field_of_cells
from napari_qsm.phantom.grid import Box, Grid, block_mean, for_each, slabs, spread
from napari_qsm.phantom.skull import lay_simple
from napari_qsm.phantom.tissue import AIR_PPM, WHITE
from napari_qsm.quantities import GAMMA_BAR_HZ_PER_T
from napari_qsm.volume import b0_direction

#: Cell size of the body outside the field of view, mm.
_FAR_CELL_MM = 5.0
#: What of the body can be felt in the head: a box in world mm.
_FAR_LOW, _FAR_HIGH = (-205.0, -145.0, -380.0), (205.0, 115.0, 95.0)
#: Magnitude that white matter has at echo time zero.
_WHITE_MAGNITUDE = 600.0


def measured_field(anatomy: Anatomy) -> Array:
    """Field on the cells after shimming, in ppm, float32.

    As on a scanner, the spherical harmonics up to second order that fit best over the brain
    are taken away.
    """
    field = body_field(anatomy)
    grid = anatomy.grid.finer(anatomy.factors)
    coefficients = _shim(anatomy, field)

    def subtract(part: Box) -> None:
        for term, weight in zip(_harmonics(*grid.coordinates(part)), coefficients, strict=True):
            field[part] -= np.float32(weight) * term

    for_each(slabs(head_box(anatomy)), subtract)
    return field


def body_field(anatomy: Anatomy) -> Array:
    """Field of the whole body on the cells, in ppm, float32.

    Susceptibility is taken against air, so the air around the head reaches to infinity. What
    lies outside the field of view adds its field from a coarse model of neck and trunk.
    Beyond the box that holds the head there is no signal, and the field is left at zero.
    """
    grid = anatomy.grid.finer(anatomy.factors)
    box = head_box(anatomy)
    against_air = anatomy.cells.chi[box] - np.float32(AIR_PPM)
    own = field_of_cells(against_air, grid.size_mm, b0_direction(grid.affine))
    own += field_from_outside(grid)[box]
    field = np.zeros(grid.shape, np.float32)
    field[box] = own
    return field


def head_box(anatomy: Anatomy) -> Box:
    """The cells of the smallest box that holds everything but air."""
    return _as_box(bounding_box(anatomy.cells.chi != AIR_PPM))


def _as_box(box: tuple[slice, ...]) -> Box:
    return box[0], box[1], box[2]


def field_from_outside(grid: Grid) -> Array:
    """Field inside a grid, in ppm, of the parts of the body that lie outside it.

    The body is cut into coarse cells whose faces lie along the grid's own; a cell counts by
    how much of it lies outside. The result is smooth in the grid, but jumps at its faces where
    the body goes on, so values come linearly from coarse cells inside the grid alone.
    """
    size = np.array(grid.size_mm)
    axes = grid.affine[:3, :3] / size
    corner = grid.affine[:3, 3] - axes @ (size / 2)
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)])
    body = np.where(corners == 0, _FAR_LOW, _FAR_HIGH)
    reach = (body - corner) @ axes  # mm along the grid's axes from its corner
    extent = np.array(grid.shape) * size
    first = np.floor(np.minimum(reach.min(axis=0), 0) / _FAR_CELL_MM).astype(int)
    last = np.ceil(np.maximum(reach.max(axis=0), extent) / _FAR_CELL_MM).astype(int)
    affine = np.eye(4)
    affine[:3, :3] = axes * _FAR_CELL_MM
    affine[:3, 3] = corner + axes @ ((first + 0.5) * _FAR_CELL_MM)
    count = last - first
    coarse = Grid((int(count[0]), int(count[1]), int(count[2])), affine)
    chi = lay_simple(*coarse.coordinates(coarse.whole), _FAR_CELL_MM) - np.float32(AIR_PPM)
    within, steps = [], []
    for axis in range(3):
        low = (np.arange(count[axis]) + first[axis]) * _FAR_CELL_MM
        overlap = np.minimum(low + _FAR_CELL_MM, extent[axis]) - np.maximum(low, 0)
        within.append(np.clip(overlap / _FAR_CELL_MM, 0, 1).astype(np.float32))
        position = (np.arange(grid.shape[axis]) + 0.5) * size[axis] / _FAR_CELL_MM
        whole = np.flatnonzero(within[axis] > 0.999)
        if whole.size < 2:  # a grid too thin to hold two coarse cells
            whole = np.arange(count[axis])
        steps.append(_linear(position - 0.5 - first[axis], int(whole[0]), int(whole[-1])))
    inside = within[0][:, None, None] * within[1][None, :, None] * within[2][None, None, :]
    field = field_of_cells(chi * (1 - inside), coarse.size_mm, b0_direction(affine))
    for axis in (2, 1, 0):
        # Not as a product of matrices: the threads of BLAS could change the last digit.
        low, high, part = steps[axis]
        part = part.reshape([-1 if a == axis else 1 for a in range(3)])
        field = field.take(low, axis) * (1 - part) + field.take(high, axis) * part
    return np.ascontiguousarray(field)


def _linear(position: Array, lowest: int, highest: int) -> tuple[Array, Array, Array]:
    """Return the samples below and above fractional positions, and how much of the one above.

    Only samples from ``lowest`` to ``highest`` are used; positions beyond them are extrapolated.
    """
    low = np.clip(np.floor(position).astype(int), lowest, max(highest - 1, lowest))
    return low, np.minimum(low + 1, highest), (position - low).astype(np.float32)


def _harmonics(x: Array, y: Array, z: Array) -> tuple[Array, ...]:
    """Solid harmonics up to second order, about the middle of the brain, each of order one."""
    x, y, z = x * (1 / 70), (y + 15.5) * (1 / 70), (z - 10) * (1 / 70)
    one = np.ones((1, 1, 1), np.float32)
    return one, x, y, z, x * y, y * z, z * x, x * x - y * y, 2 * z * z - x * x - y * y


def _shim(anatomy: Anatomy, field: Array) -> Array:
    """Weights of the harmonics that fit the field over the brain best, least squares."""
    steps = tuple(max(1, round(4.0 / s)) for s in anatomy.grid.size_mm)
    thin = tuple(slice(None, None, s) for s in steps)
    brain = anatomy.mask.data[thin] > 0
    fine = tuple(slice(f // 2, None, s * f) for s, f in zip(steps, anatomy.factors, strict=True))
    if brain.sum() < 20:
        return np.zeros(9)
    grid = anatomy.grid
    terms = _harmonics(*grid.coordinates(grid.whole))
    target = field[fine][brain].astype(np.float64)
    matrix = np.stack(
        [np.broadcast_to(t, grid.shape)[thin][brain].astype(np.float64) for t in terms], axis=1
    )
    # Normal equations summed without BLAS, whose threads could change the last digit.
    normal = np.einsum("ni,nj->ij", matrix, matrix)
    return np.linalg.solve(normal, np.einsum("ni,n->i", matrix, target))


def tissue_field(anatomy: Anatomy) -> Array:
    """Field of the susceptibility inside the brain mask alone, on the voxels, in ppm.

    Zero outside the mask. What the measured field holds beyond it comes from outside the mask,
    and so is harmonic within.
    """
    mask = anatomy.mask.data > 0
    out = np.zeros(anatomy.grid.shape, np.float32)
    if not mask.any():
        return out
    box = _as_box(bounding_box(mask))
    fine_box = tuple(
        slice(s.start * f, s.stop * f) for s, f in zip(box, anatomy.factors, strict=True)
    )
    grid = anatomy.grid.finer(anatomy.factors)
    inside = anatomy.cells.chi[fine_box] * spread(mask[box], anatomy.factors)
    field = field_of_cells(inside, grid.size_mm, b0_direction(grid.affine))
    out[box] = block_mean(field, anatomy.factors) * mask[box]
    return out


def coil_phase(x: Array, y: Array, z: Array) -> Array:
    """Smooth phase of the receive coils in rad, the same at every echo time."""
    u, v, w = x * (1 / 80), (y + 15.5) * (1 / 95), (z - 10) * (1 / 75)
    return 0.6 + 0.8 * u - 0.7 * v + 0.4 * w + 0.5 * u * v - 0.4 * w * w + 0.3 * v * v


def coil_sensitivity(x: Array, y: Array, z: Array) -> Array:
    """Smooth sensitivity of the receive coils: a little higher near them."""
    u, v, w = x * (1 / 80), (y + 15.5) * (1 / 95), (z - 10) * (1 / 75)
    return 0.90 + 0.16 * (u * u + v * v + 0.5 * w * w) + 0.05 * v


def complex_signal(
    anatomy: Anatomy, field: Array, echo_time_s: float, field_strength_t: float, *, coils: bool
) -> Array:
    """Noise-free signal of one echo on the voxels, complex64.

    Each cell contributes its signal at its phase, weakened by the run of the phase across the
    cell; their mean is the voxel's signal. So the signal fades where the field is steep.
    """
    grid = anatomy.grid.finer(anatomy.factors)
    cells, factors = anatomy.cells, anatomy.factors
    rad_per_ppm = np.float32(2 * np.pi * GAMMA_BAR_HZ_PER_T * field_strength_t * echo_time_s * 1e-6)
    out = np.zeros(anatomy.grid.shape, np.complex64)
    scale = np.float32(_WHITE_MAGNITUDE / WHITE.signal)

    def fill(box: Box) -> None:
        rows = box[0]
        fine = slice(rows.start * factors[0], rows.stop * factors[0])
        amplitude = cells.signal[fine] * np.exp(cells.r2star[fine] * np.float32(-echo_time_s))
        if not amplitude.any():
            return
        amplitude *= scale
        phase = field[fine] * rad_per_ppm
        amplitude *= _coherence(field, fine, rad_per_ppm)
        if coils:
            world = grid.coordinates((fine, *grid.whole[1:]))
            phase += coil_phase(*world)
            amplitude *= coil_sensitivity(*world)
        signal = np.empty(phase.shape, np.complex64)
        np.multiply(amplitude, np.cos(phase), out=signal.real)
        np.multiply(amplitude, np.sin(phase), out=signal.imag)
        out[rows] = block_mean(signal, factors)

    for_each(slabs(anatomy.grid.whole, 400_000 // int(np.prod(factors))), fill)
    return out


def _coherence(field: Array, rows: slice, rad_per_ppm: np.float32) -> Array:
    """What a straight run of the phase across each cell leaves of its signal."""
    low, high = max(rows.start - 1, 0), min(rows.stop + 1, field.shape[0])
    around = field[low:high]
    own = slice(rows.start - low, rows.stop - low)
    left: Array = np.ones((), np.float32)
    for axis in range(3):
        if around.shape[axis] < 2:
            continue
        half = np.gradient(around, axis=axis)[own] * (rad_per_ppm / 2)
        half += np.float32(1e-6)
        left = left * (np.sin(half) / half)
    return np.asarray(left)


def noise(shape: Sequence[int], sigma: float, seed: int, echo: int) -> Array:
    """Complex Gaussian noise of standard deviation ``sigma`` in each channel, complex64.

    Drawn by one thread from a counter-based generator: the seed alone fixes every byte.
    """
    generator = np.random.Generator(np.random.Philox(key=[seed, echo]))
    pairs = generator.standard_normal((*shape, 2), dtype=np.float32)
    pairs *= np.float32(sigma)
    return pairs.view(np.complex64)[..., 0]


def noise_sigma(snr: float, echo_time_s: float) -> float:
    """Standard deviation that gives white matter the signal-to-noise ratio at an echo time."""
    return float(_WHITE_MAGNITUDE * np.exp(-echo_time_s * WHITE.r2star) / snr)
