"""What stands over each view, worked out from the session."""

from __future__ import annotations

import numpy as np

from napari_qsm.anatomy import DEPTH_AXIS, DisplayFrame, letters, scale_bar_mm, slice_text
from napari_qsm.colormaps import effective_window, lookup_table
from napari_qsm.session import MapEntry, Session
from napari_qsm.session.appearance import quantity, shown_unit
from napari_qsm.session.blinding import shown_name
from napari_qsm.session.visits import links_on_show, position_note
from napari_qsm.units import SusceptibilityUnit, number, ticks, to_shown
from napari_qsm.viewer.canvas.overlay import ColourBar, OverlayContent
from napari_qsm.viewer.canvas.slice_view import SliceView

#: Obliquity from which the slice text mentions it.
_OBLIQUE_DEG = 3.0


def overlay_content(
    view: SliceView,
    session: Session,
    frame: DisplayFrame | None,
    entry: MapEntry | None,
    crosshair_mm: tuple[float, float, float],
    *,
    is_large: bool,
    mixed_title: str = "",
) -> OverlayContent:
    """Letters, slice, crosshair, scale bar and colour bar of one view.

    Parameters
    ----------
    view : SliceView
    session : Session
    frame : DisplayFrame or None
        None while nothing is open.
    entry : MapEntry or None
        The map whose colours the view is about.
    crosshair_mm : (x, y, z)
        In the world of the head that the view shows.
    is_large : bool
        Whether it is the large view.
    mixed_title : str
        Names of two maps in one picture.
    """
    if frame is None:
        return OverlayContent()
    reference = frame.reference
    known = all(each.volume.orientation_known for each in session)
    content = OverlayContent()
    comparing = session.layout == "compare"
    beside = comparing and session.mix == "side by side"
    content.title = view.plane.capitalize()
    if beside and entry is not None:
        content.title = shown_name(session, entry)
        if links_on_show(session):
            content.title = session.case_of(entry).title
            content.title += " · worked on" if entry.case == session.active_case else ""
    elif comparing and is_large:
        content.title = mixed_title
    elif entry is not None:
        unit = shown_unit(entry, session.unit)
        what = f"{shown_name(session, entry)} ({unit})" if unit else shown_name(session, entry)
        content.title += f" · {what}"
    if entry is not None and entry.editable is None and (is_large or beside):
        content.colour_bar = colour_bar(entry, session.unit)
    if view.is_3d:
        content.letters = view.letters_in_3d() if known else letters("axial", known=False)
        content.title = shown_name(session, entry) if entry else ""
        content.slice_text = "brightest along the line of sight"
        return content
    content.letters = letters(view.plane, radiological=view.radiological, known=known)
    axis = DEPTH_AXIS[view.plane]
    voxel = np.rint(reference.world_to_voxel(crosshair_mm)).astype(int)
    content.slice_text = slice_text(
        view.plane, crosshair_mm, int(voxel[axis]), reference.shape[axis]
    )
    if frame.obliquity_deg >= _OBLIQUE_DEG:
        content.notes.append(f"oblique scan, turned {frame.obliquity_deg:.0f}°")
    if entry is not None and (note := position_note(session, entry.case)):
        content.notes.append(note)
    if not known:
        content.notes.append("sides unknown: the file records no orientation")
    camera = view.camera()
    content.pixels_per_mm = camera.zoom
    content.bar_mm = scale_bar_mm(camera.zoom, 110 if is_large or beside else 70)
    if session.crosshair_visible:
        content.crosshair = camera.to_pixel(frame.world_to_display(crosshair_mm))
    return content


def colour_bar(entry: MapEntry, unit: SusceptibilityUnit) -> ColourBar:
    """The colour bar of a map, in the unit the window writes."""
    low, high = (
        to_shown(value, entry.volume.unit, unit) for value in effective_window(entry.display)
    )
    written = shown_unit(entry, unit)
    marks = ticks(low, high)
    places = max((_places(mark) for mark in marks), default=0)
    texts = [
        (mark, f"{mark:.{places}f}".replace("-", "−") if abs(mark) < 1e4 else number(mark, written))
        for mark in marks
    ]
    return ColourBar(
        title=quantity(entry, unit),
        low=low,
        high=high,
        ticks=texts,
        stamp=entry.display.model_dump_json(),
        table=lookup_table(entry.display),
    )


def _places(value: float) -> int:
    text = f"{value:.6g}"
    return len(text.partition(".")[2]) if "e" not in text else 0
