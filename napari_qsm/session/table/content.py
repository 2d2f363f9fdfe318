"""What stands in the table: columns and rows of text, the same for window and clipboard."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

from napari_qsm.rois.measures import RANK_NAMES, Measures
from napari_qsm.rois.pairs import asymmetry, pair_up
from napari_qsm.session.table import words
from napari_qsm.session.table.choice import Choice
from napari_qsm.session.table.numbers import Numbers, Row, ShownMap

TOTAL = "total"


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
    """Whether median or percentiles are shown."""
    return any(name in RANK_NAMES for name in choice.columns)


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
        specs += [(shown, name) for name in wanted]
    for shown, name in specs:
        above = f"{shown.name}\n" if len(maps) > 1 else ""
        columns.append(Column(above + words.title(name, shown.unit), _hint(name)))
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


def _hint(name: str) -> str:
    if name == "mean_sd":
        return "SD of a sample (n − 1). Voxels that hold no number do not count."
    if name == "missing":
        return "Voxels of the region that hold NaN or infinity on this map"
    return ""


def _cell(row: Row, shown: ShownMap, name: str, places: dict[str, int]) -> str:
    measures = row.measures.get(shown.entry.id)
    if row.hidden and name not in ("voxels", "volume"):
        return words.HIDDEN if name == "mean_sd" else words.NOTHING
    return words.cell(measures, name, shown.factor, places[shown.entry.id], shown.voxel_mm3)


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
            whole.measures[shown.entry.id] = numbers.pooled(shown, labels, ranks=ranks)
    cells = ("", whole.name, "", *(_cell(whole, s, n, places) for s, n in specs))
    return Line(TOTAL, cells, (), None, "total")


def _pairs(shown: ShownMap, rows: list[Row], places: int) -> Content:
    """Left and right of each structure in one row, and (L − R) / mean of both."""
    by_key = {row.key: row for row in rows}
    names = [(row.key, row.name, row.side) for row in rows]
    mean = words.title("mean_sd", shown.unit)
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
                words.cell(measures, name, shown.factor, places, shown.voxel_mm3)
                for name in ("voxels", "volume")
            ]
            seen = words.cell(measures, "mean_sd", shown.factor, places, shown.voxel_mm3)
            cells.append(words.HIDDEN if row is not None and row.hidden else seen)
        means = [nan if each is None else each.mean for each in found]
        sizes = [nan if each is None else float(each.voxels) for each in found]
        cells.append(words.NOTHING if hidden else words.percent(asymmetry(*means)))
        cells.append(words.percent(asymmetry(*sizes)))
        target = sides[0] or sides[1]
        colors = tuple(
            (column, row.color) for column, row in zip((1, 4), sides, strict=True) if row
        )
        lines.append(Line(f"pair {pair.left} {pair.right}", tuple(cells), colors, target, "pair"))
    return Content(tuple(columns), tuple(lines))


def _measures(row: Row | None, shown: ShownMap) -> Measures | None:
    return None if row is None else row.measures.get(shown.entry.id)
