"""Which entries a view shows, as layout, selection and ticks say."""

from __future__ import annotations

from napari_qsm.session.model import Session
from napari_qsm.study.display import first_display
from napari_qsm.study.entry import MapEntry, same_case


def map_of_view(session: Session, index: int) -> MapEntry | None:
    """The map whose colours a view is about: its colour bar and its title.

    It is the topmost image that is drawn, whichever is chosen in a list: one picture, one truth.

    Parameters
    ----------
    session : Session
    index : int
        Number of the view; 0 is the large one.
    """
    if session.layout == "compare" and session.mix == "side by side":
        keys = session.compared
        return session.entry(keys[index]) if index < len(keys) else None
    shown = [each for each in session if each.editable is None and session.is_shown(each)]
    return shown[-1] if shown else None


def is_drawn(session: Session, entry: MapEntry, index: int, *, is_3d: bool = False) -> bool:
    """Whether a view draws an entry; ``is_3d`` for one that shows a volume."""
    chosen = map_of_view(session, index)
    is_labels = entry.editable is not None
    if is_3d:
        return entry is chosen or (is_labels and session.is_shown(entry))
    if chosen is None:
        return session.is_shown(entry)
    if _shines_through(entry, chosen):
        return False
    if session.layout != "compare":
        return session.is_shown(entry)
    if entry is chosen:
        return session.mix == "side by side"
    if entry.id in session.compared or entry.role == "map":
        return False
    below = session.maps.index(entry) < session.maps.index(chosen)
    return entry.display.visible and same_case(entry, chosen) and (is_labels or below)


def grey_below(session: Session, entry: MapEntry) -> tuple[float, float] | None:
    """The window of a map's own grey, where that is what lies below its colours.

    Thresholds show the magnitude; where none is ticked below the map, they show the map in grey.

    Parameters
    ----------
    session : Session
    entry : MapEntry

    Returns
    -------
    (low, high) or None
        In the map's unit; None where nothing is hidden, or an image lies below.
    """
    display = entry.display
    if entry.role != "map" or (display.threshold_low is None and display.threshold_high is None):
        return None
    for below in list(session.maps)[: session.maps.index(entry)]:
        image = below.editable is None and below.display.visible and same_case(below, entry)
        if image and not _shines_through(below, entry):
            return None
    return first_display(entry.volume, entry.role).window


def _shines_through(entry: MapEntry, top: MapEntry) -> bool:
    """Whether an image that is no anatomy would show where the map on top is transparent."""
    return (
        entry is not top
        and top.role == "map"
        and entry.editable is None
        and entry.role in ("phase", "other")
    )
