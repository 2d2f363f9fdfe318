"""A session without its voxels, as JSON; what folders and recovery files have in common.

Writing is plain. Reading is total: whatever a file holds, each entry, case and field is read by
itself, and one that cannot be read costs itself and a sentence, never the rest.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter
from pydantic_core import to_jsonable_python

from napari_qsm.errors import FileError
from napari_qsm.figures.annotations import Annotation
from napari_qsm.figures.spec import FigureSpec
from napari_qsm.io.plain_data import NoNumber, PlainDataError, parse_json
from napari_qsm.qc.rating import Rating
from napari_qsm.rois.region import Region
from napari_qsm.rois.shapes import FixedShape
from napari_qsm.session.model import Session
from napari_qsm.session.proposals import provenance_now
from napari_qsm.session.references import PREVIOUS, path_from
from napari_qsm.session.visit_records import links_of, links_record
from napari_qsm.study.case import Case
from napari_qsm.study.display import MapDisplay
from napari_qsm.study.entry import MapEntry
from napari_qsm.volume import Volume

Record = dict[str, Any]
T = TypeVar("T")
#: What reading a record of the wrong kind may raise.
BROKEN = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)

#: Fields of a session that are plain values, last those that show what others name.
_PLAIN = (
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
    "blinded",
    "notes",
)
#: Fields of a case that are lists of models, with what the user calls them.
_LISTS: Mapping[str, tuple[TypeAdapter[Any], str]] = {
    "shapes": (TypeAdapter(FixedShape), "fixed shape"),
    "annotations": (TypeAdapter(Annotation), "annotation"),
    "ratings": (TypeAdapter(Rating), "rating"),
}
_FIGURE = TypeAdapter(FigureSpec)
_REGION_FIELDS = {field.name for field in fields(Region)}


def parsed(text: str, where: Path) -> Record:
    """The content of a JSON file; a value that cannot be meant is one that no field takes.

    Raises
    ------
    FileError
        If the text is no JSON object.
    """
    try:
        content = parse_json(text, lenient=True)
    except PlainDataError as error:
        raise FileError(f"'{where}' is not a readable session: it {error}.") from error
    if not isinstance(content, dict):
        raise FileError(f"'{where}' is not a readable session.")
    return content


# Session -------------------------------------------------------------------------------------


def session_record(session: Session, folder: Path) -> Record:
    """Fields of a session besides its maps and cases, ready for JSON in a folder."""
    names = (*_PLAIN, "selected", "painted", "compared", "active_case")
    record: Record = to_jsonable_python({name: getattr(session, name) for name in names})
    record["visits"] = links_record(session.visits)
    if session.figure is not None:
        record["figure"] = to_jsonable_python(
            _with_paths(session.figure, lambda path: path_from(Path(path), folder))
        )
    return record


def apply_session(
    record: Record, session: Session, ids: Mapping[str, str], folder: Path, *, fresh: bool
) -> list[str]:
    """Set a session's fields from a record.

    Parameters
    ----------
    record : dict
        From :func:`session_record`; missing fields stay as they are.
    session : Session
        Already holds maps and cases.
    ids : dict
        Ids of maps and cases as saved to those they have now.
    folder : Path
        Where the file lies that holds the record.
    fresh : bool
        Whether the session was empty; otherwise only its notes are added, and the figure where
        there is none.

    Returns
    -------
    list of str
        Sentences about what could not be brought back.
    """
    problems: list[str] = []
    values: Record = {}
    for name in ("selected", "painted"):
        known = record.get(name)
        if isinstance(known, str) and known in ids:
            values[name] = ids[known]
    compared = record.get("compared")
    if isinstance(compared, list | tuple):
        values["compared"] = tuple(
            ids[key] for key in compared if isinstance(key, str) and key in ids
        )
    if record.get("figure") is not None:
        try:
            figure = _FIGURE.validate_python(record["figure"])
            values["figure"] = _with_paths(figure, lambda path: _seen_from(folder, path).as_posix())
        except BROKEN:
            problems.append("The figure of the session could not be read and was left out.")
    values["visits"] = links_of(record.get("visits"), session.study, ids)
    values |= {name: record[name] for name in _PLAIN if name in record}
    case = record.get("active_case")
    if isinstance(case, str) and case in ids:
        values["active_case"] = ids[case]
    if not fresh:
        values = _kept_beside(values, session)
    for name, value in values.items():
        try:
            setattr(session, name, value)
        except BROKEN:
            problems.append(f"The setting '{name}' of the session is not valid and was left out.")
    return problems


def _with_paths(figure: FigureSpec, change: Callable[[str], str]) -> FigureSpec:
    """A figure with other paths to the files that it has read itself."""
    sources = {
        key: source.model_copy(
            update={
                name: change(getattr(source, name))
                for name in ("path", "table")
                if getattr(source, name)
            }
        )
        for key, source in figure.sources.items()
    }
    return figure.model_copy(update={"sources": sources})


def _seen_from(folder: Path, way: str) -> Path:
    """The path that a file of a session means by a way."""
    start = folder.parent if folder.name == PREVIOUS else folder
    return Path(os.path.normpath(start / way))


def _kept_beside(values: Record, session: Session) -> Record:
    """What of a session is added to one that holds something: nothing of it is replaced."""
    own = session.notes
    notes = values.get("notes")
    added = [note for note in (own, notes) if isinstance(note, str) and note]
    kept: Record = {"notes": "\n".join(dict.fromkeys(added))}
    if session.figure is None and "figure" in values:
        kept["figure"] = values["figure"]
    if "active_case" in values:
        kept["active_case"] = values["active_case"]
    return kept


# Cases -----------------------------------------------------------------------------------------


def case_record(case: Case, folder: Path) -> Record:
    """Fields of a case besides scan and reconstruction, ready for JSON in a folder."""
    record: Record = {
        "id": case.id,
        "name": case.name,
        "participant": case.participant,
        "visit": case.visit,
        "folders": [path_from(each, folder) for each in case.folders],
        "midline_mm": case.midline_mm,
        "painted": case.painted,
        "grid": case.kept_grid,
        "labels_used": dict(case.labels_used),
    }
    for name in _LISTS:
        record[name] = to_jsonable_python(getattr(case, name))
    return record


def add_case(session: Session, record: Record, folder: Path) -> tuple[Case, list[str]]:
    """Add a case with the fields of a record; what refers to maps comes last.

    Parameters
    ----------
    session : Session
    record : dict
        From :func:`case_record`.
    folder : Path
        Where the file lies that holds the record.

    Returns
    -------
    case : Case
    problems : list of str
        Sentences about what could not be brought back.
    """
    problems: list[str] = []

    def text(name: str) -> str:
        value = record.get(name)
        return value if isinstance(value, str) else ""

    case = session.study.new_case(
        text("name"), participant=text("participant"), visit=text("visit"), key=text("id")
    )
    folders = record.get("folders")
    if isinstance(folders, list):
        case.folders = tuple(_seen_from(folder, each) for each in folders if isinstance(each, str))
    midline = record.get("midline_mm")
    if isinstance(midline, int | float) and not isinstance(midline, bool):
        case.midline_mm = float(midline)
    elif midline is not None:
        problems.append(f"The midline of '{case.name}' is no number and was left out.")
    for name, (reader, words) in _LISTS.items():
        found, lost = _read_list(record.get(name), reader)
        setattr(case, name, found)
        if lost:
            problems.append(
                f"{lost} {words}{'s' if lost > 1 else ''} of '{case.name}' could not be read and "
                f"{'were' if lost > 1 else 'was'} left out."
            )
    return case, problems


def apply_labels(record: Record, case: Case, ids: Mapping[str, str]) -> None:
    """Which label maps measure a case's maps, and whose grid counts, once its maps are there."""
    painted, used = record.get("painted"), record.get("labels_used")
    grid = record.get("grid")
    if isinstance(grid, str) and grid in ids:
        case.keep_grid(next((e for e in case.maps if e.id == ids[grid]), None))
    if isinstance(painted, str):
        case.painted = ids.get(painted, "")
    if isinstance(used, dict):
        case.labels_used = {
            ids[key]: ids[value]
            for key, value in used.items()
            if isinstance(value, str) and key in ids and value in ids
        }


def _read_list(found: object, reader: TypeAdapter[Any]) -> tuple[tuple[Any, ...], int]:
    """Those of a list that can be read, and how many can't."""
    if found is None:
        return (), 0
    if not isinstance(found, list):
        return (), 1
    read: list[Any] = []
    for each in found:
        try:
            read.append(reader.validate_python(each))
        except BROKEN:
            continue
    return tuple(read), len(found) - len(read)


# Entries ---------------------------------------------------------------------------------------


def entry_record(entry: MapEntry) -> Record:
    """All fields of an entry besides its voxels, ready for JSON."""
    return {
        "id": entry.id,
        "case": entry.case,
        "name": entry.name,
        "role": entry.role,
        "unit": entry.volume.unit,
        "rater": entry.rater,
        "linked": entry.linked,
        "echo": entry.echo,
        "display": to_jsonable_python(entry.display.model_dump()),
        "regions": [asdict(region) for region in entry.regions.values()],
        "provenance": to_jsonable_python(entry.provenance, fallback=str),
        **({"outlines": outlines} if (outlines := provenance_now(entry)) else {}),
    }


def add_entry(
    session: Session, record: Record, volume: Volume, case: Case
) -> tuple[MapEntry, list[str]]:
    """Add a volume to a session with the fields of a record.

    Raises
    ------
    QsmError, TypeError, ValueError
        If role or name make no entry of it.
    """
    problems = []
    name = str(record["name"])
    display: MapDisplay | None = None
    try:
        known = {k: v for k, v in record["display"].items() if k in MapDisplay.model_fields}
        display = MapDisplay.model_validate(known)
    except BROKEN:
        problems.append(f"How '{name}' was shown could not be read; it is shown as when opened.")
    regions, lost = _read_regions(record.get("regions"))
    if lost:
        problems.append(f"{lost} region names of '{name}' could not be read.")
    key, rater = record.get("id"), record.get("rater")
    entry = session.add(
        volume,
        role=record["role"],
        name=name,
        regions=regions,
        display=display,
        case=case,
        rater=rater if isinstance(rater, str) else "",
        linked=record.get("linked", True) is not False,
        key=key if isinstance(key, str) else "",
    )
    echo = record.get("echo")
    if entry.volume.data.ndim == 4 and isinstance(echo, int):
        entry.echo = min(max(echo, 0), entry.volume.data.shape[3] - 1)
    provenance = record.get("provenance")
    if isinstance(provenance, dict):
        entry.provenance = without_wrong_numbers(provenance)
    return entry, problems


def without_wrong_numbers(said: Any) -> Any:
    """What is kept as it was said, with null for numbers that are none."""
    if isinstance(said, dict):
        return {key: without_wrong_numbers(each) for key, each in said.items()}
    if isinstance(said, list):
        return [without_wrong_numbers(each) for each in said]
    return None if isinstance(said, NoNumber) else said


def _read_regions(rows: object) -> tuple[dict[int, Region], int]:
    """Rows of a label table that can be read, and how many can't; fields of newer programs go."""
    found: dict[int, Region] = {}
    listed = rows if isinstance(rows, list) else []
    for row in listed:
        try:
            region = _REGION.validate_python({k: v for k, v in row.items() if k in _REGION_FIELDS})
        except BROKEN:
            continue
        found[region.index] = region
    return found, len(listed) - len(found)


_REGION = TypeAdapter(Region)


def finished(call: Callable[[], T]) -> T:
    """Call something that reads a session from another thread, again if it changed meanwhile."""
    for _ in range(20):
        try:
            return call()
        except RuntimeError:  # a dict or list grew while it was read
            continue
    return call()
