"""The steps of a study as buttons, in the order of the work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from qtpy.QtWidgets import QGridLayout, QLabel, QPushButton, QWidget

from napari_qsm.study.steps import StudyStep
from napari_qsm.viewer import ui

_ORDER = (
    "import", "batch", "group", "register", "suggest", "assign", "read", "bundle", "merge",
    "collect", "agree", "analyse", "unblind",
)  # fmt: skip
#: Steps that may be taken while another one is at work: they write nothing of it.
_BESIDES = frozenset({"read"})


class StepsBox(QWidget):
    """A button a step; one that cannot be taken says why.

    Parameters
    ----------
    asked : callable
        Called with the id of a step that is to be done.
    """

    def __init__(self, asked: Callable[[str], None]) -> None:
        super().__init__()
        self.setObjectName("qsm.study.steps")
        self._buttons: dict[str, QPushButton] = {}
        self._words: dict[str, QLabel] = {}
        self._steps: Sequence[StudyStep] = ()
        self._working = ""
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setHorizontalSpacing(6)
        layout.setVerticalSpacing(2)
        for number, name in enumerate(_ORDER):
            button = ui.button("", f"qsm.study.{name}", partial(asked, name))
            words = ui.quiet("", f"qsm.study.{name}.words")
            words.setMinimumWidth(100)
            layout.addWidget(button, number, 0)
            layout.addWidget(words, number, 1)
            self._buttons[name], self._words[name] = button, words
        layout.setColumnStretch(1, 1)
        self.next = ui.quiet("", "qsm.study.next")
        layout.addWidget(self.next, len(_ORDER), 0, 1, 2)
        layout.setRowStretch(len(_ORDER) + 1, 1)

    def show_steps(self, steps: Sequence[StudyStep]) -> None:
        """Show how far each is."""
        self._steps = steps
        self._refresh()

    def show_working(self, title: str) -> None:
        """While something is being done, the rest waits; an empty title is its end."""
        self._working = title
        self._refresh()

    def _refresh(self) -> None:
        ahead = _next(self._steps)
        for step in self._steps:
            button, words = self._buttons[step.id], self._words[step.id]
            why = step.why_not
            if self._working and step.id not in _BESIDES:
                why = why or f"{self._working} is going on; wait for it, or cancel it below."
            button.setText(f"✓ {step.title}" if step.is_done else step.title)
            button.setEnabled(not why)
            ui.set_main(button, step is ahead and not why)
            words.setText(step.words)
            for each in (button, words):
                each.setToolTip(why)
            button.setAccessibleDescription(why or step.words)
        waiting = [step for step in self._steps if step.why_not]
        if ahead is not None:
            self.next.setText(f"Next: {ahead.title.rstrip(' …')}.")
        else:
            self.next.setText(waiting[0].why_not if waiting else "")


def _next(steps: Sequence[StudyStep]) -> StudyStep | None:
    """The first step that is not done and can be; bundles and unblinding are nobody's next one."""
    optional = ("bundle", "merge", "unblind", "agree")
    return next(
        (s for s in steps if not s.is_done and not s.why_not and s.id not in optional), None
    )
