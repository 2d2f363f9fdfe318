"""The reader's panel: the region in hand, the keys, how far the scan is, and handing it in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent
from qtpy.QtWidgets import (
    QFrame,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QStackedWidget,
    QWidget,
)

from napari_qsm.session.reading.flags import Flag
from napari_qsm.session.reading.work import ReadingWork
from napari_qsm.study.painted import PaintedStep
from napari_qsm.viewer import ui
from napari_qsm.viewer.reading.brushing import KEYS
from napari_qsm.viewer.reading.questions import FlagBox, ReasonBox

WIDTH = 384
#: Of the list of regions: two beside each other, with a scroll bar.
_COLUMN = (WIDTH - 40) // 2
#: At least: buttons and list stay where they are from step to step.
_CARD_HEIGHT = 184
_MARKS = {"waiting": "○", "placed": "●", "not visible": "–"}
_FLAGGED = "▲"
_WARNING = "color: #cf5a1b; font-weight: bold;"
_CARD = "#qsm\\.reading\\.card { border: 1px solid palette(mid); border-radius: 6px; }"
_KEYS = (
    ("Enter", "take it, next region"),
    ("click", "put it there"),
    ("arrows", "move it by a voxel"),
    ("Shift Enter", "region before"),
    ("N", "not visible …"),
    ("Delete", "take it back"),
    ("M", "magnitude, and back"),
    ("V", "another plane large"),
    ("+ −, wheel", "zoom; other slices"),
)


#: Of a region that is painted.
_PAINT_KEYS = (
    ("Enter", "next region"),
    *KEYS,
    ("↑ ↓, wheel", "other slices"),
    *(row for row in _KEYS if row[0] in ("Shift Enter", "N", "Delete", "M", "V")),
    ("+ −", "zoom"),
)


@dataclass(frozen=True)
class Acts:
    """What the panel asks for."""

    take: Callable[[], None]
    back: Callable[[], None]
    ask_reason: Callable[[], None]
    not_visible: Callable[[str, str], None]
    leave_question: Callable[[], None]
    answer: Callable[[Flag, str], None]
    go_to: Callable[[str], None]
    submit: Callable[[], None]
    begin_anew: Callable[[], None]


class ReadingPanel(QWidget):
    """Stands beside the views.

    Parameters
    ----------
    acts : Acts
    """

    def __init__(self, acts: Acts) -> None:
        super().__init__()
        self.setObjectName("qsm.reading.panel")
        self.setFixedWidth(WIDTH)
        self._acts = acts
        self._work: ReadingWork | None = None
        self._asking = False
        self._code = ui.label("", "qsm.reading.code")
        self._bar = ui.named(_Bar(), "qsm.reading.progress")
        self._region = ui.label("", "qsm.reading.region")
        self._shape = ui.label("", "qsm.reading.shape")
        self._state = ui.label("", "qsm.reading.state")
        self._flags = ui.label("", "qsm.reading.flags")
        self._flags.setStyleSheet(_WARNING)
        self._take = self._button("Take it   ⏎", "take", acts.take, main=True)
        self._back = self._button("Back", "back", acts.back)
        self._hidden = self._button("Not visible   N", "not-visible", acts.ask_reason)
        now = ui.panel(
            ui.column(
                self._region, self._shape, self._state, self._flags, None,
                self._take, ui.row(self._back, self._hidden), spacing=5,
            )
        )  # fmt: skip
        self.reasons = ReasonBox(acts.not_visible, acts.leave_question)
        self.questions = FlagBox(acts.answer, lambda flag: acts.go_to(flag.region_name))
        self._done = ui.label("", "qsm.reading.done")
        self._anew = self._button("Begin it anew   ⏎", "anew", acts.begin_anew, main=True)
        end = ui.panel(ui.column(self._done, self._anew, spacing=8))
        self._pages = {"now": now, "reasons": self.reasons, "flags": self.questions, "end": end}
        self._card = ui.named(QFrame(), "qsm.reading.card")
        self._card.setStyleSheet(_CARD)
        self._stack = QStackedWidget()
        for page in self._pages.values():
            self._stack.addWidget(page)
        self._card.setLayout(ui.column(self._stack, margins=(10, 8, 10, 8)))
        self._message = ui.label("", "qsm.reading.said")
        self._message.setStyleSheet(_WARNING)
        self._keys = ui.named(QLabel(), "qsm.reading.keys")
        self._keys.setTextFormat(Qt.TextFormat.RichText)
        self._list = ui.named(QListWidget(), "qsm.reading.regions")
        self._list.setFlow(QListWidget.Flow.LeftToRight)
        self._list.setWrapping(True)
        self._list.setUniformItemSizes(True)
        self._list.setResizeMode(QListWidget.ResizeMode.Adjust)
        self._list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._list.itemClicked.connect(lambda item: acts.go_to(item.data(Qt.ItemDataRole.UserRole)))
        self._submit = self._button("Submit   Ctrl ⏎", "submit", acts.submit, main=True)
        self._missing = ui.label("", "qsm.reading.missing")
        self.setLayout(
            ui.column(
                self._code, self._bar, self._card, self._message, (self._list, 1), self._keys,
                self._missing, self._submit, spacing=7, margins=(10, 10, 10, 10),
            )
        )  # fmt: skip

    def _button(
        self, text: str, name: str, slot: Callable[[], None], *, main: bool = False
    ) -> QPushButton:
        made = ui.button(text, f"qsm.reading.{name}", slot, main=main)
        made.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        return made

    def show_work(self, work: ReadingWork) -> None:
        """Show another scan."""
        self._work = work
        self._list.clear()
        for step in work.steps:
            item = QListWidgetItem()
            item.setData(Qt.ItemDataRole.UserRole, step.region_name)
            item.setToolTip(step.region_name)
            item.setSizeHint(QSize(_COLUMN, self._list.fontMetrics().height() + 4))
            self._list.addItem(item)
        self.say("")
        self._fit_list()

    def say(self, sentence: str) -> None:
        """Tell the reader something, or nothing any more."""
        self._message.setText(sentence)
        self._message.setVisible(bool(sentence))

    @property
    def is_asking(self) -> bool:
        """Whether it asks why a region is not visible."""
        return self._asking

    def ask_reason(self, on: bool) -> None:
        """Ask why the region in hand is not visible, or ask no more, from the next refresh on."""
        self._asking = on
        work = self._work
        if on and work is not None and work.step is not None:
            self.reasons.ask(work.step.region_name)

    def refresh(self, plane: str = "") -> None:
        """Show how things stand."""
        work = self._work
        if work is None:
            return
        count, step = len(work.steps), work.step
        where = f"region {work.at + 1} of {count}" if step else f"all {count} regions"
        self._code.setText(f"<span style='font-size:17px'><b>{work.code}</b></span> · {where}")
        self._bar.show_part(work.done / count)
        self._show_list(work)
        lacking = work.missing()
        self._submit.setEnabled(not lacking and not work.opened.stale and not work.is_submitted)
        self._missing.setText(lacking or "Nothing is missing: it can be handed in.")
        self._missing.setVisible(step is None or not lacking)
        self._keys.setVisible(step is not None and not self._asking)
        if plane:
            self.show_plane(plane)
        self._show_page(self._page_of(work))

    def show_plane(self, plane: str) -> None:
        """Say in which plane arrows move."""
        is_painted = self._work is not None and isinstance(self._work.step, PaintedStep)
        text = _key_table(_PAINT_KEYS if is_painted else _KEYS, plane)
        if self._keys.text() != text:
            self._keys.setText(text)

    def _page_of(self, work: ReadingWork) -> str:
        if work.opened.stale:
            self._done.setText(
                f"The map of <b>{work.code}</b> was made anew after its reading was begun, so what was "
                f"placed ({work.done} regions) lies on another map. It is kept aside; begin the reading anew."
            )
            self._anew.show()
            return "end"
        self._anew.hide()
        if self._asking:
            return "reasons"
        if work.step is not None:
            self._show_now(work)
            return "now"
        unanswered = work.unanswered
        if unanswered:
            self.questions.ask(unanswered[0], len(unanswered))
            return "flags"
        self._done.setText(
            f"All {len(work.steps)} regions are done.<br>Look at them once more (Shift Enter, or the "
            "list), or hand the scan in: it cannot be changed afterwards without a reason."
        )
        return "end"

    def _show_page(self, name: str) -> None:
        self._stack.setCurrentWidget(self._pages[name])
        for other in self._pages.values():  # as tall as what is shown, not as the tallest
            other.setMaximumHeight(16777215 if other is self._pages[name] else 0)
        needed = self._pages[name].heightForWidth(WIDTH - 44)
        self._card.setFixedHeight(max(needed + 20, _CARD_HEIGHT))

    def _show_now(self, work: ReadingWork) -> None:
        step = work.step
        assert step is not None
        name, _, size = step.words.partition(", ")
        self._region.setText(f"<span style='font-size:16px'><b>{name.capitalize()}</b></span>")
        self._shape.setText(size)
        state, suggestion = work.state_of(step), work.suggestion
        if isinstance(step, PaintedStep):
            words = _painted_words(work, step)
        elif state == "not visible":
            words = f"Not visible: {work.reason_of(step)}. Enter goes on, a click places it."
        elif state == "placed":
            words = "Placed (solid line). Enter goes on."
        elif suggestion is None:
            words = "Nothing is suggested: click where it lies."
        elif suggestion.source == "mirrored":
            words = "Suggested (dashed line): the other side, mirrored."
        else:
            words = "Suggested (dashed line)."
        self._state.setText(words)
        self._take.setEnabled(work.can_take)
        self._take.setText("Take it   ⏎" if state == "waiting" else "Next   ⏎")
        self._back.setEnabled(work.at > 0)
        flags = work.flags_in_hand()
        self._flags.setText(f"{_FLAGGED} {'; '.join(flags)}" if flags else "")
        self._flags.setVisible(bool(flags))

    def _show_list(self, work: ReadingWork) -> None:
        flagged = {flag.region_name for flag in work.unanswered}
        for row, step in enumerate(work.steps):
            item = self._list.item(row)
            assert item is not None
            mark = _FLAGGED if step.region_name in flagged else _MARKS[work.state_of(step)]
            item.setText(f"{mark} {step.region_name}")
        self._list.setCurrentRow(work.at if work.step is not None else -1)

    def _fit_list(self) -> None:
        self._list.setGridSize(QSize(_COLUMN, self._list.fontMetrics().height() + 4))


def _painted_words(work: ReadingWork, step: PaintedStep) -> str:
    state = work.state_of(step)
    if state == "not visible":
        return f"Not visible: {work.reason_of(step)}. Enter goes on, a stroke paints it."
    if state == "placed":
        return "Painted. Enter goes on."
    if work.can_take:
        return "Suggested (outline): Enter takes it, the first stroke begins with it."
    return "Nothing is painted yet."


class _Bar(QWidget):
    """How much is done; Qt's own bar paints itself at once, while a key waits."""

    def __init__(self) -> None:
        super().__init__()
        self.setFixedHeight(6)
        self._part = 0.0

    def show_part(self, part: float) -> None:
        """Fill it up to a part of 1, soon."""
        if part != self._part:
            self._part = part
            self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw what is done over what is to be done."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(128, 128, 128, 90))
        painter.fillRect(0, 0, round(self._part * self.width()), self.height(), QColor(ui.ACCENT))
        painter.end()


def _key_table(keys: Sequence[tuple[str, str]], plane: str) -> str:
    rows = "".join(
        f"<tr><td style='padding-right:10px'><b>{key}</b></td><td>{does}"
        f"{f' ({plane})' if key == 'arrows' and plane else ''}</td></tr>"
        for key, does in keys
    )
    return f"<table cellspacing='0' cellpadding='1'>{rows}</table>"
