"""Findings and verdicts as sentences behind their signs, and the numbers with what is usual.

Severities and verdicts have a shape and a letter of their own, not only a colour.
"""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt
from qtpy.QtGui import QPixmap
from qtpy.QtWidgets import QGridLayout, QLabel, QWidget

from napari_qsm.qc.quality import Finding, Row
from napari_qsm.viewer import ui
from napari_qsm.viewer.icons import pixmap

#: The numbers that are always in sight; the others fold away.
FIRST_ROWS = (
    "Wraps left",
    "Noise of the field",
    "Mask kept",
    "Streaks",
    "Noise of the map",
    "Field left unexplained",
)


SEVERITY_WORDS = {"serious": "Serious", "warning": "Warning", "note": "Note"}
VERDICT_WORDS = {"pass": "Pass", "doubtful": "Doubtful", "fail": "Fail"}
_SAME = {"fail": "serious", "pass": "good"}


def sign(kind: str, side: int = 20) -> QPixmap:
    """The picture of a severity or verdict."""
    return pixmap(f"sign-{_SAME.get(kind, kind)}", side=side)


class SignedLines(QWidget):
    """Sentences below each other, each behind its sign.

    Attributes
    ----------
    texts : list of str
        The sentences on show.
    """

    def __init__(self, name: str, *, side: int = 20) -> None:
        super().__init__()
        self._side = side
        self.texts: list[str] = []
        self._lines: list[QWidget] = []
        self._column = ui.column(spacing=5)
        ui.named(self, name).setLayout(self._column)

    def clear(self) -> None:
        """Show none."""
        for line in self._lines:
            self._column.removeWidget(line)
            line.hide()
            line.deleteLater()
        self._lines.clear()
        self.texts.clear()

    def add(self, kind: str, sentence: str, word: str = "") -> None:
        """Show one more; ``word`` comes first, in bold."""
        picture, text = QLabel(), ui.label(sentence, selectable=True)
        picture.setPixmap(sign(kind, self._side))
        text.setTextFormat(Qt.TextFormat.PlainText)
        if word:
            text.setTextFormat(Qt.TextFormat.RichText)
            text.setText(f"<b>{word}</b> {sentence}")
        row = ui.row((picture, 0), (text, 1), spacing=7)
        row.setAlignment(picture, Qt.AlignmentFlag.AlignTop)
        line = ui.panel(row)
        self._column.addWidget(line)
        self._lines.append(line)
        self.texts.append(f"{word} {sentence}".strip())


class FindingList(SignedLines):
    """What stands out, the gravest first; or that nothing does."""

    def show_findings(self, found: Sequence[Finding] | None) -> None:
        """Show other ones; None empties the list."""
        self.clear()
        if found is None:
            return
        if not found:
            self.add(
                "good", "in the numbers. Look at the pictures all the same.", "Nothing unusual"
            )
        for finding in found:
            self.add(finding.severity, finding.sentence, f"{SEVERITY_WORDS[finding.severity]}.")


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
