"""A person's verdict: three large buttons, a comment, a name, and what was said before."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QIcon
from qtpy.QtWidgets import QButtonGroup, QWidget

from napari_qsm.errors import QsmError
from napari_qsm.qc.rating import VERDICTS, Rating, make_rating
from napari_qsm.session.settings import load_settings, save_settings
from napari_qsm.viewer import ui
from napari_qsm.viewer.reconstruct.quality_lists import VERDICT_WORDS, SignedLines, sign

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
        self._verdicts = QButtonGroup(self)
        buttons = []
        for n, verdict in enumerate(VERDICTS):
            button = ui.tool(
                f"qsm.quality.{verdict}",
                lambda _: None,
                text=VERDICT_WORDS[verdict],
                icon=QIcon(sign(verdict, 24)),
                tip=_MEANINGS[verdict],
                checkable=True,
            )
            button.setIconSize(QSize(24, 24))
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
            button.setStyleSheet(_CHECKED)
            button.setMinimumSize(90, 58)
            self._verdicts.addButton(button, n)
            buttons.append(button)
        self._comment = ui.line(
            "qsm.quality.comment", example="Comment: what you saw, and where", longest=32767
        )
        self._rater = ui.line("qsm.quality.rater", example="Your name or initials")
        self._rater.setText(str(load_settings().get("rater", "")))
        self._save = ui.button("Save rating", "qsm.quality.save_rating", self._on_save)
        self._message = ui.label("", "qsm.quality.rating_said")
        self._message.hide()
        self._history = SignedLines("qsm.quality.ratings", side=16)
        self.setLayout(
            ui.column(
                ui.label("<b>Your verdict on this map</b>"),
                ui.row(*((button, 1) for button in buttons), spacing=5),
                self._comment,
                ui.row((self._rater, 1), self._save, spacing=6),
                self._message,
                self._history,
                spacing=5,
                margins=(0, 4, 0, 0),
            )
        )
        self._verdicts.buttonClicked.connect(lambda _: self._enable())
        self._enable()

    @property
    def past(self) -> list[str]:
        """The verdicts on show as texts, the latest first."""
        return self._history.texts

    def show_map(self, checksum: str, ratings: Sequence[Rating]) -> None:
        """Show the verdicts beside a map; for an empty checksum there is none to judge."""
        if checksum != self._checksum:
            self._checksum = checksum
            self._clear()
        self._history.clear()
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
        self._history.add(rating.verdict, text)

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
        self._message.setText(sentence)
        self._message.setVisible(bool(sentence))

    def _enable(self) -> None:
        known = bool(self._checksum)
        for button in self._verdicts.buttons():
            button.setEnabled(known)
        for field in (self._comment, self._rater):
            field.setEnabled(known)
        self._save.setEnabled(known and self._verdicts.checkedId() >= 0)
