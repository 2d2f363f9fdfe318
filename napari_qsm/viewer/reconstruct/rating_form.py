"""A person's verdict: three large buttons, a comment, a name, and what was said before."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QIcon
from qtpy.QtWidgets import (
    QButtonGroup,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_qsm.errors import QsmError
from napari_qsm.qc.rating import VERDICTS, Rating, make_rating
from napari_qsm.session.settings import load_settings, save_settings
from napari_qsm.viewer.reconstruct.quality_marks import VERDICT_WORDS, sign

_MEANINGS = {
    "pass": "The map can be used",
    "doubtful": "Use it with care; say why",
    "fail": "Do not use the map; say why",
}
_CHECKED = (
    "QToolButton { border: 2px solid palette(mid); border-radius: 6px; padding: 5px; }"
    " QToolButton:hover { border-color: #6fb1f5; }"
    " QToolButton:checked { border: 3px solid #2f7fd8; font-weight: bold; padding: 4px; }"
    " QToolButton:disabled { border-color: transparent; }"
)


class RatingForm(QWidget):
    """Verdict, comment and rater.

    Parameters
    ----------
    save : callable
        Keeps a verdict; raises :class:`~napari_qsm.errors.QsmError` if it cannot.
    """

    def __init__(self, save: Callable[[Rating], None]) -> None:
        super().__init__()
        self.setObjectName("qsm.quality.rating")
        self._keep = save
        self._checksum = ""
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.setSpacing(5)
        layout.addWidget(QLabel("<b>Your verdict on this map</b>"))
        row = QHBoxLayout()
        row.setSpacing(5)
        self._verdicts = QButtonGroup(self)
        for n, verdict in enumerate(VERDICTS):
            button = QToolButton()
            button.setObjectName(f"qsm.quality.{verdict}")
            button.setText(VERDICT_WORDS[verdict])
            button.setIcon(QIcon(sign(verdict, 24)))
            button.setIconSize(QSize(24, 24))
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
            button.setCheckable(True)
            button.setToolTip(_MEANINGS[verdict])
            button.setStyleSheet(_CHECKED)
            button.setMinimumSize(90, 58)
            self._verdicts.addButton(button, n)
            row.addWidget(button, 1)
        layout.addLayout(row)
        self._comment = QLineEdit()
        self._comment.setObjectName("qsm.quality.comment")
        self._comment.setPlaceholderText("Comment: what you saw, and where")
        layout.addWidget(self._comment)
        last = QHBoxLayout()
        self._rater = QLineEdit(str(load_settings().get("rater", "")))
        self._rater.setObjectName("qsm.quality.rater")
        self._rater.setPlaceholderText("Your name or initials")
        self._save = QPushButton("Save rating")
        self._save.setObjectName("qsm.quality.save_rating")
        self._save.clicked.connect(lambda _=False: self._on_save())
        last.addWidget(self._rater, 1)
        last.addWidget(self._save)
        layout.addLayout(last)
        self._said = QLabel()
        self._said.setObjectName("qsm.quality.rating_said")
        self._said.setWordWrap(True)
        self._said.hide()
        layout.addWidget(self._said)
        self._history = QVBoxLayout()
        self._history.setSpacing(4)
        layout.addLayout(self._history)
        self._lines: list[QWidget] = []
        self._verdicts.buttonClicked.connect(lambda _: self._enable())
        self._enable()

    @property
    def past(self) -> list[str]:
        """The verdicts on show as texts, the latest first."""
        return [line.property("sentence") for line in self._lines]

    def show_map(self, checksum: str, ratings: Sequence[Rating]) -> None:
        """Show the verdicts beside a map; for an empty checksum there is none to judge."""
        if checksum != self._checksum:
            self._checksum = checksum
            self._clear()
        for line in self._lines:
            self._history.removeWidget(line)
            line.hide()
            line.deleteLater()
        self._lines.clear()
        for rating in reversed(ratings):
            self._add_line(rating)
        self._enable()

    def _add_line(self, rating: Rating) -> None:
        when = rating.rated_at.astimezone()
        text = f"{VERDICT_WORDS[rating.verdict]}, {rating.rater}, {when:%Y-%m-%d %H:%M}"
        if rating.chi_sha256 not in ("", self._checksum):
            text += " – for an earlier or another map"
        if rating.comment:
            text += f": {rating.comment}"
        line = QWidget()
        line.setProperty("sentence", text)
        row = QHBoxLayout(line)
        row.setContentsMargins(0, 0, 0, 0)
        picture, label = QLabel(), QLabel(text)
        picture.setPixmap(sign(rating.verdict, 16))
        label.setTextFormat(Qt.TextFormat.PlainText)
        label.setWordWrap(True)
        row.addWidget(picture, 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(label, 1)
        self._history.addWidget(line)
        self._lines.append(line)

    def _on_save(self) -> None:
        number = self._verdicts.checkedId()
        try:
            rating = make_rating(
                VERDICTS[number],
                rater=self._rater.text(),
                comment=self._comment.text(),
                chi_sha256=self._checksum,
            )
            save_settings({"rater": rating.rater})
            self._keep(rating)
            self._clear()
        except QsmError as error:
            self._say(str(error))

    def _clear(self) -> None:
        self._verdicts.setExclusive(False)
        for button in self._verdicts.buttons():
            button.setChecked(False)
        self._verdicts.setExclusive(True)
        self._comment.clear()
        self._say("")
        self._enable()

    def _say(self, sentence: str) -> None:
        self._said.setText(sentence)
        self._said.setVisible(bool(sentence))

    def _enable(self) -> None:
        known = bool(self._checksum)
        for button in self._verdicts.buttons():
            button.setEnabled(known)
        for field in (self._comment, self._rater):
            field.setEnabled(known)
        self._save.setEnabled(known and self._verdicts.checkedId() >= 0)
