"""Which maps are measured under which label maps, and what blinded readers may know of them."""

from __future__ import annotations

from napari_qsm.session import MapEntry, Session
from napari_qsm.units import factor

#: Roles whose values can be measured in regions.
_ROLES = ("map", "magnitude", "other", "phase")


def measurable(session: Session) -> list[MapEntry]:
    """Entries that the table can measure, susceptibilities first."""
    entries = [entry for entry in session if entry.role in _ROLES]
    return sorted(entries, key=lambda entry: not entry.is_susceptibility)


def measured_map(session: Session, key: str = "") -> MapEntry | None:
    """The map whose values the table holds.

    The one asked for; else, of the active case, the selected one if it is a susceptibility map;
    else its topmost susceptibility map; else, without any, the selected map of another kind.
    """
    asked = session.entry(key) if key else None
    if asked is not None and asked.role in _ROLES:
        return asked
    maps = [entry for entry in session.case.maps if entry.is_susceptibility]
    selected = session.selected_entry
    if selected in maps:
        return selected
    if maps:
        return maps[-1]
    return selected if selected is not None and selected.role in _ROLES else None


def shown_unit(session: Session, entry: MapEntry) -> str:
    """The unit in which a map's values are written; susceptibilities follow the switch."""
    return session.unit if entry.in_ppm else entry.volume.unit


def shown_factor(session: Session, entry: MapEntry) -> float:
    """From the map's own unit to the one that is written."""
    return factor(entry.volume.unit, shown_unit(session, entry)) if entry.in_ppm else 1.0
