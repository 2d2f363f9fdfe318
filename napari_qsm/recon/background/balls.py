"""Balls over which a field is averaged: their weights, transfer functions and means."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numba
import numpy as np
import numpy.typing as npt

from napari_qsm.arrays import Array
from napari_qsm.errors import QsmError
from napari_qsm.recon.background.depth import TOLERANCE
from napari_qsm.recon.background.region import Region
from napari_qsm.recon.device import device
from napari_qsm.recon.fourier import ball, fast_shape, irfftn_of_box, pad_to
from napari_qsm.recon.parallel import by_slab
from napari_qsm.recon.stages import Warn

#: No voxel of a ball has more than this part of its weight.
_MOST_OF_ONE_VOXEL = 0.5
#: Products per voxel of the array that cost as much as a transform of it.
DIRECT_SUMS = 20


def balanced_ball(radius_mm: float, voxel_size_mm: Sequence[float]) -> Array:
    """Weights of a ball of voxels whose mean of a harmonic field is the value at its centre.

    Parameters
    ----------
    radius_mm : float
        Voxels whose centres lie within this distance take part.
    voxel_size_mm : sequence of float
        Edge lengths of a voxel.

    Returns
    -------
    ndarray of float64
        Odd-sized, symmetric in each axis, no weight below zero, sum 1.

    Notes
    -----
    The mean value property holds for a true ball. A ball of voxels is lopsided: with
    0.6 x 0.6 x 2 mm voxels and 12 mm its mean of x² - z² is off by 1 mm², so that a
    background with curvature (above the nasal sinuses) leaks into the local field. Weights
    by the part of each voxel inside the ball do not help; weights that give the harmonic
    polynomials of degree 2 and 4 a mean of zero do (odd ones vanish by symmetry). Of all such
    weights those closest to equal ones are taken. Where a small or flat ball would need
    weights below zero, or nearly all of it at the centre, degree 4 is left out, then degree 2.
    """
    plain = ball(radius_mm, voxel_size_mm)
    inside = plain > 0
    x, y, z = (
        (np.arange(n) - n // 2) * (size / radius_mm)
        for n, size in zip(plain.shape, voxel_size_mm, strict=True)
    )
    x2, y2, z2 = (a[inside] ** 2 for a in np.meshgrid(x, y, z, indexing="ij"))
    second = [x2 - y2, y2 - z2, z2 - x2]
    fourth = [a * a + b * b - 6 * a * b for a, b in ((x2, y2), (y2, z2), (z2, x2))]
    for harmonics in (second + fourth, second):
        conditions = np.stack([np.ones_like(x2), *harmonics])
        wanted = np.zeros(len(conditions))
        wanted[0] = 1
        equal = 1 / x2.size
        gram = conditions @ conditions.T * equal
        miss = wanted - conditions.sum(axis=1) * equal
        change = conditions.T @ np.linalg.lstsq(gram, miss, rcond=1e-10)[0]
        weights = equal * (1 + change)
        # A centre and its six neighbours can meet all conditions by being the centre alone, which is
        # no mean: what is less its own value is nothing.
        spread = weights.max() < _MOST_OF_ONE_VOXEL
        if spread and weights.min() >= 0 and np.abs(conditions @ weights - wanted).max() < 1e-9:
            plain[inside] = weights
            return plain
    return plain


def ball_transfer(weights: Array, shape: Sequence[int], dtype: npt.DTypeLike = np.float32) -> Array:
    """Transfer function of symmetric ball weights on the half grid of ``rfftn``."""
    cosines, planes = _cosine_sums(weights, shape, dtype)
    out = np.empty((shape[0], shape[1], shape[2] // 2 + 1), dtype=dtype)
    np.einsum("kx,xj->kj", cosines, planes, out=out.reshape(shape[0], -1))
    return out


def apply_ball(spectrum: Array, weights: Array, shape: Sequence[int], out: Array) -> None:
    """Multiply a spectrum by the transfer function of ball weights, a few planes at a time."""
    cosines, planes = _cosine_sums(weights, shape, spectrum.real.dtype)
    rows = spectrum.reshape(shape[0], -1)
    target = out.reshape(shape[0], -1)
    last = shape[0] // 2  # the transfer function is even: plane n-i is plane i
    for start in range(0, last + 1, 16):
        stop = min(start + 16, last + 1)
        block = np.einsum("kx,xj->kj", cosines[start:stop], planes)
        np.multiply(rows[start:stop], block, out=target[start:stop])
        first = max(start, 1)
        mirror = slice(shape[0] - first, shape[0] - stop, -1)
        np.multiply(rows[mirror], block[first - start :], out=target[mirror])


def _cosine_sums(weights: Array, shape: Sequence[int], dtype: npt.DTypeLike) -> tuple[Array, Array]:
    """Matrices (frequency x, offset x) and (offset x, frequencies y z) whose product it is.

    The weights are even along each axis, so their transform is a sum of cosines, done one
    axis after the other as small matrix products: several times faster than an FFT. They are
    left to einsum, because threads of a BLAS stall for long on products this small.
    """
    reach = [n // 2 for n in weights.shape]
    half = weights[tuple(slice(r, None) for r in reach)]
    kinds = [np.arange(shape[0]), np.arange(shape[1]), np.arange(shape[2] // 2 + 1)]
    cosines = []
    for k, n, r in zip(kinds, shape, reach, strict=True):
        matrix = 2 * np.cos(2 * np.pi / n * np.outer(k, np.arange(r + 1)))
        matrix[:, 0] = 1
        cosines.append(matrix)
    planes = np.einsum("xyz,jy->xjz", half, cosines[1]) @ cosines[2].T
    return cosines[0].astype(dtype), planes.reshape(reach[0] + 1, -1).astype(dtype)


def usable_radii(radii_mm: Array, region: Region, depth: Array, warn: Warn) -> Array:
    """The radii whose ball is a ball and fits somewhere in the mask, largest first.

    Raises
    ------
    QsmError
        If none is left.
    """
    deepest, sides = float(depth.max()), region.voxel_size_mm
    fits = radii_mm * TOLERANCE < deepest
    if not fits.all():
        warn(
            f"Balls of {deepest:.1f} mm radius or more fit nowhere in the mask; "
            f"{np.count_nonzero(~fits)} of {len(radii_mm)} radii were left out."
        )
    # Over a disc or a line the mean value property does not hold.
    round_ = radii_mm * TOLERANCE >= max(sides)
    if not round_.all():
        warn(
            f"Balls of less than {max(sides):g} mm radius are flat or empty with voxels of that "
            f"length; {np.count_nonzero(~round_)} of {len(radii_mm)} radii were left out, so the "
            "local mask ends deeper than the smallest radius."
        )
    kept = radii_mm[fits & round_]
    if kept.size == 0:
        raise QsmError(
            f"No ball of {radii_mm.min():g} to {radii_mm.max():g} mm radius fits into the mask "
            f"with voxels of {sides[0]:g} x {sides[1]:g} x {sides[2]:g} mm; choose other radii, "
            "a larger mask, or a method without balls."
        )
    return kept


def ball_means(field: Array) -> Callable[[Array, Array], Array]:
    """A function that gives ball means of a field at flat voxel indices.

    The balls must lie inside the array. Balls that are small for the number of voxels are
    summed directly, which is cheaper than a transform of the whole array.
    """
    shape = fast_shape(field.shape)
    on = device()
    spectrum = on.rfftn(on.put(pad_to(field, shape)))
    product = None if on.xp is not None else np.empty_like(spectrum)

    def on_device(voxels: Array, weights: Array) -> Array:
        cosines, planes = map(on.put, _cosine_sums(weights, shape, field.dtype))
        transfer = on.xp.reshape(cosines @ planes, spectrum.shape)
        mean = on.back(on.irfftn(spectrum * transfer, shape))
        return mean[np.unravel_index(voxels, field.shape)]

    def by_transform(voxels: Array, weights: Array) -> Array:
        if product is None:
            return on_device(voxels, weights)
        apply_ball(spectrum, weights, shape, product)
        where = np.unravel_index(voxels, field.shape)
        box = tuple(slice(int(at.min()), int(at.max()) + 1) for at in where)
        mean = irfftn_of_box(product, shape, box)
        return mean[tuple(at - part.start for at, part in zip(where, box, strict=True))]

    def directly(voxels: Array, weights: Array) -> Array:
        around = np.argwhere(weights) - np.array(weights.shape) // 2
        offsets = around @ np.array([field.shape[1] * field.shape[2], field.shape[2], 1])
        values, out = weights[weights != 0], np.empty(voxels.size, dtype=field.dtype)
        by_slab(
            voxels.size,
            lambda *ends: _sums_at(field.ravel(), voxels, offsets, values, out, *ends),
        )
        return out

    def means(voxels: Array, weights: Array) -> Array:
        sums = voxels.size * np.count_nonzero(weights)
        if sums < DIRECT_SUMS * field.size:
            return directly(voxels, weights)
        return by_transform(voxels, weights)

    return means


@numba.njit(cache=True, nogil=True)
def _sums_at(field, voxels, offsets, weights, out, start, stop):  # type: ignore[no-untyped-def]
    """Weighted sums of a flat field at ``voxels[start:stop] + offsets``, summed in float64."""
    for i in range(start, stop):
        centre = voxels[i]
        total = 0.0
        for k in range(offsets.size):
            total += weights[k] * field[centre + offsets[k]]
        out[i] = total
