"""Draw a figure from its spec and its maps, with matplotlib, never through the screen."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.errors import MetadataError
from napari_qsm.figures.captions import final_caption, in_words, title_of
from napari_qsm.figures.colour_bars import bar_in_words, draw_bottom, draw_right, place_bars
from napari_qsm.figures.gather import Given, Loaded, gather
from napari_qsm.figures.kinds import Drawing
from napari_qsm.figures.layout import Grid, cells_of, lay_out
from napari_qsm.figures.lettering import ASCENT, MIN_PT, MM_PER_PT, Rect
from napari_qsm.figures.page import Page, settings
from napari_qsm.figures.panels import ImagePanel
from napari_qsm.figures.plans import Plan, plan_figure
from napari_qsm.figures.saving import check_ending, picture_bytes, save_all
from napari_qsm.figures.spec import FigureSpec, spec_text
from napari_qsm.io.spreadsheet import defused

if TYPE_CHECKING:
    import pandas as pd

#: Dots per inch of a preview.
PREVIEW_DPI = 110
#: matplotlib's settings belong to the whole program: one drawing at a time.
DRAWING = threading.Lock()
_KEPT_RASTERS = 400
#: More dots than any printer takes for one page, and about 1 GB of memory.
_MOST_DOTS = 2.5e8


@dataclass
class Cache:
    """What one drawing leaves for the next; give it to :func:`render` again and again."""

    loaded: dict[str, Loaded] = field(default_factory=dict)
    rasters: dict[Any, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Rendered:
    """A drawn figure.

    Attributes
    ----------
    spec : FigureSpec
        What was drawn.
    base : Path
        Folder that the spec's paths start from.
    title : str
        What it is called in a PDF or SVG.
    caption : str
        The spec's own caption, or a draft.
    table : DataFrame or None
        Numbers of all regions in tables and charts.
    notes : tuple of str
        What the user should know.
    height_mm : float
        Of the page.
    panels : tuple of Rect
        Where each panel lies, in mm from the upper left corner.
    """

    spec: FigureSpec
    base: Path
    title: str
    caption: str
    table: pd.DataFrame | None
    notes: tuple[str, ...]
    page: Page
    panels: tuple[Rect, ...]

    @property
    def height_mm(self) -> float:
        """Height of the page."""
        return self.page.rect.height

    def pixels(self) -> Array:
        """The figure as RGBA, shape (rows, columns, 4), uint8."""
        return self.page.pixels()

    def picture(self, ending: str = ".png") -> bytes:
        """The figure as the bytes of a ``.png``, ``.tiff``, ``.pdf`` or ``.svg`` file.

        Raises
        ------
        FileError
            For another ending.
        """
        with settings():
            return picture_bytes(self.page, ending, title=self.title, subject=self.caption)

    def save(
        self,
        path: Path | str,
        *,
        companions: bool = True,
        spare: Path | None = None,
        overwrite: bool = True,
    ) -> list[Path]:
        """Write the figure as ``.png``, ``.tif``/``.tiff``, ``.pdf`` or ``.svg``.

        Beside it go the spec (``.json``), the caption (``.txt``) and, where the figure has
        numbers, the table (``.csv``).

        Parameters
        ----------
        path : Path or str
            The picture.
        companions : bool
            Whether the other files are written too.
        spare : Path, optional
            A file that stays as it is: the spec that the figure was read from.
        overwrite : bool
            Whether files of an earlier figure may be replaced by others.

        Returns
        -------
        list of Path
            The files written; all or none of them.

        Raises
        ------
        FileError
            For another ending, or if nothing can be written there.
        """
        path = Path(path)
        check_ending(path)
        files = {path: self.picture(path.suffix)}
        if companions:
            spec = spec_text(self.spec, folder=path.parent, base=self.base)
            files[path.with_suffix(".json")] = spec.encode()
            files[path.with_suffix(".txt")] = (self.caption.rstrip() + "\n").encode()
            if self.table is not None:
                files[path.with_suffix(".csv")] = defused(self.table).to_csv(index=False).encode()
        return save_all(path, files, spare=spare, overwrite=overwrite)


def render(
    spec: FigureSpec,
    sources: Mapping[str, Given] | None = None,
    base: Path | str = ".",
    *,
    preview: bool = False,
    dpi: float | None = None,
    cache: Cache | None = None,
) -> Rendered:
    """Draw a figure.

    Parameters
    ----------
    spec : FigureSpec
        What to draw.
    sources : dict, optional
        Volumes in memory by the spec's keys; others are read from their files.
    base : Path or str
        Folder that the spec's paths start from: that of the spec's file.
    preview : bool
        Draw with few dots, quickly.
    dpi : float, optional
        Dots per inch instead of the spec's.
    cache : Cache, optional
        Kept by the caller between previews.

    Returns
    -------
    Rendered
        Ready to be shown or saved.

    Raises
    ------
    QsmError
        If something in the spec can't be drawn; the sentence names the panel.
    """
    cache = cache or Cache()
    loaded = gather(spec, sources, base, cache.loaded)
    plan = plan_figure(spec, loaded)
    asked_pt = [spec.style.size_pt, *_sizes_of_marks(spec)]
    if min(asked_pt) < MIN_PT:
        plan.notes.append(
            f"Letters of {min(asked_pt):g} pt are drawn with {MIN_PT:g} pt, the least that journals "
            "print."
        )
    while len(cache.rasters) > _KEPT_RASTERS:
        cache.rasters.pop(next(iter(cache.rasters)))
    with settings():
        ruler = Page(spec.style, 10.0, 72)
        grid = lay_out(plan, ruler)
        dots = dpi or (PREVIEW_DPI if preview else spec.style.dpi)
        _check_size(spec.style.width_mm, grid.height_mm, dots)
        page = Page(spec.style, grid.height_mm, dots)
        notes = [note for each in loaded.values() for note in each.notes]
        _draw_titles(page, plan, grid)
        notes += [*plan.notes, *_draw_panels(page, plan, grid, cache)]
        if spec.colour_bars and not grid.rows:
            notes.append("Colour bars stand beside the grid; panels in free boxes have none.")
        _draw_bars(page, plan, grid)
    if page.missing:
        letters = " ".join(sorted(page.missing))
        notes.append(f"The font '{spec.style.font}' cannot write: {letters}")
    return Rendered(
        spec=spec,
        base=Path(base),
        title=title_of(plan),
        caption=final_caption(plan),
        table=plan.table(),
        notes=tuple(dict.fromkeys(notes)),
        page=page,
        panels=grid.bodies,
    )


def _sizes_of_marks(spec: FigureSpec) -> list[float]:
    marks = [m for panel in spec.panels if isinstance(panel, ImagePanel) for m in panel.annotations]
    return [mark.size_pt for mark in marks if mark.size_pt is not None]


def _check_size(width_mm: float, height_mm: float, dpi: float) -> None:
    dots = width_mm / 25.4 * dpi * height_mm / 25.4 * dpi
    if not dots <= _MOST_DOTS:
        raise MetadataError(
            f"A figure of {width_mm:.0f} x {height_mm:.0f} mm at {dpi:.0f} dots per inch has "
            f"{dots / 1e6:.0f} million dots; at most {_MOST_DOTS / 1e6:.0f} million can be drawn. "
            "Take fewer dots, fewer panels or a smaller page."
        )


def _draw_panels(page: Page, plan: Plan, grid: Grid, cache: Cache) -> list[str]:
    notes: list[str] = []
    drawing = Drawing(plan.spec.radiological, cache.rasters, plan.spec.called)
    parts = zip(plan.panels, grid.bodies, grid.titles, strict=True)
    for number, (one, body, strip) in enumerate(parts):
        panel = one.panel
        if number in grid.left_out:
            notes.append(f"{one.who}: left out, as the panel beside it needs its room.")
            continue
        indent = lower = 0.0
        if panel.letter:
            size = page.letter_pt
            letter = page.text(strip.left, strip.top, panel.letter, size_pt=size, weight="bold")
            indent = letter.width + 1.2
            lower = ASCENT * (size - page.size_pt) * MM_PER_PT  # on one line with the letter
        if panel.title:
            size = page.size_pt
            title, fit = page.fitted(panel.title, strip.width - indent, size, "bold")
            if title != panel.title:
                notes.append(f"{one.who}: its title is too long and was shortened.")
            page.text(strip.left + indent, strip.top + lower, title, size_pt=fit, weight="bold")
        if one.reads_itself:
            notes += one.draw(page, body, drawing)
        else:
            with page.element("Figure", in_words(one, plan.spec.called), body):
                notes += one.draw(page, body, drawing)
    return notes


def _draw_titles(page: Page, plan: Plan, grid: Grid) -> None:
    """Titles of columns and rows; equal neighbours share one, over a thin line."""
    size = page.size_pt
    for first, last, title in _runs(plan.spec.column_titles, len(grid.columns)):
        left, right = grid.columns[first][0], grid.columns[last][1]
        aside = max(page.width(one.panel.letter, page.letter_pt, "bold") for one in plan.panels)
        shown, fit = page.fitted(title, right - left - 2 * (aside + 1.0), size, "bold")
        y = grid.top_mm - page.line_height() - 0.6
        page.text((left + right) / 2, y, shown, size_pt=fit, across="center", weight="bold")
        if last > first:
            y = grid.top_mm - 0.6
            page.lines([np.array([[left, y], [right, y]])], page.ink, 0.5)
    for first, last, title in _runs(plan.spec.row_titles, len(grid.rows)):
        top, bottom = grid.rows[first][0], grid.rows[last][1]
        shown, fit = page.fitted(title, bottom - top, size, "bold")
        x = grid.left_mm - 0.5 - page.line_height() / 2
        page.upright(x, (top + bottom) / 2, shown, size_pt=fit, weight="bold")


def _runs(titles: tuple[str, ...], count: int) -> Iterator[tuple[int, int, str]]:
    first = 0
    titles = titles[:count]
    for number, title in enumerate(titles):
        if number + 1 == len(titles) or titles[number + 1] != title:
            if title:
                yield first, number, title
            first = number + 1


def _draw_bars(page: Page, plan: Plan, grid: Grid) -> None:
    for place in place_bars(page, plan, cells_of(plan), (len(grid.rows), len(grid.columns))):
        bar, first, last = place.bar, place.first, place.last
        with page.element("Figure", bar_in_words(plan, bar)):
            if bar.where == "right":
                x = grid.bars_right + place.offset_mm
                draw_right(page, plan, bar, x, grid.rows[first][0], grid.rows[last][1])
            else:
                y = grid.bars_bottom + place.offset_mm
                draw_bottom(page, plan, bar, grid.columns[first][0], grid.columns[last][1], y)
