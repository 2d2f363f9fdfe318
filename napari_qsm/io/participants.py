"""``participants.tsv`` of a data set, kept in step with who is in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from napari_qsm.errors import FileError
from napari_qsm.io.atomic import write_text
from napari_qsm.io.text import read_text

TABLE, DICTIONARY = "participants.tsv", "participants.json"
_UNKNOWN = (None, "", "n/a")
_COLUMNS = {
    "participant_id": {"Description": "Label of the participant."},
    "group": {"Description": "Group that is compared with others, such as control or patient."},
    "age": {"Description": "Age at the first visit; 89+ for 89 and more.", "Units": "year"},
    "sex": {
        "Description": "Sex of the participant.",
        "Levels": {"F": "female", "M": "male", "O": "other"},
    },
}


def add_participant(root: Path, subject: str, **known: str) -> None:
    """Add a participant's row, or what is known to one that says n/a; all else stays as it is.

    Parameters
    ----------
    root : Path
        The data set.
    subject : str
        Label without ``sub-``.
    **known : str
        What is known of them, by column: ``group``, ``age``, ``sex``. Never from a scanner's
        headers. A new table gets a data dictionary beside it.

    Raises
    ------
    FileError
        If the table has no column ``participant_id``, says something else of them, or cannot be
        written.
    """
    text = with_participant(root, subject, **known)
    if text and not (root / TABLE).is_file() and not (root / DICTIONARY).exists():
        write_text(root / DICTIONARY, json.dumps(_COLUMNS, indent=2) + "\n")
    if text:
        write_text(root / TABLE, text)


def with_participant(root: Path, subject: str, **known: str) -> str:
    """The table as :func:`add_participant` would write it; empty if it stays as it is.

    Raises
    ------
    FileError
        As from :func:`add_participant`.
    """
    path = root / TABLE
    told = {name: value for name, value in known.items() if value}
    if not path.is_file():
        columns = [*_COLUMNS, *(name for name in told if name not in _COLUMNS)]
        return "\t".join(columns) + "\n" + _row(columns, subject, told)
    text = read_text(path, "table").removeprefix("\ufeff")
    head, *lines = text.splitlines() or [""]
    columns = [name.strip() for name in head.split("\t")]
    if "participant_id" not in columns:
        raise FileError(f"'{path}' has no column 'participant_id', so sub-{subject} was not added.")
    place = columns.index("participant_id")
    missing = [name for name in told if name not in columns]
    for number, line in enumerate(lines):
        cells = [cell.strip() for cell in line.split("\t")]
        if len(cells) > place and cells[place].removeprefix("sub-") == subject:
            row = dict(zip(columns, cells, strict=False))
            _check(path, row, subject, told)
            new = {name: value for name, value in told.items() if row.get(name) in _UNKNOWN}
            if not new:
                return ""
            _need(path, missing, subject)
            lines[number] = "\t".join((row | new).get(name, "n/a") for name in columns)
            return "\n".join([head, *lines]) + "\n"
    _need(path, missing, subject)
    text = text if text.endswith("\n") else text + "\n"
    return text + _row(columns, subject, told)


def _need(path: Path, missing: list[str], subject: str) -> None:
    if missing:
        raise FileError(
            f"'{path}' has no column '{missing[0]}', so that of sub-{subject} was not added; add the "
            "column."
        )


def _check(path: Path, row: Mapping[str, str], subject: str, told: Mapping[str, str]) -> None:
    for name, value in told.items():
        if row.get(name) not in (*_UNKNOWN, value):
            raise FileError(f"{name} of sub-{subject} is '{row[name]}' in '{path}', not '{value}'.")


def _row(columns: list[str], subject: str, told: Mapping[str, str]) -> str:
    whole = {"participant_id": f"sub-{subject}", **told}
    return "\t".join(whole.get(name, "n/a") for name in columns) + "\n"
