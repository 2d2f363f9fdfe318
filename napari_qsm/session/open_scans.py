"""The maps of a case that can stand in for a stage's result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_qsm.errors import MetadataError, QsmError
from napari_qsm.io.formats import read_image
from napari_qsm.io.maps import read_quantity
from napari_qsm.quantities import ROLES, in_canonical_unit
from napari_qsm.rois.region import name_of
from napari_qsm.session import Case, MapEntry, Session
from napari_qsm.session.stage_texts import STAGE_TEXTS
from napari_qsm.study.reconstruction import Reconstruction
from napari_qsm.volume import Volume, same_grid


def offers(stage: str, case: Case, recon: Reconstruction) -> list[tuple[str, Any]]:
    """Open maps that can take the place of a stage's result, as (name, key)."""
    found: list[tuple[str, Any]] = []
    for entry in case.maps:
        if entry.provenance.get("result") == stage or not _on_grid(entry.volume, recon):
            continue
        if stage == "reference" and entry.role == "labels":
            for value in sorted(entry.regions):
                name = name_of(entry.regions, value)
                found.append((f"{name} ({entry.name})", (entry.id, value)))
        elif _fits(stage, entry):
            found.append((entry.name, (entry.id, 0)))
    return found


def chosen(key: tuple[str, int], stage: str, session: Session) -> Volume:
    """The volume behind an offer.

    Raises
    ------
    QsmError
        If it does not fit, in one sentence.
    """
    entry = session.entry(key[0])
    if entry is None:
        raise QsmError("That map is no longer open; choose another one.")
    if stage in ("mask", "reference"):
        values = entry.editable if entry.editable is not None else entry.shown.data
        inside = values == key[1] if key[1] else values != 0
        name = entry.name
        if key[1]:
            name = f"{name_of(entry.regions, key[1])} ({entry.name})"
        # A copy: what is drawn later on the map does not change what was given.
        return entry.shown.with_data(inside.astype(np.uint8), unit="", name=name)
    return in_right_unit(replace(entry.volume, name=entry.name), stage)


def read_given(
    path: Path,
    stage: str,
    *,
    field_strength_t: float | None = None,
    echo_times_s: Sequence[float] = (),
) -> tuple[Volume, str]:
    """A file to take the place of a stage's result, in its unit, and what the user should know.

    Raises
    ------
    QsmError
        If it cannot be read, or is in a unit that cannot be converted.
    """
    if stage in ("mask", "reference"):
        return read_image(path), ""
    said: list[str] = []
    volume = read_quantity(
        path,
        STAGE_TEXTS[stage].given,
        field_strength_t=field_strength_t,
        echo_times_s=echo_times_s,
        warn=said.append,
    )
    return volume, " ".join(said)


def in_right_unit(volume: Volume, stage: str) -> Volume:
    """In rad or ppm, as the stage needs it.

    Raises
    ------
    MetadataError
        For other units, and for a map of no known unit.
    """
    if stage in ("mask", "reference"):
        return volume
    if not volume.unit:
        raise MetadataError(
            f"'{volume.name}' is in an unknown unit; the step '{STAGE_TEXTS[stage].title}' needs "
            f"{ROLES[STAGE_TEXTS[stage].given].unit}."
        )
    return in_canonical_unit(volume, STAGE_TEXTS[stage].given)


def _fits(stage: str, entry: MapEntry) -> bool:
    if stage in ("mask", "reference"):
        return entry.role == "mask"
    if stage == "unwrap":
        return entry.volume.unit == "rad" and entry.name != "wrapped phase"
    if stage == "inversion":
        return entry.is_susceptibility
    return entry.in_ppm and entry.role != "map"


def _on_grid(volume: Volume, recon: Reconstruction) -> bool:
    grid = recon.grid()
    return grid is None or same_grid(volume, grid)
