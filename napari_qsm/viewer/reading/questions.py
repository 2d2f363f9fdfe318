"""What the reader is asked: why a region is not visible, and what to say to a flag."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import Qt
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import QLineEdit, QPushButton, QWidget

from napari_qsm.session.reading.flags import ANSWERS, Flag
from napari_qsm.session.reading.work import REASONS
from napari_qsm.viewer import ui

_ENTER = (Qt.Key.Key_Return, Qt.Key.Key_Enter)


class Words(QLineEdit):
    """A line for words of one's own; keys in it are for nobody else, and Escape leaves it."""

    def __init__(self, name: str, example: str, said: Callable[[str], None]) -> None:
        super().__init__()
        self.setObjectName(name)
        self.setMaxLength(200)
        self.setPlaceholderText(example)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self._message = said

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Enter hands the words over."""
        if event is None:
            return
        if event.key() in _ENTER and not event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self._message(self.text())
        elif event.key() == Qt.Key.Key_Escape:
            self.clearFocus()
        else:
            super().keyPressEvent(event)
        event.accept()


class ReasonBox(QWidget):
    """Asks why the region in hand is not visible; one key an answer.

    Parameters
    ----------
    answered : callable
        Given the reason, and words for the last one.
    left : callable
        The question is put away unanswered.
    """

    def __init__(self, answered: Callable[[str, str], None], left: Callable[[], None]) -> None:
        super().__init__()
        self._answered, self._left = answered, left
        self._question = ui.label("", "qsm.reading.reason.question")
        self._buttons = [
            plain(f"{number}   {reason}", f"qsm.reading.reason.{number}", self._call(number))
            for number, reason in enumerate(REASONS, 1)
        ]
        self.words = Words("qsm.reading.reason.words", "in a few words, then Enter", self._other)
        back = plain("Esc   back", "qsm.reading.reason.back", left)
        self.setLayout(ui.column(self._question, *self._buttons, self.words, back, spacing=5))

    def ask(self, region: str) -> None:
        """Ask about a region."""
        self._question.setText(f"<b>{region}</b> is not visible. Why?")
        self.words.clear()
        self.words.hide()

    def key(self, event: QKeyEvent) -> bool:
        """Take a key, if it is for the question."""
        if event.key() == Qt.Key.Key_Escape:
            self._left()
        elif event.text() in "1234" and event.text():
            self._call(int(event.text()))()
        else:
            return False
        return True

    def _call(self, number: int) -> Callable[[], None]:
        return lambda: self._choose(number)

    def _choose(self, number: int) -> None:
        if number < len(REASONS):
            self._answered(REASONS[number - 1], "")
        else:
            self.words.show()
            self.words.setFocus()

    def _other(self, words: str) -> None:
        self._answered(REASONS[-1], words)


class FlagBox(QWidget):
    """One flag after the other, and what is said to it.

    Parameters
    ----------
    answered : callable
        Given the flag and what is said to it.
    elsewhere : callable
        Given the flag: its shape is to be put elsewhere.
    """

    def __init__(
        self, answered: Callable[[Flag, str], None], elsewhere: Callable[[Flag], None]
    ) -> None:
        super().__init__()
        self._answered, self._elsewhere = answered, elsewhere
        self._flag: Flag | None = None
        self._question = ui.label("", "qsm.reading.flag.question")
        self._buttons = [
            plain(f"{n}   {words}", f"qsm.reading.flag.{n}", self._call(words))
            for n, words in enumerate(ANSWERS, 1)
        ]
        number = len(ANSWERS) + 1
        move = plain(f"{number}   put it elsewhere", "qsm.reading.flag.elsewhere", self._move)
        self.words = Words("qsm.reading.flag.words", "or in your words, then Enter", self._say)
        self.setLayout(ui.column(self._question, *self._buttons, move, self.words, spacing=5))

    def ask(self, flag: Flag, left: int) -> None:
        """Ask about a flag, of which there are so many."""
        if flag != self._flag:
            self.words.clear()
        self._flag = flag
        more = f" ({left} to answer)" if left > 1 else ""
        self._question.setText(
            f"<b>{flag.region_name}</b>: {flag.words}.<br>What do you say to it?{more}"
        )

    def key(self, event: QKeyEvent) -> bool:
        """Take a key, if it is for the question."""
        text = event.text()
        if text in ("1", "2"):
            self._say(ANSWERS[int(text) - 1])
        elif text == "3":
            self._move()
        else:
            return False
        return True

    def _call(self, words: str) -> Callable[[], None]:
        return lambda: self._say(words)

    def _say(self, words: str) -> None:
        if self._flag is not None:
            self._answered(self._flag, words)

    def _move(self) -> None:
        if self._flag is not None:
            self._elsewhere(self._flag)


def plain(text: str, name: str, slot: Callable[[], object]) -> QPushButton:
    """A button that leaves the keys to the window."""
    made = ui.button(text, name, slot)
    made.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    made.setStyleSheet("QPushButton { text-align: left; padding: 5px 8px; }")
    return made
