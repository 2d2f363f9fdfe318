"""A cohort's long table: one row a region at a visit, checked and with its sides averaged."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from napari_qsm.errors import FileError, MetadataError
from napari_qsm.study.rows import Row, Rows, people, plain_id, read_rows, some
from napari_qsm.study.scores import scores_of

_VALUES = ("chi_ppb", "mean_ppb", "chi_ppm", "mean_ppm")
_PERSON = ("group", "age", "sex")
_SIDES = {"l": "left", "left": "left", "r": "right", "right": "right", "both": "both", "": ""}
#: Susceptibilities in ppb of larger size are no tissue; means of smaller size are ppm.
_MOST_PPB, _LEAST_PPB = 1000.0, 1.0
#: Rows from which it can be told that all of them are too small.
_FEWEST_ROWS = 3


@dataclass
class LongTable:
    """A cohort as numbers.

    Attributes
    ----------
    values : DataFrame
        ``participant, session, region, side, rater, reading, voxels, verdict, chi_ppb``; as read,
        without excluded rows and missing values.
    persons : DataFrame
        ``group, age, sex`` by participant; NaN and empty where not known.
    scores : DataFrame
        A column an instrument, by (participant, session).
    regions : list of str
        In their order in the file.
    notes : list of str
        What the user must know of what was read.
    excluded : dict of (str, str) to str
        Participant and session of scans that are excluded as a whole, with the reason.
    """

    values: pd.DataFrame
    persons: pd.DataFrame
    scores: pd.DataFrame
    regions: list[str]
    notes: list[str] = field(default_factory=list)
    excluded: dict[tuple[str, str], str] = field(default_factory=dict)


def read_long_table(
    path: Path | str,
    *,
    participants: Path | str | None = None,
    phenotype: Path | str | Sequence[Path] | None = None,
    leave_out: Sequence[str] = (),
    unread: Sequence[str] = (),
) -> LongTable:
    """Read and check a long table with what else is known of its persons.

    Parameters
    ----------
    path : Path or str
        Columns ``participant_id, region`` and ``chi_ppb`` (or ``mean_ppb``, or either in ppm);
        where used ``session_id, group, age, sex, side, voxels, rater, reading, qc_verdict,
        excluded``; further columns of numbers are scores.
    participants : Path or str, optional
        ``participants.tsv`` of BIDS: ``participant_id`` and ``group``, ``age``, ``sex``.
    phenotype : Path or str or sequence of Path, optional
        ``participant_id``, ``session_id`` and scores.
    leave_out : sequence of str
        Participants whose rows are not read.
    unread : sequence of str
        Participants who may stand in the other tables though they have no value yet.

    Raises
    ------
    QsmError
        For what cannot be used, naming file and person: columns that are missing, a row given
        twice, text where a number belongs, ppm among ppb, two references, a person that only one
        of the tables knows.
    """
    return long_table_of(
        people(read_rows(path), leave_out),
        participants=participants,
        phenotype=phenotype,
        leave_out=leave_out,
        unread=unread,
    )


def long_table_of(
    table: Rows,
    *,
    participants: Path | str | None = None,
    phenotype: Path | str | Sequence[Path] | None = None,
    leave_out: Sequence[str] = (),
    unread: Sequence[str] = (),
) -> LongTable:
    """The same of rows that were read; see :func:`read_long_table`."""
    table.need(["participant_id", "region"])
    column, scale = _value_column(table)
    notes: list[str] = []
    if scale != 1:
        notes.append(f"'{table.who}': column '{column}' was converted from ppm to ppb.")
    _check_reference(table)
    values, excluded = _values(table, column, scale, notes)
    _check_units(values, table.who)
    persons = _persons(table, values)
    valueless = {plain_id(row["participant_id"]) for row in table.rows} | set(map(plain_id, unread))
    if participants is not None:
        told = people(read_rows(participants), leave_out)
        _add_persons(persons, told, table.who, valueless)
    paths = [phenotype] if isinstance(phenotype, Path | str) else phenotype or ()
    others = [people(read_rows(each), leave_out) for each in paths]
    scores = scores_of(table, others, set(persons.index), valueless, notes)
    known = set(values["region"])
    regions = [name for name in dict.fromkeys(r["region"] for r in table.rows) if name in known]
    return LongTable(values, persons, scores, regions, notes, excluded)


def _value_column(table: Rows) -> tuple[str, float]:
    found = [column for column in _VALUES if column in table.columns]
    if not found:
        table.need(["chi_ppb"])
    if len(found) > 1:
        raise MetadataError(
            f"'{table.who}' holds susceptibility twice ({' and '.join(found)}); keep one of them."
        )
    return found[0], 1e3 if found[0].endswith("ppm") else 1.0


def _check_reference(table: Rows) -> None:
    said = sorted({row["reference"] for row in table.rows if row["reference"]})
    if len(said) > 1:
        raise MetadataError(
            f"'{table.who}' holds values with different references ({', '.join(said)}); only values "
            "with one reference can be compared."
        )


def _values(
    table: Rows, column: str, scale: float, notes: list[str]
) -> tuple[pd.DataFrame, dict[tuple[str, str], str]]:
    """Rows with a value, and the scans of which none is left for a reason."""
    seen: dict[tuple[str, ...], int] = {}
    why_not: dict[tuple[str, str], str] = {}
    excluded: Counter[str] = Counter()
    out = []
    missing = 0
    for row in table.rows:
        place = _place(row, table.who)
        if place in seen:
            raise FileError(
                f"'{table.who}', lines {seen[place]} and {row.line}: two rows for region "
                f"'{place[2]}' of {row['participant_id']}"
                f"{' at ' + row['session_id'] if row['session_id'] else ''}."
            )
        seen[place] = row.line
        chi = scale * table.number(row, column, f" ({row['participant_id']})")
        verdict = row["qc_verdict"].casefold()
        if row["excluded"] or verdict == "fail":
            why = row["excluded"] or "quality of the map: fail"
            excluded[why] += 1
            why_not.setdefault((place[0], place[1]), why)
        elif math.isnan(chi):
            missing += 1
        else:
            out.append((*place, table.number(row, "voxels"), verdict, chi, row.line))
    for why, count in excluded.items():
        notes.append(f"{count} rows are excluded: {why}.")
    if missing:
        notes.append(f"{missing} rows hold no value (n/a).")
    if not out:
        raise FileError(f"'{table.who}' holds no value.")
    names = [
        "participant",
        "session",
        "region",
        "side",
        "rater",
        "reading",
        "voxels",
        "verdict",
        "chi_ppb",
        "line",
    ]
    kept = {(row[0], row[1]) for row in out}
    gone = {scan: why for scan, why in why_not.items() if scan not in kept}
    return pd.DataFrame(out, columns=names), gone


def _place(row: Row, who: str) -> tuple[str, ...]:
    if not row["region"]:
        raise FileError(f"'{who}', line {row.line}: no region.")
    side = _SIDES.get(row["side"].casefold())
    if side is None:
        raise FileError(
            f"'{who}', line {row.line}: side is '{row['side']}'; left, right or both is needed."
        )
    person, visit = plain_id(row["participant_id"]), plain_id(row["session_id"])
    return person, visit, row["region"], side, row["rater"], row["reading"]


def _check_units(values: pd.DataFrame, who: str) -> None:
    """Refuse values that are no susceptibility in ppb, or some of which are in ppm."""
    size = values["chi_ppb"].abs()
    if size.max() > _MOST_PPB:
        row = values.iloc[int(size.to_numpy().argmax())]
        raise MetadataError(
            f"'{who}', line {row['line']}: {row['chi_ppb']:g} ppb in {row['region']} of "
            f"{row['participant']} is more than any tissue has; is its unit ppb?"
        )
    if 0 < size.mean() < _LEAST_PPB:
        raise MetadataError(
            f"'{who}': values of typically {size.mean():.2g} ppb are too small; they are ppm, so "
            "call their column chi_ppm."
        )
    typical = size.groupby(values["region"]).transform(lambda v: v.quantile(0.75))
    share = size / typical.where(typical > 0)
    for by in (["participant", "session"], ["participant"], ["session"]):
        grouped = share.groupby([values[name] for name in by])
        most = grouped.max()  # zeros tell nothing of their unit
        odd = most[(most < 0.02) & (most > 0) & (grouped.size() >= _FEWEST_ROWS)]
        if len(odd):
            where = odd.index.tolist()[0]
            raise _mixed(who, " ".join(where) if isinstance(where, tuple) else str(where))
    for region, rows in values.groupby("region", sort=False):
        chi = rows["chi_ppb"]
        if 0 < chi.abs().max() < _LEAST_PPB < size.median() and len(chi) >= _FEWEST_ROWS:
            raise _mixed(who, str(region))
        small = (chi != 0) & (chi.abs() < min(_LEAST_PPB, 0.02 * abs(chi.median())))
        others = chi[~small]
        # A value near zero is no wonder unless all others lie far from it.
        far = len(others) >= _FEWEST_ROWS and abs(others.mean()) > 3 * others.std()
        if small.any() and far:
            raise _mixed(who, f"{rows.loc[small, 'participant'].tolist()[0]}, {region}")


def _mixed(who: str, where: str) -> MetadataError:
    return MetadataError(
        f"'{who}' mixes ppm and ppb: values of {where} are a thousandth of the others'. Bring all "
        "to ppb."
    )


def _persons(table: Rows, values: pd.DataFrame) -> pd.DataFrame:
    """What the rows say of each person with a value; two different answers are refused."""
    known: dict[str, dict[str, float | str]] = {p: {} for p in dict.fromkeys(values["participant"])}
    for row in table.rows:
        person = known.get(plain_id(row["participant_id"]))
        if person is not None:
            _tell(person, table, row)
    return _person_frame(known)


def _person_frame(known: dict[str, dict[str, float | str]]) -> pd.DataFrame:
    out = pd.DataFrame.from_dict(known, orient="index").reindex(columns=list(_PERSON))
    for column in ("group", "sex"):
        out[column] = [value if isinstance(value, str) else "" for value in out[column]]
    out["age"] = out["age"].astype(float)
    return out


def _tell(person: dict[str, float | str], table: Rows, row: Row) -> None:
    who = row["participant_id"]
    for column in ("group", "sex"):
        said = row[column].casefold()[:1].upper() if column == "sex" else row[column]
        before = person.get(column)
        if said and before and said != before:
            raise FileError(
                f"'{table.who}', line {row.line}: {column} of {who} is '{said}', elsewhere "
                f"'{before}'."
            )
        if said:
            person[column] = said
    if row["age"] and "age" not in person:  # of the first visit; it grows over a study
        person["age"] = age_in(table, row)


def age_in(table: Rows, row: Row) -> float:
    """The age of a row in years; NaN where it is not known.

    Raises
    ------
    MetadataError
        If it is no number, or nobody can be that old.
    """
    if not row["age"]:
        return math.nan
    text = re.sub(r"^(\d+)\+$", r"\1", row["age"])  # BIDS: 89+
    whole = Row(row.line, {**row.cells, "age": text})
    age = table.number(whole, "age", f" ({row['participant_id']})")
    if not 0 <= age <= 120:
        raise MetadataError(
            f"'{table.who}', line {row.line}: an age of {age:g} years ({row['participant_id']}) is "
            "not possible."
        )
    return age


def _add_persons(persons: pd.DataFrame, table: Rows, who: str, valueless: set[str]) -> None:
    """Add what a table of people says; who stands there alone must be known to have no value."""
    told: dict[str, dict[str, float | str]] = {}
    for row in table.rows:
        name = plain_id(row["participant_id"])
        if name in told:
            raise FileError(
                f"'{table.who}', line {row.line}: {row['participant_id']} stands twice."
            )
        told[name] = {}
        _tell(told[name], table, row)
    lacking = [name for name in persons.index if name not in told]
    if lacking:
        raise FileError(f"'{table.who}' has no row for {some(lacking)}, whom '{who}' holds.")
    told = {
        name: known for name, known in told.items() if name not in valueless - set(persons.index)
    }
    unscanned = [name for name in told if name not in persons.index]
    if unscanned:
        raise FileError(
            f"'{table.who}' lists {some(unscanned)}, of whom '{who}' holds nothing; name them with "
            "a reason under 'exclude' in the plan."
        )
    for name, known in told.items():
        for column, value in known.items():
            before = str(persons.at[name, column])
            if column != "age" and before and before != value:
                raise FileError(
                    f"{column} of {name} is '{before}' in '{who}' but '{value}' in '{table.who}'."
                )
            persons.at[name, column] = value


def side_means(values: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """One value a region: the mean of both sides, weighted by their voxels.

    Parameters
    ----------
    values : DataFrame
        As :attr:`LongTable.values`, of one rater and reading.
    notes : list of str
        Told what was averaged, and where a side is missing.

    Returns
    -------
    DataFrame
        ``participant, session, region, chi_ppb``. A region of which one side alone was read at a
        visit is missing there: half of it would not be comparable. Where nobody has the other side,
        the one is taken.
    """
    sided = values[values["side"].isin(["left", "right"])]
    keys = ["participant", "session", "region"]
    whole = values[~values["side"].isin(["left", "right"])]
    if sided.empty:
        return whole[[*keys, "chi_ppb"]].reset_index(drop=True)
    weighted = bool((sided["voxels"] > 0).all())
    weight = sided["voxels"] if weighted else pd.Series(1.0, index=sided.index)
    work = sided.assign(w=weight, wx=weight * sided["chi_ppb"])
    sums = work.groupby(keys, sort=False).agg(w=("w", "sum"), wx=("wx", "sum"), n=("w", "size"))
    one_sided = sided.groupby("region")["side"].nunique() < 2
    lone = sums.index.get_level_values("region").isin(one_sided.index[one_sided])
    if lone.any():
        names = ", ".join(one_sided.index[one_sided].astype(str))
        notes.append(f"Of {names} one side alone was read, in everybody.")
    alone = sums[(sums["n"] < 2) & ~lone]
    if len(alone):
        person, visit, region = map(str, alone.index.tolist()[0])
        notes.append(
            f"{len(alone)} regions were read on one side only and are left out there "
            f"(such as {region} of {person} {visit})."
        )
    both = sums[(sums["n"] == 2) | lone]
    if not lone.all():
        how = ", weighted by their voxels." if weighted else " (no voxel counts)."
        notes.append(f"Sides are averaged{how}")
    out = pd.DataFrame({"chi_ppb": both["wx"] / both["w"]}).reset_index()
    told = pd.MultiIndex.from_frame(whole[keys]).isin(sums.index)
    rest = whole[~told]
    return pd.concat([out, rest[[*keys, "chi_ppb"]]], ignore_index=True)


def in_columns(values: pd.DataFrame, visits: Sequence[str], persons: Sequence[str]) -> np.ndarray:
    """One region as (persons, visits), NaN where a visit is missing."""
    wide = values.pivot(index="participant", columns="session", values="chi_ppb")
    return wide.reindex(index=list(persons), columns=list(visits)).to_numpy(dtype=float)
