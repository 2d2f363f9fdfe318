"""Background removal by the Laplacian boundary value method (LBV)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_qsm.arrays import Array
from napari_qsm.errors import QsmError
from napari_qsm.recon.background.depth import TOLERANCE, depth_mm
from napari_qsm.recon.background.region import Region, make_region
from napari_qsm.recon.conjugate import conjugate_gradients
from napari_qsm.recon.stages import (
    Param,
    Progress,
    Warn,
    method,
    no_progress,
    no_warning,
)

SMOOTHING_SWEEPS = 2

COARSEST_SWEEPS = 16

DAMPING = 6 / 7


@method(
    "background",
    "lbv",
    title="LBV",
    references=("Zhou 2014, NMR Biomed 27:312, doi:10.1002/nbm.3064",),
)
def lbv(
    total_field_ppm: Array,
    mask: Array,
    voxel_size_mm: Sequence[float],
    *,
    peel_mm: Annotated[
        float, Param("Thickness taken off the mask afterwards.", unit="mm", ge=0, le=20)
    ] = 2.0,
    tolerance: Annotated[
        float, Param("Relative residual at which to stop.", ge=1e-6, le=0.5)
    ] = 1e-4,
    max_iterations: Annotated[int, Param("Most iterations.", ge=1, le=1000)] = 100,
    progress: Progress = no_progress,
    warn: Warn = no_warning,
) -> tuple[Array, Array]:
    """Field less the harmonic field with the same values on the rim of the mask.

    Inputs and results are those of the module.

    Notes
    -----
    Solves ``∇²b = 0`` inside the mask with ``b = f`` on its outermost voxels. The tissue's field
    is taken to vanish there, and whatever is wrong with those voxels is carried inwards, so a
    mask without noisy rim matters more than for other methods.
    """
    region = make_region(total_field_ppm, mask, voxel_size_mm, warn)
    local = lbv_field(region, tolerance, max_iterations, progress=progress, warn=warn)
    kept = depth_mm(region.mask, region.voxel_size_mm, 1.01 * peel_mm + 1) > peel_mm * TOLERANCE
    if not kept.any():
        raise QsmError(f"Peeling {peel_mm:g} mm off the mask leaves nothing; choose less.")
    return region.put_back(local, kept)


def lbv_field(
    region: Region, tolerance: float, max_iterations: int, *, progress: Progress, warn: Warn
) -> Array:
    """Local field in the box: the solution of ``∇²l = ∇²f`` that vanishes on the mask's rim.

    The rim are the mask voxels with a face on the outside. The background is solved for by
    conjugate gradients, preconditioned with one multigrid cycle.

    Raises
    ------
    QsmError
        If the mask is nowhere thicker than its rim.
    """
    faces = ndimage.generate_binary_structure(3, 1)
    mask = np.pad(region.mask, 1)
    interior = ndimage.binary_erosion(mask, faces)
    if not interior.any():
        raise QsmError(
            "The mask is nowhere more than two voxels thick, so no boundary value problem can "
            "be set up in it; use a larger mask or another background method."
        )
    levels = make_levels(interior, region.voxel_size_mm, region.field.dtype)
    fine = levels[0]
    rim = np.pad(region.field, 1)
    rim[interior] = 0
    grown = np.zeros(fine.inside.shape, dtype=region.field.dtype)
    box = tuple(slice(0, n) for n in rim.shape)
    grown[box] = rim
    given = neighbours(grown, fine.weights)
    given *= fine.inside
    background = conjugate_gradients(
        fine.apply,
        given,
        tolerance,
        max_iterations,
        precondition=lambda r: cycle(levels, 0, r),
        progress=progress,
        warn=warn,
    )
    background += grown
    return region.field - background[box][1:-1, 1:-1, 1:-1]


@dataclass(frozen=True, eq=False)
class Level:
    """One grid of the multigrid cycle.

    Attributes
    ----------
    inside : ndarray
        1 where the Laplace equation holds, 0 elsewhere; the array's border is 0.
    weights : tuple of float
        1/h² along each axis, relative to the finest voxel side.
    factors : tuple of int
        1 or 2: by how much each axis is coarsened on the way to the next level.
    """

    inside: Array
    weights: tuple[float, ...]
    factors: tuple[int, ...]

    @property
    def diagonal(self) -> float:
        """Diagonal of the operator."""
        return 2 * sum(self.weights)

    def apply(self, u: Array) -> Array:
        """Minus the Laplacian of ``u``, which is zero outside."""
        out = neighbours(u, self.weights)
        np.subtract(u.dtype.type(self.diagonal) * u, out, out=out)
        out *= self.inside
        return out


def neighbours(u: Array, weights: Sequence[float]) -> Array:
    """Weighted sum of the six neighbours; ``u`` is zero on the array's border."""
    out = np.zeros_like(u)
    for axis, weight in enumerate(weights):
        moved, into = np.moveaxis(u, axis, 0), np.moveaxis(out, axis, 0)
        into[1:-1] += u.dtype.type(weight) * (moved[2:] + moved[:-2])
    return out


def make_levels(
    interior: Array, voxel_size_mm: Sequence[float], dtype: npt.DTypeLike
) -> list[Level]:
    """Grids from the given one down to a few voxels.

    Axes with long voxels wait until the others have caught up, so that the smoother always
    sees nearly isotropic voxels.
    """
    sides = np.asarray(voxel_size_mm) / min(voxel_size_mm)
    levels: list[Level] = []
    while True:
        thick = np.array(interior.shape) > 6
        coarsened = thick & (sides < 1.5 * sides[thick].min()) if thick.any() else thick
        factors = tuple(2 if yes else 1 for yes in coarsened)
        extra = [(0, n % f) for n, f in zip(interior.shape, factors, strict=True)]
        interior = np.pad(interior, extra)
        weights = tuple(float(w) for w in 1 / sides**2)
        levels.append(Level(interior.astype(dtype), weights, factors))
        if not coarsened.any():
            return levels
        # Pooling may have merged the empty border with the inside, so a new one is added.
        interior = np.pad(pooled(interior, factors) > 0, [(f - 1, f - 1) for f in factors])
        sides = sides * factors


def pooled(a: Array, factors: Sequence[int]) -> Array:
    """Sums over cells of ``factors`` voxels."""
    shape = [m for n, f in zip(a.shape, factors, strict=True) for m in (n // f, f)]
    kind = a.dtype if a.dtype.kind == "f" else np.uint8
    return a.reshape(shape).sum(axis=(1, 3, 5), dtype=kind)


def cycle(levels: Sequence[Level], depth: int, given: Array) -> Array:
    """One symmetric V-cycle from zero: an approximate inverse for the level's operator."""
    level = levels[depth]
    step = given.dtype.type(DAMPING / level.diagonal)
    u = step * given
    u *= level.inside
    coarsest = depth == len(levels) - 1
    for _ in range((COARSEST_SWEEPS if coarsest else SMOOTHING_SWEEPS) - 1):
        relax(level, u, given, step)
    if coarsest:
        return u
    residual = given - level.apply(u)
    residual *= level.inside
    cells = pooled(residual, level.factors)
    cells *= given.dtype.type(1 / np.prod(level.factors))
    inner = tuple(slice(f - 1, f - 1 + n) for n, f in zip(cells.shape, level.factors, strict=True))
    coarse = np.zeros(levels[depth + 1].inside.shape, dtype=given.dtype)
    coarse[inner] = cells
    correction = cycle(levels, depth + 1, coarse)[inner]
    for axis, factor in enumerate(level.factors):
        correction = np.repeat(correction, factor, axis=axis)
    correction *= level.inside
    u += correction
    for _ in range(SMOOTHING_SWEEPS):
        relax(level, u, given, step)
    return u


def relax(level: Level, u: Array, given: Array, step: Any) -> None:
    """One damped Jacobi sweep, in place."""
    change = given - level.apply(u)
    change *= level.inside
    change *= step
    u += change
