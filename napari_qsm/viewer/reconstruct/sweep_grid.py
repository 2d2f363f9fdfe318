"""Settings of two or three variants in columns, with their numbers below."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QCheckBox,
    QGridLayout,
    QLabel,
    QSizePolicy,
    QWidget,
)

from napari_qsm.recon.recipe import Choice, first_choice
from napari_qsm.recon.sweep import Variant
from napari_qsm.session.stage_texts import label_of, tooltip_of
from napari_qsm.session.sweep import LETTERS, main_setting, number_rows
from napari_qsm.viewer import ui
from napari_qsm.viewer.forms import Control, setting_field
from napari_qsm.viewer.reconstruct.sections import fill_methods

_WIDTH = 136


class VariantGrid(QWidget):
    """Columns A, B and C.

    Parameters
    ----------
    stage : str
    choices : sequence of Choice
        Two or three to begin with, the first as it is now.
    use : callable
        Called with the letter and the choice of the column whose button was pressed.

    Attributes
    ----------
    choices : list of Choice
        What the columns say.
    """

    def __init__(
        self, stage: str, choices: Sequence[Choice], use: Callable[[str, Choice], None]
    ) -> None:
        super().__init__()
        self.setObjectName("qsm.tryouts.grid")
        self._stage, self._use = stage, use
        self._now = choices[0]
        self.choices = list(choices)
        self._tried: list[Variant] = []
        self._tried_of: list[Choice] = []
        self._all = False
        self._with_last = len(choices) == len(LETTERS)
        while len(self.choices) < len(LETTERS):
            self.choices.append(self.choices[-1])
        self._layout = QGridLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setHorizontalSpacing(6)
        self._layout.setVerticalSpacing(4)
        self._layout.setColumnStretch(0, 1)
        for n in range(len(LETTERS)):  # the theme overrules a control's own least width
            self._layout.setColumnMinimumWidth(n + 1, _WIDTH)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self._build()

    @property
    def wanted(self) -> list[Choice]:
        """The choices to try."""
        return self.choices[: 3 if self._with_last else 2]

    def show_all(self, every: bool) -> None:
        """Show every setting, or those that differ and the one that matters most."""
        self._all = every
        self._build()

    def show_tried(self, tried: Sequence[Variant]) -> None:
        """Show what came out."""
        self._tried = list(tried)
        self._tried_of = self.wanted
        self._build()

    # -- building -----------------------------------------------------------------------------

    def _build(self) -> None:
        while (item := self._layout.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        self._headings: dict[int, QLabel] = {}
        self._numbers: list[tuple[int, QLabel]] = []
        count = len(self.wanted)
        for n, letter in enumerate(LETTERS):
            self._layout.addWidget(
                self._heading(n, letter), 0, n + 1, Qt.AlignmentFlag.AlignHCenter
            )
        self._add_methods(1, count)
        row = 2
        for name in self._names():
            self._add_setting(row, name, count)
            row += 1
        row = self._add_numbers(row, count)
        for n in range(count):
            button = ui.button(
                f"Use {LETTERS[n]}",
                f"qsm.tryouts.use_{LETTERS[n].lower()}",
                partial(self._on_use, n),
                tip="Put these settings into the recipe and end the try-out",
            )
            button.setAutoDefault(False)  # Enter ends the typing of a number, no more
            one = self._of(n)
            button.setEnabled(one is None or not one.error)
            self._layout.addWidget(button, row, n + 1)

    def _heading(self, n: int, letter: str) -> QWidget:
        if n == len(LETTERS) - 1:
            box = ui.check(
                letter,
                "qsm.tryouts.third",
                self._on_third,
                on=self._with_last,
                tip="Try three variants, or two",
            )
            return box
        label = QLabel(self._title(n))
        label.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self._headings[n] = label
        return label

    def _title(self, n: int) -> str:
        return f"<b>{LETTERS[n]}</b>" + (" (as now)" if self.choices[n] == self._now else "")

    def _add_methods(self, row: int, count: int) -> None:
        self._layout.addWidget(QLabel("Method"), row, 0)
        for n in range(count):
            box = ui.combo(
                f"qsm.tryouts.method_{LETTERS[n].lower()}",
                partial(self._on_method, n),
                tip=self.choices[n].method.title,
                characters=5,
            )
            fill_methods(box, self._stage, short=True)
            box.setCurrentIndex(box.findData(self.choices[n].method.name))
            self._place(box, row, n)

    def _names(self) -> list[str]:
        """Settings to show, each once, in the order of the methods."""
        wanted = self.wanted
        every = dict.fromkeys(name for choice in wanted for name in choice.settings)
        if self._all:
            return list(every)
        main = {main_setting(choice) for choice in wanted}
        return [
            name
            for name in every
            if name in main
            or len({str(c.settings[name]) for c in wanted if name in c.settings}) > 1
        ]

    def _add_setting(self, row: int, name: str, count: int) -> None:
        owner = next(c for c in self.wanted if name in c.settings)
        setting = owner.method.settings[name]
        label = QLabel(label_of(setting))
        label.setToolTip(tooltip_of(setting))
        self._layout.addWidget(label, row, 0)
        for n in range(count):
            choice = self.choices[n]
            if name not in choice.settings:
                dash = QLabel("–")
                dash.setAlignment(Qt.AlignmentFlag.AlignCenter)
                self._layout.addWidget(dash, row, n + 1)
                continue
            own = choice.method.settings[name]
            control = Control(
                setting_field(own),
                f"qsm.tryouts.{name}_{LETTERS[n].lower()}",
                partial(self._on_setting, n, name),
            )
            control.show(choice.settings[name])
            if isinstance(control.widget, QAbstractSpinBox):  # the room is for the number
                control.widget.setButtonSymbols(QAbstractSpinBox.ButtonSymbols.NoButtons)
            if isinstance(control.widget, QCheckBox):  # its name stands before the row
                control.widget.setText("")
            self._place(control.widget, row, n)

    def _place(self, widget: QWidget, row: int, n: int) -> None:
        widget.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._layout.addWidget(widget, row, n + 1)

    def _add_numbers(self, row: int, count: int) -> int:
        tried = [self._of(n) for n in range(count)]
        for n, one in enumerate(tried):
            if one is not None and one.error:
                error = QLabel(one.error)
                error.setObjectName(f"qsm.tryouts.error_{LETTERS[n].lower()}")
                fit_text(error, len(LETTERS) * _WIDTH)
                self._layout.addWidget(QLabel(f"{LETTERS[n]} failed"), row, 0)
                self._layout.addWidget(error, row, 1, 1, len(LETTERS))
                row += 1
        for title, texts in number_rows(tried).items():
            self._layout.addWidget(QLabel(title), row, 0)
            for n, text in enumerate(texts):
                label = QLabel(f"<b>{text}</b>")
                label.setObjectName(f"qsm.tryouts.number_{LETTERS[n].lower()}")
                label.setAlignment(Qt.AlignmentFlag.AlignCenter)
                self._numbers.append((n, label))
                self._layout.addWidget(label, row, n + 1)
            row += 1
        return row

    def _of(self, n: int) -> Variant | None:
        """What a column's present settings gave; None once they were changed."""
        if n < len(self._tried) and self._tried_of[n] == self.choices[n]:
            return self._tried[n]
        return None

    # -- hearing ------------------------------------------------------------------------------

    def _on_use(self, n: int) -> None:
        self._use(LETTERS[n], self.choices[n])

    def _on_third(self, on: bool) -> None:
        self._with_last = on
        self._build()

    def _on_method(self, n: int, name: str) -> None:
        if self.choices[n].method.name != name:
            own = self._now if self._now.method.name == name else first_choice(self._stage, name)
            self.choices[n] = own
            self._build()

    def _on_setting(self, n: int, name: str, value: Any) -> None:
        choice = self.choices[n]
        self.choices[n] = Choice(choice.method, {**choice.settings, name: value})
        for column, label in self._numbers:  # they are of other settings now
            if column == n:
                label.setText("")
        if n in self._headings:
            self._headings[n].setText(self._title(n))


def fit_text(label: QLabel, width: int) -> None:
    """Give a text of several lines exactly the room it needs at a width."""
    label.setWordWrap(True)
    label.ensurePolished()
    label.setFixedWidth(width)
    label.setFixedHeight(max(label.heightForWidth(width), 0))
