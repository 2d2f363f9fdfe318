"""Slices on a page, with what is written on them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from napari_qsm.anatomy import across_sign, letters, scale_bar_mm
from napari_qsm.arrays import Array
from napari_qsm.errors import QsmError
from napari_qsm.figures.frame import PAD_MM, Frame, lightness
from napari_qsm.figures.gather import Loaded, labels_like, wanted_labels
from napari_qsm.figures.kinds import Drawing, PanelPlan, Setting, plan_of
from napari_qsm.figures.lettering import Level, Rect, Side
from napari_qsm.figures.marks import draw_marks, draw_scale_bar
from napari_qsm.figures.page import Page
from napari_qsm.figures.panels import ImagePanel, MosaicPanel
from napari_qsm.figures.parts import Display, Window
from napari_qsm.figures.region_marks import SliceRegions, draw_regions, draw_shapes, write_names
from napari_qsm.figures.slices import (
    Raster,
    Slice,
    View,
    cut,
    mosaic_slices,
    raster,
    slice_of,
    view_of,
    visible_on,
)
from napari_qsm.figures.spec import FigureSpec

TILE_GAP_MM = 0.5
_APART_MM = 1.5
Place = tuple[float, float, Side, Level]


def mosaic_grid(page: Page, plan: PicturePlan, width_mm: float) -> tuple[int, int]:
    """Rows and columns of a mosaic: no more than let the positions of slices be written."""
    assert isinstance(plan.panel, MosaicPanel)
    count, least = len(plan.slices), 3.0
    if plan.panel.slice_position:
        widest = max(
            page.width(plan.position(one, short=True), page.small_pt) for one in plan.slices
        )
        least = widest + 2 * PAD_MM
    fitting = int((width_mm + TILE_GAP_MM + 1e-6) // (least + TILE_GAP_MM))
    columns = max(min(plan.panel.columns, count, fitting), 1)
    return -(-count // columns), columns


@plan_of(ImagePanel, MosaicPanel)
@dataclass(frozen=True, eq=False)
class PicturePlan(PanelPlan):
    """One or several slices of a map.

    Attributes
    ----------
    slices : tuple of Slice
        One, but for mosaics.
    which : tuple of int
        Labels drawn.
    """

    panel: ImagePanel | MosaicPanel
    map: Loaded
    display: Display
    slices: tuple[Slice, ...]
    view: View
    over: Loaded | None = None
    labels: Loaded | None = None
    which: tuple[int, ...] = ()

    @classmethod
    def of(cls, panel: ImagePanel | MosaicPanel, who: str, setting: Setting) -> Self:
        """Find its slices, the part of them that is drawn, and its regions.

        Raises
        ------
        QsmError
            For a slice outside the map, an unknown display, regions on another grid, or a mark
            of another slice.
        """
        sources = setting.sources
        map_ = sources[panel.map]
        display = _display(panel.display, setting.spec, who)
        if isinstance(panel, ImagePanel):
            slices = [slice_of(panel, map_, who)]
        else:
            slices = mosaic_slices(panel, map_, who)
        view = view_of(panel, map_, sources, who)
        labels: Loaded | None = None
        which: tuple[int, ...] = ()
        if panel.regions is not None:
            labels = sources[panel.regions.labels]
            which = wanted_labels(labels, panel.regions.which)
        over = sources[panel.over] if panel.over else None
        plan = cls(who, panel, map_, display, tuple(slices), view, over, labels, which)
        if labels is not None and not plan.shown:
            setting.notes.append(f"{who}: none of its regions lies on its slice.")
        if isinstance(panel, ImagePanel):
            for mark in panel.annotations:
                if mark.plane != panel.plane or not visible_on(mark.at_mm, slices[0], map_.volume):
                    raise QsmError(
                        f"{who}: the {mark.kind} at ({', '.join(f'{v:.1f}' for v in mark.at_mm)}) mm "
                        f"was drawn on another slice than {slices[0].text} ({panel.plane})."
                    )
        return plan

    @cached_property
    def shown(self) -> tuple[int, ...]:
        """Those of its regions that lie on its slices."""
        there = {label for where in self.slices for label in self.region_slices(where, True)}
        return tuple(label for label in self.which if label in there)

    @property
    def window(self) -> Window:
        """Values at the ends of the ramp."""
        return self.panel.unlocked_window or self.display.window

    def position(self, where: Slice, *, short: bool = False) -> str:
        """What is written for a slice: ``"S 4.0 mm"``, or its number where sides are unknown."""
        if not self.map.volume.orientation_known:
            return f"{'' if short else 'slice '}{where.index + 1}"
        return where.text.removesuffix(" mm") if short else where.text

    def region_slices(self, where: Slice, radiological: bool) -> dict[int, Array]:
        """Each region's voxels on a slice, as they lie on the page; absent ones left out."""
        if self.labels is None:
            return {}
        everything = (slice(None), slice(None))
        sign = across_sign(where.plane, radiological)
        found = cut(labels_like(self.labels, self.map), where, everything, sign)
        there = {int(v) for v in np.unique(found)}
        return {label: found == label for label in self.which if label in there}

    def regions_on(self, where: Slice, radiological: bool) -> SliceRegions:
        """Its regions on a slice, ready to be drawn."""
        assert self.labels is not None
        inside = self.region_slices(where, radiological)
        return SliceRegions(self.labels, self.map.volume, where.plane, inside)

    def height(self, page: Page, width_mm: float) -> float:
        """Height at which its pictures fill a width."""
        aspect = self.view.size[1] / self.view.size[0]
        if isinstance(self.panel, ImagePanel):
            return width_mm * aspect
        rows, columns = mosaic_grid(page, self, width_mm)
        tile = (width_mm - (columns - 1) * TILE_GAP_MM) / columns
        return rows * tile * aspect + (rows - 1) * TILE_GAP_MM

    def sentence(self) -> str:
        """What broken outlines are."""
        shapes = self.panel.shapes if isinstance(self.panel, ImagePanel) else ()
        if not shapes:
            return ""
        said = "Outlines: fixed shapes, along the borders of their voxels"
        if any(mark.carried for mark in shapes):
            said += (
                "; broken ones were carried from another visit by the rigid transform of the heads"
            )
        return f"{said}."

    def draw(self, page: Page, rect: Rect, drawing: Drawing) -> list[str]:
        """Draw its slices with what is written on them."""
        return _draw_picture(page, rect, self, drawing)


def _draw_picture(page: Page, rect: Rect, plan: PicturePlan, drawing: Drawing) -> list[str]:
    notes: list[str] = []
    panel = plan.panel
    if isinstance(panel, ImagePanel):
        tiles = [rect]
    else:
        rows, columns = mosaic_grid(page, plan, rect.width)
        width = (rect.width - (columns - 1) * TILE_GAP_MM) / columns
        height = (rect.height - (rows - 1) * TILE_GAP_MM) / rows
        tiles = [
            Rect(
                rect.left + (i % columns) * (width + TILE_GAP_MM),
                rect.top + (i // columns) * (height + TILE_GAP_MM),
                width,
                height,
            )
            for i in range(len(plan.slices))
        ]
    for number, (where, tile) in enumerate(zip(plan.slices, tiles, strict=True)):
        frame = _draw_slice(page, tile, plan, where, drawing)
        first, last = number == 0, number == len(plan.slices) - 1
        pad = PAD_MM
        if panel.slice_position:
            corner: list[Place] = [(tile.left + pad, tile.bottom - pad, "left", "bottom")]
            for short in (False, True):
                if frame.write(corner, plan.position(where, short=short), size_pt=page.small_pt):
                    break
            else:
                notes.append(f"{plan.who}: too small to write the slice's position in it.")
        if panel.scale_bar and last:
            length = scale_bar_mm(frame.scale, tile.width / 4)
            if not draw_scale_bar(frame, length, page.small_pt):
                notes.append(f"{plan.who}: too small for a scale bar.")
        if panel.orientation_letters and first:
            _write_letters(frame, plan, drawing.radiological)
        if isinstance(panel, ImagePanel):
            notes += draw_marks(frame, panel.annotations, plan.map.volume, plan.who)
        if panel.regions is not None and panel.regions.names != "none":
            regions = plan.regions_on(where, drawing.radiological)
            notes += write_names(frame, regions, panel.regions, plan.who, drawing.called)
    return notes


def _write_letters(frame: Frame, plan: PicturePlan, radiological: bool) -> None:
    rect, pad = frame.rect, PAD_MM
    said = letters(
        plan.panel.plane, radiological=radiological, known=plan.map.volume.orientation_known
    )
    middle_x, middle_y = rect.left + rect.width / 2, rect.top + rect.height / 2
    places: list[tuple[str, tuple[float, float, Side, Level]]] = [
        (said.left, (rect.left + pad, middle_y, "left", "middle")),
        (said.right, (rect.right - pad, middle_y, "right", "middle")),
        (said.top, (middle_x, rect.top + pad, "center", "top")),
        (said.bottom, (middle_x, rect.bottom - pad, "center", "bottom")),
    ]
    for letter, place in places:
        # A letter just behind the slice's position would read as part of it.
        frame.write([place], letter, size_pt=frame.page.size_pt, apart_mm=_APART_MM)


def _draw_slice(
    page: Page,
    tile: Rect,
    plan: PicturePlan,
    where: Slice,
    drawing: Drawing,
) -> Frame:
    panel, radiological, cache = plan.panel, drawing.radiological, drawing.rasters
    scale = min(tile.width / plan.view.size[0], tile.height / plan.view.size[1])
    view = plan.view.resized((tile.width / scale, tile.height / scale))
    sign = across_sign(where.plane, radiological)
    frame = Frame(page, tile, view, where.plane, sign)
    white = plan.display.colouring == "inverted" and plan.over is None
    ground = "#ffffff" if white else "#000000"
    page.fill(tile, ground, zorder=1)
    key = (
        plan.map.stamp,
        plan.over and plan.over.stamp,
        plan.display.model_dump_json(),
        plan.window,
        panel.over_window,
        where,
        view,
        radiological,
    )
    picture: Raster | None = cache.get(key)
    if key not in cache:
        picture = raster(
            plan.map,
            where,
            view,
            plan.display,
            window=panel.unlocked_window,
            over=plan.over,
            over_window=panel.over_window,
            ground=(1.0, 1.0, 1.0) if white else (0.0, 0.0, 0.0),
            radiological=radiological,
        )
        cache[key] = picture
    if picture is not None:
        left, bottom = frame.place(picture.left, picture.bottom)
        right, top = frame.place(picture.right, picture.top)
        edges = (float(left), float(right), float(bottom), float(top))
        smooth = plan.display.interpolation == "linear"
        page.image(picture.rgb, edges, tile, smooth=smooth)
        frame.under = _as_seen(picture, edges, tile, white)
    else:
        frame.under = np.full((1, 1), 1.0 if white else 0.0)
    if panel.regions is not None:
        draw_regions(frame, plan.regions_on(where, radiological), panel.regions)
    if isinstance(panel, ImagePanel) and panel.shapes:
        draw_shapes(frame, panel.shapes, plan.map.volume, where)
    return frame


def _as_seen(
    picture: Raster, edges: tuple[float, float, float, float], tile: Rect, white: bool
) -> Array:
    """Luminance of a tile on a coarse lattice, for the choice of inks."""
    left, right, bottom, top = edges
    rows, columns = picture.rgb.shape[:2]
    x = tile.left + (np.arange(96) + 0.5) / 96 * tile.width
    y = tile.top + (np.arange(96) + 0.5) / 96 * tile.height
    j = np.floor((x - left) / (right - left) * columns).astype(int)
    i = np.floor((y - top) / (bottom - top) * rows).astype(int)
    inside = ((i >= 0) & (i < rows))[:, None] & ((j >= 0) & (j < columns))[None]
    found = picture.rgb[np.ix_(np.clip(i, 0, rows - 1), np.clip(j, 0, columns - 1))]
    return np.where(inside, lightness(found), 1.0 if white else 0.0)


def _display(name: str, spec: FigureSpec, who: str) -> Display:
    if name not in spec.displays:
        there = ", ".join(f"'{key}'" for key in spec.displays) or "none"
        raise QsmError(f"{who} uses the display '{name}', but the figure has {there}.")
    display = spec.displays[name]
    if display.colouring == "colour":
        import matplotlib

        if display.colormap not in matplotlib.colormaps:
            raise QsmError(
                f"The display '{name}' uses the colours '{display.colormap}', which do not exist; "
                "viridis, inferno, magma and cividis do."
            )
    return display
