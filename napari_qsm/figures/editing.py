"""Changes of a figure's description, each a new one: panels moved, added, restyled. Knows no Qt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from napari_qsm.errors import QsmError
from napari_qsm.figures.annotations import Annotation
from napari_qsm.figures.kinds import BasePanel
from napari_qsm.figures.panels import ImagePanel, MosaicPanel, Numbers, TablePanel
from napari_qsm.figures.parts import Cell, Display, Window
from napari_qsm.figures.spec import ColourBar, FigureSpec

PICTURES = (ImagePanel, MosaicPanel)


def with_fields(spec: FigureSpec, **fields: Any) -> FigureSpec:
    """The figure with other fields, checked."""
    same = {name: getattr(spec, name) for name in type(spec).model_fields if name not in fields}
    return FigureSpec(**same, **fields)


def with_style(spec: FigureSpec, **fields: Any) -> FigureSpec:
    """The figure with another size or look."""
    return with_fields(spec, style=_changed(spec.style, **fields))


def with_panel(spec: FigureSpec, index: int, **fields: Any) -> FigureSpec:
    """The figure with one panel changed in place."""
    panels: list[Any] = list(spec.panels)
    panels[index] = _changed(panels[index], **fields)
    return _with_used_bars(with_fields(spec, panels=tuple(panels)))


def has_differences(spec: FigureSpec) -> bool | None:
    """Whether tables tell how subjects differ from the first; None if no table has two."""
    tables = [p for p in spec.panels if isinstance(p, TablePanel) and len(p.measured) > 1]
    return any("difference" in table.columns for table in tables) if tables else None


def with_differences(spec: FigureSpec, shown: bool = True) -> FigureSpec:
    """The figure with a column for that in every table of two subjects and more, or without.

    Raises
    ------
    QsmError
        If it has no such table.
    """
    if has_differences(spec) is None:
        raise QsmError("This figure has no table of two subjects, which a difference needs.")
    panels: list[Any] = []
    for panel in spec.panels:
        if isinstance(panel, TablePanel) and len(panel.measured) > 1:
            kept = tuple(column for column in panel.columns if column != "difference")
            panel = _changed(panel, columns=(*kept, "difference") if shown else kept)
        panels.append(panel)
    return with_fields(spec, panels=tuple(panels))


def _changed(model: Any, **fields: Any) -> Any:
    same = {name: getattr(model, name) for name in type(model).model_fields if name not in fields}
    return type(model)(**same, **fields)


# The list of panels -------------------------------------------------------------------------


def added(spec: FigureSpec, panel: Any) -> FigureSpec:
    """The figure with a panel behind its last picture."""
    panels: list[Any] = list(spec.panels)
    after = [i for i, one in enumerate(panels) if isinstance(one, PICTURES)]
    at = after[-1] + 1 if after else 0
    return arranged(spec, [*panels[:at], panel, *panels[at:]])


def moved(spec: FigureSpec, index: int, to: int) -> FigureSpec:
    """The figure with a panel at another place in the reading order."""
    panels: list[Any] = list(spec.panels)
    panels.insert(to, panels.pop(index))
    return arranged(spec, panels)


def without(spec: FigureSpec, index: int) -> FigureSpec:
    """The figure without a panel."""
    return arranged(spec, [p for i, p in enumerate(spec.panels) if i != index])


def duplicated(spec: FigureSpec, index: int) -> FigureSpec:
    """The figure with a second panel like one, behind it; the copy has no letter."""
    panels: list[Any] = list(spec.panels)
    panels.insert(index + 1, _changed(panels[index], letter="", cell=None))
    return arranged(spec, panels)


def with_columns(spec: FigureSpec, columns: int) -> FigureSpec:
    """The figure with another number of columns."""
    return arranged(spec, spec.panels, columns)


def is_wide(panel: BasePanel, columns: int) -> bool:
    """Whether a panel takes a whole row."""
    if panel.cell is not None and panel.cell.columns >= columns and not panel.is_beside:
        return True
    return panel.is_wide


def arranged(spec: FigureSpec, panels: Sequence[Any], columns: int | None = None) -> FigureSpec:
    """The figure with these panels in reading order, row by row.

    Titles of columns and rows that no longer fit what stands below them would be lies: those
    of columns are written anew, or become titles of the panels; those of rows go.
    """
    wide = [is_wide(p, spec.columns) and p.box is None for p in panels]
    columns = columns or spec.columns
    placed: list[Any] = []
    row = column = 0
    grid: dict[int, list[Any]] = {}
    beside = False  # the last column of the row to come is taken
    for number, (panel, whole) in enumerate(zip(panels, wide, strict=True)):
        if panel.box is not None:
            placed.append(panel)
            continue
        if panel.is_beside and columns > 1 and wide[number + 1 :][:1] == [True]:
            row, column, beside = row + bool(column), 0, True
            placed.append(_changed(panel, cell=Cell(row=row, column=columns - 1)))
            continue
        if column and (whole or column >= columns):
            row, column = row + 1, 0
        cell = Cell(row=row, column=column, columns=columns - beside if whole else 1)
        beside = False
        panel = _changed(panel, cell=cell if any(wide) else None)
        placed.append(panel)
        if whole:
            row, column = row + 1, 0
        else:
            grid.setdefault(column, []).append(panel)
            column += 1
    fields: dict[str, Any] = {"panels": tuple(placed), "columns": columns, "row_titles": ()}
    if any(spec.column_titles):
        titles = [_title_of(grid.get(i, []), spec) for i in range(columns)]
        fields["column_titles"] = tuple(titles) if all(titles) else ()
        if not all(titles):
            fields["panels"] = tuple(_titled(panel, spec) for panel in placed)
    bars = tuple(_changed(bar, first=None, last=None) for bar in spec.colour_bars)
    return _with_used_bars(with_fields(spec, **fields, colour_bars=bars))


def _title_of(column: Sequence[Any], spec: FigureSpec) -> str:
    """The one name of all pictures of a column; empty if there are several or none."""
    names = {spec.sources[p.map].name for p in column if isinstance(p, PICTURES)}
    titled = any(p.title for p in column)
    return names.pop() if len(names) == 1 and not titled else ""


def _titled(panel: Any, spec: FigureSpec) -> Any:
    if isinstance(panel, PICTURES) and not panel.title:
        return _changed(panel, title=spec.sources[panel.map].name)
    return panel


def rows_of(spec: FigureSpec) -> int:
    """How many rows the panels of the grid take."""
    cells = [p.cell for p in spec.panels if p.cell is not None]
    free = sum(p.cell is None and p.box is None for p in spec.panels)
    last = max((c.row + c.rows for c in cells), default=0)
    return max(last, -(-(free + sum(c.rows * c.columns for c in cells)) // spec.columns))


# Colours ------------------------------------------------------------------------------------


def _with_used_bars(spec: FigureSpec) -> FigureSpec:
    used = {p.display for p in spec.panels if isinstance(p, PICTURES)}
    bars = tuple(bar for bar in spec.colour_bars if bar.display in used)
    return spec if bars == spec.colour_bars else with_fields(spec, colour_bars=bars)


def window_of(spec: FigureSpec, index: int) -> Window:
    """The window of a panel, in the unit of the spec (ppm)."""
    panel: Any = spec.panels[index]
    return panel.unlocked_window or spec.displays[panel.display].window


def with_window(spec: FigureSpec, index: int, window: Window) -> FigureSpec:
    """The figure with another window: of all panels of the display, or of an unlocked one."""
    panel: Any = spec.panels[index]
    if panel.unlocked_window is not None:
        return with_panel(spec, index, unlocked_window=window)
    display = _changed(spec.displays[panel.display], window=window)
    return with_fields(spec, displays={**spec.displays, panel.display: display})


def with_smallest_cluster(spec: FigureSpec, index: int, mm3: float) -> FigureSpec:
    """The figure without smaller clusters, in all panels of the display of one."""
    panel: Any = spec.panels[index]
    display = _changed(spec.displays[panel.display], smallest_cluster_mm3=mm3)
    return with_fields(spec, displays={**spec.displays, panel.display: display})


def with_lock(spec: FigureSpec, index: int, locked: bool) -> FigureSpec:
    """The figure with one panel under the common window, or with one of its own."""
    window = None if locked else window_of(spec, index)
    return with_panel(spec, index, unlocked_window=window)


def has_bar(spec: FigureSpec, index: int) -> bool:
    """Whether the panel's colours have a colour bar."""
    panel: Any = spec.panels[index]
    return any(bar.display == panel.display for bar in spec.colour_bars)


def with_bar(spec: FigureSpec, index: int, shown: bool) -> FigureSpec:
    """The figure with or without the colour bar of a panel's colours."""
    panel: Any = spec.panels[index]
    name = panel.display
    bars = tuple(bar for bar in spec.colour_bars if bar.display != name)
    return with_fields(spec, colour_bars=(*bars, ColourBar(display=name)) if shown else bars)


def _kind(spec: FigureSpec, key: str) -> tuple[str, str, bool]:
    """What a map measures: maps of one kind can share a colour bar."""
    source = spec.sources[key]
    in_ppm = source.role == "map" or source.unit in ("ppm", "ppb")
    return source.quantity, "ppm" if in_ppm else source.unit, source.role == "magnitude"


def add_display(
    spec: FigureSpec, wanted: Display, key: str
) -> tuple[FigureSpec, str, Window | None]:
    """Find or add the display that colours a new panel of a map.

    Parameters
    ----------
    spec : FigureSpec
    wanted : Display
    key : str
        Of the map among the figure's sources.

    Returns
    -------
    spec, name, unlocked : FigureSpec, str, (low, high) or None
        Where the figure has the same colours with another window, the panel keeps its own
        window, unlocked, so that the caption says so.
    """
    used = {p.display: _kind(spec, p.map) for p in spec.panels if isinstance(p, PICTURES)}
    for name in (name for name, kind in used.items() if kind == _kind(spec, key)):
        have = spec.displays[name]
        if have == wanted:
            return spec, name, None
        if have.model_copy(update={"window": wanted.window}) == wanted:
            return spec, name, wanted.window
    number, name = 1, wanted.colouring
    while name in used:
        number += 1
        name = f"{wanted.colouring} {number}"
    displays = {key: value for key, value in spec.displays.items() if key in used}
    return with_fields(spec, displays={**displays, name: wanted}), name, None


def with_source_name(spec: FigureSpec, key: str, name: str) -> FigureSpec:
    """The figure with another word for a map, in titles, tables and caption alike."""
    before = spec.sources[key].name
    if before == name:
        return spec
    sources = {**spec.sources, key: _changed(spec.sources[key], name=name)}
    panels = []
    panel: Any
    for panel in spec.panels:
        if getattr(panel, "title", "") == before and getattr(panel, "map", "") == key:
            panel = _changed(panel, title=name)
        if isinstance(panel, Numbers):
            measured = tuple(
                _changed(one, subject=name) if one.map == key and one.subject == before else one
                for one in panel.measured
            )
            panel = _changed(panel, measured=measured)
        panels.append(panel)
    shown = with_fields(spec, sources=sources, panels=tuple(panels))
    if any(spec.column_titles):
        return arranged(shown, shown.panels)
    return shown


# Marks --------------------------------------------------------------------------------------


def with_marks(spec: FigureSpec, index: int, marks: Sequence[Annotation]) -> FigureSpec:
    """The figure with these marks on one panel."""
    return with_panel(spec, index, annotations=tuple(marks))
