"""A slice painted by Qt: what a view shows unless napari has to draw it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from qtpy.QtCore import QEvent, QRect, Qt
from qtpy.QtGui import QImage, QPainter, QPaintEvent, QResizeEvent
from qtpy.QtWidgets import QApplication, QWidget

from napari_qsm.anatomy import DEPTH_AXIS, across_sign
from napari_qsm.arrays import Array
from napari_qsm.compositing import BLACK, Sheet, compose, outline_pixels
from napari_qsm.session.frames import Camera2D
from napari_qsm.study.display import WIDEST_OUTLINE

_KEYS = (QEvent.Type.KeyPress, QEvent.Type.KeyRelease)
_MOUSE = (
    QEvent.Type.MouseButtonPress,
    QEvent.Type.MouseButtonRelease,
    QEvent.Type.MouseButtonDblClick,
    QEvent.Type.MouseMove,
    QEvent.Type.Wheel,
    QEvent.Type.Enter,
    QEvent.Type.Leave,
)


class RasterCanvas(QWidget):
    """The picture of one view.

    It is put together when Qt paints, and only where something has changed since.

    Parameters
    ----------
    sheets : callable
        What the view shows, from the bottom to the top.
    camera : callable
        Where it looks.
    depth : callable
        Display position of its slice, mm.

    Attributes
    ----------
    mouse_to, keys_to : QWidget or None
        A canvas of napari's that gets what nobody here wants, as if it were seen; the one for the
        mouse is kept as large as the picture.
    """

    def __init__(
        self,
        sheets: Callable[[], list[Sheet]],
        camera: Callable[[], Camera2D],
        depth: Callable[[], float],
    ) -> None:
        super().__init__()
        self._sheets, self._camera, self._depth = sheets, camera, depth
        self._pixels: Array = np.full((1, 1), BLACK)
        self._stale: QRect | None = None  # in the picture's own pixels
        self.mouse_to: QWidget | None = None
        self.keys_to: QWidget | None = None
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.WheelFocus)
        self.setMinimumSize(20, 20)

    def redraw(self) -> None:
        """Paint everything anew, soon."""
        self._stale = QRect(0, 0, *self._size())
        self.update()

    def redraw_box(self, low: Array, high: Array) -> None:
        """Paint anew what lies between two corners, display (x, y, z) mm, if the slice cuts it."""
        camera = self._camera()
        axis = DEPTH_AXIS[camera.plane]
        if not low[axis] - 1e-6 <= self._depth() <= high[axis] + 1e-6:
            return
        ratio = self.devicePixelRatioF()
        corners = np.array([camera.to_pixel(low), camera.to_pixel(high)]) * ratio
        rim = 1 + outline_pixels(WIDEST_OUTLINE)  # lines along edges reach beyond what changed
        first = np.floor(corners.min(axis=0)).astype(int) - rim
        last = np.ceil(corners.max(axis=0)).astype(int) + rim
        area = QRect(int(first[0]), int(first[1]), *(int(n) for n in last - first))
        area = area.intersected(QRect(0, 0, *self._size()))
        if area.isEmpty():
            return
        self._stale = area if self._stale is None else self._stale.united(area)
        low_, high_ = first / ratio, last / ratio
        self.update(
            QRect(
                int(np.floor(low_[0])),
                int(np.floor(low_[1])),
                int(np.ceil(high_[0] - low_[0])) + 2,
                int(np.ceil(high_[1] - low_[1])) + 2,
            )
        )

    def picture(self) -> Array:
        """What it shows: packed colours, (height, width) in pixels of the screen."""
        self._bring_up()
        return self._pixels

    def _size(self) -> tuple[int, int]:
        ratio = self.devicePixelRatioF()
        return max(round(self.width() * ratio), 1), max(round(self.height() * ratio), 1)

    def _bring_up(self) -> None:
        width, height = self._size()
        if self._pixels.shape != (height, width):
            self._pixels = np.full((height, width), BLACK)
            self._stale = QRect(0, 0, width, height)
        area, self._stale = self._stale, None
        if area is None:
            return
        rows = slice(area.top(), area.bottom() + 1)
        columns = slice(area.left(), area.right() + 1)
        camera, ratio = self._camera(), self.devicePixelRatioF()
        sign = across_sign(camera.plane, camera.radiological)
        x = (np.arange(width)[columns] + 0.5) / ratio - camera.size[0] / 2
        y = (np.arange(height)[rows] + 0.5) / ratio - camera.size[1] / 2
        self._pixels[rows, columns] = compose(
            self._sheets(),
            camera.plane,
            self._depth(),
            camera.centre[0] + sign * x / camera.zoom,
            camera.centre[1] - y / camera.zoom,
        )

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Bring the picture up to date and show it."""
        self._bring_up()
        height, width = self._pixels.shape
        image = QImage(self._pixels.data, width, height, 4 * width, QImage.Format.Format_RGB32)
        image.setDevicePixelRatio(self.devicePixelRatioF())
        painter = QPainter(self)
        painter.drawImage(0, 0, image)
        painter.end()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Keep the canvas behind as large as the picture."""
        if self.mouse_to is not None:
            self.mouse_to.resize(self.size())

    def event(self, event: QEvent | None) -> bool:
        """Let napari's canvas have what nobody here wanted."""
        if event is not None and event.type() in (*_MOUSE, *_KEYS):
            target = self.keys_to if event.type() in _KEYS else self.mouse_to
            if target is not None:
                QApplication.sendEvent(target, event)
                event.accept()  # it has gone up through the canvas' own parents
                return True
        return super().event(event)
