"""Guided placement in the panel: what to place now, skip, back, what is missing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from qtpy.QtWidgets import QFileDialog, QFrame, QWidget

from napari_qsm.errors import QsmError
from napari_qsm.io.atomic import write_text
from napari_qsm.rois.guided import guided_presets, guided_text, load_guided
from napari_qsm.viewer import ui
from napari_qsm.viewer.regions.guide import Guide
from napari_qsm.viewer.regions.shape_work import ShapeWork

_FILES = "Lists of regions (*.yaml *.yml)"
_OPEN, _COPY = "open", "copy"


class GuideBox(QWidget):
    """Choose a list and work through it.

    Parameters
    ----------
    work, guide : ShapeWork and Guide
        What is worked on.
    tell : callable
        Tells the user a sentence.
    activate : callable
        Gives the left button to the shapes.
    """

    def __init__(
        self,
        work: ShapeWork,
        guide: Guide,
        tell: Callable[[str], None],
        activate: Callable[[], None],
    ) -> None:
        super().__init__()
        self._work, self._guide, self._tell, self._activate = work, guide, tell, activate
        self._choice = ui.combo(
            "qsm.shapes.guide.list",
            self._on_choice,
            [
                (None, "Guide me through …"),
                *guided_presets().items(),
                (_OPEN, "Open a list of my own …"),
                (_COPY, "Copy a list to edit it …"),
            ],
            tip="Place the shapes of a list one after the other",
            characters=12,
        )
        self._card = ui.named(QFrame(), "qsm.shapes.guide.card")
        self._card.setFrameShape(QFrame.Shape.StyledPanel)
        self._progress, self._now, self._note = (
            ui.label("", f"qsm.shapes.guide.{name}") for name in ("progress", "now", "note")
        )
        font = self._now.font()
        font.setBold(True)
        self._now.setFont(font)
        self._back, self._skip, self._again, self._stop = (
            ui.button(text, f"qsm.shapes.guide.{name}", call)
            for text, name, call in (
                ("Back", "back", guide.back),
                ("Skip", "skip", guide.skip),
                ("Place what is missing", "again", self._on_again),
                ("Stop", "stop", guide.stop),
            )
        )
        buttons = ui.row(self._back, self._skip, self._again, self._stop, spacing=5)
        self._card.setLayout(
            ui.column(self._progress, self._now, self._note, buttons, margins=(8, 6, 8, 6))
        )
        self.setLayout(ui.column(self._choice, self._card))
        guide.changed.connect(self.refresh)
        self.refresh()

    def dispose(self) -> None:
        """Stop listening."""
        self._guide.changed.disconnect(self.refresh)

    def refresh(self) -> None:
        """Show where in the list we are."""
        guide = self._guide
        preset, step = guide.preset, guide.step
        self._card.setVisible(preset is not None)
        if preset is None:
            self._choice.setCurrentIndex(0)
            return
        self._progress.setText(f"{guide.progress} · {preset.name}" if step else preset.name)
        self._now.setText(guide.words)
        self._note.setText(preset.note)
        self._note.setVisible(bool(preset.note))
        self._skip.setVisible(step is not None)
        self._back.setEnabled(step is None or preset.steps.index(step) > 0)
        self._again.setVisible(step is None and bool(guide.missing))

    def start(self, source: str | Path) -> None:
        """Begin with a list that comes with the program, or one of the user's own.

        Raises
        ------
        QsmError
            If there is no map, or the list cannot be read.
        """
        if self._work.volume is None:
            raise QsmError("Open a map first; shapes are placed on its grid.")
        self._guide.start(load_guided(source))
        self._activate()

    def _on_choice(self, key: Any) -> None:
        try:
            if key == _OPEN:
                path, _ = QFileDialog.getOpenFileName(self, "Open a list of regions", "", _FILES)
                if path:
                    self.start(Path(path))
            elif key == _COPY:
                self._copy()
            elif key is not None:
                self.start(key)
        except QsmError as error:
            self._tell(str(error))
        if self._guide.preset is None or key in (_OPEN, _COPY):
            self._choice.setCurrentIndex(0)

    def _copy(self) -> None:
        path, _ = QFileDialog.getSaveFileName(
            self, "Copy the list of thirteen substrates", "my-regions.yaml", _FILES
        )
        if path:
            write_text(path, guided_text("deep-grey-13"))
            self._tell(
                f"'{Path(path).name}' can be changed with any text editor; then open it here."
            )

    def _on_again(self) -> None:
        self._guide.again()
        self._activate()
