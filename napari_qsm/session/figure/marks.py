"""Marks of the session and the panels of the figure that show them. Knows no Qt.

A mark belongs to a case; panels of its slice carry copies with the same id.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from napari_qsm.errors import QsmError
from napari_qsm.figures.annotations import Annotation, Point
from napari_qsm.figures.editing import with_marks, with_panel
from napari_qsm.figures.gather import Loaded
from napari_qsm.figures.panels import ImagePanel
from napari_qsm.figures.slices import Slice, slice_of, visible_on
from napari_qsm.figures.spec import FigureSpec
from napari_qsm.session import Case, MapEntry, Session
from napari_qsm.volume import Volume

#: Ids of marks that a template has set begin with this.
FROM_TEMPLATE = "template "


def panel_slice(panel: ImagePanel, volume: Volume) -> Slice:
    """The slice that a panel shows.

    Raises
    ------
    QsmError
        If the volume has no such slice.
    """
    loaded = Loaded("", volume.name, "map", volume, {}, {}, ())
    return slice_of(panel, loaded, "The panel")


def marks_on(marks: Sequence[Annotation], panel: ImagePanel, entry: MapEntry) -> list[Annotation]:
    """Those of a case's marks that lie on the slice of a panel of one of its maps."""
    try:
        where = panel_slice(panel, entry.shown)
    except QsmError:
        return []
    return [
        mark
        for mark in marks
        if mark.plane == panel.plane and visible_on(mark.at_mm, where, entry.shown)
    ]


def set_marks(session: Session, case: Case, text: str, marks: Sequence[Annotation]) -> None:
    """Give a case other marks, and the figure with them, as one undo.

    New marks come onto every panel of their slice, but for panels whose marks are put away.
    """
    figure = with_case_marks(case, session.figure, case.annotations, marks)
    with session.history.group(text):
        session.change(text, case, annotations=tuple(marks))
        if figure is not session.figure:
            session.change(text, figure=figure)


def with_case_marks(
    case: Case,
    spec: FigureSpec | None,
    before: Sequence[Annotation],
    after: Sequence[Annotation],
) -> FigureSpec | None:
    """The figure with a case's marks as they have become."""
    if spec is None:
        return None
    known = {mark.id for mark in before}
    now = {mark.id: mark for mark in after}
    for index, panel in enumerate(spec.panels):
        if not isinstance(panel, ImagePanel):
            continue
        entry = next((each for each in case.maps if each.id == panel.map), None)
        if entry is None:
            continue
        there = {mark.id for mark in marks_on(after, panel, entry)}
        hidden = not panel.annotations and bool(marks_on(before, panel, entry))
        kept = [
            now.get(mark.id, mark)
            for mark in panel.annotations
            if mark.id not in known or mark.id in there
        ]
        new = [m for m in after if m.id in there and m.id not in known and not hidden]
        if tuple(kept + new) != panel.annotations:
            spec = with_marks(spec, index, kept + new)
    return spec


def with_marks_shown(session: Session, spec: FigureSpec, index: int, shown: bool) -> FigureSpec:
    """The figure with the session's marks on a panel, or without any."""
    panel: Any = spec.panels[index]
    entry = session.entry(panel.map)
    marks = (
        marks_on(session.case_of(entry).annotations, panel, entry)
        if shown and entry is not None
        else []
    )
    return with_marks(spec, index, marks)


def with_slice(session: Session, spec: FigureSpec, index: int, mm: float) -> FigureSpec:
    """The figure with a panel at another slice, and the marks that lie there."""
    panel: Any = spec.panels[index]
    entry = session.entry(panel.map)
    place: dict[str, Any] = {"slice_mm": mm, "slice_index": None, "through_mm": None}
    there = _changed_slice(panel, **place)
    marks: list[Annotation] = []
    if entry is not None:
        drawn = session.case_of(entry).annotations
        hidden = not panel.annotations and bool(marks_on(drawn, panel, entry))
        marks = [] if hidden else marks_on(drawn, there, entry)
    return with_panel(spec, index, **place, annotations=tuple(marks))


def _changed_slice(panel: ImagePanel, **place: object) -> ImagePanel:
    return ImagePanel.model_validate({**panel.model_dump(), **place, "annotations": ()})


def adopt(session: Session, spec: FigureSpec) -> None:
    """Take a template's figure into the session, and its marks into the cases, as one undo.

    Marks get ids of their own; panels also carry the marks that a hand has drawn on their
    slices. Marks that a template set before and the new one does not have stay.
    """
    marks: dict[str, dict[str, Annotation]] = {}
    for index, panel in enumerate(spec.panels):
        if not isinstance(panel, ImagePanel):
            continue
        entry = session.entry(panel.map)
        if entry is None:
            continue
        case = session.case_of(entry)
        drawn = [mark for mark in case.annotations if not mark.id.startswith(FROM_TEMPLATE)]
        own = [
            mark.restyled(id=f"{FROM_TEMPLATE}{entry.id} {panel.slice_mm:g} {mark.id}")
            for mark in panel.annotations
        ]
        marks.setdefault(case.id, {mark.id: mark for mark in case.annotations})
        marks[case.id].update({mark.id: mark for mark in own})
        spec = with_marks(spec, index, [*own, *marks_on(drawn, panel, entry)])
    text = "figure from a template"
    with session.history.group(text):
        for case in session.cases:
            if case.id in marks:
                session.change(text, case, annotations=tuple(marks[case.id].values()))
        session.change(text, figure=spec)


def moved_end(
    mark: Annotation, end: str, to_mm: Point, radius_mm: tuple[float, float]
) -> Annotation:
    """A mark with one end, or its size, changed.

    Parameters
    ----------
    end : {"at", "to", "rim"}
        An arrow's tip or a line's first end, the other end, or the rim of a circle.
    to_mm : (x, y, z)
        Where the end goes, RAS mm.
    radius_mm : (across, up)
        Half axes for the rim.
    """
    if end == "rim":
        return mark.restyled(radii_mm=radius_mm)
    return mark.restyled(**{"at_mm" if end == "at" else "to_mm": to_mm})
