"""The light of a stage: a shape and a colour for each state, so that neither stands alone."""

from __future__ import annotations

from qtpy.QtWidgets import QLabel

from napari_qsm.session.stage_texts import STATE_WORDS
from napari_qsm.study.reconstruction import State
from napari_qsm.viewer.icons import pixmap

_SIDE = 18


class StatusIndicator(QLabel):
    """A small drawing that says how a stage stands."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setObjectName(name)
        self.setFixedSize(_SIDE, _SIDE)
        self.show_state("not run")

    def show_state(self, state: State) -> None:
        """Show another state."""
        self.state = state
        self.setToolTip(STATE_WORDS[state])
        self.setAccessibleName(STATE_WORDS[state])
        self.setPixmap(pixmap(f"state-{state.replace(' ', '-')}", side=_SIDE))
