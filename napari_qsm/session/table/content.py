"""What stands in the table: columns and rows of text, the same for window and clipboard.

Thousands are not set apart, so that spreadsheets read a pasted cell as a number.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

from napari_qsm.rois.measures import STATISTICS, Measures
from napari_qsm.rois.pairs import asymmetry, pair_up
from napari_qsm.rois.statistics import needs
from napari_qsm.session.table.choice import Choice
from napari_qsm.session.table.numbers import Numbers, Row, ShownMap
from napari_qsm.units import NOTHING, decimals, fixed, mean_sd, percent

TOTAL = "total"
HIDDEN = "hidden until locked"
#: What takes longer is worked out when the hand rests.
SOON = "…"
#: Columns whose cells hold their ± as well.
_SPREADS = {"controls_mean": "controls_sd", "difference": "difference_95"}
#: What only the first map is compared with.
_OF_FIRST = ("controls", "published", "against")
#: Columns that are always there.
_HEADINGS = {"mean_sd": "mean ± SD", "voxels": "voxels", "volume": "volume (mm³)"}


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes
    ----------
    title : str
        Its heading; the map's name stands above it where there are several.
    hint : str
        What it means, shown by the mouse.
    is_text : bool
        Whether it holds words, which stand on the left.
    """

    title: str
    hint: str = ""
    is_text: bool = False


@dataclass(frozen=True)
class Line:
    """A row as text.

    Attributes
    ----------
    key : str
        Whose row it is.
    cells : tuple of str
        One per column.
    colors : tuple of (int, str)
        Columns with a swatch, and its colour.
    target : Row or None
        Where a click goes.
    kind : {"region", "shape", "pair", "total"}
        How it is set.
    """

    key: str
    cells: tuple[str, ...]
    colors: tuple[tuple[int, str], ...] = ()
    target: Row | None = None
    kind: str = "region"


@dataclass(frozen=True)
class Content:
    """The table as text."""

    columns: tuple[Column, ...] = ()
    lines: tuple[Line, ...] = ()


def needs_ranks(choice: Choice) -> bool:
    """Whether something is shown that needs every value of a region."""
    return any(STATISTICS[name].needs_values for name in choice.columns)


def content_of(
    numbers: Numbers, maps: list[ShownMap], rows: list[Row], choice: Choice, places: dict[str, int]
) -> Content:
    """The table for some maps.

    Parameters
    ----------
    numbers : Numbers
        For the row of all regions.
    maps : list of ShownMap
        As the rows were measured.
    rows : list of Row
        From :meth:`Numbers.rows`.
    choice : Choice
        Columns and rows wanted.
    places : dict
        Decimals by the id of the map.
    """
    if choice.pairs:
        return _pairs(maps[0], rows, places[maps[0].entry.id])
    columns = [
        Column("label", "Value in the label map"),
        Column("region", is_text=True),
        Column("side", is_text=True),
    ]
    wanted = ("mean_sd", *choice.columns)
    specs: list[tuple[ShownMap, str]] = []
    for index, shown in enumerate(maps):
        own = index == 0 or shown.labels is not maps[0].labels
        specs += [(shown, name) for name in (("voxels", "volume") if own else ())]
        specs += [(shown, name) for name in wanted if index == 0 or not _of_first(name)]
    for shown, name in specs:
        above = f"{shown.name}\n" if len(maps) > 1 else ""
        columns.append(Column(above + _title(name, shown.unit), _hint(name)))
    lines = [
        Line(
            row.key,
            (
                str(row.label or ""),
                row.name,
                row.side,
                *(_cell(row, s, n, places) for s, n in specs),
            ),
            ((1, row.color),),
            row,
            "shape" if row.shape is not None else "region",
        )
        for row in rows
    ]
    if choice.total and rows:
        lines.append(_total(numbers, maps, rows, choice, specs, places))
    return Content(tuple(columns), tuple(lines))


def _of_first(name: str) -> bool:
    return name in STATISTICS and STATISTICS[name].needs in _OF_FIRST


def _hint(name: str) -> str:
    if name == "mean_sd":
        return "SD of a sample (n − 1). Voxels that hold no number do not count."
    return STATISTICS[name].meaning if name in STATISTICS else ""


def _title(column: str, unit: str = "") -> str:
    """A column's name as a reader writes it: ``"mean ± SD (ppm)"``."""
    known = STATISTICS.get(column)
    heading = known.heading if known else _HEADINGS[column]
    in_unit = known.in_map_unit if known else column == "mean_sd"
    return f"{heading} ({unit or 'unit?'})" if in_unit else heading


def _text(measures: Measures | None, column: str, factor: float, places: int, mm3: float) -> str:
    """One cell of a row."""
    if measures is None:
        return NOTHING
    if column == "voxels":
        return str(measures.voxels)
    if column == "volume":
        return fixed(measures.voxels * mm3, decimals("mm³"))
    if column == "mean_sd":
        return mean_sd(measures.mean * factor, measures.sd * factor, places)
    if column in _SPREADS:
        spread = measures.value(_SPREADS[column])
        return mean_sd(measures.value(column) * factor, spread * factor, places)
    known = STATISTICS[column]
    if known.in_map_unit:
        return fixed(measures.value(column) * factor, places + known.finer)
    return fixed(measures.value(column), known.decimals)


def _cell(row: Row, shown: ShownMap, name: str, places: dict[str, int]) -> str:
    measures = row.measures.get(shown.entry.id)
    if row.hidden and name not in ("voxels", "volume"):
        return HIDDEN if name == "mean_sd" else NOTHING
    if row.settling and name in STATISTICS and STATISTICS[name].needs == "edge":
        return SOON
    mm3 = shown.voxel_mm3 if name == "volume" else nan  # a determinant for each
    return _text(measures, name, shown.factor, places[shown.entry.id], mm3)


def _total(
    numbers: Numbers,
    maps: list[ShownMap],
    rows: list[Row],
    choice: Choice,
    specs: list[tuple[ShownMap, str]],
    places: dict[str, int],
) -> Line:
    """All regions as one; fixed shapes may overlap them and are left out."""
    regions = [row for row in rows if row.shape is None]
    whole = Row(TOTAL, 0, "all regions", "", "", hidden=any(row.hidden for row in regions))
    for shown in maps:
        if shown.labels is not None:
            labels = [row.label for row in regions if shown.entry.id in row.measures]
            ranks = needs_ranks(choice)
            whole.measures[shown.entry.id] = numbers.pooled(
                shown, labels, ranks=ranks, noise=needs("noise", choice.columns)
            )
    cells = ("", whole.name, "", *(_cell(whole, s, n, places) for s, n in specs))
    return Line(TOTAL, cells, (), None, "total")


def _pairs(shown: ShownMap, rows: list[Row], places: int) -> Content:
    """Left and right of each structure in one row, and (L − R) / mean of both."""
    by_key = {row.key: row for row in rows}
    names = [(row.key, row.name, row.side) for row in rows]
    mean = _title("mean_sd", shown.unit)
    columns = [Column("region", is_text=True)]
    for side in ("left", "right"):
        columns += [Column(f"{side}\n{name}", _hint("mean_sd")) for name in ("voxels", "mm³", mean)]
    hint = "(left − right) divided by the mean of both; none where the two differ in sign"
    columns += [
        Column("asymmetry\nof the mean", hint),
        Column("asymmetry\nof the volume", hint),
    ]
    lines = []
    for pair in pair_up(names):
        sides = [by_key.get(pair.left), by_key.get(pair.right)]
        hidden = any(row is not None and row.hidden for row in sides)
        found = [_measures(row, shown) for row in sides]
        cells = [pair.name]
        for row, measures in zip(sides, found, strict=True):
            cells += [
                _text(measures, name, shown.factor, places, shown.voxel_mm3)
                for name in ("voxels", "volume")
            ]
            seen = _text(measures, "mean_sd", shown.factor, places, shown.voxel_mm3)
            cells.append(HIDDEN if row is not None and row.hidden else seen)
        means = [nan if each is None else each.mean for each in found]
        sizes = [nan if each is None else float(each.voxels) for each in found]
        cells.append(NOTHING if hidden else percent(asymmetry(*means), signed=True))
        cells.append(percent(asymmetry(*sizes), signed=True))
        target = sides[0] or sides[1]
        colors = tuple(
            (column, row.color) for column, row in zip((1, 4), sides, strict=True) if row
        )
        lines.append(Line(f"pair {pair.left} {pair.right}", tuple(cells), colors, target, "pair"))
    return Content(tuple(columns), tuple(lines))


def _measures(row: Row | None, shown: ShownMap) -> Measures | None:
    return None if row is None else row.measures.get(shown.entry.id)
