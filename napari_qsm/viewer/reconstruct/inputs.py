"""What a reconstruction starts from: what was recognised of the scan, and where it was found."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QGridLayout,
    QLabel,
    QLineEdit,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_qsm.errors import MetadataError
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
        self._titles: list[str] = []
        self._scans = QComboBox()
        self._scans.setObjectName("qsm.reconstruct.scan")
        self._scans.setToolTip("Which of the open scans is reconstructed")
        self._scans.activated.connect(choose)
        ui.spare_wheel(self._scans)
        self._summary = ui.quiet(" ")
        self._summary.setObjectName("qsm.reconstruct.summary")
        self._times = QLineEdit()
        self._times.setObjectName("qsm.reconstruct.echo_times")
        self._times.setPlaceholderText("for example 5, 10, 15")
        self._times.editingFinished.connect(self._on_times)
        self._strength = QLineEdit()
        self._strength.setObjectName("qsm.reconstruct.field_strength")
        self._strength.setPlaceholderText("for example 3")
        self._strength.editingFinished.connect(self._on_strength)
        self._difference = QCheckBox("The phase is a difference of two echoes")
        self._difference.setObjectName("qsm.reconstruct.phase_difference")
        self._difference.setToolTip(
            "Siemens field maps store TE2 minus TE1; the echo time is then TE2 - TE1"
        )
        self._difference.clicked.connect(self._on_difference)
        self._angle, self._unit = QLabel(), QLabel()
        self._angle.setObjectName("qsm.reconstruct.b0_angle")
        self._unit.setObjectName("qsm.reconstruct.phase_unit")
        self._sources = {"times": ui.quiet(" "), "strength": ui.quiet(" ")}
        self._problem = QLabel()
        self._problem.setObjectName("qsm.reconstruct.problem")
        self._problem.setWordWrap(True)
        self._problem.setStyleSheet(BAD)
        self._facts = QWidget()
        grid = QGridLayout(self._facts)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(3)
        grid.setColumnStretch(1, 1)
        for row, (title, field, key) in enumerate(
            (
                ("Echo times (ms)", self._times, "times"),
                ("Field (T)", self._strength, "strength"),
            )
        ):
            grid.addWidget(QLabel(title), row, 0)
            field.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
            field.setMinimumWidth(60)
            grid.addWidget(field, row, 1)
            grid.addWidget(self._sources[key], row, 2)
            self._sources[key].setWordWrap(False)
        grid.addWidget(QLabel("B0 angle"), 2, 0)
        grid.addWidget(self._angle, 2, 1, 1, 2)
        for label in (self._angle, self._unit):
            label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        grid.addWidget(QLabel("Phase values"), 3, 0, Qt.AlignmentFlag.AlignTop)
        grid.addWidget(self._unit, 3, 1, 1, 2)
        self._unit.setWordWrap(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self._scans)
        layout.addWidget(self._summary)
        layout.addWidget(self._facts)
        layout.addWidget(self._difference)
        layout.addWidget(self._problem)

    def refresh(self, sources: list[ScanSource]) -> None:
        """Show the scans there are and the facts of the chosen one."""
        recon = self._recon
        source = recon.source
        titles = [each.title for each in sources]
        if titles != self._titles:
            self._titles = titles
            self._scans.clear()
            self._scans.addItems(titles)
        keys = [each.key for each in sources]
        if source is not None and source.key in keys:
            self._scans.setCurrentIndex(keys.index(source.key))
        self._scans.setVisible(len(sources) > 1)
        self._scans.setEnabled(not recon.running)
        self._summary.setText(summary(source))
        needs = source is not None or "unwrapped" in recon.given
        self._facts.setVisible(needs)
        self._difference.setVisible(source is not None and source.echoes == 1)
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
        return next(
            (
                str(f.property("refused"))
                for f in (self._times, self._strength)
                if f.property("refused")
            ),
            "",
        )

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

    def _on_difference(self, checked: bool) -> None:
        self._recon.set_facts(phase_difference=checked)


def summary(source: ScanSource | None) -> str:
    """What images a scan has."""
    if source is None:
        return (
            "No scan is open. Open a scanner folder or phase images (tab Data), or give a map "
            "to a step below."
        )
    count = source.echoes
    shape = " × ".join(str(n) for n in source.phase[0].shape)
    magnitudes = sum(v.data.shape[3] if v.data.ndim == 4 else 1 for v in source.magnitude)
    said = f"{count} phase image{'s' if count > 1 else ''}, "
    said += f"{magnitudes or 'no'} magnitude{'s' if magnitudes > 1 else ''}"
    return f"{source.title}: {said}, {shape} voxels"


def angle_text(recon: Reconstruction) -> str:
    """How the field lies to the slices, from the file's orientation."""
    grid = recon.grid()
    if grid is None:
        return ""
    if not grid.orientation_known:
        return "not recorded; third axis taken"
    b0 = grid.to_canonical().b0_direction
    angle = math.degrees(math.acos(min(abs(b0[2]), 1.0)))
    return f"{angle:.1f}° to the slice axis"


def phase_unit_text(source: ScanSource, settings: dict[str, Any]) -> tuple[str, str, bool]:
    """How the phase's values are understood, in a few words and in full; whether they are not."""
    import numpy as np

    from napari_qsm.recon.phase import decide_phase_unit

    volumes = source.phase
    low = min(float(np.min(v.data)) for v in volumes)
    high = max(float(np.max(v.data)) for v in volumes)
    span = f"{low:.4g} to {high:.4g}"
    try:
        decided = decide_phase_unit(
            np.stack([v.data for v in volumes]) if len(volumes) > 1 else volumes[0].data,
            {**source.metadata, **({"Units": volumes[0].unit} if volumes[0].unit else {})},
            unit=settings["unit"],
            full_scale=settings["full_scale"],
        )
    except MetadataError as error:
        return f"{span}: unit not known; state it in step 1", str(error), True
    pi = math.pi / decided.scale
    if abs(decided.scale - 1) < 1e-6:
        return f"{span} rad", decided.explanation, False
    return f"{span}, where {pi:.6g} means π", decided.explanation, False
