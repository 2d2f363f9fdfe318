"""Who takes part in a study: the rows of ``participants.tsv``."""

from __future__ import annotations

import math
from dataclasses import dataclass

from napari_qsm.errors import FileError
from napari_qsm.study.folder import StudyFolder
from napari_qsm.study.long_table import age_in
from napari_qsm.study.rows import plain_id, read_rows


@dataclass(frozen=True)
class Person:
    """One participant.

    Attributes
    ----------
    group, sex : str
        Empty where not known.
    age : float
        Years; NaN where not known, 89 for ``89+``.
    """

    group: str = ""
    age: float = math.nan
    sex: str = ""


def participants_of(study: StudyFolder) -> dict[str, Person]:
    """Participants by their label without ``sub-``; empty where there is no table.

    Raises
    ------
    QsmError
        If a person stands twice, a row names nobody, or an age is none.
    """
    path = study.participants
    if path is None:
        return {}
    table = read_rows(path)
    table.need(["participant_id"])
    found: dict[str, Person] = {}
    for row in table.rows:
        name = plain_id(row["participant_id"])
        if not name:
            raise FileError(f"'{path}', line {row.line}: no participant_id.")
        if name in found:
            raise FileError(f"'{path}', line {row.line}: {row['participant_id']} stands twice.")
        found[name] = Person(row["group"], age_in(table, row), row["sex"])
    return found
