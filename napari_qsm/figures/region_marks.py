"""Regions on a slice: outlines along the voxels, fills, names on leader lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from napari_qsm.anatomy import DEPTH_AXIS, DRAWN_AXES, DisplayFrame, Plane
from napari_qsm.arrays import Array
from napari_qsm.figures.frame import PAD_MM, Frame
from napari_qsm.figures.gather import Loaded
from napari_qsm.figures.lettering import Rect, Side
from napari_qsm.figures.parts import Regions, ShapeMark
from napari_qsm.figures.slices import Slice
from napari_qsm.rois.outlines import outlines
from napari_qsm.rois.region import default_color, region_side
from napari_qsm.rois.shapes import indices_of
from napari_qsm.volume import Volume

#: Right and left in colours of Okabe and Ito (2008) that colour-blind readers tell apart.
SIDE_COLOURS: Mapping[str, str] = {"right": "#e69f00", "left": "#56b4e9", "": "#2fd0a0"}


@dataclass(frozen=True, eq=False)
class SliceRegions:
    """The regions of a label map on one slice.

    Attributes
    ----------
    labels : Loaded
        The label map, with its table.
    volume : Volume
        The map they are drawn on.
    plane : Plane
        Of the slice.
    inside : dict
        Each region's voxels on the slice, as they lie on the page.
    """

    labels: Loaded
    volume: Volume
    plane: Plane
    inside: Mapping[int, Array]


def region_colour(labels: Loaded, style: Regions, label: int) -> str:
    """The colour in which a region is drawn."""
    if label in style.own_colours:
        return style.own_colours[label]
    region = labels.regions.get(label)
    if style.colours == "side":
        return SIDE_COLOURS[region_side(region)]
    return region.color if region is not None and region.color else default_color(label)


def draw_regions(frame: Frame, regions: SliceRegions, style: Regions) -> None:
    """Draw outlines and fills, exactly along the borders of voxels."""
    for label, inside in regions.inside.items():
        paths = [_on_page(frame, regions, path, inside.shape) for path in outlines(inside)]
        colour = region_colour(regions.labels, style, label)
        if style.style in ("fill", "both"):
            frame.page.lines(
                paths,
                colour,
                0.0,
                clip=frame.rect,
                closed=True,
                fill=colour,
                alpha=style.opacity,
                zorder=3,
            )
        if style.style in ("outline", "both"):
            frame.page.lines(
                paths, colour, style.width_pt, clip=frame.rect, closed=True, zorder=3.1
            )


def draw_shapes(frame: Frame, shapes: Sequence[ShapeMark], volume: Volume, where: Slice) -> int:
    """Draw fixed shapes exactly along the borders of their voxels; returns how many the slice has."""
    layout = DisplayFrame(volume)
    across, up = DRAWN_AXES[where.plane]
    drawn = 0
    for mark in shapes:
        indices = indices_of(mark.shape, volume)
        on = indices[indices[:, DEPTH_AXIS[where.plane]] == where.index][:, (across, up)]
        if not len(on):
            continue
        drawn += 1
        low = on.min(axis=0)
        inside = np.zeros(on.max(axis=0) - low + 1, bool)
        inside[tuple((on - low).T)] = True
        colour = mark.colour or SIDE_COLOURS[mark.shape.side]
        for path in outlines(inside):
            corner = layout.origin_mm[[across, up]] + (path + low) * layout.size_mm[[across, up]]
            line = np.stack(frame.place(corner[:, 0], corner[:, 1]), axis=1)
            frame.page.lines(
                [line], "#000000", 1.7, clip=frame.rect, closed=True, alpha=0.6, zorder=3.1
            )
            frame.page.lines(
                [line], colour, 0.9, clip=frame.rect, closed=True, dashed=mark.carried, zorder=3.2
            )
    return drawn


def _on_page(frame: Frame, regions: SliceRegions, path: Array, shape: tuple[int, ...]) -> Array:
    """Corners in (row, column) of a slice as it lies on the page, in page mm."""
    layout = DisplayFrame(regions.volume)
    across, up = DRAWN_AXES[regions.plane]
    column = path[:, 1] if frame.sign > 0 else shape[1] - 1 - path[:, 1]
    row = shape[0] - 1 - path[:, 0]
    x, y = frame.place(
        layout.origin_mm[across] + column * layout.size_mm[across],
        layout.origin_mm[up] + row * layout.size_mm[up],
    )
    return np.stack([x, y], axis=1)


def write_names(frame: Frame, regions: SliceRegions, style: Regions, who: str) -> list[str]:
    """Write the names of regions along the edges; returns what the user should know."""
    notes = []
    labels = regions.labels
    size = frame.page.style.size_pt - 1
    columns: dict[str, list[tuple[float, float, str, str]]] = {"left": [], "right": []}
    for label, inside in regions.inside.items():
        region = labels.regions.get(label)
        name = labels.region_called(label)
        if style.names == "short":
            name = region.abbreviation if region is not None and region.abbreviation else name
        path = max(outlines(inside), key=len)
        corners = _on_page(frame, regions, path, inside.shape)
        edge = "left" if corners[:, 0].mean() < frame.rect.left + frame.rect.width / 2 else "right"
        outer = corners[:, 0].argmin() if edge == "left" else corners[:, 0].argmax()
        x, y = (float(v) for v in corners[outer])
        if frame.rect.holds(Rect(x, y, 0, 0)):
            columns[edge].append((y, x, name, region_colour(labels, style, label)))
    for edge, found in columns.items():
        notes += _write_column(frame, who, edge, sorted(found), size)
    return notes


def _write_column(
    frame: Frame, who: str, edge: str, found: list[tuple[float, float, str, str]], size: float
) -> list[str]:
    """Names along one edge of a picture, each with a thin line to its region."""
    notes = []
    page, rect = frame.page, frame.rect
    step = page.line_height(size)
    free = rect.top + 0.5
    for number, (y, x, name, colour) in enumerate(found):
        room = (abs(x - rect.left) if edge == "left" else abs(rect.right - x)) - PAD_MM - 1.2
        text, fit = page.fitted(name, max(room, 0.1), size)
        if text != name:  # rather over its region than shortened
            text, fit = page.fitted(name, max(room, rect.width * 0.36), size)
        at = rect.left + PAD_MM if edge == "left" else rect.right - PAD_MM
        side: Side = "left" if edge == "left" else "right"
        # Below the one before, and so that those to come find room above the lower edge.
        lowest = rect.bottom - 0.5 - step * (len(found) - number - 0.5)
        wanted = min(max(y, free + step / 2), lowest)
        heights = [wanted + k * step / 4 for k in range(41)]
        for middle in heights:
            spot = page.text_rect(at, middle, text, size_pt=fit, across=side, level="middle")
            if frame.write([(at, middle, side, "middle")], text, size_pt=fit, smaller=False):
                line = _leader(spot, edge, middle, x, y)
                page.lines([line], "#000000", 1.0, clip=rect, alpha=0.6, zorder=3.4)
                page.lines([line], colour, 0.5, clip=rect, zorder=3.5)
                free = middle + step / 2
                break
        else:
            notes.append(f"{who}: no room to write '{name}' beside its region.")
    return notes


def _leader(spot: Rect, edge: str, middle: float, x: float, y: float) -> Array:
    """From a name to its region: from the name's end, or from above or below it."""
    start = spot.right + 0.4 if edge == "left" else spot.left - 0.4
    if (start <= x) if edge == "left" else (start >= x):
        return np.array([[start, middle], [x, y]])
    return np.array([[x, min(max(y, spot.top), spot.bottom)], [x, y]])
