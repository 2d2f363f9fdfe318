"""The offer to bring back work of a window that did not close as it should."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from qtpy.QtWidgets import QFrame

from napari_qsm.session.recovery import Recovery
from napari_qsm.viewer import ui

_MOST_NAMES = 6


class RecoveryBox(QFrame):
    """Offers work back, one piece at a time, without standing in the way.

    Parameters
    ----------
    restore, delete : callable
        Called with the :class:`Recovery` that the user has decided about.
    """

    def __init__(
        self, restore: Callable[[Recovery], None], delete: Callable[[Recovery], None]
    ) -> None:
        super().__init__()
        self._restore_it, self._delete_it = restore, delete
        self._waiting: list[Recovery] = []
        self.setObjectName("qsm.recovery")
        self.setStyleSheet(
            "#qsm\\.recovery { background: #1d2835; border: 1px solid #3d5874;"
            " border-radius: 6px; }"
            " #qsm\\.recovery QLabel { color: #e8edf2; background: transparent; }"
            " #qsm\\.recovery QPushButton { background: #34465a; color: white; border: none;"
            " border-radius: 4px; padding: 6px 14px; }"
            " #qsm\\.recovery QPushButton:hover { background: #4a6078; }"
            f" #qsm\\.recovery QPushButton[main=true] {{ background: {ui.ACCENT};"
            " font-weight: bold; }"
            " #qsm\\.recovery QPushButton[main=true]:hover { background: #4a93e6; }"
        )
        self._title = ui.label("", "qsm.recovery.title")
        self._text = ui.label("", "qsm.recovery.text")
        self._restore = ui.button("Restore", "qsm.recovery.restore", self._on_restore)
        self._restore.setProperty("main", True)
        self._delete = ui.button("Delete", "qsm.recovery.delete", self._on_delete)
        later = ui.button(
            "Later", "qsm.recovery.later", self._on_later, tip="Ask again at the next start"
        )
        self._sure = False
        words = ui.column(self._title, self._text, spacing=3)
        self.setLayout(
            ui.row(
                (words, 1), self._restore, self._delete, later, spacing=8, margins=(14, 10, 12, 10)
            )
        )
        self.hide()

    def offer(self, recoveries: list[Recovery]) -> None:
        """Offer these, one after the other."""
        self._waiting = list(recoveries)
        self._show_next()

    def _show_next(self) -> None:
        self._sure = False
        self.setVisible(bool(self._waiting))
        if not self._waiting:
            return
        more = f" (1 of {len(self._waiting)})" if len(self._waiting) > 1 else ""
        self._title.setText(f"<b>Work from a window that did not close as it should{more}</b>")
        self._text.setText(words_of(self._waiting[0]))
        self._restore.setText("Restore")
        self._restore.setToolTip("Open the maps again, with everything that was drawn")
        self._delete.setText("Delete …")

    def _on_restore(self) -> None:
        if self._sure:  # now the button that keeps
            self._show_next()
            return
        recovery = self._waiting.pop(0)
        self._show_next()
        self._restore_it(recovery)

    def _on_delete(self) -> None:
        if not self._sure:
            self._sure = True
            self._title.setText("<b>Delete this work for good?</b>")
            self._restore.setText("Keep it")
            self._restore.setToolTip("")
            self._delete.setText("Delete for good")
            return
        recovery = self._waiting.pop(0)
        self._show_next()
        self._delete_it(recovery)

    def _on_later(self) -> None:
        self._waiting.pop(0)
        self._show_next()


def words_of(recovery: Recovery) -> str:
    """When, which maps and which regions, as text for people."""
    lines = [f"Last change: {when_words(recovery.when)}"]
    if recovery.maps:
        lines.append(f"Maps: {_listed(recovery.maps)}")
    for labels, regions in recovery.drawn.items():
        lines.append(f"Regions in '{labels}': {_listed(regions) if regions else 'none left'}")
    return "\n".join(lines)


def when_words(when: datetime, now: datetime | None = None) -> str:
    """A moment in the clock of this place: ``"today, 13:40"``."""
    here = when.astimezone()
    today = (now or datetime.now().astimezone()).date()
    days = (today - here.date()).days
    day = {0: "today", 1: "yesterday"}.get(days, f"{here.day} {here:%B %Y}")
    return f"{day}, {here:%H:%M}"


def _listed(names: tuple[str, ...] | list[str]) -> str:
    shown = ", ".join(names[:_MOST_NAMES])
    rest = len(names) - _MOST_NAMES
    return f"{shown} and {rest} more" if rest > 0 else shown
