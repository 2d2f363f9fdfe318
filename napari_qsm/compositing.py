"""Slices of maps and labels put over each other, as pixels.

One rule for which voxel a pixel shows and which colour it has, whoever draws: the window's views
paint what :func:`compose` gives, and figures lay their slices over each other by :func:`over`.
Colours come from :mod:`napari_qsm.colormaps`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_qsm.anatomy import DEPTH_AXIS, DRAWN_AXES, Plane
from napari_qsm.arrays import Array
from napari_qsm.colormaps import (
    Coloured,
    colour_steps,
    effective_window,
    end_colours,
    lookup_table,
)

#: Opaque black, on which all pictures lie.
BLACK = np.uint32(0xFF000000)
_PAIRS = np.uint32(0x00FF00FF)
_HALF = np.uint32(0x00800080)


@dataclass(frozen=True, eq=False)
class Sheet:
    """A volume that takes part in a picture.

    Attributes
    ----------
    data : array-like, shape (z, y, x)
        Read only in the slice that is drawn.
    scale, translate : (z, y, x)
        Voxel size and middle of the first voxel, display mm.
    colours : callable
        Packed colours (see :func:`packed`) of an array of values.
    smooth : bool
        Whether values between voxel middles are interpolated linearly; nearest voxel otherwise.
    outline : int
        Of labels, how many pixels broad the lines are that are drawn along the borders of their
        voxels, inwards, as figures have them; 0 for filled ones.
    left_out : callable, optional
        Gives which voxels have no colour, array-like of bool, shape (z, y, x), though their values
        have one.
    left_out_colours : callable, optional
        Packed colours of their values; they are transparent without.
    """

    data: Any
    scale: tuple[float, float, float]
    translate: tuple[float, float, float]
    colours: Callable[[Array], Array]
    smooth: bool = False
    outline: int = 0
    left_out: Callable[[], Any] | None = None
    left_out_colours: Callable[[Array], Array] | None = None


def packed(rgba: Array, opacity: float = 1.0) -> Array:
    """Colours as one whole number each.

    Parameters
    ----------
    rgba : ndarray, shape (..., 4)
        0 to 1, not multiplied by alpha.
    opacity : float
        Factor on alpha.

    Returns
    -------
    ndarray of uint32, shape (...)
        ``0xAARRGGBB``, each colour multiplied by alpha.
    """
    rgba = np.clip(np.asarray(rgba, dtype=np.float64), 0, 1)
    alpha = rgba[..., 3] * opacity
    parts = [alpha, *(rgba[..., channel] * alpha for channel in range(3))]
    whole = [np.rint(part * 255).astype(np.uint32) for part in parts]
    return (whole[0] << 24) | (whole[1] << 16) | (whole[2] << 8) | whole[3]


def unpacked(picture: Array) -> Array:
    """Red, green and blue of packed colours, shape (..., 3), uint8."""
    return np.stack([(picture >> shift).astype(np.uint8) for shift in (16, 8, 0)], axis=-1)


def map_colours(
    window: tuple[float, float],
    table: Array,
    ends: tuple[Array, Array],
    opacity: float = 1.0,
    lost: Array | None = None,
) -> Callable[[Array], Array]:
    """How values of a map become packed colours.

    Parameters
    ----------
    window : (low, high)
        Values at the ends of the table.
    table : ndarray, shape (n, 4)
        RGBA in even steps through the window.
    ends : (below, above)
        RGBA of values beyond it.
    opacity : float
        Factor on alpha.
    lost : RGBA, optional
        Of what is not finite; transparent unless given.
    """
    low, high = window
    lost = np.zeros(4) if lost is None else lost
    colours = packed(np.vstack([lost, ends[0], table, ends[1]]), opacity)

    def colour(values: Array) -> Array:
        return np.take(colours, colour_steps(values, low, high, len(table)))

    return colour


def display_colours(display: Coloured, opacity: float = 1.0) -> Callable[[Array], Array]:
    """How values become packed colours under a display; ``opacity`` is a factor on alpha."""
    window, table = effective_window(display), lookup_table(display)
    return map_colours(window, table, end_colours(display), opacity)


def label_colours(
    rgba_of: Callable[[Array], Array], opacity: float = 1.0
) -> Callable[[Array], Array]:
    """How labels become packed colours; ``rgba_of`` gives RGBA of an array of labels.

    It is asked for each label once, not for each voxel.
    """
    known: dict[str, Array] = {}

    def colour(labels: Array) -> Array:
        if not labels.size:
            return np.zeros(labels.shape, np.uint32)
        lowest = 0 if labels.dtype.kind == "u" else int(labels.min())
        highest = int(labels.max())
        if lowest < 0 or highest > 1 << 16:
            values, at = np.unique(labels, return_inverse=True)
            return packed(rgba_of(values), opacity)[at].reshape(labels.shape)
        table = known.get("table")
        if table is None or len(table) <= highest:
            every = np.arange(max(highest + 1, 256)).astype(labels.dtype)
            table = known["table"] = packed(rgba_of(every), opacity)
        return np.take(table, labels)

    return colour


def over(top: Array, below: Array) -> Array:
    """Packed colours laid over others of the same shape."""
    if (top >= BLACK).all():
        return top
    at = np.flatnonzero(top)
    if 2 * at.size < top.size:  # as of drawn regions: most is left as it is
        out = below.copy()
        out.reshape(-1)[at] = _blended(top.reshape(-1)[at], below.reshape(-1)[at])
        return out
    return _blended(top, below)


def _blended(top: Array, below: Array) -> Array:
    """Two bytes of each number are worked out at once."""
    alpha = top >> np.uint32(24)
    rest = np.uint32(255) - alpha
    odd = (below & _PAIRS) * rest + _HALF
    odd = ((odd + ((odd >> np.uint32(8)) & _PAIRS)) >> np.uint32(8)) & _PAIRS
    even = ((below >> np.uint32(8)) & _PAIRS) * rest + _HALF
    even = (even + ((even >> np.uint32(8)) & _PAIRS)) & ~_PAIRS
    return top + (odd | even)


def outline_pixels(width: int) -> int:
    """How many pixels broad a line is on the screen; ``width`` as in the display of regions."""
    return round(1.5 * width)


def outlined(labels: Array, thickness: int) -> Array:
    """Labels at their edges; zero inside.

    Parameters
    ----------
    labels : ndarray, shape (rows, columns)
    thickness : int
        Rows and columns, at least 1.
    """
    inner = labels
    for _ in range(thickness):
        inner = _extreme(inner, np.minimum)
    return np.where(_extreme(labels, np.maximum) == inner, labels.dtype.type(0), labels)


def _extreme(labels: Array, pick: Any) -> Array:
    """Lowest or highest label among each voxel and its four neighbours."""
    out = labels.copy()
    for here, there in ((np.s_[1:], np.s_[:-1]), (np.s_[:-1], np.s_[1:])):
        pick(out[here], labels[there], out=out[here])
        pick(out[:, here], labels[:, there], out=out[:, here])
    return out


@dataclass(frozen=True, eq=False)
class _Cut:
    """Which part of a sheet's slice lies under which pixels."""

    values: Array
    rows: Array  # of `values`, for each pixel row; whole numbers unless the sheet is smooth
    columns: Array
    at: tuple[slice, slice]  # those pixels
    grid: tuple[Any, ...] | None  # equal for cuts whose voxels lie under the same pixels
    left_out: Array | None = None  # as `values`


def compose(
    sheets: Iterable[Sheet], plane: Plane, depth_mm: float, across_mm: Array, up_mm: Array
) -> Array:
    """The picture of one slice through sheets, later ones over earlier ones, on black.

    Parameters
    ----------
    sheets : iterable of Sheet
        From the bottom to the top.
    plane : Plane
    depth_mm : float
        Display position of the slice along the axis through the screen.
    across_mm, up_mm : ndarray
        Display positions of the pixels' middles, from left to right and from top to bottom;
        each rises or falls throughout.

    Returns
    -------
    ndarray of uint32, shape (len(up_mm), len(across_mm))
        Packed colours, opaque. A voxel reaches half its size to each side of its middle; the
        same voxel is under the same pixel whichever part of the picture is asked for.
    """
    cuts: list[tuple[_Cut, Array]] = []
    covered: set[Any] = set()  # grids of which every voxel is hidden from here on down
    for sheet in reversed(list(sheets)):
        cut = _cut(sheet, plane, depth_mm, across_mm, up_mm, covered)
        if cut is not None:
            colours = _coloured(sheet, cut)
            cuts.insert(0, (cut, colours))
            if cut.grid is not None and (colours >= BLACK).all():
                covered.add(cut.grid)
    out = np.full((len(up_mm), len(across_mm)), BLACK)
    blank, below = True, None
    for cut, colours in cuts:
        if below is not None and cut.grid is not None and cut.grid == below[0].grid:
            below = (cut, over(colours, below[1]))
            continue
        if below is not None:
            _lay(out, *below, blank=blank)
            blank = False
        below = (cut, colours)
    if below is not None:
        _lay(out, *below, blank=blank)
    return out


def _cut(
    sheet: Sheet,
    plane: Plane,
    depth_mm: float,
    across_mm: Array,
    up_mm: Array,
    covered: set[Any],
) -> _Cut | None:
    """The values of a sheet in a slice under given pixels; None where there are none to be seen."""
    depth = 2 - DEPTH_AXIS[plane]
    across, up = (2 - axis for axis in DRAWN_AXES[plane])
    shape = np.shape(sheet.data)
    index = np.rint((depth_mm - sheet.translate[depth]) / sheet.scale[depth])
    if not 0 <= index < shape[depth]:
        return None
    where: list[slice] = []
    exact: list[Array] = []
    key: list[Any] = []
    for axis, mm in ((up, up_mm), (across, across_mm)):
        at = (mm - sheet.translate[axis]) / sheet.scale[axis]
        inside = np.flatnonzero((at >= -0.5) & (at < shape[axis] - 0.5))
        if not inside.size:
            return None
        pixels = slice(int(inside[0]), int(inside[-1]) + 1)
        where.append(pixels)
        exact.append(at[pixels])
        key += [sheet.scale[axis], sheet.translate[axis], shape[axis]]
    grid = tuple(key)
    if grid in covered:
        return None
    if sheet.outline:
        return _rim(sheet, int(index), ((up, up_mm), (across, across_mm)))
    box: list[Any] = [int(index)] * 3
    places: list[Array] = []
    for axis, at in zip((up, across), exact, strict=True):
        last = shape[axis] - 1
        at = np.clip(at, 0, last) if sheet.smooth else np.floor(at + 0.5)
        low = int(np.floor(at.min()))
        high = min(int(np.floor(at.max())) + (2 if sheet.smooth else 1), last + 1)
        box[axis] = slice(low, high)
        places.append(at - low if sheet.smooth else (at - low).astype(np.intp))
    # In one piece: slices along the array's short steps take long to go through.
    values = np.ascontiguousarray(sheet.data[tuple(box)])
    pixels_of = (where[0], where[1])
    left_out = None if sheet.left_out is None else np.asarray(sheet.left_out()[tuple(box)])
    return _Cut(values, places[0], places[1], pixels_of, None if sheet.smooth else grid, left_out)


def _rim(
    sheet: Sheet, index: int, axes: tuple[tuple[int, Array], tuple[int, Array]]
) -> _Cut | None:
    """Labels along their edges, pixel by pixel: as broad on the screen whatever the zoom.

    Pixels beyond those asked for are looked at, so that a line is the same whichever part of the
    picture is drawn.
    """
    reach = sheet.outline
    steps = [float(mm[1] - mm[0]) for _, mm in axes if len(mm) > 1] or [sheet.scale[axes[0][0]]]
    box: list[Any] = [index] * 3
    places, wanted = [], []
    for (axis, mm), step in zip(axes, (steps[0], steps[-1]), strict=True):
        more = step * np.arange(1, reach + 1)
        wide = np.concatenate([mm[0] - more[::-1], mm, mm[-1] + more])
        at = np.floor((wide - sheet.translate[axis]) / sheet.scale[axis] + 0.5)
        inside = np.flatnonzero((at >= 0) & (at < np.shape(sheet.data)[axis]))
        at = at[inside].astype(np.intp)
        low = int(at.min())
        box[axis] = slice(low, int(at.max()) + 1)
        places.append(at - low)
        # Which of them were asked for, and where these stand in the picture.
        first = int(np.searchsorted(inside, reach))
        last = int(np.searchsorted(inside, reach + len(mm)))
        start = int(inside[first]) - reach
        wanted.append((slice(first, last), slice(start, start + last - first)))
    labels = np.asarray(sheet.data[tuple(box)])
    if not labels.any():
        return None
    values = np.ascontiguousarray(labels).take(places[0], axis=0).take(places[1], axis=1)
    (rows, up), (columns, across) = wanted
    values = outlined(values, reach)[rows, columns]
    here = tuple(np.arange(n) for n in values.shape)
    return _Cut(values, here[0], here[1], (up, across), None)


def _coloured(sheet: Sheet, cut: _Cut) -> Array:
    """Colours of the voxels of a cut; of its pixels where it is smooth."""
    values, left_out = cut.values, cut.left_out
    if sheet.smooth:
        values = _interpolated(cut)
        if left_out is not None:
            rows, columns = (np.rint(at).astype(np.intp) for at in (cut.rows, cut.columns))
            left_out = left_out.take(rows, axis=0).take(columns, axis=1)
    colours = sheet.colours(values)
    if left_out is not None and left_out.any():
        at = left_out.astype(bool)
        grey = sheet.left_out_colours
        colours[at] = np.uint32(0) if grey is None else grey(values[at])
    return colours


def _interpolated(cut: _Cut) -> Array:
    """Values of a cut at its pixels."""
    values = cut.values.astype(np.result_type(cut.values.dtype, np.float32))
    for axis, at in ((0, cut.rows), (1, cut.columns)):
        low = np.floor(at).astype(np.intp)
        high = np.minimum(low + 1, values.shape[axis] - 1)
        part = (at - low).astype(values.dtype)
        part = part[:, None] if axis == 0 else part
        first = values.take(low, axis=axis)
        values = first + (values.take(high, axis=axis) - first) * part
    return values


def _lay(out: Array, cut: _Cut, colours: Array, *, blank: bool) -> None:
    """Lay colours of voxels under their pixels, over what is there; ``blank`` if it is black."""
    if blank:
        colours = colours | BLACK
    if cut.grid is not None:
        colours = colours.take(cut.rows, axis=0, mode="clip").take(cut.columns, axis=1, mode="clip")
    out[cut.at] = colours if blank else over(colours, out[cut.at])
