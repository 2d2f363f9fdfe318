"""Changes of regions between visits: means, differences to the first visit, what is beyond error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import isfinite, nan
from typing import TYPE_CHECKING

from napari_qsm.errors import MetadataError
from napari_qsm.rois.exports import NOT_RECORDED, map_reference, recorded_reference
from napari_qsm.rois.region import default_color, shape_colour
from napari_qsm.rois.repeatability import VOXEL_SD_SENTENCE, Repeatability
from napari_qsm.rois.shape_table import shape_measures
from napari_qsm.session.blinding import shown_case
from napari_qsm.session.model import Session
from napari_qsm.session.table.content import Column, Content, Line
from napari_qsm.session.table.numbers import Numbers
from napari_qsm.session.visits import map_at, shapes_at
from napari_qsm.study.case import Case
from napari_qsm.study.entry import MapEntry
from napari_qsm.units import NOTHING, SusceptibilityUnit, decimals, factor, fixed

if TYPE_CHECKING:
    import pandas as pd

#: A first mean nearer to zero has no meaning as the whole of which a change is a part, ppb.
_NO_WHOLE_PPB = 1.0
#: Stands behind what is beyond the smallest detectable change, and behind carried shapes.
BEYOND, CARRIED = "*", "°"


@dataclass(frozen=True)
class VisitColumn:
    """A visit of the table: its case, what it is called, and the zero of its map."""

    case: str
    title: str
    reference: str
    link: str = ""


@dataclass(frozen=True)
class RegionAtVisit:
    """A region at one visit.

    Attributes
    ----------
    mean_ppb, sd_ppb : float
        Of its voxels that hold a number; the SD is that of a sample.
    voxels : int
        All of them.
    carried_from : str
        Title of the visit that a shape is carried from; empty for what was drawn or placed.
    """

    mean_ppb: float
    sd_ppb: float
    voxels: int
    carried_from: str = ""


@dataclass(frozen=True)
class ChangeRow:
    """A region at every visit.

    Attributes
    ----------
    key, name, side, color : str
        ``name`` tells a shape's size, ``region`` does not.
    region : str
        For what is known of its repeatability.
    cells : tuple of RegionAtVisit or None
        One a visit; None where the visit has no such region.
    kind : {"region", "shape"}
    """

    key: str
    name: str
    region: str
    side: str
    color: str
    cells: tuple[RegionAtVisit | None, ...]
    kind: str = "region"

    def mean_ppb(self, visit: int) -> float:
        """The mean at a visit; NaN without one."""
        cell = self.cells[visit]
        return nan if cell is None else cell.mean_ppb

    def change_ppb(self, visit: int) -> float:
        """Mean at a visit less that at the first."""
        return self.mean_ppb(visit) - self.mean_ppb(0)

    def change_percent(self, visit: int) -> float:
        """The change as part of the first mean's size; NaN where that is below 1 ppb."""
        first = abs(self.mean_ppb(0))
        return 100 * self.change_ppb(visit) / first if first >= _NO_WHOLE_PPB else nan

    def is_beyond(self, visit: int, limit: Repeatability | None) -> bool:
        """Whether the change is larger than repeated scans differ in 95 of 100 cases."""
        change = self.change_ppb(visit)
        return (
            limit is not None and isfinite(change) and abs(change) > limit.half_width(self.region)
        )


@dataclass(frozen=True)
class Changes:
    """The table of changes.

    Attributes
    ----------
    visits : tuple of VisitColumn
        The first is what the others are compared with.
    rows : tuple of ChangeRow
        Regions in the order of the label maps, then fixed shapes.
    notes : tuple of str
        What must be known when it is read.
    """

    visits: tuple[VisitColumn, ...]
    rows: tuple[ChangeRow, ...]
    notes: tuple[str, ...]


def changes_of(session: Session, cases: Sequence[Case], numbers: Numbers | None = None) -> Changes:
    """Measure regions and fixed shapes of visits, each in the map of its own visit.

    Parameters
    ----------
    session : Session
    cases : sequence of Case
        At least two; the first is what the others are compared with.
    numbers : Numbers, optional
        Keeps what was measured, for the next time.

    Returns
    -------
    Changes
        Regions of label maps are one row where their names agree, fixed shapes where they stand
        for one region; a shape that a visit lacks is carried there if its head is known.

    Raises
    ------
    MetadataError
        If a visit has no susceptibility map, or the reader is blinded.
    """
    if session.blinded:
        raise MetadataError("While reading blind no changes are told.")
    entries = [_map_of(session, case) for case in cases]
    numbers = numbers or Numbers(session)
    titles = {case.id: shown_case(session, case) for case in cases}
    found: dict[str, dict[int, RegionAtVisit]] = {}
    looks: dict[str, tuple[str, str, str, str, str]] = {}
    notes: list[str] = []
    for at, (case, entry) in enumerate(zip(cases, entries, strict=True)):
        shown, to_ppb = numbers.shown(entry), factor(entry.volume.unit, "ppb")
        for row in numbers.rows([shown], ranks=False, shapes=False) if shown.labels else ():
            measures = row.measures[entry.id]
            key = f"region {row.name.casefold()}"
            looks.setdefault(key, (row.name, row.name, row.side, row.color, "region"))
            found.setdefault(key, {})[at] = RegionAtVisit(
                measures.mean * to_ppb, measures.sd * to_ppb, measures.voxels
            )
        regions = shown.labels.regions if shown.labels is not None else {}
        for each in shapes_at(session, case):
            shape, measures = each.shape, shape_measures(each.shape, entry.shown)
            key = f"shape {shape.region_name.casefold() or each.of}"
            name = f"{shape.name} – {shape.words}" if shape.region_name else shape.words
            color = shape_colour(shape.region_name, shape.region, regions) or default_color(1)
            looks.setdefault(key, (name, shape.region_name, shape.side, color, "shape"))
            source = "" if each.source is None else titles.get(each.source.id, each.source.title)
            found.setdefault(key, {})[at] = RegionAtVisit(
                measures.mean * to_ppb, measures.sd * to_ppb, measures.voxels, source
            )
            notes += [each.note] if each.note else []
    rows = [
        ChangeRow(
            key, *looks[key][:4], tuple(cells.get(at) for at in range(len(cases))), looks[key][4]
        )
        for key, cells in found.items()
    ]
    rows.sort(key=lambda row: row.kind == "shape")
    links = {link.case: link.words for link in session.visits}
    visits = tuple(
        VisitColumn(case.id, titles[case.id], _reference(entry), links.get(case.id, ""))
        for case, entry in zip(cases, entries, strict=True)
    )
    return Changes(visits, tuple(rows), (*_notes(visits, rows), *dict.fromkeys(notes)))


def _map_of(session: Session, case: Case) -> MapEntry:
    entry = map_at(session, case)
    if entry is None or not entry.in_ppm:
        raise MetadataError(f"'{shown_case(session, case)}' has no susceptibility map to measure.")
    return entry


def _reference(entry: MapEntry) -> str:
    said = recorded_reference(entry.provenance) or map_reference(entry.volume.origin)
    return said or NOT_RECORDED


def _notes(visits: Sequence[VisitColumn], rows: Sequence[ChangeRow]) -> list[str]:
    notes = []
    kinds = {visit.reference.partition(" (")[0] for visit in visits}
    if len(kinds) > 1:
        told = ", ".join(f"{visit.title}: {visit.reference}" for visit in visits)
        notes.append(f"The maps have different references ({told}), so changes hold theirs too.")
    uneven = [row.name for row in rows if row.kind == "shape" and len(_counts(row)) > 1]
    if uneven:
        notes.append(f"Numbers of voxels differ between visits: {', '.join(uneven[:5])}.")
    if any(cell is not None and cell.carried_from for row in rows for cell in row.cells):
        notes.append(f"{CARRIED} carried by the rigid transform of the heads, not placed there.")
    return notes


def _counts(row: ChangeRow) -> set[int]:
    return {cell.voxels for cell in row.cells if cell is not None}


# As people read it ---------------------------------------------------------------------------


def content_of_changes(
    changes: Changes, unit: SusceptibilityUnit, limit: Repeatability | None
) -> Content:
    """The table as text: means of all visits, then change and percent of each after the first.

    Parameters
    ----------
    changes : Changes
    unit : {"ppm", "ppb"}
        Of the values.
    limit : Repeatability or None
        What changes are marked against; none are unless given.
    """
    places, scale = decimals(unit), factor("ppb", unit)
    finer = places + 1  # changes are small, and judged by limits of a few ppb
    first = changes.visits[0].title
    columns = [Column("region", is_text=True), Column("side", is_text=True)]
    columns += [Column(f"{v.title}\nmean ({unit})", VOXEL_SD_SENTENCE) for v in changes.visits]
    for visit in changes.visits[1:]:
        columns += [
            Column(f"{visit.title}\nΔ ({unit})", f"Mean less that of '{first}'"),
            Column(f"{visit.title}\nΔ (%)", f"Of the size of the mean of '{first}'"),
        ]
    if limit is not None:
        hint = f"1.96 √2 SDw, with SDw from {limit.source}; {BEYOND} is beyond it"
        columns.append(Column(f"detectable\nΔ ({unit})", f"Smallest detectable change: {hint}"))
    lines = []
    for row in changes.rows:
        cells = [row.name, row.side]
        for cell in row.cells:
            text = NOTHING if cell is None else fixed(cell.mean_ppb * scale, places)
            cells.append(text + (f" {CARRIED}" if cell is not None and cell.carried_from else ""))
        for at in range(1, len(changes.visits)):
            mark = f" {BEYOND}" if row.is_beyond(at, limit) else ""
            cells.append(fixed(row.change_ppb(at) * scale, finer, signed=True) + mark)
            cells.append(fixed(row.change_percent(at), 1, signed=True))
        if limit is not None:
            cells.append(fixed(limit.half_width(row.region) * scale, finer))
        lines.append(Line(row.key, tuple(cells), ((0, row.color),), None, row.kind))
    return Content(tuple(columns), tuple(lines))


def limit_sentence(limit: Repeatability | None) -> str:
    """What changes are marked against, in a sentence."""
    if limit is None:
        return "Changes are not marked: choose what they shall be judged by."
    return (
        f"{BEYOND} beyond the smallest detectable change of one region, 1.96 √2 SDw, with SDw from "
        f"{limit.source}. With many regions some lie beyond it by chance."
    )


# As a file ---------------------------------------------------------------------------------


def frame_of_changes(
    changes: Changes, unit: SusceptibilityUnit, limit: Repeatability | None
) -> pd.DataFrame:
    """The table in full precision, one row a region; visits are numbered as in ``about``."""
    import pandas as pd

    scale = factor("ppb", unit)
    listed = []
    for row in changes.rows:
        values: dict[str, object] = {"name": row.name, "region": row.region, "side": row.side}
        for at, cell in enumerate(row.cells):
            label = f"visit{at + 1}"
            values[f"mean_{unit}_{label}"] = nan if cell is None else cell.mean_ppb * scale
            values[f"sd_{unit}_{label}"] = nan if cell is None else cell.sd_ppb * scale
            values[f"voxels_{label}"] = 0 if cell is None else cell.voxels
            values[f"carried_{label}"] = "" if cell is None else cell.carried_from
        for at in range(1, len(row.cells)):
            label = f"visit{at + 1}"
            values[f"change_{unit}_{label}"] = row.change_ppb(at) * scale
            values[f"change_percent_{label}"] = row.change_percent(at)
            if limit is not None:
                values[f"beyond_{label}"] = int(row.is_beyond(at, limit))
        if limit is not None:
            values[f"smallest_detectable_{unit}"] = limit.half_width(row.region) * scale
        listed.append(values)
    return pd.DataFrame(listed)


def about_changes(
    changes: Changes, unit: SusceptibilityUnit, limit: Repeatability | None
) -> dict[str, str]:
    """What a reader of the table has to know besides the numbers."""
    from napari_qsm._version import __version__

    about = {}
    for at, visit in enumerate(changes.visits, 1):
        about[f"Visit {at}"] = " ".join(
            part for part in (visit.title, f"(reference {visit.reference}).", visit.link) if part
        )
    about |= {
        "Unit": unit,
        "Change": "mean less that of visit 1; percent of the size of that mean, none below 1 ppb",
        "Marked": limit_sentence(limit),
        "SD": f"of a sample (n - 1). {VOXEL_SD_SENTENCE}",
        "Program": f"napari-qsm {__version__}",
        "Exported": datetime.now().astimezone().isoformat(timespec="seconds"),
    }
    if changes.notes:
        about["Notes"] = " ".join(changes.notes)
    return about


def meanings_of_changes(
    changes: Changes, unit: SusceptibilityUnit, limit: Repeatability | None
) -> dict[str, str]:
    """The data dictionary of :func:`frame_of_changes`."""
    said = {
        "name": "Name of the region; of a fixed shape with its size.",
        "region": "Name of the region alone.",
        "side": "Left, right, or nothing.",
        f"mean_{unit}_": "Mean of the voxels that hold a number.",
        f"sd_{unit}_": "Standard deviation of a sample (n - 1).",
        "voxels_": "All voxels of the region; 0 where the visit has none.",
        "carried_": "Visit that a fixed shape was carried from; empty where it was placed.",
        f"change_{unit}_": "Mean less that of visit 1.",
        "change_percent_": "The same in percent of the size of the mean of visit 1.",
        "beyond_": "1 where the change is larger than the smallest detectable one.",
        f"smallest_detectable_{unit}": "1.96 √2 within-subject standard deviation.",
    }
    columns = frame_of_changes(changes, unit, limit).columns
    return {
        str(column): next(words for start, words in said.items() if str(column).startswith(start))
        for column in columns
    }
