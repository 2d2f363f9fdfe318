"""The live preview in the panel, and the large one over the views."""

from __future__ import annotations

import numpy as np
from qtpy.QtCore import QEvent, QObject, QSize, Qt, Signal
from qtpy.QtGui import QImage, QKeyEvent, QMouseEvent, QPixmap, QResizeEvent
from qtpy.QtWidgets import QFrame, QLabel, QSizePolicy, QWidget

from napari_qsm.arrays import Array
from napari_qsm.session.label_choice import apart
from napari_qsm.viewer import ui
from napari_qsm.viewer.figure.rendering import Preview, Renderer
from napari_qsm.viewer.figure.work import FigureWork

_TALLEST = 300
_EMPTY = "No figure yet. Choose a template above, or add what a view shows as a panel."


def as_image(pixels: Array) -> QImage:
    """RGBA pixels as a picture that owns its memory."""
    rgba = np.ascontiguousarray(pixels)
    rows, columns = rgba.shape[:2]
    image = QImage(rgba.tobytes(), columns, rows, 4 * columns, QImage.Format.Format_RGBA8888)
    return image.copy()


class Sheet(QLabel):
    """A picture scaled to the room there is, never larger than itself."""

    clicked = Signal()

    def __init__(self, tallest: int | None = None) -> None:
        super().__init__()
        self._tallest = tallest
        self._pixmap: QPixmap | None = None
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setMinimumSize(1, 1)
        self.setWordWrap(True)
        if tallest is None:
            self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)
        else:
            self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    def show_pixels(self, pixels: Array) -> None:
        """Show a picture."""
        self._pixmap = QPixmap.fromImage(as_image(pixels))
        self._fit()

    def show_words(self, words: str) -> None:
        """Show a sentence instead."""
        self._pixmap = None
        self.setPixmap(QPixmap())
        self.setText(words)
        if self._tallest is not None:
            self.setFixedHeight(110)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Fit the picture again."""
        super().resizeEvent(event)
        self._fit()

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:
        """Tell that it was clicked."""
        if event is not None and event.button() == Qt.MouseButton.LeftButton:
            self.clicked.emit()

    def _fit(self) -> None:
        if self._pixmap is None:
            return
        ratio = self.devicePixelRatioF()
        room = QSize(self.width(), self._tallest or self.height()) * ratio
        shown = self._pixmap.scaled(
            room.boundedTo(self._pixmap.size()) if self._tallest is None else room,
            Qt.AspectRatioMode.KeepAspectRatio,
            Qt.TransformationMode.SmoothTransformation,
        )
        shown.setDevicePixelRatio(ratio)
        self.setPixmap(shown)
        if self._tallest is not None:
            self.setFixedHeight(max(round(shown.height() / ratio), 40))


class LargePreview(QFrame):
    """The figure over the views, drawn as finely as there is room; a click puts it away."""

    def __init__(self, work: FigureWork) -> None:
        central = work.context.central
        super().__init__(central)
        self.setObjectName("qsm.figure.large")
        self.setStyleSheet(
            "#qsm\\.figure\\.large { background: #3a3f45; }"
            " #qsm\\.figure\\.large QLabel { color: #f2f2f2; background: transparent; }"
        )
        self._work = work
        self._central = central
        self._area: QWidget = central.area
        self._renderer = Renderer()
        self._renderer.drawn.connect(self._on_drawn)
        self._sheet = ui.named(Sheet(), "qsm.figure.large.sheet")
        self._sheet.clicked.connect(self.hide)
        self._words = ui.named(QLabel(), "qsm.figure.large.words")
        close = ui.button("Back to the views", "qsm.figure.large.close", self.hide)
        row = ui.row((self._words, 1), close)
        self.setLayout(ui.column(row, (self._sheet, 1), margins=(12, 8, 12, 10)))
        self._area.installEventFilter(self)
        work.previewed.connect(self._on_previewed)
        self.hide()

    def dispose(self) -> None:
        """Go away with the workspace."""
        self._work.previewed.disconnect(self._on_previewed)
        self._area.removeEventFilter(self)
        self._renderer.dispose()
        self.hide()
        self.setParent(None)
        self.deleteLater()

    def open(self) -> None:
        """Show the figure."""
        if self._work.spec is None or self._work.preview is None:
            return
        self.setGeometry(self._area.geometry())
        self.show()
        self.raise_()
        self.setFocus()
        self._sheet.show_pixels(self._work.preview.pixels)
        self._draw()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Stay as large as the views."""
        if event is not None and event.type() in (QEvent.Type.Resize, QEvent.Type.Move):
            self.setGeometry(self._area.geometry())
            if self.isVisible():
                self._draw()
        return False

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Escape puts it away."""
        if event is not None and event.key() == Qt.Key.Key_Escape:
            self.hide()

    def _draw(self) -> None:
        """Draw with as many dots as there are pixels."""
        spec, preview = self._work.spec, self._work.preview
        if spec is None or preview is None:
            return
        room = self._area.size() * self.devicePixelRatioF()
        width_mm, height_mm = spec.style.width_mm, preview.drawn.height_mm
        part = min((room.width() - 24) / width_mm, (room.height() - 60) / height_mm)
        dpi = float(np.clip(25.4 * part, 30, 400))
        self._words.setText(
            f"{width_mm:g} × {height_mm:.0f} mm, {spec.style.dpi} dpi when exported. "
            "A click brings the views back."
        )
        self._renderer.cache = self._work.renderer.cache
        self._work.attempt(lambda: self._renderer.request(spec, self._work.given(), dpi))

    def _on_previewed(self) -> None:
        if self.isVisible():
            if self._work.preview is None:
                self.hide()
            else:
                self._draw()

    def _on_drawn(self, preview: Preview) -> None:
        if self.isVisible():
            self._sheet.show_pixels(preview.pixels)


class PreviewBox(QWidget):
    """The figure as it will be, scaled to the panel."""

    def __init__(self, work: FigureWork) -> None:
        super().__init__()
        self._work = work
        self.sheet = ui.named(
            Sheet(_TALLEST),
            "qsm.figure.preview",
            "The figure as it will be exported. Click to see it large.",
        )
        self.sheet.setCursor(Qt.CursorShape.PointingHandCursor)
        self.large = LargePreview(work)
        self.sheet.clicked.connect(self.large.open)
        self._words = ui.quiet("", "qsm.figure.words")
        self.setLayout(ui.column(self.sheet, self._words, spacing=3))
        work.renderer.drawn.connect(work.show_preview)
        work.renderer.failed.connect(self._on_failed)
        work.previewed.connect(self.refresh)
        work.session.events.painted.connect(self.refresh)
        self.refresh()

    def dispose(self) -> None:
        """Stop listening."""
        self._work.previewed.disconnect(self.refresh)
        self._work.session.events.painted.disconnect(self.refresh)
        self.large.dispose()

    def _on_failed(self, error: Exception) -> None:
        self._work.show_problem(str(error))

    def refresh(self) -> None:
        """Show the last drawing, or why there is none."""
        work = self._work
        if work.preview is None:
            self.sheet.show_words(work.problem or ("Drawing …" if work.spec else _EMPTY))
            self._words.setText("")
            return
        drawn = work.preview.drawn
        self.sheet.show_pixels(work.preview.pixels)
        size = f"{drawn.spec.style.width_mm:g} × {drawn.height_mm:.0f} mm. Click to see it large."
        odd = apart(work.session, drawn.spec)
        self._words.setText(" ".join([size, *odd, *drawn.notes]))
