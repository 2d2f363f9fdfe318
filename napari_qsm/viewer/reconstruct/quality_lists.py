"""Findings as sentences, and the numbers with what is usual."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from napari_qsm.qc.quality import Finding, Row
from napari_qsm.viewer.reconstruct.quality_marks import SEVERITY_WORDS, sign

#: The numbers that are always in sight; the others fold away.
FIRST_ROWS = (
    "Wraps left",
    "Noise of the field",
    "Mask kept",
    "Streaks",
    "Noise of the map",
    "Field left unexplained",
)


class FindingList(QWidget):
    """What stands out, the gravest first; or that nothing does."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("qsm.quality.findings")
        self._rows = QVBoxLayout(self)
        self._rows.setContentsMargins(0, 0, 0, 0)
        self._rows.setSpacing(6)
        self._shown: list[QWidget] = []

    @property
    def texts(self) -> list[str]:
        """The sentences on show."""
        return [row.property("sentence") for row in self._shown]

    def show_findings(self, found: Sequence[Finding] | None) -> None:
        """Show other ones; None empties the list."""
        for row in self._shown:
            self._rows.removeWidget(row)
            row.hide()
            row.deleteLater()
        self._shown.clear()
        if found is None:
            return
        if not found:
            self._add(
                "good", "Nothing unusual", "in the numbers. Look at the pictures all the same."
            )
        for finding in found:
            self._add(finding.severity, f"{SEVERITY_WORDS[finding.severity]}.", finding.sentence)

    def _add(self, kind: str, word: str, sentence: str) -> None:
        row = QWidget()
        row.setProperty("sentence", f"{word} {sentence}")
        line = QHBoxLayout(row)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(7)
        picture = QLabel()
        picture.setPixmap(sign(kind))
        text = QLabel(f"<b>{word}</b> {sentence}")
        text.setWordWrap(True)
        text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        line.addWidget(picture, 0, Qt.AlignmentFlag.AlignTop)
        line.addWidget(text, 1)
        self._rows.addWidget(row)
        self._shown.append(row)


class NumberTable(QWidget):
    """Name and value, with the usual range below; what it means is the tooltip."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setObjectName(name)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(8)
        self._grid.setVerticalSpacing(0)
        self._grid.setColumnStretch(0, 1)
        self.rows: list[Row] = []

    def show_rows(self, rows: Sequence[Row]) -> None:
        """Show other numbers."""
        while (item := self._grid.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        self.rows = list(rows)
        for n, row in enumerate(rows):
            name, value = QLabel(row.name), QLabel(f"<b>{row.value}</b>")
            name.setWordWrap(True)
            value.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            self._grid.addWidget(name, 2 * n, 0)
            self._grid.addWidget(value, 2 * n, 1, right)
            usual = QLabel(f"usual: {row.usual}" if row.usual else "")
            font = usual.font()
            font.setPointSizeF(0.88 * font.pointSizeF())
            usual.setFont(font)
            usual.setContentsMargins(0, 0, 0, 5)
            self._grid.addWidget(usual, 2 * n + 1, 0, 1, 2)
            tip = f"<p>{row.meaning}</p>"  # rich text wraps
            for label in (name, value, usual):
                label.setToolTip(tip)


def parted(rows: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """Numbers always in sight, in the order of :data:`FIRST_ROWS`, and the others."""
    by_name = {row.name: row for row in rows}
    first = [by_name[name] for name in FIRST_ROWS if name in by_name]
    return first, [row for row in rows if row.name not in FIRST_ROWS]
