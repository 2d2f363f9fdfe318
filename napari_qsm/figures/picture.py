"""Slices on a page, with what is written on them."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_qsm.anatomy import across_sign, letters, scale_bar_mm
from napari_qsm.arrays import Array
from napari_qsm.figures.frame import PAD_MM, Frame, lightness
from napari_qsm.figures.lettering import Level, Rect, Side
from napari_qsm.figures.page import Page
from napari_qsm.figures.panels import ImagePanel, MosaicPanel
from napari_qsm.figures.plans import PicturePlan
from napari_qsm.figures.region_marks import draw_regions, write_names
from napari_qsm.figures.slices import Raster, Slice, raster

TILE_GAP_MM = 0.5


def mosaic_grid(panel: MosaicPanel, count: int) -> tuple[int, int]:
    """Rows and columns of a mosaic."""
    columns = min(panel.columns, count)
    return -(-count // columns), columns


def picture_height(plan: PicturePlan, width_mm: float) -> float:
    """Height at which a panel's pictures fill a width."""
    aspect = plan.view.size[1] / plan.view.size[0]
    if isinstance(plan.panel, ImagePanel):
        return width_mm * aspect
    rows, columns = mosaic_grid(plan.panel, len(plan.slices))
    tile = (width_mm - (columns - 1) * TILE_GAP_MM) / columns
    return rows * tile * aspect + (rows - 1) * TILE_GAP_MM


def draw_picture(
    page: Page, rect: Rect, plan: PicturePlan, *, radiological: bool, cache: dict[Any, Any]
) -> list[str]:
    """Draw a panel of slices; returns what the user should know."""
    from napari_qsm.figures.marks import draw_marks, draw_scale_bar

    notes: list[str] = []
    panel = plan.panel
    if isinstance(panel, ImagePanel):
        tiles = [rect]
    else:
        rows, columns = mosaic_grid(panel, len(plan.slices))
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
        frame = _draw_slice(page, tile, plan, where, radiological, cache)
        size = page.style.size_pt
        first, last = number == 0, number == len(plan.slices) - 1
        pad = PAD_MM
        if panel.letter and first:
            frame.write(
                [(tile.left + pad, tile.top + pad, "left", "top")],
                panel.letter,
                size_pt=size + 3,
                weight="bold",
            )
        if panel.slice_position:
            fits = frame.write(
                [(tile.left + pad, tile.bottom - pad, "left", "bottom")],
                where.text if plan.map.volume.orientation_known else f"slice {where.index + 1}",
                size_pt=size - 1,
            )
            if not fits:
                notes.append(f"{plan.who}: too small to write the slice's position in it.")
        if panel.scale_bar and last:
            length = scale_bar_mm(frame.scale, tile.width / 4)
            if not draw_scale_bar(frame, length, size - 1):
                notes.append(f"{plan.who}: too small for a scale bar.")
        if panel.orientation_letters and first:
            _write_letters(frame, plan, radiological)
        if isinstance(panel, ImagePanel):
            notes += draw_marks(frame, plan)
        if panel.regions is not None and panel.regions.names != "none":
            notes += write_names(frame, plan, where, radiological)
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
        frame.write([place], letter, size_pt=frame.page.style.size_pt)


def _draw_slice(
    page: Page,
    tile: Rect,
    plan: PicturePlan,
    where: Slice,
    radiological: bool,
    cache: dict[Any, Any],
) -> Frame:
    panel = plan.panel
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
        draw_regions(frame, plan, panel.regions, where, radiological)
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
