"""What every inversion needs: arguments checked, arrays cropped, padded, weighted.

The problem all iterative methods solve, with one convention for the regularisation:

    minimise over chi   1/2 sum W² (D chi - f)²  +  lambda sum_a s_a |d_a chi|

f and chi are in ppm. ``d_a`` is the difference between neighbouring voxels along axis a and
``s_a = (hx hy hz)^(1/3) / h_a`` makes it a slope on anisotropic grids (1 where voxels are
cubes), so lambda is in ppm too. W is dimensionless, near 1 in the mask and 0 outside. Nothing
depends on echo time or field strength.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_qsm.arrays import Array, bounding_box, margin_voxels
from napari_qsm.errors import GeometryError, QsmError
from napari_qsm.recon import fourier
from napari_qsm.recon.stages import Warn, no_warning

#: Voxels count fully up to this multiple of the median noise, and less above it. Weighting by
#: the noise all the way would smooth the deep nuclei, whose signal iron itself shortens, more
#: than the rest, and pull their means down.
_TOLERATED_NOISE = 2.0


@dataclass(frozen=True, eq=False)
class Problem:
    """The local field on a work grid: mask box, zero-padded to transform-friendly sizes.

    Attributes
    ----------
    field : (x, y, z) ndarray
        Local field in ppm, zero outside the mask.
    weight : (x, y, z) ndarray
        W of the data term.
    mask, support : (x, y, z) ndarray of bool
        Where the field is known; where susceptibility may differ from the surroundings.
    dipole : (x, y, z//2+1) ndarray
        Dipole kernel.
    voxel_size_mm : tuple of float
        Voxel edges.
    box : tuple of slice
        Where the work grid's low corner lies in the caller's grid.
    full_shape : tuple of int
        The caller's grid.
    """

    field: Array
    weight: Array
    mask: Array
    support: Array
    dipole: Array
    voxel_size_mm: tuple[float, ...]
    box: tuple[slice, ...]
    full_shape: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the work grid."""
        return self.field.shape

    @property
    def scales(self) -> tuple[float, ...]:
        """Factor per axis that turns differences between voxels into slopes."""
        reference = float(np.prod(self.voxel_size_mm)) ** (1 / 3)
        return tuple(reference / size for size in self.voxel_size_mm)

    def place(self, values: Array) -> Array:
        """Bring an array of the caller's grid onto the work grid."""
        return fourier.pad_to(np.ascontiguousarray(values[self.box]), self.shape)

    def restore(self, chi: Array) -> Array:
        """Bring a map back to the caller's grid: zero outside the mask."""
        inner = tuple(slice(0, part.stop - part.start) for part in self.box)
        out = np.zeros(self.full_shape, dtype=self.field.dtype)
        out[self.box] = np.where(self.mask[inner], chi[inner], 0)
        return out

    def forward(self, chi: Array) -> Array:
        """Field in ppm of a map on the work grid."""
        spectrum = fourier.rfftn(chi)
        spectrum *= self.dipole
        return fourier.irfftn(spectrum, self.shape)

    def gradient_spectrum(self) -> Array:
        """E²: eigenvalues of the squared gradient on the half grid."""
        shape = self.shape
        total = np.zeros((shape[0], shape[1], shape[2] // 2 + 1))
        for axis, (n, scale) in enumerate(zip(shape, self.scales, strict=True)):
            k = np.arange(n if axis < 2 else n // 2 + 1)
            along = [1, 1, 1]
            along[axis] = -1
            total += (scale**2 * (2 - 2 * np.cos(2 * np.pi * k / n))).reshape(along)
        return total.astype(self.field.dtype)


def check(
    local_field_ppm: Array,
    local_mask: Array,
    voxel_size_mm: Sequence[float],
    b0_direction: Sequence[float],
) -> None:
    """Refuse what cannot be inverted.

    Raises
    ------
    GeometryError
        If the arrays do not fit, or the mask is empty or one slice thick.
    QsmError
        If the field has NaN or infinite values inside the mask.
    """
    if local_field_ppm.ndim != 3 or local_field_ppm.shape != local_mask.shape:
        raise GeometryError(
            f"The local field has shape {local_field_ppm.shape} and its mask "
            f"{local_mask.shape}; two 3-D arrays of one shape are needed."
        )
    sizes, b0 = np.asarray(voxel_size_mm, float), np.asarray(b0_direction, float)
    if sizes.shape != (3,) or not (np.isfinite(sizes).all() and (sizes > 0).all()):
        raise GeometryError(f"The voxel size {voxel_size_mm} mm is not three positive lengths.")
    if b0.shape != (3,) or not np.isfinite(b0).all() or not 0.99 < np.linalg.norm(b0) < 1.01:
        raise GeometryError(f"The B0 direction {b0_direction} is not a unit vector in voxel axes.")
    if not local_mask.any():
        raise GeometryError("The mask of the local field is empty; there is nothing to invert.")
    thickness = [part.stop - part.start for part in bounding_box(local_mask)]
    if min(thickness) < 3:
        raise GeometryError(
            f"The mask of the local field spans only {' x '.join(map(str, thickness))} voxels; "
            "dipole inversion needs at least 3 along each axis."
        )
    bad = int(np.count_nonzero(~np.isfinite(local_field_ppm[local_mask])))
    if bad:
        raise QsmError(
            f"The local field has {bad} NaN or infinite voxels inside its mask; "
            "take them out of the mask or repair the field."
        )


def prepare(
    local_field_ppm: Array,
    local_mask: Array,
    voxel_size_mm: Sequence[float],
    b0_direction: Sequence[float],
    *,
    weight: Array | None = None,
    padding_mm: float = 20.0,
    support_margin_mm: float = 30.0,
    extent: Array | None = None,
) -> Problem:
    """Check the arguments, crop to the mask, pad, and compute the kernel.

    Parameters
    ----------
    local_field_ppm, local_mask, voxel_size_mm, b0_direction
        As in :mod:`napari_qsm.recon.inversion`.
    weight : (x, y, z) ndarray, optional
        W of the data term on the caller's grid; 1 if not given.
    padding_mm : float
        Least distance across which the object sees its periodic copies.
    support_margin_mm : float
        How far outside the mask sources may lie. Those outside explain what background
        removal has left, which is why the margin is wide.
    extent : (x, y, z) ndarray of bool, optional
        A larger mask that the work grid and the support are made for.
    """
    check(local_field_ppm, local_mask, voxel_size_mm, b0_direction)
    sizes = tuple(float(size) for size in voxel_size_mm)
    dtype = np.float32 if local_field_ppm.dtype == np.float32 else np.float64
    box = bounding_box(local_mask if extent is None else extent)
    inside = np.ascontiguousarray(local_mask[box])
    field = np.where(inside, local_field_ppm[box], 0).astype(dtype)
    shape = fourier.fast_shape(field.shape, margin_voxels(padding_mm, sizes))
    mask = fourier.pad_to(inside, shape)
    around = mask if extent is None else fourier.pad_to(np.ascontiguousarray(extent[box]), shape)
    w = inside.astype(dtype) if weight is None else np.where(inside, weight[box], 0).astype(dtype)
    return Problem(
        field=fourier.pad_to(field, shape),
        weight=fourier.pad_to(w, shape),
        mask=mask,
        support=dilate(around, support_margin_mm, sizes),
        dipole=fourier.dipole_kernel(shape, sizes, b0_direction, dtype=dtype),
        voxel_size_mm=sizes,
        box=box,
        full_shape=local_field_ppm.shape,
    )


def dilate(mask: Array, radius_mm: float, voxel_size_mm: tuple[float, ...]) -> Array:
    """Voxels within a radius of the mask; by Fourier transform, which a distance map outlasts."""
    ball = fourier.ball(radius_mm, voxel_size_mm)
    spectrum = fourier.rfftn(mask.astype(np.float32))
    spectrum *= fourier.kernel_spectrum(ball, mask.shape)
    touched: Array = fourier.irfftn(spectrum, mask.shape) > 0.5 * ball[ball > 0].min()
    return touched


def data_weights(
    local_mask: Array,
    magnitude: Array | None,
    noise_ppm: Array | None,
    warn: Warn = no_warning,
) -> Array | None:
    """W of the data term: 1 for noise up to twice its median, falling as 1 / noise beyond.

    Zero outside the box of the mask.

    Noise is taken from ``noise_ppm`` or, without it, as the inverse of the magnitudes'
    root sum of squares. None where neither can be used.
    """
    box = bounding_box(local_mask)
    if noise_ppm is not None:
        same_shape(noise_ppm.shape, local_mask.shape, "noise map")
        noise = noise_ppm[box]
        usable = np.isfinite(noise) & (noise > 0)
        strength = np.divide(1, noise, out=np.zeros(noise.shape), where=usable)
    elif magnitude is not None:
        same_shape(magnitude.shape[-3:], local_mask.shape, "magnitude")
        strength = combined_magnitude(magnitude[..., box[0], box[1], box[2]], local_mask[box])
    else:
        return None
    inside = strength[local_mask[box]]
    inside = inside[inside > 0]
    if inside.size == 0:
        source = "noise map" if noise_ppm is not None else "magnitude"
        warn(f"The {source} is zero or not finite in the whole mask; all voxels count alike.")
        return None
    strength *= _TOLERATED_NOISE / np.median(inside)
    weight: Array = np.zeros(local_mask.shape)
    np.minimum(strength, 1, out=weight[box])
    return weight


def combined_magnitude(magnitude: Array, local_mask: Array) -> Array:
    """Root sum of squares over echoes, float64; what is not finite becomes zero."""
    echoes = magnitude if magnitude.ndim == 4 else magnitude[None]
    same_shape(echoes.shape[1:], local_mask.shape, "magnitude")
    total = np.zeros(local_mask.shape)
    for echo in echoes:
        total += np.square(np.nan_to_num(echo, posinf=0, neginf=0), dtype=np.float64)
    return np.sqrt(total)


def magnitude_edges(magnitude: Array, problem: Problem, fraction: float) -> Array:
    """Differences that cross an anatomical edge, as bits 1, 2, 4 for x, y, z (MEDI's mask).

    The magnitude is that of the problem's box.

    The steepest ``fraction`` of the differences along each axis inside the mask count as
    edges; towards a voxel outside the mask none does.

    References
    ----------
    Liu, Liu, de Rochefort et al. 2012, NeuroImage 59:2560, doi:10.1016/j.neuroimage.2011.08.082.
    """
    image = fourier.pad_to(magnitude.astype(np.float32), problem.shape)
    bits = np.zeros(problem.shape, dtype=np.uint8)
    for axis in range(3):
        step = np.abs(np.roll(image, -1, axis) - image)
        both = problem.mask & np.roll(problem.mask, -1, axis)
        if not both.any():
            continue
        steepest = np.quantile(step[both], 1 - fraction)
        bits[both & (step > steepest)] |= 1 << axis
    return bits


def same_shape(shape: tuple[int, ...], wanted: tuple[int, ...], what: str) -> None:
    """Refuse an array of another shape than the local field's.

    Raises
    ------
    GeometryError
    """
    if shape != wanted:
        raise GeometryError(f"The {what} has shape {shape} but the local field {wanted}.")
