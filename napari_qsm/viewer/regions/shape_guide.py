"""Guided placement in the panel: what to place now, skip, back, what is missing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_qsm.errors import QsmError
from napari_qsm.io.atomic import write_text
from napari_qsm.rois.guided import guided_presets, guided_text, load_guided
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
        self._choice = QComboBox()
        self._choice.setObjectName("qsm.shapes.guide.list")
        self._choice.setMinimumContentsLength(12)
        self._choice.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self._choice.addItem("Guide me through …", None)
        for key, name in guided_presets().items():
            self._choice.addItem(name, key)
        self._choice.addItem("Open a list of my own …", _OPEN)
        self._choice.addItem("Copy a list to edit it …", _COPY)
        self._choice.setToolTip("Place the shapes of a list one after the other")
        self._choice.activated.connect(self._on_choice)
        self._card = QFrame()
        self._card.setObjectName("qsm.shapes.guide.card")
        self._card.setFrameShape(QFrame.Shape.StyledPanel)
        inner = QVBoxLayout(self._card)
        inner.setContentsMargins(8, 6, 8, 6)
        inner.setSpacing(4)
        self._progress = QLabel()
        self._progress.setObjectName("qsm.shapes.guide.progress")
        self._now = QLabel()
        self._now.setObjectName("qsm.shapes.guide.now")
        self._note = QLabel()
        self._note.setObjectName("qsm.shapes.guide.note")
        for label in (self._progress, self._now, self._note):
            label.setWordWrap(True)
            inner.addWidget(label)
        font = self._now.font()
        font.setBold(True)
        self._now.setFont(font)
        row = QHBoxLayout()
        row.setSpacing(5)
        self._back = self._button("Back", "back", guide.back)
        self._skip = self._button("Skip", "skip", guide.skip)
        self._again = self._button("Place what is missing", "again", self._on_again)
        self._stop = self._button("Stop", "stop", guide.stop)
        for button in (self._back, self._skip, self._again, self._stop):
            row.addWidget(button)
        inner.addLayout(row)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self._choice)
        layout.addWidget(self._card)
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

    def _on_choice(self) -> None:
        key = self._choice.currentData()
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

    def _button(self, text: str, name: str, call: Callable[[], object]) -> QPushButton:
        button = QPushButton(text)
        button.setObjectName(f"qsm.shapes.guide.{name}")
        button.clicked.connect(lambda _=False: call())
        return button
