"""Slices of a map as pictures: which slice, which part of it, in which colours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from napari_qsm import compositing
from napari_qsm.anatomy import DEPTH_AXIS, DRAWN_AXES, DisplayFrame, Plane, across_sign, side_mm
from napari_qsm.arrays import Array
from napari_qsm.clusters import small_clusters
from napari_qsm.compositing import display_colours, packed, unpacked
from napari_qsm.errors import QsmError
from napari_qsm.figures.annotations import Point
from napari_qsm.figures.gather import Loaded, labels_like, wanted_labels
from napari_qsm.figures.panels import ImagePanel, MosaicPanel
from napari_qsm.figures.parts import BoxCrop, Crop, Display, RegionsCrop, Window
from napari_qsm.volume import Volume, same_grid


@dataclass(frozen=True)
class Slice:
    """One slice of a canonical volume.

    Attributes
    ----------
    plane : Plane
        Its plane.
    index : int
        Along the canonical axis, from 0.
    position_mm : float
        World coordinate along the plane's axis that is written for it.
    """

    plane: Plane
    index: int
    position_mm: float

    @property
    def text(self) -> str:
        """``"S 4.0 mm"``."""
        return side_mm(DEPTH_AXIS[self.plane], self.position_mm)


@dataclass(frozen=True)
class View:
    """A rectangle of a plane in display mm: middle and size along (across, up)."""

    centre: tuple[float, float]
    size: tuple[float, float]

    def resized(self, size: tuple[float, float]) -> View:
        """The same middle with another size."""
        return replace(self, size=size)


def _middle(volume: Volume, plane: Plane, index: float) -> Array:
    """World mm of the middle of a slice."""
    voxel = (np.array(volume.shape) - 1) / 2
    voxel[DEPTH_AXIS[plane]] = index
    return volume.voxel_to_world(voxel)


def slice_at(volume: Volume, plane: Plane, mm: float, who: str) -> Slice:
    """The slice nearest to a world coordinate along its axis.

    Raises
    ------
    QsmError
        If the volume does not reach there.
    """
    axis = DEPTH_AXIS[plane]
    first, last = (
        float(_middle(volume, plane, k)[axis]) for k in (0, max(volume.shape[axis] - 1, 1))
    )
    step = (last - first) / max(volume.shape[axis] - 1, 1)
    exact = (mm - first) / step
    if not -0.5 - 1e-6 <= exact <= volume.shape[axis] - 0.5 + 1e-6:
        end = first + step * (volume.shape[axis] - 1)
        raise QsmError(
            f"{who}: the {plane} slice at {side_mm(axis, mm)} lies outside the map, which reaches "
            f"from {side_mm(axis, first)} to {side_mm(axis, end)}."
        )
    index = int(np.clip(np.rint(exact), 0, volume.shape[axis] - 1))
    return Slice(plane, index, float(_middle(volume, plane, index)[axis]))


def slice_of(panel: ImagePanel, map_: Loaded, who: str) -> Slice:
    """The slice that a panel asks for.

    Raises
    ------
    QsmError
        If the map has no such slice.
    """
    volume, axis = map_.volume, DEPTH_AXIS[panel.plane]
    if panel.slice_mm is not None:
        return slice_at(volume, panel.plane, panel.slice_mm, who)
    if panel.slice_index is not None:
        if not 1 <= panel.slice_index <= volume.shape[axis]:
            raise QsmError(
                f"{who}: '{map_.name}' has {panel.plane} slices 1 to {volume.shape[axis]}; there "
                f"is no slice {panel.slice_index}."
            )
        index = panel.slice_index - 1
        return Slice(panel.plane, index, float(_middle(volume, panel.plane, index)[axis]))
    assert panel.through_mm is not None
    depth = float(volume.world_to_voxel(panel.through_mm)[axis])
    if not -0.5 <= depth <= volume.shape[axis] - 0.5:
        raise QsmError(
            f"{who}: no {panel.plane} slice of '{map_.name}' goes through "
            f"({', '.join(f'{v:.1f}' for v in panel.through_mm)}) mm."
        )
    index = int(np.clip(np.rint(depth), 0, volume.shape[axis] - 1))
    voxel = volume.world_to_voxel(panel.through_mm)
    voxel[axis] = index
    return Slice(panel.plane, index, float(volume.voxel_to_world(voxel)[axis]))


def mosaic_slices(panel: MosaicPanel, map_: Loaded, who: str) -> list[Slice]:
    """The slices of a mosaic, from the first to the last; none twice.

    Raises
    ------
    QsmError
        If the range leaves the map.
    """
    volume, axis = map_.volume, DEPTH_AXIS[panel.plane]
    low, high = map_.filled[axis]
    ends = [float(_middle(volume, panel.plane, k)[axis]) for k in (low, high)]
    first = ends[0] if panel.first_mm is None else panel.first_mm
    last = ends[1] if panel.last_mm is None else panel.last_mm
    if panel.count is not None:
        positions = np.linspace(first, last, panel.count)
    else:
        assert panel.step_mm is not None
        count = int(np.floor(abs(last - first) / panel.step_mm + 1e-6)) + 1
        if count > 400:
            raise QsmError(f"{who}: a mosaic of {count} slices is too many; choose a larger step.")
        positions = first + np.sign(last - first) * panel.step_mm * np.arange(count)
    found = [slice_at(volume, panel.plane, float(mm), who) for mm in positions]
    return list({one.index: one for one in found}.values())


def view_of(
    panel: ImagePanel | MosaicPanel, map_: Loaded, sources: Mapping[str, Loaded], who: str
) -> View:
    """The part of the plane that a panel's crop asks for.

    Raises
    ------
    QsmError
        If there is nothing to crop to.
    """
    crop, volume = panel.crop, map_.volume
    frame = DisplayFrame(volume)
    across, up = DRAWN_AXES[panel.plane]
    if isinstance(crop, BoxCrop):
        centre = frame.world_to_display(crop.centre_mm)
        return View((float(centre[across]), float(centre[up])), crop.size_mm)
    ends = np.array([(0, n - 1) for n in volume.shape])
    margin = 0.0
    if crop.kind == "head":
        ends, margin = map_.filled, crop.margin_mm
    elif isinstance(crop, RegionsCrop):
        ends, margin = _region_ends(crop, map_, sources), crop.margin_mm
    low = frame.origin_mm + (ends[:, 0] - 0.5) * frame.size_mm
    high = frame.origin_mm + (ends[:, 1] + 0.5) * frame.size_mm
    if crop.kind == "head":  # no more than the map itself
        edge = frame.origin_mm - 0.5 * frame.size_mm
        end = edge + np.array(volume.shape) * frame.size_mm
        low, high, margin = np.maximum(low - margin, edge), np.minimum(high + margin, end), 0.0
    return View(
        (float(low[across] + high[across]) / 2, float(low[up] + high[up]) / 2),
        (
            float(high[across] - low[across]) + 2 * margin,
            float(high[up] - low[up]) + 2 * margin,
        ),
    )


def _region_ends(crop: RegionsCrop, map_: Loaded, sources: Mapping[str, Loaded]) -> Array:
    """First and last voxel of regions along each axis; kept with the map for previews."""
    labels = sources[crop.labels]
    which = wanted_labels(labels, crop.which)
    kept = map_.measured.get(("ends", which))
    if kept is None or kept[0] is not labels:
        inside = np.isin(labels_like(labels, map_), which)
        ends = []
        for axis in range(3):
            others = tuple(a for a in range(3) if a != axis)
            at = np.flatnonzero(inside.any(axis=others))
            ends.append((at[0], at[-1]))
        kept = map_.measured["ends", which] = (labels, np.array(ends))
    found: Array = kept[1]
    return found


def crop_family(plane: Plane, crop: Crop) -> tuple[Any, ...]:
    """Panels of one family show equally many millimetres."""
    said = crop.model_dump(exclude={"labels", "centre_mm"})
    return (plane, *(tuple(v) if isinstance(v, list) else v for v in said.values()))


@dataclass(frozen=True, eq=False)
class Raster:
    """A picture ready to be placed.

    Attributes
    ----------
    rgb : ndarray, shape (rows, columns, 3), uint8
        Row 0 is the top, column 0 the left of the page.
    left, right, bottom, top : float
        Display mm of its edges: ``left`` and ``right`` along the drawn horizontal axis as it
        runs on the page, so ``left > right`` where that axis runs to the left.
    """

    rgb: Array
    left: float
    right: float
    bottom: float
    top: float


def cut(data: Array, where: Slice, box: tuple[slice, slice], sign: int) -> Array:
    """A slice as it lies on the page: rows from the top, columns from the left."""
    index: list[Any] = [slice(None)] * 3
    index[DEPTH_AXIS[where.plane]] = where.index
    part = data[tuple(index)][box]
    return part.T[::-1, ::sign]


def raster(
    map_: Loaded,
    where: Slice,
    view: View,
    display: Display,
    *,
    window: Window | None = None,
    over: Loaded | None = None,
    over_window: Window | None = None,
    ground: tuple[float, float, float] = (0.0, 0.0, 0.0),
    radiological: bool = True,
) -> Raster | None:
    """Colour the part of a slice that a view shows; None where the view misses the map."""
    volume = map_.volume
    sign = across_sign(where.plane, radiological)
    seen = _seen(volume, where, view)
    if seen is None:
        return None
    box_2d, edges = seen
    if window is not None:
        display = display.model_copy(update={"window": window})
    paint = display_colours(in_unit_of(volume, display), display.opacity)
    picture = paint(cut(volume.data, where, box_2d, sign))
    speckle = speckle_of(map_, display)
    if speckle is not None:
        picture[cut(speckle, where, box_2d, sign)] = 0
    below = np.full(picture.shape, packed(np.array([*ground, 1.0])))
    if over is not None:
        grey = display_colours(Display(window=over_window or over.grey_window))
        values = _over_values(over, map_, where, box_2d).T[::-1, ::sign]
        below = compositing.over(grey(values), below)
    (low, high), (bottom, top) = edges
    left, right = (low, high) if sign > 0 else (high, low)
    return Raster(unpacked(compositing.over(picture, below)), left, right, bottom, top)


def _seen(
    volume: Volume, where: Slice, view: View
) -> tuple[tuple[slice, slice], list[tuple[float, float]]] | None:
    """The voxels of a slice that a view shows, and their edges in display mm; None outside."""
    frame = DisplayFrame(volume)
    box, edges = [], []
    for middle, size, axis in zip(view.centre, view.size, DRAWN_AXES[where.plane], strict=True):
        step, origin = frame.size_mm[axis], frame.origin_mm[axis]
        first = int(np.floor((middle - size / 2 - origin) / step + 0.5))
        last = int(np.ceil((middle + size / 2 - origin) / step - 0.5))
        first, last = max(first, 0), min(last, volume.shape[axis] - 1)
        if first > last:
            return None
        box.append(slice(first, last + 1))
        edges.append((origin + (first - 0.5) * step, origin + (last + 0.5) * step))
    return (box[0], box[1]), edges


def values_seen(map_: Loaded, where: Slice, view: View, display: Display) -> Array:
    """The finite values of the part of a slice that a view shows, without those of speckle."""
    seen = _seen(map_.volume, where, view)
    if seen is None:
        return np.empty(0)
    values = cut(map_.volume.data, where, seen[0], 1)
    shown = np.isfinite(values)
    speckle = speckle_of(map_, display)
    if speckle is not None:
        shown &= ~cut(speckle, where, seen[0], 1)
    return values[shown]


def speckle_of(map_: Loaded, display: Display) -> Array | None:
    """Voxels in clusters that a display leaves out; kept with the map for previews."""
    display = in_unit_of(map_.volume, display)
    key = ("speckle", display.model_dump_json())
    if key not in map_.measured:
        voxel_mm3 = float(np.prod(map_.volume.voxel_size_mm))
        map_.measured[key] = small_clusters(map_.volume.data, display, voxel_mm3)
    found: Array | None = map_.measured[key]
    return found


def in_unit_of(volume: Volume, display: Display) -> Display:
    """A display with its values in the unit of a volume; spec values are in ppm."""
    if volume.unit != "ppb":
        return display
    ends = display.threshold_low, display.threshold_high
    low, high = (None if value is None else value * 1e3 for value in ends)
    window = (display.window[0] * 1e3, display.window[1] * 1e3)
    return display.model_copy(
        update={"window": window, "threshold_low": low, "threshold_high": high}
    )


def _over_values(over: Loaded, map_: Loaded, where: Slice, box: tuple[slice, slice]) -> Array:
    """Values of an image at the voxels of a map's slice; NaN outside. Axes (across, up)."""
    depth = DEPTH_AXIS[where.plane]
    index: list[Any] = [slice(None)] * 3
    index[depth] = where.index
    for axis, part in zip(DRAWN_AXES[where.plane], box, strict=True):
        index[axis] = part
    if same_grid(over.volume, map_.volume):
        return over.volume.like(map_.volume).data[tuple(index)]
    return _nearest(over.volume, map_.volume, index)


def _nearest(volume: Volume, like: Volume, index: list[Any]) -> Array:
    """Values of the voxels of one volume nearest to the voxels of another; NaN outside."""
    lengths = like.shape
    ranges = [
        np.arange(lengths[axis])[part] if isinstance(part, slice) else np.array([part])
        for axis, part in enumerate(index)
    ]
    ijk = np.stack(np.meshgrid(*ranges, indexing="ij"), axis=-1)
    at = np.rint(volume.world_to_voxel(like.voxel_to_world(ijk))).astype(np.intp)
    inside = ((at >= 0) & (at < np.array(volume.shape))).all(axis=-1)
    out = np.full(inside.shape, np.nan, dtype=np.float32)
    out[inside] = volume.data[tuple(at[inside].T)]
    return out.reshape(
        [len(r) for r, part in zip(ranges, index, strict=True) if isinstance(part, slice)]
    )


def visible_on(point_mm: Point, where: Slice, volume: Volume) -> bool:
    """Whether a mark at a point belongs to a slice: it lies within half a voxel of it."""
    depth = float(volume.world_to_voxel(point_mm)[DEPTH_AXIS[where.plane]])
    return abs(depth - where.index) <= 0.5 + 1e-6
