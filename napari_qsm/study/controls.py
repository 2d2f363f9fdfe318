"""A group of controls to compare one person with: read from a table, and what made its maps."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import pandas as pd

from napari_qsm.arrays import Array
from napari_qsm.errors import MetadataError
from napari_qsm.rois.exports import NOT_RECORDED, object_in
from napari_qsm.rois.pairs import Place, base_name, place_of
from napari_qsm.study.cohort import is_control
from napari_qsm.study.long_table import age_in, long_table_of
from napari_qsm.study.rows import Row, Rows, people, plain_id, read_rows, some
from napari_qsm.study.scan_facts import ScanFacts
from napari_qsm.study.visit_names import visit_order


@dataclass(frozen=True)
class Controls:
    """People to compare with, a value a region each.

    Attributes
    ----------
    name : str
        Of their file.
    values : dict of Place to dict of str to float
        ppb, by region and side and by participant.
    ages : dict of str to float
        Years; those that are known.
    groups : dict of str to list of str
        Participants by group, in the order of the file; everybody under ``""`` where the table
        tells no groups.
    facts : dict of str to ScanFacts
        How the map of each participant was made, as far as files beside the table tell.
    notes : tuple of str
        What was done to make it one value a person.
    """

    name: str
    values: Mapping[Place, Mapping[str, float]]
    ages: Mapping[str, float]
    groups: Mapping[str, Sequence[str]]
    facts: Mapping[str, ScanFacts] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def of(self, place: Place, persons: Iterable[str]) -> tuple[Array, Array]:
        """Values in ppb and ages of those persons who have the region."""
        known = self.values.get(place, {})
        there = [person for person in persons if person in known]
        return (
            np.array([known[person] for person in there], np.float64),
            np.array([self.ages.get(person, math.nan) for person in there], np.float64),
        )


def read_controls(path: Path | str) -> Controls:
    """Read a table of several people.

    Parameters
    ----------
    path : Path or str
        ``.csv``, ``.tsv`` or ``.xlsx``: the ``roi_long.tsv`` of a study or any long table (see
        :func:`napari_qsm.study.long_table.read_long_table`), or what the window exports of several
        maps. What made its maps is read from ``roi_long.json``, ``NAME.about.json`` or the sheet
        *About* beside it.

    Returns
    -------
    Controls
        Of each person the first visit, and the mean of its readings.

    Raises
    ------
    QsmError
        If the table cannot be used, see :func:`napari_qsm.study.long_table.read_long_table`.
    """
    path = Path(path)
    rows = read_rows(path)
    exported = "participant_id" not in rows.columns and {"map", "name"} <= set(rows.columns)
    notes: list[str] = []
    if exported:
        rows = _long(rows, notes)
    table = long_table_of(people(rows, ()))
    if not exported:
        _add_people_beside(table.persons, path, notes)
    ages = {str(k): float(v) for k, v in table.persons["age"].items() if math.isfinite(v)}
    groups: dict[str, list[str]] = {}
    for person, group in table.persons["group"].items():
        groups.setdefault(str(group), []).append(str(person))
    facts = _facts_beside(path, exported=exported)
    values = _one_each(table.values, notes)
    return Controls(path.name, values, ages, groups, facts, (*table.notes, *notes))


def control_group(controls: Controls, wanted: str = "") -> list[str]:
    """The participants to compare with.

    Parameters
    ----------
    controls : Controls
        As read.
    wanted : str
        Name of a group; unless given, the one that is called controls or the like, or everybody
        where the table tells no groups.

    Raises
    ------
    MetadataError
        If there is no such group, or nothing tells which it is.
    """
    groups = controls.groups
    named = [group for group in groups if group]
    if wanted:
        if wanted not in groups:
            raise MetadataError(
                f"'{controls.name}' has no group '{wanted}'; it has {', '.join(named) or 'none'}."
            )
        return list(groups[wanted])
    if not named:
        return list(groups.get("", ()))
    found = [group for group in named if is_control(group)]
    if len(found) != 1:
        raise MetadataError(
            f"'{controls.name}' does not tell which of its groups are the controls "
            f"({', '.join(named)}); name one."
        )
    return list(groups[found[0]])


def _long(rows: Rows, notes: list[str]) -> Rows:
    """What the window exports of several maps, as a long table: each map is a person."""
    rows.need(["map", "unit", "name", "side", "mean"])
    out, others = [], set()
    for row in rows.rows:
        if row["unit"] not in ("ppm", "ppb"):
            others.add(f"{row['map']} ({row['unit'] or 'no unit'})")
            continue
        mean = rows.number(row, "mean", f" ({row['map']})") * (1e3 if row["unit"] == "ppm" else 1)
        told = {
            "participant_id": row["map"],
            "region": base_name(row["name"]) if row["side"] else row["name"],
            "side": row["side"],
            "voxels": row["voxels"],
            "chi_ppb": f"{mean:.12g}" if math.isfinite(mean) else "n/a",
        }
        out.append(Row(row.line, told))
    if others:
        notes.append(f"Maps that hold no susceptibility are passed over: {some(sorted(others))}.")
    if not out:
        raise MetadataError(f"'{rows.who}' holds no susceptibility, so there is nobody to compare.")
    return Rows(rows.who, ["participant_id", "region", "side", "voxels", "chi_ppb"], out)


def _add_people_beside(persons: pd.DataFrame, path: Path, notes: list[str]) -> None:
    """Fill in age and group from the ``participants.tsv`` of the study that a table lies in."""
    places = [folder / "participants.tsv" for folder in (path.parent, path.resolve().parent.parent)]
    beside = next((place for place in places if place.is_file()), None)
    if beside is None or beside.resolve() == path.resolve():
        return
    told = read_rows(beside)
    filled = 0
    for row in told.rows:
        name = plain_id(row["participant_id"])
        if name not in persons.index:
            continue
        if not math.isfinite(float(str(persons.at[name, "age"]))) and row["age"]:
            persons.at[name, "age"] = age_in(told, row)
            filled += 1
        if not persons.at[name, "group"]:
            persons.at[name, "group"] = row["group"]
    if filled:
        notes.append(f"The ages of {filled} people are those of '{beside.name}' of the study.")


def _one_each(values: pd.DataFrame, notes: list[str]) -> dict[Place, dict[str, float]]:
    """One value a person and region: the first visit, the mean of its readings."""
    first = {
        person: min(set(rows["session"]), key=visit_order)
        for person, rows in values.groupby("participant", sort=False)
    }
    visits = values.groupby("participant")["session"].nunique()
    if (visits > 1).any():
        notes.append(f"Of {int((visits > 1).sum())} people with several visits the first is taken.")
    kept = values[values["session"] == values["participant"].map(first)]
    places = [place_of(*pair) for pair in zip(kept["region"], kept["side"], strict=True)]
    out: dict[Place, dict[str, float]] = {}
    several = 0
    found: dict[tuple[Place, str], list[float]] = {}
    for place, person, chi in zip(places, kept["participant"], kept["chi_ppb"], strict=True):
        found.setdefault((place, str(person)), []).append(float(chi))
    for (place, person), every in found.items():
        several += len(every) > 1
        out.setdefault(place, {})[person] = sum(every) / len(every)
    if several:
        notes.append("Where a region was read more than once, the mean of the readings is taken.")
    return out


def _facts_beside(path: Path, *, exported: bool) -> dict[str, ScanFacts]:
    """How the maps of a table were made, by participant; empty where nothing tells."""
    if exported:
        abouts = _about_sheet(path) if path.suffix.lower() == ".xlsx" else _about_file(path)
        return {plain_id(about["Map"]): _from_about(about) for about in abouts if "Map" in about}
    beside = (path.with_suffix(".json"), path.with_name("roi_long.json"))
    scans = next((found for p in beside if (found := object_in(p).get("Scans"))), None)
    out: dict[str, ScanFacts] = {}
    for name, told in scans.items() if isinstance(scans, dict) else ():
        person = plain_id(str(name).split(" ")[0])
        if isinstance(told, dict):
            out.setdefault(person, _from_scan(told))
    return out


def _about_file(path: Path) -> list[dict[str, str]]:
    said = object_in(path.with_name(f"{path.stem}.about.json")).get("about")
    return [each for each in said if isinstance(each, dict)] if isinstance(said, list) else []


def _about_sheet(path: Path) -> list[dict[str, str]]:
    """Blocks of two columns, divided by empty rows."""
    from openpyxl import load_workbook

    try:
        book = load_workbook(path, read_only=True, data_only=True)
    except (OSError, ValueError, KeyError, BadZipFile):
        return []
    out: list[dict[str, str]] = [{}]
    try:
        sheet = book["About"] if "About" in book.sheetnames else None
        for cells in sheet.iter_rows(max_col=2, values_only=True) if sheet is not None else ():
            key, words = (*cells, None, None)[:2]
            if key is None:
                out.append({})
            else:
                out[-1][str(key)] = "" if words is None else str(words)
    finally:
        book.close()
    return out


def _from_about(about: Mapping[str, str]) -> ScanFacts:
    reference = str(about.get("Reference", "")).partition(" (")[0]
    strength = str(about.get("Field strength", "")).removesuffix(" T")
    return ScanFacts(
        version=str(about.get("Program", "")).removeprefix("napari-qsm "),
        recipe=str(about.get("Recipe", "")),
        recipe_sha256=str(about.get("Recipe SHA-256", "")),
        field_strength_t=float(strength) if strength.replace(".", "", 1).isdigit() else None,
        reference="" if reference == NOT_RECORDED else reference,
    )


def _from_scan(told: Mapping[str, Any]) -> ScanFacts:
    strength = told.get("field_strength_t")
    return ScanFacts(
        version=str(told.get("version") or ""),
        recipe=str(told.get("recipe") or ""),
        recipe_sha256=str(told.get("recipe_sha256") or ""),
        field_strength_t=float(strength) if isinstance(strength, int | float) else None,
        reference=str(told.get("reference") or ""),
    )
