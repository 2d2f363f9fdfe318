"""Pages before and after a scan: what comes next, and, where the protocol says so, the numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QHBoxLayout, QInputDialog, QPushButton, QWidget

from napari_qsm.rois.shape_checks import Numbers
from napari_qsm.session.reading.desk import Desk
from napari_qsm.units import number
from napari_qsm.viewer import ui

_WIDTH = 620


class StartPage(QWidget):
    """``"AA, 41 of 124 read. Next scan: K7Q2."``, and what the rater must know before.

    Parameters
    ----------
    begin : callable
        Opens the next scan.
    change : callable
        Given the code of a scan that was handed in, which is to be changed.
    """

    def __init__(self, begin: Callable[[], None], change: Callable[[str], None]) -> None:
        super().__init__()
        self.setObjectName("qsm.reading.start")
        self._codes: tuple[str, ...] = ()
        self._change = change
        self._words = ui.label("", "qsm.reading.start.words")
        self._notes = ui.label("", "qsm.reading.start.notes")
        self._message = ui.label("", "qsm.reading.start.said")
        self._begin = _button("Begin   ⏎", "qsm.reading.start.begin", begin, main=True)
        self._again = _button(
            "Change a reading that was handed in …", "qsm.reading.start.change", self._ask
        )
        self.setLayout(_centred(self._words, self._notes, self._message, self._begin, self._again))

    def show_desk(self, desk: Desk) -> None:
        """Show how far the rater is."""
        self._codes = desk.submitted
        self._words.setText(f"<span style='font-size:20px'>{desk.words}</span>")
        self._notes.setText("<br>".join(desk.notes))
        self._notes.setVisible(bool(desk.notes))
        self._begin.setVisible(bool(desk.next_code))
        self._begin.setEnabled(True)
        self.say("")
        self._again.setVisible(bool(self._codes))

    def say(self, sentence: str) -> None:
        """Tell the reader why a scan was not opened, or nothing any more."""
        self._message.setText(sentence)
        self._message.setVisible(bool(sentence))

    def wait(self, code: str) -> None:
        """Say that a scan is being opened."""
        self._begin.setEnabled(False)
        self._words.setText(f"<span style='font-size:20px'>Opening {code} …</span>")

    def _ask(self) -> None:
        code, chosen = QInputDialog.getItem(
            self, "Change a reading", "Which one? The old one is kept, and you are asked why.",
            list(self._codes), 0, False,
        )  # fmt: skip
        if chosen:
            self._change(code)


class ValuesPage(QWidget):
    """What was measured in a scan that was handed in."""

    def __init__(self, go_on: Callable[[], None]) -> None:
        super().__init__()
        self.setObjectName("qsm.reading.values")
        self._title = ui.label("", "qsm.reading.values.title")
        self._table = ui.label("", "qsm.reading.values.table")
        body = ui.panel(ui.column(self._table, None))
        button = _button("Go on   ⏎", "qsm.reading.values.next", go_on, main=True)
        self.setLayout(_centred(self._title, (ui.scrolled(body), 1), button))

    def show_values(self, code: str, rows: Sequence[tuple[str, Numbers, str]]) -> None:
        """Show means and SDs by region."""
        unit = rows[0][2] if rows else ""
        self._title.setText(
            f"<span style='font-size:17px'><b>{code}</b> was handed in. χ in {unit}, mean ± SD</span>"
        )
        lines = "".join(
            f"<tr><td style='padding-right:24px'>{name}</td><td align='right'>"
            f"{number(found.mean, unit)} ± {number(found.sd, unit)}</td>"
            f"<td style='padding-left:24px'>{found.voxels} voxels</td></tr>"
            for name, found, _ in rows
        )
        self._table.setText(f"<table cellpadding='2'>{lines}</table>")


def _button(text: str, name: str, slot: Callable[[], None], *, main: bool = False) -> QPushButton:
    made = ui.button(text, name, slot, main=main)
    made.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    return made


def _centred(*items: QWidget | tuple[QWidget, int]) -> QHBoxLayout:
    body = ui.panel(ui.column(*items, spacing=18))
    body.setFixedWidth(_WIDTH)
    stretch = any(isinstance(item, tuple) for item in items)
    middle = ui.column(24, (body, 1), 24) if stretch else ui.column(None, body, None)
    return ui.row(None, middle, None)
