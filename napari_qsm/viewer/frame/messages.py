"""Sentences for the user, over the foot of the views: nothing on the screen moves for them."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject, Qt, QTimer, Signal
from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

#: How long good news stays.
PASSING_MS = 6000
_WIDEST = 760
_MARGIN = 10


class MessageBar(QWidget):
    """Up to three lines: what stays wrong, what the user must know, and what went well.

    A warning stays until it is closed or another one comes; good news goes by itself; what is
    wrong with keeping work stays until it is right again.

    Parameters
    ----------
    area : QWidget
        The views; the lines lie over their lower edge.
    """

    def __init__(self, area: QWidget) -> None:
        super().__init__(area.parentWidget())
        self.setObjectName("qsm.messages")
        self._area = area
        self._trouble = _Line("qsm.message.trouble", "#7a1f1f", closable=False)
        self._warning = _Line("qsm.message", "#6b4a12", closable=True)
        self._good = _Line("qsm.message.good", "#1f5136", closable=False)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        for line in (self._trouble, self._warning, self._good):
            column.addWidget(line)
            line.changed.connect(self._place)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(PASSING_MS)
        self._timer.timeout.connect(self._good.hide)
        area.installEventFilter(self)
        self.hide()

    @property
    def text(self) -> str:
        """What is on show, good news last; empty if there is none."""
        lines = (self._trouble, self._warning, self._good)
        return " ".join(line.text for line in lines if not line.isHidden())

    def show_sentence(self, sentence: str) -> None:
        """Show what the user must know, until it is closed."""
        self._warning.say(sentence)

    def show_good(self, sentence: str) -> None:
        """Show for a few seconds that something went well; a warning stays above it."""
        self._good.say(sentence)
        self._timer.start()

    def show_trouble(self, sentence: str) -> None:
        """Show what is wrong until it is right, which an empty sentence says."""
        if sentence:
            self._trouble.say(sentence)
        else:
            self._trouble.hide()

    def clear(self) -> None:
        """Show nothing any more."""
        for line in (self._trouble, self._warning, self._good):
            line.hide()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Stay over the foot of the views."""
        if event is not None and event.type() in (
            QEvent.Type.Resize,
            QEvent.Type.Move,
            QEvent.Type.Show,
        ):
            self._place()
        return False

    def _place(self) -> None:
        some = any(line.shown for line in (self._trouble, self._warning, self._good))
        self.setVisible(some)
        if not some:
            return
        area = self._area.geometry()
        width = min(area.width() - 2 * _MARGIN, _WIDEST)
        layout = self.layout()
        if layout is None:
            return
        layout.invalidate()  # a hidden line may still be counted, with its room
        height = max(layout.heightForWidth(width), layout.minimumSize().height())
        left = area.left() + (area.width() - width) // 2
        self.setGeometry(left, area.bottom() - height - _MARGIN, width, height)
        self.raise_()


class _Line(QFrame):
    """One sentence on a ground of its own."""

    changed = Signal()

    def __init__(self, name: str, ground: str, *, closable: bool) -> None:
        super().__init__()
        self.setObjectName(name)
        escaped = name.replace(".", "\\.")
        self.setStyleSheet(
            f"#{escaped} {{ background: {ground}; border-radius: 5px; }}"
            f" #{escaped} QLabel {{ color: white; background: transparent; }}"
            f" #{escaped} QPushButton {{ background: rgba(255, 255, 255, 40); color: white;"
            " border: none; border-radius: 4px; padding: 4px 12px; }"
        )
        self.shown = False
        self._text = QLabel()
        self._text.setObjectName(f"{name}.text")
        self._text.setWordWrap(True)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 5, 8, 5)
        row.addWidget(self._text, 1)
        if closable:
            close = QPushButton("Close")
            close.setObjectName(f"{name}.close")
            close.clicked.connect(lambda _=False: self.hide())
            row.addWidget(close, 0, Qt.AlignmentFlag.AlignTop)
        super().hide()

    @property
    def text(self) -> str:
        return self._text.text()

    def say(self, sentence: str) -> None:
        self._text.setText(sentence)
        self.shown = True
        self.show()
        self.changed.emit()

    def hide(self) -> None:
        self.shown = False
        super().hide()
        self.changed.emit()
