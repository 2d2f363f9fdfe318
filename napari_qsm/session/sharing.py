"""A session with all that it holds, as a folder to pass on.

Maps, scans and regions are written anew under names that tell only what they are; paths, names of
folders and of files are left out, and so are remarks about files. What a person has typed (notes,
names of regions, comments) stays as it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

from pydantic_core import to_jsonable_python

from napari_qsm.errors import FileError
from napari_qsm.figures.command import share_source
from napari_qsm.figures.spec import FigureSpec
from napari_qsm.io.atomic import staged_folder, write_text
from napari_qsm.io.formats import stem
from napari_qsm.io.neutral_names import neutral_name, shared_name, told_apart
from napari_qsm.io.targets import check_out_folder
from napari_qsm.session.folder import VolumeWriter, recipe_file
from napari_qsm.session.model import Session
from napari_qsm.session.records import Record
from napari_qsm.session.references import SavedAs
from napari_qsm.session.scan_record import content_of, scan_record
from napari_qsm.session.store import SESSION_FILE
from napari_qsm.study.case import NEUTRAL_NAME, Case
from napari_qsm.study.entry import MapEntry
from napari_qsm.study.identity import case_name

_REMARKS = ("Notes", "warnings")


def share_session(session: Session, folder: Path | str) -> list[Path]:
    """Write a session into a folder of its own that leads back to nobody's files.

    The session itself stays tied to the folder that it was saved in.

    Parameters
    ----------
    session : Session
        Every volume is written on the grid and with the affine of the file it came from.
    folder : Path or str
        Made if missing; it must not hold anything yet.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    FileError
        If the folder holds something, or nothing can be written there.
    """
    folder = Path(folder).absolute()
    check_out_folder(folder, overwrite=False)
    if folder.is_dir() and any(folder.iterdir()):
        raise FileError(f"'{folder}' is not empty; choose a new folder for what is to be shared.")
    entries = session.lasting
    names = dict(zip((entry.id for entry in entries), _names_of(entries), strict=True))
    with staged_folder(folder) as staging:
        writer = VolumeWriter(staging, SavedAs(folder, copy_scans=True), None)
        maps = [{**writer.entry(entry, names[entry.id]), "provenance": {}} for entry in entries]
        for entry, record in zip(entries, maps, strict=True):
            record["provenance"] = _without_remarks(entry.provenance)
        content = content_of(session, lambda case: _scan_record(case, writer), maps, folder)
        cases = zip(session.cases, content["cases"], strict=True)
        for number, (case, record) in enumerate(cases, start=1):
            record["folders"] = []
            record["name"] = _name_of_case(case, number)
            if case.reconstruction is not None:
                recipe = case.reconstruction.recipe().to_yaml()
                write_text(staging / recipe_file(number - 1), recipe)
                source = case.reconstruction.source
                if source is not None:  # called as its case is, or by its files
                    own = case_name(case.participant, case.visit) or record["name"]
                    title = own if source.title == case.title else ""
                    record["reconstruction"]["scan"] = {"title": title}
        if session.figure is not None:
            figure = _shared_figure(session.figure, session, names, staging)
            content["session"]["figure"] = to_jsonable_python(figure)
        content = _scrubbed(content, _words_to_hide(session))
        write_text(staging / SESSION_FILE, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
        written = sorted(path.name for path in staging.iterdir())
    return [folder / name for name in written]


def _names_of(entries: Iterable[MapEntry]) -> list[str]:
    return told_apart(
        shared_name(entry.name, entry.volume.origin, otherwise=str(entry.role)) for entry in entries
    )


def _name_of_case(case: Case, number: int) -> str:
    """What a case is called; a name that is only that of a folder says nothing about it."""
    parts = {part for folder in case.folders for part in folder.parts}
    return f"{NEUTRAL_NAME} {number}" if case.name in parts else case.name


def _scan_record(case: Case, writer: VolumeWriter) -> Record | None:
    record = scan_record(case, writer.keep)
    if record is None:
        return None
    for part in ("phase", "magnitude"):
        for number, place in enumerate(record[part], start=1):
            if "file" in place:
                place["name"] = f"{part} {number}"
    return {**record, "metadata": _without_remarks(record["metadata"])}


def _without_remarks(said: Record) -> Record:
    """Without sentences about files, which name them."""
    return {key: value for key, value in said.items() if key not in _REMARKS}


def _shared_figure(
    figure: FigureSpec, session: Session, names: dict[str, str], staging: Path
) -> FigureSpec:
    """The figure with neutral names; volumes that only the figure uses are written too."""
    sources = {}
    for number, (key, source) in enumerate(figure.sources.items(), start=1):
        entry = session.entry(key)
        if source.path:
            source = share_source(source, Path(), staging, f"figure-{source.role}-{number}")
        elif entry is not None and source.name == entry.name:
            source = source.model_copy(update={"name": names.get(key, source.name)})
        sources[key] = source
    return figure.model_copy(update={"sources": sources})


def _words_to_hide(session: Session) -> dict[str, str]:
    """Names of files that were opened, and what stands for them."""
    volumes = [entry.volume for entry in session]
    for case in session.cases:
        if case.scan is not None:
            volumes += [*case.scan.phase, *case.scan.magnitude]
    words: dict[str, str] = {}
    for origin in {volume.origin for volume in volumes if volume.origin is not None}:
        plain = neutral_name(origin, otherwise="image")
        if plain != stem(origin):
            words |= dict.fromkeys((str(origin), origin.name, stem(origin)), plain)
    return words


def _scrubbed(value: Record, words: dict[str, str]) -> Record:
    """A record with other words in all of its texts that a person did not type."""
    if not words:
        return value
    longest = sorted(words, key=len, reverse=True)
    pattern = re.compile("|".join(rf"(?<!\w){re.escape(word)}(?!\w)" for word in longest))

    def changed(said: object) -> object:
        if isinstance(said, dict):
            return {key: changed(each) for key, each in said.items()}
        if isinstance(said, list):
            return [changed(each) for each in said]
        return pattern.sub(lambda m: words[m[0]], said) if isinstance(said, str) else said

    kept = ("figure", "regions", "notes", "ratings", "annotations", "shapes", "file", "table")
    return {
        "session": value["session"],
        **{key: each for key, each in value.items() if key not in ("session", "cases", "maps")},
        **{
            name: [
                {k: each if k in kept else changed(each) for k, each in record.items()}
                for record in value[name]
            ]
            for name in ("cases", "maps")
        },
    }
