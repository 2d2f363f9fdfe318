"""What a table of regions says beside its numbers, and its numbers as a frame."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from napari_qsm.rois.edge import edge_notes
from napari_qsm.rois.repeatability import Repeatability
from napari_qsm.rois.statistics import frame_of, missing_words, needs
from napari_qsm.session import Session
from napari_qsm.session.blinding import shown_name
from napari_qsm.session.table.choice import Choice
from napari_qsm.session.table.in_context import InContext
from napari_qsm.session.table.numbers import Numbers, Row, ShownMap
from napari_qsm.units import factor

if TYPE_CHECKING:
    import pandas as pd


def also_of(choice: Choice) -> tuple[str, ...]:
    """Columns of files beside those of every file: what one cell of the window joins stands apart."""
    joined = {"controls_mean": ("controls_sd",), "difference": ("other_mean", "difference_95")}
    parts = [part for name in choice.columns for part in joined.get(name, ())]
    return tuple(dict.fromkeys((*choice.columns, *parts)))


def frame_of_map(
    numbers: Numbers,
    shown: ShownMap,
    choice: Choice,
    beside: InContext,
    maps: list[ShownMap],
) -> pd.DataFrame:
    """The table of one map in full precision, with the columns chosen beside those of every file.

    Parameters
    ----------
    numbers : Numbers
        The regions, measured.
    shown : ShownMap
        The map.
    choice : Choice
        Columns and rows wanted.
    beside : InContext
        What the first of the maps is compared with.
    maps : list of ShownMap
        As the table shows them.

    Returns
    -------
    DataFrame
        Values that a blinded reader must not see are missing.
    """
    also = also_of(choice)
    edge: Literal["yes", "no"] = "yes" if needs("edge", also) else "no"
    rows = numbers.rows(
        [shown], ranks=True, shapes=choice.shapes, edge=edge, noise=needs("noise", also)
    )
    if maps and shown.entry is maps[0].entry:
        beside.tell(numbers, rows, maps, also)
    listed = []
    for row in rows:
        measures = row.measures[shown.entry.id]
        if row.hidden:
            measures = type(measures)(measures.voxels, 0)
        listed.append((row.label, row.name, row.side, measures))
    return frame_of(
        listed, unit=shown.unit, voxel_mm3=shown.voxel_mm3, factor=shown.factor, also=also
    )


def notes_of(
    session: Session,
    first: ShownMap,
    rows: list[Row],
    choice: Choice,
    beside: InContext,
) -> list[str]:
    """What is said beside the table of a map, in the order of its weight."""
    parts = []
    if first.labels is None:
        parts.append("no label map goes with this map")
    elif len(session.case_of(first.entry).of_role("labels")) == 1:  # else it stands in the choice
        parts.append(shown_name(session, first.labels))
    if session.blinded:
        parts.append("blinded: values show once a region is locked")
    if not first.unit:
        parts.append("this map does not say its unit")
    parts += missing_notes(first, rows)[:2]
    parts += notes_on_edges(first, rows, choice, beside.repeatability)
    if beside.comparison is not None and needs("controls", choice.columns):
        n = len(beside.comparison.persons)
        parts.append(f"z against {n} controls of '{beside.comparison.controls.name}'")
    if choice.pairs:
        without = sum(not row.side for row in rows)
        if without:
            parts.append(f"{without} without a side are not shown")
    return parts


def missing_notes(shown: ShownMap, rows: Iterable[Row]) -> list[str]:
    """Which regions have voxels without a number."""
    notes = []
    for row in rows:
        measures = row.measures.get(shown.entry.id)
        if measures is not None and measures.missing:
            notes.append(f"{row.name}: {missing_words(measures)}")
    return notes


def notes_on_edges(
    shown: ShownMap, rows: Iterable[Row], choice: Choice, repeatability: Repeatability
) -> list[str]:
    """Which regions' means hang on their edges, if somebody looks at that."""
    if not (shown.entry.in_ppm and needs("edge", choice.columns)):
        return []
    key = shown.entry.id
    seen = [row for row in rows if key in row.measures and not (row.hidden or row.settling)]
    named = [(row.name, row.measures[key]) for row in seen]
    return edge_notes(named, factor(shown.entry.volume.unit, "ppb"), repeatability)
