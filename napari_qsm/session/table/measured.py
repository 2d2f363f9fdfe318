"""Which maps are measured under which label maps, and what blinded readers may know of them."""

from __future__ import annotations

from napari_qsm.errors import GeometryError
from napari_qsm.session import MapEntry, Session, together
from napari_qsm.units import factor
from napari_qsm.volume import Volume

#: Roles whose values can be measured in regions.
_ROLES = ("map", "magnitude", "other", "phase")


def measurable(session: Session) -> list[MapEntry]:
    """Entries that the table can measure, susceptibilities first."""
    entries = [entry for entry in session if entry.role in _ROLES]
    return sorted(entries, key=lambda entry: not entry.is_susceptibility)


def measured_map(session: Session, key: str = "") -> MapEntry | None:
    """The map whose values the table holds.

    The one asked for; else the selected one if it is a susceptibility map; else the topmost
    susceptibility map; else, without any, the selected map of another kind.
    """
    asked = session.entry(key) if key else None
    if asked is not None and asked.role in _ROLES:
        return asked
    maps = [entry for entry in session if entry.is_susceptibility]
    selected = session.selected_entry
    if selected in maps:
        return selected
    if maps:
        return maps[-1]
    return selected if selected is not None and selected.role in _ROLES else None


def labels_of(session: Session, entry: MapEntry) -> MapEntry | None:
    """The label map that a map is measured under.

    The one being painted, if it goes with the map; else one of the map's own group; of
    several, one on the map's grid.
    """
    candidates = [each for each in session.of_role("labels") if together(each, entry)]
    return min(
        candidates,
        key=lambda each: (
            each.id != session.painted,
            each.group != entry.group,
            not on_one_grid(each.volume, entry.shown),
        ),
        default=None,
    )


def on_one_grid(a: Volume, b: Volume) -> bool:
    """Whether two volumes share a grid, whatever the order of their axes."""
    try:
        a.like(b)
    except GeometryError:
        return False
    return True


def shown_unit(session: Session, entry: MapEntry) -> str:
    """The unit in which a map's values are written; susceptibilities follow the switch."""
    return session.unit if entry.in_ppm else entry.volume.unit


def shown_factor(session: Session, entry: MapEntry) -> float:
    """From the map's own unit to the one that is written."""
    return factor(entry.volume.unit, shown_unit(session, entry)) if entry.in_ppm else 1.0
