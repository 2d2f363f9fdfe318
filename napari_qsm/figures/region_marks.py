"""Regions on a slice: outlines along the voxels, fills, names on leader lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from napari_qsm.anatomy import DEPTH_AXIS, DRAWN_AXES, DisplayFrame, Plane
from napari_qsm.arrays import Array
from napari_qsm.figures.frame import Frame
from napari_qsm.figures.gather import Loaded
from napari_qsm.figures.lettering import Rect
from napari_qsm.figures.names import Name, write_column
from napari_qsm.figures.numbers import plain_region, sided_region
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


def write_names(
    frame: Frame, regions: SliceRegions, style: Regions, who: str, words: Mapping[str, str]
) -> list[str]:
    """Write the names of regions along the edges; returns what the user should know.

    ``words`` are what the figure calls regions otherwise than they are named.
    """
    labels = regions.labels
    columns: dict[Literal["left", "right"], list[Name]] = {"left": [], "right": []}
    for label, inside in regions.inside.items():
        region = labels.regions.get(label)
        name, side = labels.region_called(label), region_side(region)
        if {name, plain_region(name, side)} & set(words):
            name = sided_region(name, side, words)
        if style.names == "short":
            name = region.abbreviation if region is not None and region.abbreviation else name
        path = max(outlines(inside), key=len)
        corners = _on_page(frame, regions, path, inside.shape)
        half = frame.rect.left + frame.rect.width / 2
        edge: Literal["left", "right"] = "left" if corners[:, 0].mean() < half else "right"
        outer = corners[:, 0].argmin() if edge == "left" else corners[:, 0].argmax()
        at = (float(corners[outer, 0]), float(corners[outer, 1]))
        if frame.rect.holds(Rect(*at, 0, 0)):
            bare = plain_region(name, side)
            columns[edge].append(Name(name, bare, at, region_colour(labels, style, label)))
    lost = [one for edge, found in columns.items() for one in write_column(frame, edge, found)]
    return [f"{who}: no room to write '{name}' beside its region." for name in lost]
