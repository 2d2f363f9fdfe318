"""Which entries a view shows, as layout, selection and ticks say."""

from __future__ import annotations

from napari_qsm.session.model import Session
from napari_qsm.study.entry import MapEntry, same_case


def map_of_view(session: Session, index: int) -> MapEntry | None:
    """The map whose colours a view is about: its colour bar and its title.

    Parameters
    ----------
    session : Session
    index : int
        Number of the view; 0 is the large one.
    """
    if session.layout == "compare" and session.mix == "side by side":
        keys = session.compared
        return session.entry(keys[index]) if index < len(keys) else None
    entry = session.selected_entry
    if entry is not None and entry.editable is None and session.is_shown(entry):
        return entry
    shown = [each for each in session if each.editable is None and session.is_shown(each)]
    return shown[-1] if shown else None


def is_drawn(session: Session, entry: MapEntry, index: int, *, is_3d: bool = False) -> bool:
    """Whether a view draws an entry; ``is_3d`` for one that shows a volume."""
    chosen = map_of_view(session, index)
    is_labels = entry.editable is not None
    if is_3d:
        return entry is chosen or (is_labels and session.is_shown(entry))
    if session.layout != "compare" or chosen is None:
        return session.is_shown(entry)
    if entry is chosen:
        return session.mix == "side by side"
    if entry.id in session.compared or entry.role == "map":
        return False
    below = session.maps.index(entry) < session.maps.index(chosen)
    return entry.display.visible and same_case(entry, chosen) and (is_labels or below)
