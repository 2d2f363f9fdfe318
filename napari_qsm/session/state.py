"""A session without its voxels, as JSON; what folders and recovery files have in common."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, fields, is_dataclass
from importlib import import_module
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_jsonable_python

from napari_qsm.io.label_table import Region, default_color, side_of
from napari_qsm.rois.statistics import region_name, region_side
from napari_qsm.session.display import MapDisplay
from napari_qsm.session.entries import MapEntry
from napari_qsm.session.model import Session
from napari_qsm.volume import Volume

#: Fields that are plain values.
_PLAIN = (
    "active_group",
    "crosshair_mm",
    "crosshair_visible",
    "unit",
    "radiological",
    "views_linked",
    "windows_linked",
    "layout",
    "large_plane",
    "mix",
    "active_region",
    "midline_mm",
    "blinded",
    "notes",
)
#: Fields that name entries.
_IDS = ("selected", "painted", "compared")
#: Fields that hold models, with the type that reads them and what the user calls them.
_MODELS: dict[str, tuple[str, str, str]] = {
    "shapes": ("napari_qsm.rois.shapes", "FixedShape", "shapes of fixed size"),
    "annotations": ("napari_qsm.figures.annotations", "Annotation", "annotations"),
    "figure": ("napari_qsm.figures.spec", "FigureSpec", "figure"),
    "ratings": ("napari_qsm.qc.rating", "Rating", "ratings"),
}
_ENTRY_FIELDS = (
    "id",
    "name",
    "role",
    "volume",
    "echo",
    "editable",
    "regions",
    "group",
    "linked",
    "display",
)


def state_record(session: Session) -> dict[str, Any]:
    """All fields of a session besides its maps, ready for JSON."""
    state: dict[str, Any] = {name: getattr(session, name) for name in (*_PLAIN, *_IDS)}
    for name in _MODELS:
        value = getattr(session, name)
        if value is not None:
            state[name] = to_jsonable_python(value)
    result: dict[str, Any] = to_jsonable_python(state)
    return result


def apply_state(
    state: dict[str, Any], session: Session, ids: dict[str, str], *, fresh: bool = True
) -> list[str]:
    """Set a session's fields from a record.

    Parameters
    ----------
    state : dict
        From :func:`state_record`; missing fields stay as they are.
    session : Session
        Already holds the maps.
    ids : dict
        Ids of entries as saved to those they have now.
    fresh : bool
        Whether the session was empty; otherwise nothing that was drawn or written in it is
        replaced, and shapes, annotations and notes are added to its own.

    Returns
    -------
    list of str
        Sentences about what could not be brought back.
    """
    problems = []
    values: dict[str, Any] = {}
    for name in ("selected", "painted"):
        if state.get(name) in ids:
            values[name] = ids[state[name]]
    if "compared" in state:
        values["compared"] = tuple(ids[key] for key in state["compared"] if key in ids)
    for name, (module, kind, words) in _MODELS.items():
        if name not in state:
            continue
        reader: Any = getattr(import_module(module), kind)
        if name != "figure":
            reader = tuple[reader, ...]
        try:
            values[name] = TypeAdapter(reader).validate_python(state[name])
        except ValidationError:
            problems.append(f"The {words} of the session could not be read and were left out.")
    for name in _PLAIN:  # last: some of them show what the others name
        if name in state:
            values[name] = state[name]
    if not fresh:
        _add_to_own(values, session)
    for name, value in values.items():
        try:
            setattr(session, name, value)
        except ValidationError:
            problems.append(f"The setting '{name}' of the session is not valid and was left out.")
    return problems


def _add_to_own(values: dict[str, Any], session: Session) -> None:
    for name in ("shapes", "annotations"):
        own = getattr(session, name)
        known = {each.id for each in own}
        values[name] = (*own, *(each for each in values.get(name, ()) if each.id not in known))
    kept = values.get("ratings", ())
    values["ratings"] = (*session.ratings, *(r for r in kept if r not in session.ratings))
    if session.figure is not None:
        values.pop("figure", None)
    notes = [note for note in (session.notes, values.pop("notes", "")) if note]
    values["notes"] = "\n".join(dict.fromkeys(notes))
    if session.midline_mm is not None:
        values.pop("midline_mm", None)


def entry_record(entry: MapEntry) -> dict[str, Any]:
    """All fields of an entry besides its voxels, ready for JSON."""
    more = {
        name: getattr(entry, name) for name in type(entry).model_fields if name not in _ENTRY_FIELDS
    }
    record: dict[str, Any] = {
        "id": entry.id,
        "name": entry.name,
        "role": entry.role,
        "unit": entry.volume.unit,
        "group": entry.group,
        "linked": entry.linked,
        "echo": entry.echo,
        "display": to_jsonable_python(entry.display.model_dump()),
        "regions": [region_record(key, value) for key, value in dict(entry.regions).items()],
        "more": to_jsonable_python(more, fallback=str),
    }
    return record


def add_entry(session: Session, record: dict[str, Any], volume: Volume) -> MapEntry:
    """Add a volume to a session with the fields of a record."""
    known = set(MapDisplay.model_fields)
    display = {key: value for key, value in record["display"].items() if key in known}
    entry = session.add(
        volume,
        role=record["role"],
        name=record["name"],
        regions={row["index"]: region_of(row) for row in record["regions"]},
        display=MapDisplay(**display),
        group=record.get("group", ""),
        linked=record.get("linked", True),
        key=record.get("id", ""),
    )
    if entry.volume.data.ndim == 4:
        entry.echo = min(int(record.get("echo", 0)), entry.volume.data.shape[3] - 1)
    for name, value in record.get("more", {}).items():
        if name in type(entry).model_fields and name not in _ENTRY_FIELDS:
            setattr(entry, name, value)
    return entry


def region_record(index: int, region: Any) -> dict[str, Any]:
    """One row of a label table, ready for JSON."""
    return asdict(as_region(index, region))


def as_region(index: int, region: Any) -> Region:
    """A region of a session as a row of a label table."""
    if is_dataclass(region) and isinstance(region, Region):
        return region if region.index == index else Region(**{**asdict(region), "index": index})
    name = region_name(region)
    color = str(getattr(region, "color", "") or default_color(index))
    return Region(index, name, region_side(region) or side_of(name), color)


def region_of(row: dict[str, Any]) -> Region:
    """The row of a label table that a record holds; fields of newer programs are dropped."""
    known = {field.name for field in fields(Region)}
    return Region(**{key: value for key, value in row.items() if key in known})


def finished(session: Session, call: Callable[[], Any]) -> Any:
    """Call something that reads a session from another thread, again if it changed meanwhile."""
    for _ in range(20):
        try:
            return call()
        except RuntimeError:  # a dict or list grew while it was read
            continue
    return call()
