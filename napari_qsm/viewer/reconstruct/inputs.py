"""What a reconstruction starts from: what was recognised of the scan, and where it was found."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QGridLayout, QLabel, QLineEdit, QSizePolicy, QWidget
from superqt.utils import signals_blocked

from napari_qsm.errors import MetadataError, QsmError
from napari_qsm.session import Session
from napari_qsm.session.open_scans import chosen, read_given
from napari_qsm.session.stage_texts import STAGE_TEXTS, angle_text, phase_unit_text, scan_text
from napari_qsm.study.reconstruction import Reconstruction
from napari_qsm.study.scan_source import (
    MISSING,
    TYPED,
    ScanSource,
    from_ms,
    from_tesla,
    in_ms,
)
from napari_qsm.viewer import ui
from napari_qsm.viewer.services import Services
from napari_qsm.volume import Volume

#: Red enough in a dark and in a light window.
BAD = "QLabel { color: #e5484d; font-weight: bold; }"
_BAD_FIELD = "QLineEdit { border: 2px solid #e5484d; }"


class InputBox(QWidget):
    """The scan and its facts, each editable, with its source; what is missing stands out.

    Parameters
    ----------
    recon : Reconstruction
        Gets what is typed in.
    choose : callable
        Called with the index of the scan the user chooses.
    """

    def __init__(self, recon: Reconstruction, choose: Callable[[int], None]) -> None:
        super().__init__()
        self.setObjectName("qsm.reconstruct.inputs")
        self._recon = recon
        self._phase_key: Any = None
        self._scans = ui.combo(
            "qsm.reconstruct.scan", choose, tip="Which of the open scans is reconstructed"
        )
        self._summary = ui.quiet(" ", "qsm.reconstruct.summary")
        self._times = ui.line(
            "qsm.reconstruct.echo_times", self._on_times, example="for example 5, 10, 15"
        )
        self._strength = ui.line(
            "qsm.reconstruct.field_strength", self._on_strength, example="for example 3"
        )
        self._difference = ui.check(
            "The phase is a difference of two echoes",
            "qsm.reconstruct.phase_difference",
            lambda on: recon.set_facts(phase_difference=on),
            tip="Siemens field maps store TE2 minus TE1; the echo time is then TE2 - TE1",
        )
        self._angle = ui.named(QLabel(), "qsm.reconstruct.b0_angle")
        self._unit = ui.label("", "qsm.reconstruct.phase_unit")
        for label in (self._angle, self._unit):
            label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._sources = {"times": ui.quiet(" "), "strength": ui.quiet(" ")}
        self._problem = ui.label("", "qsm.reconstruct.problem")
        self._problem.setStyleSheet(BAD)
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(3)
        grid.setColumnStretch(1, 1)
        fields = (
            ("Echo times (ms)", self._times, "times"),
            ("Field (T)", self._strength, "strength"),
        )
        for row, (title, field, key) in enumerate(fields):
            grid.addWidget(QLabel(title), row, 0)
            field.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
            field.setMinimumWidth(60)
            grid.addWidget(field, row, 1)
            grid.addWidget(self._sources[key], row, 2)
            self._sources[key].setWordWrap(False)
        grid.addWidget(QLabel("B0 angle"), 2, 0)
        grid.addWidget(self._angle, 2, 1, 1, 2)
        grid.addWidget(QLabel("Phase values"), 3, 0, Qt.AlignmentFlag.AlignTop)
        grid.addWidget(self._unit, 3, 1, 1, 2)
        self._facts = ui.panel(grid)
        self.setLayout(
            ui.column(self._scans, self._summary, self._facts, self._difference, self._problem)
        )

    def refresh(self, sources: list[ScanSource]) -> None:
        """Show the scans there are and the facts of the chosen one."""
        recon = self._recon
        source = recon.source
        keys = [each.key for each in sources]
        at = keys.index(source.key) if source is not None and source.key in keys else 0
        ui.show_choices(self._scans, [(n, each.title) for n, each in enumerate(sources)], at)
        self._scans.setVisible(len(sources) > 1)
        self._scans.setEnabled(not recon.running)
        self._summary.setText(scan_text(source))
        needs = source is not None or "unwrapped" in recon.given
        self._facts.setVisible(needs)
        self._difference.setVisible(source is not None and source.echoes == 1)
        with signals_blocked(self._difference):
            self._difference.setChecked(recon.facts.phase_difference)
        self._show_field(self._times, "times", in_ms(recon.facts.echo_times_s))
        strength = recon.facts.field_strength_t
        self._show_field(self._strength, "strength", "" if strength is None else f"{strength:g}")
        self._angle.setText(angle_text(recon))
        self._angle.setToolTip("From the orientation in the file; B0 runs along the scanner's bore")
        self._show_unit(source)
        problems = [recon.problem] if recon.problem else recon.missing()
        self._problem.setText(self._bad_text() or (problems[0] if needs and problems else ""))
        self._problem.setVisible(bool(self._problem.text()))
        for control in (self._times, self._strength, self._difference):
            control.setEnabled(not recon.running)

    def _show_field(self, field: QLineEdit, key: str, text: str) -> None:
        recorded = self._recon.source.recorded if self._recon.source is not None else None
        where = self._recon.source.where if self._recon.source is not None else ""
        facts = self._recon.facts
        if key == "times":
            same = recorded is not None and facts.echo_times_s == recorded.echo_times_s
        else:
            same = recorded is not None and facts.field_strength_t == recorded.field_strength_t
        kept = field.property("refused")  # what could not be used stays, to be corrected
        if not kept and field.text() != text and not field.hasFocus():
            field.setText(text)
        missing = not text
        self._sources[key].setText(MISSING if missing else where if same else TYPED)
        self._sources[key].setStyleSheet(BAD if missing else "")
        field.setStyleSheet(_BAD_FIELD if missing else "")

    def _show_unit(self, source: ScanSource | None) -> None:
        choice = self._recon.choices["phase"]
        key = (source.key if source is not None else None, tuple(choice.settings.items()))
        if key == self._phase_key or source is None:
            return
        self._phase_key = key
        text, explanation, bad = phase_unit_text(source, dict(choice.settings))
        self._unit.setText(text)
        self._unit.setToolTip(explanation)
        self._unit.setStyleSheet(BAD if bad else "")

    def _bad_text(self) -> str:
        refused = (str(f.property("refused") or "") for f in (self._times, self._strength))
        return next(filter(None, refused), "")

    def _on_times(self) -> None:
        self._take(self._times, from_ms, "echo_times_s", (), in_ms(self._recon.facts.echo_times_s))

    def _on_strength(self) -> None:
        strength = self._recon.facts.field_strength_t
        shown = "" if strength is None else f"{strength:g}"
        self._take(self._strength, from_tesla, "field_strength_t", None, shown)

    def _take(self, field: QLineEdit, read: Any, name: str, nothing: Any, shown: str) -> None:
        """Use what was typed; what cannot be used is refused in words, and nothing is left."""
        text = field.text().strip()
        if text == shown and not field.property("refused"):
            return
        try:
            value = read(text) if text else nothing
            field.setProperty("refused", "")
        except MetadataError as error:
            value = nothing
            field.setProperty("refused", str(error))
        before = self._recon.facts
        self._recon.set_facts(**{name: value})
        if self._recon.facts == before:
            self._recon.changed.emit()


def use_map(recon: Reconstruction, session: Session, stage: str, key: Any) -> None:
    """Let an open map take the place of a stage's result; None computes it again.

    Raises
    ------
    QsmError
        If the map does not fit.
    """
    role = STAGE_TEXTS[stage].given
    if key is None:
        recon.clear_input(role)
    else:
        recon.set_input(role, chosen(key, stage, session))


def use_file(services: Services, recon: Reconstruction, stage: str, paths: list[Path]) -> None:
    """Let a file take the place of a stage's result, read in the background."""
    if recon.running:
        services.message("A reconstruction is running; wait for it, or cancel it first.")
        return
    if len(paths) != 1:
        services.message("Drop one file here.")
        return

    def done(read: tuple[Volume, str]) -> None:
        volume, said = read
        try:
            recon.set_input(STAGE_TEXTS[stage].given, volume)
        except QsmError as error:
            said = str(error)
        if said:
            services.message(said)

    path, facts = paths[0], recon.facts
    read = partial(
        read_given,
        path,
        stage,
        field_strength_t=facts.field_strength_t,
        echo_times_s=facts.echo_times_s,
    )
    services.run(f"Reading {path.name}", lambda *_: read(), done)
