"""Mathematical morphology of masks in millimetres.

Distances run between voxel centres, so that a length means the same on every axis of an
anisotropic grid; a radius below the voxel size leaves that axis alone. The space beyond the
array is unknown, not background: erosion does not eat into a mask where it meets the edge of
the volume, unless asked to.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from napari_qsm.arrays import Array, bounding_box, margin_voxels
from napari_qsm.errors import GeometryError

# Up to this many lines in the ball, shifting the mask is faster than a distance transform.
_MAX_LINES = 400


def dilate_mm(mask: Array, radius_mm: float, voxel_size_mm: Sequence[float]) -> Array:
    """Every voxel whose centre lies within a radius of the mask.

    Parameters
    ----------
    mask : (x, y, z) bool ndarray
        The mask; not modified.
    radius_mm : float
        Radius of the ball, mm; 0 gives a copy.
    voxel_size_mm : three floats
        Edge lengths of a voxel.

    Returns
    -------
    (x, y, z) bool ndarray
        The grown mask.

    Raises
    ------
    GeometryError
        For a negative radius, a mask that is not 3-D or impossible voxel sizes.
    """
    mask = _checked(mask, radius_mm, voxel_size_mm)
    if radius_mm == 0 or not mask.any():
        return mask.copy()
    box = bounding_box(mask, margin_voxels(radius_mm, voxel_size_mm))
    out = np.zeros_like(mask)
    out[box] = _near(mask[box], radius_mm, voxel_size_mm)
    return out


def erode_mm(
    mask: Array,
    radius_mm: float,
    voxel_size_mm: Sequence[float],
    *,
    from_edges: bool = False,
) -> Array:
    """Every voxel of the mask that lies farther than a radius from all voxels outside it.

    Parameters
    ----------
    mask : (x, y, z) bool ndarray
        The mask; not modified.
    radius_mm : float
        Radius of the ball, mm; 0 gives a copy.
    voxel_size_mm : three floats
        Edge lengths of a voxel.
    from_edges : bool
        Whether the space beyond the array counts as outside the mask.

    Returns
    -------
    (x, y, z) bool ndarray
        The shrunken mask.

    Raises
    ------
    GeometryError
        For a negative radius, a mask that is not 3-D or impossible voxel sizes.
    """
    mask = _checked(mask, radius_mm, voxel_size_mm)
    if radius_mm == 0 or not mask.any():
        return mask.copy()
    if from_edges:
        padded = erode_mm(np.pad(mask, 1), radius_mm, voxel_size_mm)
        return padded[1:-1, 1:-1, 1:-1]
    # One voxel of surroundings holds the nearest outside voxel of all within.
    box = bounding_box(mask, 1)
    out = np.zeros_like(mask)
    out[box] = mask[box] & ~_near(~mask[box], radius_mm, voxel_size_mm)
    return out


def open_mm(mask: Array, radius_mm: float, voxel_size_mm: Sequence[float]) -> Array:
    """Erosion, then dilation: drops spurs and bridges thinner than the ball."""
    return dilate_mm(erode_mm(mask, radius_mm, voxel_size_mm), radius_mm, voxel_size_mm)


def close_mm(mask: Array, radius_mm: float, voxel_size_mm: Sequence[float]) -> Array:
    """Dilation, then erosion: fills gaps and clefts narrower than the ball.

    A gap between the mask and the edge of the array is not filled: there is no second side.
    """
    mask = _checked(mask, radius_mm, voxel_size_mm)
    margin = margin_voxels(radius_mm, voxel_size_mm)
    padded = np.pad(mask, [(m, m) for m in margin])
    closed = erode_mm(dilate_mm(padded, radius_mm, voxel_size_mm), radius_mm, voxel_size_mm)
    return closed[tuple(slice(m, m + n) for m, n in zip(margin, mask.shape, strict=True))]


def fill_holes(
    mask: Array,
    voxel_size_mm: Sequence[float],
    *,
    max_mm3: float | None = None,
    slices_along: int | None = None,
) -> Array:
    """Fill the cavities that the mask encloses.

    Parameters
    ----------
    mask : (x, y, z) bool ndarray
        The mask; not modified.
    voxel_size_mm : three floats
        Edge lengths of a voxel.
    max_mm3 : float or None
        Larger holes stay open; None fills all. For holes in slices, the volume of the
        slice's piece counts.
    slices_along : int or None
        Look for holes in each slice across this axis by itself, which also closes tunnels
        that lead outside through other slices; None looks in three dimensions.

    Returns
    -------
    (x, y, z) bool ndarray
        The mask with its holes filled. What touches the edge of the array is no hole.
    """
    mask = _checked(mask, 0, voxel_size_mm)
    box = bounding_box(mask, 1)
    part = mask[box]
    structure = ndimage.generate_binary_structure(3, 1)
    if slices_along is not None:
        structure = structure & (np.arange(3) == 1).reshape(
            [3 if axis == slices_along else 1 for axis in range(3)]
        )
    labels, count = ndimage.label(~part, structure)
    if count == 0:
        return mask.copy()
    hole = np.ones(count + 1, dtype=bool)
    hole[0] = False
    for axis in range(3):
        if axis != slices_along:
            hole[np.take(labels, [0, -1], axis=axis).ravel()] = False
    if max_mm3 is not None:
        sizes = np.bincount(labels.ravel(), minlength=count + 1)
        hole &= sizes * float(np.prod(voxel_size_mm)) <= max_mm3 * (1 + 1e-9)
    out = mask.copy()
    out[box] |= hole[labels]
    return out


def largest_component(mask: Array) -> Array:
    """The largest piece of the mask whose voxels share faces; an empty mask stays empty."""
    labels, count = ndimage.label(mask)
    if count <= 1:
        return np.array(mask, dtype=bool)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return np.asarray(labels == sizes.argmax())


def largest_core(
    mask: Array, radius_mm: float, voxel_size_mm: Sequence[float]
) -> tuple[Array, float]:
    """What erosion leaves of the most massive part of a mask, and the radius it was eroded by.

    Parameters
    ----------
    mask : (x, y, z) bool ndarray
        The mask; not modified.
    radius_mm : float
        Radius of the ball, mm. Where the ball fits nowhere, it is halved until it does.
    voxel_size_mm : three floats
        Edge lengths of a voxel.

    Returns
    -------
    core : (x, y, z) bool ndarray
        The largest piece after erosion; empty only if the mask is.
    radius_mm : float
        The radius used.
    """
    mask = _checked(mask, radius_mm, voxel_size_mm)
    while True:
        core = largest_component(erode_mm(mask, radius_mm, voxel_size_mm))
        if core.any() or radius_mm == 0:
            return core, radius_mm
        radius_mm = radius_mm / 2 if radius_mm > min(voxel_size_mm) else 0.0


def _checked(mask: Array, radius_mm: float, voxel_size_mm: Sequence[float]) -> Array:
    mask = np.asarray(mask)
    if mask.ndim != 3 or mask.dtype != bool:
        raise GeometryError(
            f"A 3-D mask of true and false is needed, not {mask.dtype} of shape {mask.shape}."
        )
    sizes = np.asarray(voxel_size_mm, dtype=float)
    if sizes.shape != (3,) or not (np.isfinite(sizes).all() and (sizes > 0).all()):
        raise GeometryError(f"Three positive voxel sizes in mm are needed, not {voxel_size_mm}.")
    if not radius_mm >= 0:
        raise GeometryError(f"A radius of {radius_mm} mm is impossible; give 0 or more.")
    return mask


def _near(mask: Array, radius_mm: float, voxel_size_mm: Sequence[float]) -> Array:
    """Voxels within the radius of the mask: the quicker of two equal ways."""
    run, lines = _ball_lines(radius_mm, voxel_size_mm)
    if len(lines) <= _MAX_LINES:
        return _near_by_shifts(mask, run, lines)
    return _near_by_distance(mask, radius_mm, voxel_size_mm)


def _near_by_distance(mask: Array, radius_mm: float, voxel_size_mm: Sequence[float]) -> Array:
    if not mask.any():
        return np.zeros_like(mask)
    distance = ndimage.distance_transform_edt(~mask, sampling=voxel_size_mm)
    return np.asarray(distance <= _with_rounding(radius_mm))


def _with_rounding(radius_mm: float) -> float:
    """The radius with room for rounding, so that 2 mm reaches two voxels of 1 mm."""
    return radius_mm * (1 + 1e-6)


def _ball_lines(
    radius_mm: float, voxel_size_mm: Sequence[float]
) -> tuple[int, list[tuple[int, tuple[int, int]]]]:
    """A ball as lines of voxels: their axis, and per line its half length and its offset."""
    # Lines along the finest axis are the fewest.
    run = int(np.argmin(voxel_size_mm))
    a, b = (float(s) for axis, s in enumerate(voxel_size_mm) if axis != run)
    squared = _with_rounding(radius_mm) ** 2
    lines = []
    reach_a, reach_b = int(np.sqrt(squared) / a), int(np.sqrt(squared) / b)
    for i in range(-reach_a, reach_a + 1):
        for j in range(-reach_b, reach_b + 1):
            left = squared - (i * a) ** 2 - (j * b) ** 2
            if left >= 0:
                lines.append((int(np.sqrt(left) / float(voxel_size_mm[run])), (i, j)))
    return run, sorted(lines)


def _near_by_shifts(mask: Array, run: int, lines: list[tuple[int, tuple[int, int]]]) -> Array:
    out = np.zeros_like(mask)
    grown, length = mask.copy(), 0
    across = [axis for axis in range(3) if axis != run]
    for half_length, offset in lines:
        while length < half_length:
            length += 1
            for step in (-length, length):
                _or_shifted(grown, mask, {run: step})
        _or_shifted(out, grown, dict(zip(across, offset, strict=True)))
    return out


def _or_shifted(out: Array, mask: Array, steps: dict[int, int]) -> None:
    """``out |= mask`` moved by some voxels, nothing entering at the edges."""
    to, source = [slice(None)] * 3, [slice(None)] * 3
    for axis, step in steps.items():
        n = mask.shape[axis]
        if abs(step) >= n:
            return
        to[axis] = slice(max(step, 0), n + min(step, 0))
        source[axis] = slice(max(-step, 0), n + min(-step, 0))
    out[tuple(to)] |= mask[tuple(source)]
