"""How region maps of the case on show lie over the picture: shown, as outlines, how strong."""

from __future__ import annotations

from napari_qsm.session.model import Session
from napari_qsm.study.entry import MapEntry

#: Opacity goes up and down in these steps.
STEP = 0.1


def region_maps(session: Session) -> list[MapEntry]:
    """The label maps and masks of the case on show, in drawing order."""
    return [entry for entry in session.case.maps if entry.editable is not None]


def shown_regions(session: Session) -> list[MapEntry]:
    """Those of them that are ticked."""
    return [entry for entry in region_maps(session) if entry.display.visible]


def toggle_shown(session: Session) -> bool:
    """Hide all that is drawn, or show again what was hidden so; returns whether some is shown.

    Where nothing was hidden by this function, the label maps are shown.
    """
    shown = shown_regions(session)
    if shown:
        session.hidden_regions = tuple(entry.id for entry in shown)
        for entry in shown:
            session.set_display(entry, visible=False)
        return False
    again = [e for e in region_maps(session) if e.id in session.hidden_regions]
    for entry in again or session.case.of_role("labels"):
        session.set_display(entry, visible=True)
    return bool(shown_regions(session))


def toggle_outline(session: Session) -> bool:
    """Draw what is shown as outlines, or filled; returns whether as outlines."""
    shown = shown_regions(session)
    outline = not all(entry.display.outline for entry in shown)
    for entry in shown:
        session.set_display(entry, outline=outline)
    return outline


def set_look(
    session: Session,
    *,
    outline: bool | None = None,
    width: int | None = None,
    opacity: float | None = None,
) -> None:
    """Draw all label maps and masks of the case on show like this; what is None stays.

    Parameters
    ----------
    session : Session
    outline : bool, optional
        As outlines, or filled.
    width : int, optional
        Of outlines, from 1 to 5.
    opacity : float, optional
        0 to 1.
    """
    given = {"outline": outline, "outline_width": width, "opacity": opacity}
    changes = {name: value for name, value in given.items() if value is not None}
    for entry in region_maps(session):
        session.set_display(entry, **changes)


def change_opacity(session: Session, steps: int) -> float | None:
    """Draw what is shown stronger, or with a negative number fainter; returns the opacity."""
    shown = shown_regions(session)
    if not shown:
        return None
    opacity = round(shown[-1].display.opacity / STEP + steps) * STEP
    opacity = round(min(max(opacity, STEP), 1.0), 2)
    for entry in shown:
        session.set_display(entry, opacity=opacity)
    return opacity
