"""Slices on a page, with what is written on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from napari_qsm.figures.outlines import outlines
from napari_qsm.figures.page import MIN_PT, Level, Page, Rect, Side
from napari_qsm.figures.panels import ImagePanel, MosaicPanel
from napari_qsm.figures.parts import Regions
from napari_qsm.figures.plans import PicturePlan
from napari_qsm.figures.slices import Raster, Slice, View, raster
from napari_qsm.io.label_table import default_color, rgb
from napari_qsm.looks.geometry import (
    DRAWN_AXES,
    DisplayFrame,
    across_sign,
    letters,
    scale_bar_mm,
)
from napari_qsm.rois.statistics import region_side
from napari_qsm.volume import Array

#: Right and left in colours of Okabe and Ito (2008) that colour-blind readers tell apart.
SIDE_COLOURS: Mapping[str, str] = {"right": "#e69f00", "left": "#56b4e9", "": "#2fd0a0"}
TILE_GAP_MM = 0.5
_PAD_MM = 0.7


@dataclass(eq=False)
class Frame:
    """A slice on the page: turns display mm into page mm and keeps track of free space.

    Attributes
    ----------
    rect : Rect
        Place on the page.
    view : View
        The part of the plane that fills ``rect``.
    taken : list of Rect
        Places of what is written already.
    """

    page: Page
    rect: Rect
    view: View
    plane: Any
    sign: int
    under: Array | None = None
    taken: list[Rect] = field(default_factory=list)

    @property
    def scale(self) -> float:
        """Page mm per mm of the head."""
        return self.rect.width / self.view.size[0]

    def place(self, across: Any, up: Any) -> tuple[Any, Any]:
        """Page mm of display positions along the drawn axes."""
        x = self.rect.left + self.rect.width / 2
        y = self.rect.top + self.rect.height / 2
        return (
            x + self.sign * (across - self.view.centre[0]) * self.scale,
            y - (up - self.view.centre[1]) * self.scale,
        )

    def at(self, display: Array) -> tuple[float, float]:
        """Page mm of a display position (x, y, z)."""
        across, up = DRAWN_AXES[self.plane]
        x, y = self.place(display[across], display[up])
        return float(x), float(y)

    def write(
        self,
        places: list[tuple[float, float, Side, Level]],
        text: str,
        *,
        size_pt: float,
        weight: str = "normal",
        colour: str | None = None,
        smaller: bool = True,
    ) -> bool:
        """Write a text at the first place where it fits and covers no other text.

        Returns
        -------
        bool
            Whether there was one; letters get smaller before it is given up.
        """
        sizes = [size_pt]
        if smaller:
            sizes += np.arange(size_pt - 0.5, MIN_PT - 0.01, -0.5).tolist()
        for size in sizes:
            for x, y, across, level in places:
                rect = self.page.text_rect(
                    x, y, text, size_pt=float(size), across=across, level=level, weight=weight
                )
                if self.rect.holds(rect) and not any(rect.overlaps(t, -0.15) for t in self.taken):
                    ink, halo = self.ink(rect, colour)
                    self.page.text(
                        x,
                        y,
                        text,
                        size_pt=float(size),
                        across=across,
                        level=level,
                        weight=weight,
                        colour=ink,
                        halo=halo,
                    )
                    self.taken.append(rect)
                    return True
        return False

    def ink(self, rect: Rect, colour: str | None = None) -> tuple[str, str | None]:
        """Ink that shows on what lies below, and the edge its letters need, if any."""
        light = self.lightness_under(rect)
        if light.size == 0:
            return colour or "#ffffff", None
        low, high = np.percentile(light, (5, 95))
        if colour is None:
            middle = float(light.mean())
            colour = "#ffffff" if _contrast(1, middle) >= _contrast(0, middle) else "#000000"
        own = float(_lightness(np.array([rgb(colour)])).item())
        worst = min(_contrast(own, low), _contrast(own, high))
        if low <= own <= high or worst < 4.5:
            return colour, "#000000" if own > 0.18 else "#ffffff"
        return colour, None

    def lightness_under(self, rect: Rect) -> Array:
        """Relative luminance of the picture under a place on the page."""
        if self.under is None or not self.under.size:
            return np.empty(0)
        rows, columns = self.under.shape
        x = np.linspace(rect.left, rect.right, 12)
        y = np.linspace(rect.top, rect.bottom, 6)
        i = np.clip(((y - self.rect.top) / self.rect.height * rows).astype(int), 0, rows - 1)
        j = np.clip(((x - self.rect.left) / self.rect.width * columns).astype(int), 0, columns - 1)
        return self.under[np.ix_(i, j)]


def _lightness(colours: Array) -> Array:
    """Relative luminance (WCAG 2) of sRGB colours 0..255."""
    part = np.asarray(colours, dtype=np.float64) / 255
    linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    return linear @ np.array([0.2126, 0.7152, 0.0722])


def _contrast(a: float, b: float) -> float:
    light, dark = max(a, b), min(a, b)
    return (light + 0.05) / (dark + 0.05)


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
        pad = _PAD_MM
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
            draw_scale_bar(frame, scale_bar_mm(frame.scale, tile.width / 4), size - 1)
        if panel.orientation_letters and first:
            _write_letters(frame, plan, radiological)
        if isinstance(panel, ImagePanel):
            notes += draw_marks(frame, plan)
        if panel.regions is not None and panel.regions.names != "none":
            notes += _write_names(frame, plan, where, radiological)
    return notes


def _write_letters(frame: Frame, plan: PicturePlan, radiological: bool) -> None:
    rect, pad = frame.rect, _PAD_MM
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
        _draw_regions(frame, plan, panel.regions, where, radiological)
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
    return np.where(inside, _lightness(found), 1.0 if white else 0.0)


def region_colour(plan: PicturePlan, style: Regions, label: int) -> str:
    """The colour in which a region is drawn."""
    if label in style.own_colours:
        return style.own_colours[label]
    region = plan.labels.regions.get(label) if plan.labels else None
    if style.colours == "side":
        return SIDE_COLOURS[region_side(region)]
    return getattr(region, "color", "") or default_color(label)


def _draw_regions(
    frame: Frame, plan: PicturePlan, style: Regions, where: Slice, radiological: bool
) -> None:
    for label, inside in plan.region_slices(where, radiological).items():
        paths = [_on_page(frame, plan, where, path, inside.shape) for path in outlines(inside)]
        colour = region_colour(plan, style, label)
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


def _on_page(
    frame: Frame, plan: PicturePlan, where: Slice, path: Array, shape: tuple[int, ...]
) -> Array:
    """Corners in (row, column) of a slice as it lies on the page, in page mm."""
    volume = plan.map.volume
    layout = DisplayFrame(volume)
    across, up = DRAWN_AXES[where.plane]
    column = path[:, 1] if frame.sign > 0 else shape[1] - 1 - path[:, 1]
    row = shape[0] - 1 - path[:, 0]
    x, y = frame.place(
        layout.origin_mm[across] + column * layout.size_mm[across],
        layout.origin_mm[up] + row * layout.size_mm[up],
    )
    return np.stack([x, y], axis=1)


def _write_names(frame: Frame, plan: PicturePlan, where: Slice, radiological: bool) -> list[str]:
    notes = []
    style = plan.panel.regions
    assert style is not None and plan.labels is not None
    size = frame.page.style.size_pt - 1
    columns: dict[str, list[tuple[float, float, str, str]]] = {"left": [], "right": []}
    for label, inside in plan.region_slices(where, radiological).items():
        region = plan.labels.regions.get(label)
        name = plan.labels.region_called(label)
        if style.names == "short":
            name = getattr(region, "abbreviation", "") or name
        path = max(outlines(inside), key=len)
        corners = _on_page(frame, plan, where, path, inside.shape)
        edge = "left" if corners[:, 0].mean() < frame.rect.left + frame.rect.width / 2 else "right"
        outer = corners[:, 0].argmin() if edge == "left" else corners[:, 0].argmax()
        x, y = (float(v) for v in corners[outer])
        if frame.rect.holds(Rect(x, y, 0, 0)):
            columns[edge].append((y, x, name, region_colour(plan, style, label)))
    for edge, found in columns.items():
        notes += _write_column(frame, plan.who, edge, sorted(found), size)
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
        room = (abs(x - rect.left) if edge == "left" else abs(rect.right - x)) - _PAD_MM - 2.0
        text, fit = page.fitted(name, max(room, rect.width * 0.36), size)
        at = rect.left + _PAD_MM if edge == "left" else rect.right - _PAD_MM
        side: Side = "left" if edge == "left" else "right"
        # Below the one before, and so that those to come find room above the lower edge.
        lowest = rect.bottom - 0.5 - step * (len(found) - number - 0.5)
        wanted = min(max(y, free + step / 2), lowest)
        heights = [wanted + k * step / 4 for k in range(41)]
        for middle in heights:
            spot = page.text_rect(at, middle, text, size_pt=fit, across=side, level="middle")
            if frame.write([(at, middle, side, "middle")], text, size_pt=fit, smaller=False):
                start = spot.right + 0.4 if edge == "left" else spot.left - 0.4
                line = np.array([[start, middle], [x, y]])
                page.lines([line], "#000000", 1.0, clip=rect, alpha=0.6, zorder=3.4)
                page.lines([line], colour, 0.5, clip=rect, zorder=3.5)
                free = middle + step / 2
                break
        else:
            notes.append(f"{who}: no room to write '{name}' beside its region.")
    return notes
