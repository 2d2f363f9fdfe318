"""A first estimate of the tissue's own field, on a coarse grid.

``δ - S`` takes the background out of a field, and with it the ball mean of the tissue's
field. What it took can only be put back by knowing what fields of tissue look like. Here the
tissue's field is that of a smooth susceptibility inside the mask: the one that explains
``(δ - S) f`` for a few radii with the least gradient energy. Only ball means of it are used
afterwards, so a grid of about 2 mm is fine enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import sparse

from napari_qsm.arrays import Array, margin_voxels
from napari_qsm.recon.background.balls import balanced_ball, ball_transfer
from napari_qsm.recon.background.depth import TOLERANCE, depth_mm
from napari_qsm.recon.background.region import Region
from napari_qsm.recon.conjugate import conjugate_gradients
from napari_qsm.recon.fourier import dipole_kernel, fast_shape, frequencies, irfftn, pad_to, rfftn
from napari_qsm.recon.stages import Progress, Warn, no_warning

#: Balls whose high pass is to be explained; each voxel uses the largest that fits. The last one
#: grows with the voxels, since a ball of fewer than two voxels' radius is no ball.
RADII_MM = (16.0, 8.0, 4.0)
#: Above this length susceptibility is free to vary, below it costs gradient energy.
SMOOTHNESS_MM = 20.0
#: Room around the mask, so that opposite ends of the grid hardly see each other.
MARGIN_MM = 4.0


def tissue_field(
    region: Region,
    b0_direction: Sequence[float],
    coarse_mm: float,
    regularization: float,
    iterations: int,
    *,
    progress: Progress,
    warn: Warn,
) -> Array:
    """Estimate of the tissue's own field in the box of the region, in ppm, smooth.

    Minimises ``‖M (δ-S) (f - D m P u)‖² + λ ‖u‖²`` by a fixed number of conjugate gradient
    steps from zero, where ``P = (1 + (kL)²)^-1/2`` makes white noise smooth, m is the mask
    and D the dipole response; gives ``D m P u``.
    """
    coarse, filling = coarsened(region, coarse_mm)
    sides = coarse.voxel_size_mm
    depth = depth_mm(coarse.mask, sides, 1.01 * max(RADII_MM))
    smallest = max(RADII_MM[-1], 2 * max(sides))
    radii = [r for r in (*RADII_MM[:-1], smallest) if smallest <= r < depth.max() / TOLERANCE]
    if not radii:
        warn(
            "The mask is too thin to estimate the tissue's own field first, so the ball mean "
            "of that field is missing from the local field, as without deconvolution."
        )
        return np.zeros_like(region.field)
    progress(0.0)
    margin = margin_voxels(MARGIN_MM, sides)
    model = Model(coarse, filling, depth, radii, [2 * m for m in margin], b0_direction)
    given = model.high_pass(coarse.field)
    progress(0.0)
    weight = region.field.dtype.type(regularization)

    def normal(u: Array) -> Array:
        out = model.adjoint(model.forward(u))
        out += weight * u
        return out

    # Stopping early is part of the regularisation; it is no failure to be warned of.
    source = conjugate_gradients(
        normal, model.adjoint(given), 1e-4, iterations, progress=progress, warn=no_warning
    )
    estimate = model.field(source)
    for axis, n in enumerate(region.mask.shape):
        matrix = spreading(estimate.shape[axis], n, region.voxel_size_mm[axis] / sides[axis])
        estimate = along_axis(matrix, estimate, axis)
    estimate *= region.mask
    return estimate


class Model:
    """What a white unknown ``u`` means for the high-passed field, and the adjoint of that.

    All arrays are on the coarse grid with its margin, in the precision of the field.
    """

    def __init__(
        self,
        coarse: Region,
        filling: Array,
        depth: Array,
        radii_mm: Sequence[float],
        margin: Sequence[int],
        b0_direction: Sequence[float],
    ) -> None:
        dtype, sides = coarse.field.dtype, coarse.voxel_size_mm
        self.shape = fast_shape(coarse.mask.shape, margin)
        self.box = tuple(slice(0, n) for n in coarse.mask.shape)
        self.filling = pad_to(filling, self.shape)
        self.dipole = dipole_kernel(self.shape, sides, b0_direction, dtype)
        k2 = sum(k * k for k in frequencies(self.shape, sides))
        self.smoothing = (1 / np.sqrt(1 + (2 * np.pi * SMOOTHNESS_MM) ** 2 * k2)).astype(dtype)
        self.shells = []
        self.transfers = []
        taken = np.zeros_like(coarse.mask)
        for radius in radii_mm:
            shell = (depth > radius * TOLERANCE) & ~taken
            taken |= shell
            self.shells.append(pad_to(shell, self.shape))
            weights = balanced_ball(radius, sides)
            self.transfers.append(1 - ball_transfer(weights, self.shape, dtype))

    def high_pass(self, field: Array) -> Array:
        """``M (δ-S)`` of a field on the coarse box: each voxel with the largest ball."""
        return self._high_pass(rfftn(pad_to(field, self.shape)))

    def _high_pass(self, spectrum: Array) -> Array:
        out = np.zeros(self.shape, dtype=self.filling.dtype)
        for shell, transfer in zip(self.shells, self.transfers, strict=True):
            np.copyto(out, irfftn(spectrum * transfer, self.shape), where=shell)
        return out

    def _spectrum(self, u: Array) -> Array:
        spectrum = rfftn(u)
        spectrum *= self.smoothing
        chi = irfftn(spectrum, self.shape)
        chi *= self.filling
        spectrum = rfftn(chi)
        spectrum *= self.dipole
        return spectrum

    def field(self, u: Array) -> Array:
        """The tissue's field on the coarse box."""
        return irfftn(self._spectrum(u), self.shape)[self.box]

    def forward(self, u: Array) -> Array:
        """High-passed tissue field."""
        return self._high_pass(self._spectrum(u))

    def adjoint(self, g: Array) -> Array:
        """Adjoint of :meth:`forward`."""
        spectrum = np.zeros_like(self.dipole, dtype=np.result_type(self.dipole, np.complex64))
        for shell, transfer in zip(self.shells, self.transfers, strict=True):
            part = rfftn(g * shell)
            part *= transfer
            spectrum += part
        spectrum *= self.dipole
        chi = irfftn(spectrum, self.shape)
        chi *= self.filling
        spectrum = rfftn(chi)
        spectrum *= self.smoothing
        return irfftn(spectrum, self.shape)


def coarsened(region: Region, coarse_mm: float) -> tuple[Region, Array]:
    """The region on cells of several voxels, and the part of each cell that is mask.

    A cell's field is the mean over the cell. All cells cut the voxels alike (their sides are
    whole numbers of voxels), so the mean leaves a harmonic field harmonic. The mask holds the
    cells that are wholly mask. Cells are centred on the box, so that a mirrored volume gives a
    mirrored result.
    """
    field = region.field
    filling = region.mask.astype(field.dtype)
    factors = [max(1, round(coarse_mm / size)) for size in region.voxel_size_mm]
    for axis, factor in enumerate(factors):
        matrix = averaging(region.mask.shape[axis], factor)
        field = along_axis(matrix, field, axis)
        filling = along_axis(matrix, filling, axis)
    full = filling > 1 - 1e-4
    field = np.where(full, field, field.dtype.type(0))
    x, y, z = (size * f for size, f in zip(region.voxel_size_mm, factors, strict=True))
    return Region(
        field, full, tuple(slice(0, n) for n in full.shape), full.shape, (x, y, z)
    ), filling


def averaging(fine: int, factor: int) -> Any:
    """Matrix of means over cells of ``factor`` voxels, centred on a line of ``fine`` voxels."""
    coarse = -(-fine // factor)
    low = fine / 2 + (np.arange(coarse) - coarse / 2)[:, None] * factor
    voxel = np.arange(fine)
    overlap = np.minimum(low + factor, voxel + 1) - np.maximum(low, voxel)
    return sparse.csr_array(np.clip(overlap, 0, None) / factor)


def spreading(coarse: int, fine: int, factor: float) -> Any:
    """Matrix of linear interpolation from cell centres back to voxels, ``factor`` cells each."""
    position = (np.arange(fine) - (fine - 1) / 2) * factor + (coarse - 1) / 2
    distance = np.abs(np.clip(position, 0, coarse - 1)[:, None] - np.arange(coarse))
    return sparse.csr_array(np.clip(1 - distance, 0, None))


def along_axis(matrix: Any, a: Array, axis: int) -> Array:
    """Apply a sparse matrix to every line of an axis, in the precision of ``a``."""
    lines = np.moveaxis(a, axis, 0)
    product = matrix.astype(a.dtype) @ np.ascontiguousarray(lines).reshape(len(lines), -1)
    product = product.reshape(-1, *lines.shape[1:])
    return np.ascontiguousarray(np.moveaxis(product, 0, axis))
