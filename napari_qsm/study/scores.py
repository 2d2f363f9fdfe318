"""Scores of instruments (questionnaires, scales) by participant and visit."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import pandas as pd

from napari_qsm.errors import FileError
from napari_qsm.study.rows import Rows, plain_id, some

#: Columns that a long table may have and that are no scores.
_KNOWN = frozenset(
    [
        "participant_id",
        "session_id",
        "group",
        "age",
        "sex",
        "region",
        "side",
        "label",
        "name",
        "rater",
        "reading",
        "voxels",
        "volume_mm3",
        "reference",
        "map_sha256",
        "flags",
        "qc_verdict",
        "excluded",
    ]
)
_MEASURES = re.compile(
    r"(mean|sd|median|min|max|p\d+|chi|reference)_pp[mb]|p\d\d|skewness|.*_(mm|mm3|sha256)"
)
#: Lowest and highest value that an instrument gives.
INSTRUMENTS = {
    "irls": (0, 40), "mmse": (0, 30), "moca": (0, 30), "updrs3": (0, 132), "edss": (0, 10),
    "bdi": (0, 63), "isi": (0, 28), "psqi": (0, 21), "ess": (0, 24),
}  # fmt: skip


def scores_of(
    table: Rows,
    phenotypes: Sequence[Rows],
    persons: set[str],
    valueless: set[str],
    notes: list[str],
) -> pd.DataFrame:
    """Scores of both tables by (participant, session), a column an instrument.

    Parameters
    ----------
    table : Rows
    phenotypes : sequence of Rows
        Of both, columns of numbers that mean nothing else are scores.
    persons : set of str
        Who has a value in the long table.
    valueless : set of str
        Who is known to the study without one.
    notes : list of str
        Told of scores that an instrument cannot give.

    Raises
    ------
    QsmError
        If a score is given twice, or is of somebody else.
    """
    found: dict[str, dict[tuple[str, str], float]] = {}
    _collect(found, table, persons, notes)
    for phenotype in phenotypes:
        phenotype.need(["session_id"])
        _collect(found, phenotype, persons, notes)
        there = {plain_id(row["participant_id"]) for row in phenotype.rows}
        strangers = sorted(there - persons - valueless)
        if strangers:
            raise FileError(
                f"'{phenotype.who}' holds scores of {some(strangers)}, who has no row in '{table.who}'."
            )
    for name, by_visit in found.items():
        low, high = INSTRUMENTS.get(name.casefold(), (-math.inf, math.inf))
        outside = [p for (p, _), value in by_visit.items() if not low <= value <= high]
        if outside:
            notes.append(
                f"{name.upper()} lies outside {low:g}-{high:g} in {len(outside)} value"
                f"{'' if len(outside) == 1 else 's'} "
                f"({some(sorted(set(outside)))})."
            )
    frame = pd.DataFrame(found)
    frame.index = pd.MultiIndex.from_tuples(frame.index.tolist() or [("", "")])[: len(frame)]
    return frame


def _collect(
    found: dict[str, dict[tuple[str, str], float]],
    table: Rows,
    persons: set[str],
    notes: list[str],
) -> None:
    for column in table.columns:
        if column in _KNOWN or _MEASURES.fullmatch(column) or not column:
            continue
        if not table.is_numeric(column):
            if column.casefold() in INSTRUMENTS:
                for row in table.rows:
                    table.number(row, column, f" ({row['participant_id']})")
            if any(row[column] for row in table.rows):
                notes.append(f"'{table.who}': column '{column}' holds text, so it is no score.")
            continue
        by_visit = found.setdefault(column, {})
        for row in table.rows:
            person = plain_id(row["participant_id"])
            value = table.number(row, column)
            if math.isnan(value) or person not in persons:
                continue
            key = (person, plain_id(row["session_id"]))
            if by_visit.setdefault(key, value) != value:
                raise FileError(
                    f"'{table.who}', line {row.line}: {column} of {row['participant_id']} at "
                    f"{row['session_id']} is {value:g}, elsewhere {by_visit[key]:g}."
                )
