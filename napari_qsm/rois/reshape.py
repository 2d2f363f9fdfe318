"""Changes of one region's shape: smooth, grow, shrink, fill, keep the largest piece, copy a slice.

Every function takes the region as a mask (x, y, z) and gives a new one; lengths are in mm
between voxel centres. ``across`` names the axis through the slices where each slice is treated
by itself; None works in three dimensions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy import ndimage

from napari_qsm.arrays import Array, bounding_box
from napari_qsm.errors import QsmError
from napari_qsm.recon.mask import morphology
from napari_qsm.rois.between_slices import interpolate

#: A voxel so thick that nothing reaches through it keeps morphology within slices.
_FAR_MM = 1e6


def grow(
    mask: Array, by_mm: float, voxel_size_mm: Sequence[float], *, across: int | None = None
) -> Array:
    """Every voxel whose centre lies within a distance of the region.

    Parameters
    ----------
    mask : (x, y, z) bool ndarray
        Not modified.
    by_mm : float
        At least 0.
    voxel_size_mm : (x, y, z)
        Edge lengths of a voxel.
    across : int or None
        Axis through the slices that are treated one by one.
    """
    return morphology.dilate_mm(mask, by_mm, _sizes(voxel_size_mm, across))


def shrink(
    mask: Array, by_mm: float, voxel_size_mm: Sequence[float], *, across: int | None = None
) -> Array:
    """Every voxel farther than a distance from all voxels outside; parameters as in :func:`grow`.

    The space beyond the map is unknown and does not eat into the region.
    """
    return morphology.erode_mm(mask, by_mm, _sizes(voxel_size_mm, across))


def smooth(
    mask: Array, by_mm: float, voxel_size_mm: Sequence[float], *, across: int | None = None
) -> Array:
    """Round corners and notches off; parameters as in :func:`grow`.

    The region is blurred by a Gaussian of standard deviation ``by_mm`` and cut at one half,
    which leaves flat edges where they are. Parts thinner than about twice ``by_mm`` vanish.
    """
    sizes = _sizes(voxel_size_mm, across)
    if by_mm <= 0 or not mask.any():
        return np.array(mask, dtype=bool)
    sigma = [by_mm / size for size in sizes]
    box = bounding_box(mask, [int(np.ceil(4 * s)) + 1 for s in sigma])
    out = np.zeros(mask.shape, dtype=bool)
    soft = ndimage.gaussian_filter(mask[box].astype(np.float32), sigma, mode="nearest")
    # Half a rounding error above one half, so that an edge between two voxels stays one.
    out[box] = soft > 0.5 + 1e-6
    return out


def fill_holes(mask: Array, voxel_size_mm: Sequence[float], *, across: int | None = None) -> Array:
    """Fill what the region encloses, in three dimensions or in each slice by itself."""
    return morphology.fill_holes(mask, voxel_size_mm, slices_along=across)


def keep_largest(mask: Array, *, across: int | None = None) -> Array:
    """The largest piece whose voxels share faces; in each slice by itself where asked to."""
    mask = np.asarray(mask, dtype=bool)
    if not mask.any():
        return mask.copy()
    box = bounding_box(mask, 0)
    out = np.zeros(mask.shape, dtype=bool)
    if across is None:
        out[box] = morphology.largest_component(mask[box])
        return out
    slices = [morphology.largest_component(part) for part in np.moveaxis(mask[box], across, 0)]
    out[box] = np.moveaxis(np.stack(slices), 0, across)
    return out


def copy_slice(mask: Array, across: int, source: int, target: int) -> Array:
    """The region with one slice added to another.

    Raises
    ------
    QsmError
        If the region has nothing on the source slice, or the target lies outside the map.
    """
    mask = np.asarray(mask, dtype=bool)
    if not 0 <= target < mask.shape[across]:
        raise QsmError("The next slice lies outside the map.")
    here = np.take(mask, source, axis=across)
    if not here.any():
        raise QsmError("The region has nothing on this slice to copy.")
    out = mask.copy()
    np.moveaxis(out, across, 0)[target] |= here
    return out


def pieces(mask: Array) -> list[Array]:
    """The connected pieces of a region (shared faces), the largest first."""
    mask = np.asarray(mask, dtype=bool)
    if not mask.any():
        return []
    box = bounding_box(mask, 0)
    labels, count = ndimage.label(mask[box])
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    found = []
    for number in np.argsort(-sizes, kind="stable") + 1:
        piece = np.zeros(mask.shape, dtype=bool)
        piece[box] = labels == number
        found.append(piece)
    return found


#: Changes that need a length, under the names the window shows.
_WITH_LENGTH: dict[str, Callable[..., Array]] = {"smooth": smooth, "shrink": shrink, "grow": grow}


def changed(
    mask: Array,
    how: str,
    voxel_size_mm: tuple[float, float, float],
    *,
    by_mm: float = 0.0,
    across: int | None = None,
) -> Array:
    """A region smoothed, shrunk or grown, with its holes filled, or its largest piece.

    Parameters
    ----------
    mask : (x, y, z) ndarray of bool
        The region.
    how : {"smooth", "shrink", "grow", "fill holes", "keep largest piece", "interpolate"}
        What to do; the last fills the empty slices across an axis.
    voxel_size_mm : (x, y, z)
        Edge lengths of a voxel.
    by_mm : float
        How far, for the first three.
    across : int or None
        Axis through the slices that are treated one by one; None for three dimensions.

    Raises
    ------
    QsmError
        If there is no such change.
    """
    if how in _WITH_LENGTH:
        return _WITH_LENGTH[how](mask, by_mm, voxel_size_mm, across=across)
    if how == "fill holes":
        return fill_holes(mask, voxel_size_mm, across=across)
    if how == "keep largest piece":
        return keep_largest(mask, across=across)
    if how == "interpolate" and across is not None:
        return interpolate(mask, voxel_size_mm, across)
    raise QsmError(f"There is no change called '{how}'.")


def _sizes(voxel_size_mm: Sequence[float], across: int | None) -> tuple[float, ...]:
    return tuple(
        _FAR_MM if axis == across else float(size) for axis, size in enumerate(voxel_size_mm)
    )
