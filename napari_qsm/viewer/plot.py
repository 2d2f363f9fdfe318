"""A plot in the window, drawn as report and figures draw it, in the window's own ink."""

from __future__ import annotations

from collections.abc import Hashable

from qtpy.QtCore import QPointF, QSize
from qtpy.QtGui import QColor, QImage, QPainter, QPaintEvent
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_qsm.figures.lettering import FONT, Lettering
from napari_qsm.figures.page import Page
from napari_qsm.figures.plots import plot_page

#: Millimetres of a pixel of the screen, by the reckoning that all programs share.
MM = 25.4 / 96
_SIZE_PT = 8.25


class Plot(QWidget):
    """Keeps its picture; it is drawn again when content, size or ink are others.

    Subclasses say what is drawn in :meth:`draw_on` and :meth:`height_mm`.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setObjectName(name)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        #: Measures texts as the picture will hold them.
        self.ruler = Lettering(FONT, _SIZE_PT)
        self._picture = QImage()
        self._key: Hashable = None
        self._revision = 0

    def height_mm(self) -> float:
        """Height of the plot."""
        raise NotImplementedError

    def draw_on(self, page: Page) -> None:
        """Draw it on a page of the widget's size."""
        raise NotImplementedError

    def ink(self) -> QColor:
        """The colour of text and axes now."""
        return self.palette().color(self.foregroundRole())

    def changed(self) -> None:
        """Draw again: the content is another."""
        self._revision += 1
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        """As broad as there is room."""
        return QSize(300, self._height())

    def minimumSizeHint(self) -> QSize:
        """The same height."""
        return QSize(200, self._height())

    def _height(self) -> int:
        return max(round(self.height_mm() / MM), 40)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Show the picture."""
        ratio, ink = self.devicePixelRatioF(), self.ink().name()
        key = (self._revision, self.width(), self.height(), ratio, ink)
        if key != self._key:
            page = plot_page(
                self.width() * MM, self.height() * MM, dpi=96 * ratio, size_pt=_SIZE_PT, ink=ink
            )
            self.draw_on(page)
            pixels = page.pixels()
            rows, columns = pixels.shape[:2]
            image = QImage(
                pixels.tobytes(), columns, rows, 4 * columns, QImage.Format.Format_RGBA8888
            ).copy()
            image.setDevicePixelRatio(ratio)
            self._picture, self._key = image, key
        painter = QPainter(self)
        painter.drawImage(QPointF(0, 0), self._picture)
        painter.end()
