"""Results of stages as maps of the session: one map a stage, replaced in place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from napari_qsm.errors import QsmError
from napari_qsm.session import Case, MapDisplay, MapEntry, Session, auto_window
from napari_qsm.session.stage_texts import STAGE_TEXTS
from napari_qsm.study.reconstruction import Reconstruction
from napari_qsm.study.stage_task import StageResult
from napari_qsm.volume import Volume, same_grid

#: Key of ``MapEntry.provenance`` that says which stage's result a map is.
RESULT_KEY = "result"
_BEFORE = " (previous result)"


def result_entry(case: Case, key: str) -> MapEntry | None:
    """The map of a case that shows one result: a stage's, or another one's under its own key."""
    return next((e for e in case.maps if e.provenance.get(RESULT_KEY) == key), None)


def put_result(
    session: Session,
    case: Case,
    key: str,
    volume: Volume,
    provenance: Mapping[str, Any],
    *,
    name: str,
    display: MapDisplay,
    select: bool = False,
) -> MapEntry:
    """Put a map that was worked out into the place of an earlier one.

    Parameters
    ----------
    session, case : Session, Case
    key : str
        Which result it is.
    volume : Volume
    provenance : mapping
        How it was made.
    name, display : str, MapDisplay
        Of a map that is new, or whose grid is another one.
    select : bool
        Whether a new one is chosen.
    """
    entry = result_entry(case, key)
    if entry is not None and not same_grid(entry.volume, volume):
        session.remove(entry)
        entry = None
    if entry is None:
        entry = session.add(
            volume,
            role="other",
            name=name,
            case=case,
            select=select,
            display=display,
            linked=False,
        )
    else:
        entry.volume = volume
    entry.provenance = {**provenance, RESULT_KEY: key}
    return entry


def show_result(session: Session, entry: MapEntry) -> None:
    """Show one result and hide the others of its case; views of another case stay."""
    case = session.case_of(entry)
    for other in case.maps:
        if RESULT_KEY in other.provenance and other.display.visible != (other is entry):
            session.set_display(other, visible=other is entry)
    if entry.editable is None and session.case is case:
        session.selected = entry.id


class Results:
    """Shows what stages have made.

    Parameters
    ----------
    session : Session
        Gets one entry for each stage.
    case : Case
        What the results belong to.
    recon : Reconstruction
        Whose results they are.
    """

    def __init__(self, session: Session, case: Case, recon: Reconstruction) -> None:
        self._session = session
        self.case = case
        self._recon = recon
        self._provenance: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}
        self._flipped = ""
        self.writing = False

    @property
    def _on_show(self) -> bool:
        """Whether the case is the one on show; results never take the views from another."""
        return self._session.case is self.case

    def entry(self, stage: str) -> MapEntry | None:
        """The map that shows a stage's result."""
        return result_entry(self.case, stage)

    def show_made(self, made: StageResult, *, look: bool) -> None:
        """Put a new result into the session, in place of the last one of its stage.

        Parameters
        ----------
        made : StageResult
            From :meth:`Reconstruction.take`.
        look : bool
            Whether to show it now.
        """
        if self._flipped:
            self.flip(self._flipped)
        stage = made.stage
        provenance = {RESULT_KEY: stage, **self._recon.provenance(stage)}
        self._provenance[stage] = (provenance, self._provenance.get(stage, ({}, {}))[0])
        self._put(stage, volume_of(made, STAGE_TEXTS[stage].quantity), provenance)
        if "r2star_per_s" in made.quantities:
            self._put_rate(made, provenance)
        if look:
            self.look(stage)

    def look(self, stage: str) -> None:
        """Show one stage's result and hide those of the others."""
        entry = self.entry(stage)
        if entry is not None:
            show_result(self._session, entry)

    def shown_stage(self) -> str:
        """The stage whose result is on show on top; empty if none is."""
        shown = ""
        for stage in STAGE_TEXTS:
            entry = self.entry(stage)
            if entry is not None and entry.display.visible:
                shown = stage if entry.editable is None or not shown else shown
        return shown

    @property
    def flipped(self) -> str:
        """The stage whose previous result is on show in place of the new one."""
        return self._flipped

    def flip(self, stage: str) -> None:
        """Show the previous result of a stage in place of the new one, or go back.

        Raises
        ------
        QsmError
            If there is no previous result.
        """
        entry = self.entry(stage)
        new, old = self._recon.result_of(stage), self._recon.previous_of(stage)
        if stage == "mask" or entry is None or new is None or old is None:
            raise QsmError(
                "There is no earlier result to compare with; change a setting and run again."
            )
        back = self._flipped == stage
        if self._flipped and not back:
            self.flip(self._flipped)
        provenance = self._provenance[stage][0 if back else 1]
        with self._session.no_work():  # looking is no change
            entry.volume = volume_of(new if back else old, STAGE_TEXTS[stage].quantity)
            entry.provenance = provenance or entry.provenance
            name = entry.name.removesuffix(_BEFORE)
            entry.name = name if back else name + _BEFORE
        self._flipped = "" if back else stage

    def _put(self, stage: str, volume: Volume, provenance: dict[str, Any]) -> None:
        text = STAGE_TEXTS[stage]
        entry = self.entry(stage)
        if entry is not None and entry.volume.shape != volume.shape:
            self._session.remove(entry)
            entry = None
        if entry is None:
            entry = self._session.add(
                volume,
                role=text.role,
                name=self._name(text.result),
                case=self.case,
                select=self._on_show,
                linked=text.role == "map",
                display=_display(text.role, volume, text.window),
            )
        elif entry.editable is not None:
            self._write_mask(entry, volume)
        else:
            entry.volume = volume
            entry.echo = min(entry.echo, volume.data.shape[3] - 1 if volume.data.ndim == 4 else 0)
        entry.provenance = provenance

    def _write_mask(self, entry: MapEntry, volume: Volume) -> None:
        """A new mask over the old one, so that undo brings a painting back."""
        differ = np.flatnonzero((entry.labels != volume.data).ravel(order="F"))
        if differ.size == 0:
            return
        values = volume.data.ravel(order="F")[differ]
        self.writing = True
        try:
            self._session.edit_labels(entry, differ, values, "new mask")
        finally:
            self.writing = False

    def _put_rate(self, made: StageResult, provenance: dict[str, Any]) -> None:
        put_result(
            self._session,
            self.case,
            "r2star",
            volume_of(made, "r2star_per_s"),
            provenance,
            name=self._name("R2*"),
            display=MapDisplay(window=(0.0, 60.0), visible=False),
            select=self._on_show,
        )

    def _name(self, name: str) -> str:
        """With the case's name, where there are results of another case already."""
        others = any(RESULT_KEY in e.provenance and e.case != self.case.id for e in self._session)
        return f"{name}, {self.case.name}" if others else name


def volume_of(made: StageResult, quantity: str) -> Volume:
    """A result as a volume; echoes last."""
    from napari_qsm.recon.pipeline import UNITS

    data = made.quantities[quantity]
    if data.ndim == 4:
        data = data[0] if len(data) == 1 else np.moveaxis(data, 0, -1)
    if data.dtype == bool:
        data = data.astype(np.uint8)
    return made.grid.with_data(data, unit=UNITS[quantity], name=quantity)


def _display(role: str, volume: Volume, window: tuple[float, float] | None) -> MapDisplay:
    if role == "mask":
        return MapDisplay(window=(0.0, 1.0), opacity=0.4, visible=False)
    window = window or auto_window(volume, symmetric=True)
    return MapDisplay(window=window, visible=False)
