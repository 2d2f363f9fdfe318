"""The scans that are open in a session, and the maps that can stand in for a stage's result."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_qsm.errors import GeometryError, MetadataError, QsmError
from napari_qsm.io.nifti import read_volume
from napari_qsm.rois.statistics import region_name
from napari_qsm.scan import Scan
from napari_qsm.session import MapEntry, Session
from napari_qsm.session.reconstruction import Reconstruction
from napari_qsm.session.scan_source import ScanSource, source_of_scan, sources_among
from napari_qsm.session.stage_texts import STAGE_TEXTS
from napari_qsm.volume import Volume, check_same_grid


class OpenScans:
    """Remembers scans as they are opened, and finds those among single images.

    Parameters
    ----------
    session : Session
        Where they are opened.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._scans: dict[str, Scan] = {}
        self._known: tuple[Any, ...] = ()
        self._sources: list[ScanSource] = []
        self.remember()

    def remember(self) -> None:
        """A scan was opened."""
        if self._session.scan is not None:
            self._scans[self._session.active_group] = self._session.scan

    def sources(self) -> list[ScanSource]:
        """All scans that are open, the one on show first."""
        session = self._session
        groups = {entry.group for entry in session}
        for group in list(self._scans):
            if group not in groups and self._scans[group] is not session.scan:
                del self._scans[group]
        if session.scan is None and not session.maps:
            self._scans.clear()
        key = (
            tuple((e.id, id(e.volume), e.role) for e in session if not e.provenance),
            tuple((group, id(scan)) for group, scan in self._scans.items()),
        )
        if key != self._known:
            self._known = key
            whole = [source_of_scan(scan, group) for group, scan in self._scans.items()]
            others = [e for e in session if e.group not in self._scans or not e.group]
            held = {id(v.data.base) for s in whole for v in (*s.phase, *s.magnitude)}
            others = [e for e in others if id(e.volume.data.base) not in held]
            self._sources = whole + sources_among(others)
        return sorted(self._sources, key=lambda s: s.group != session.active_group)


def offers(stage: str, session: Session, recon: Reconstruction) -> list[tuple[str, Any]]:
    """Open maps that can take the place of a stage's result, as (name, key)."""
    found: list[tuple[str, Any]] = []
    for entry in session:
        if entry.provenance.get("result") == stage or not _on_grid(entry.volume, recon):
            continue
        if stage == "reference" and entry.role == "labels":
            for value, region in sorted(entry.regions.items()):
                name = region_name(region) or f"region {value}"
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
            region = entry.regions.get(key[1])
            name = f"{region_name(region) or f'region {key[1]}'} ({entry.name})"
        # A copy: what is drawn later on the map does not change what was given.
        return entry.shown.with_data(inside.astype(np.uint8), unit="", name=name)
    return in_right_unit(replace(entry.volume, name=entry.name), stage)


def read_given(path: Path, stage: str) -> tuple[Volume, str]:
    """A file to take the place of a stage's result, and a sentence on its unit if it has none.

    Raises
    ------
    QsmError
        If it cannot be read, or is in another unit.
    """
    volume = read_volume(path)
    wanted = {"unwrap": "rad", "mask": "", "reference": ""}.get(stage, "ppm")
    said = ""
    if wanted and not volume.unit:
        said = f"'{path.name}' does not say its unit; it is taken as {wanted}."
        volume = replace(volume, unit=wanted)
    return in_right_unit(volume, stage), said


def in_right_unit(volume: Volume, stage: str) -> Volume:
    """In rad or ppm, as the stage needs it.

    Raises
    ------
    MetadataError
        For any other unit.
    """
    if stage in ("mask", "reference"):
        return volume
    wanted = "rad" if stage == "unwrap" else "ppm"
    if volume.unit == wanted:
        return volume
    if volume.unit == "ppb" and wanted == "ppm":
        return volume.with_data(volume.data * volume.data.dtype.type(1e-3), unit="ppm")
    raise MetadataError(
        f"'{volume.name}' is in {volume.unit or 'an unknown unit'}; the step "
        f"'{STAGE_TEXTS[stage].title}' needs {wanted}."
    )


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
    if grid is None:
        return True
    try:
        check_same_grid(volume.like(grid), grid)
    except GeometryError:
        return False
    return True
