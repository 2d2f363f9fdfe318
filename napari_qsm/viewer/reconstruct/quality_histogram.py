"""How often each susceptibility occurs in the map, as a small drawing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QRectF, QSize, Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

from napari_qsm.qc.quality import HISTOGRAM_EDGES_PPM, QualityReport
from napari_qsm.viewer import ui

_HEIGHT = 124
_SIDE, _TOP, _FOOT = 14, 6, 34


class Histogram(QWidget):
    """Bars of 0.01 ppm, with zero marked; hovering tells a bar's share.

    Parameters
    ----------
    ink : callable
        The colour of text and axis now.
    unit : callable
        "ppm" or "ppb".
    """

    def __init__(self, ink: Callable[[], QColor], unit: Callable[[], str]) -> None:
        super().__init__()
        self.setObjectName("qsm.quality.histogram")
        self._ink, self._unit = ink, unit
        self._quality: QualityReport | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMouseTracking(True)

    def sizeHint(self) -> QSize:
        """As wide as there is room."""
        return QSize(300, _HEIGHT)

    def show_quality(self, quality: QualityReport | None) -> None:
        """Draw another map's values."""
        self._quality = quality
        self.setVisible(quality is not None)
        self.update()

    def forget(self) -> None:
        """Draw nothing any more, and ask for no colours."""
        self._quality = None
        self._ink = QColor

    @property
    def bars(self) -> list[float]:
        """Heights of the bars, the highest 1."""
        counts = self._quality.histogram if self._quality is not None else ()
        highest = max(counts, default=0)
        return [count / highest for count in counts] if highest else []

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Bars, axis, numbers."""
        bars = self.bars
        if not bars:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ink = self._ink()
        area = self._area()
        step = area.width() / len(bars)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(ui.ACCENT))
        for n, height in enumerate(bars):
            if height > 0:
                tall = max(height * area.height(), 1.0)
                painter.drawRect(
                    QRectF(area.left() + n * step, area.bottom() - tall, max(step - 1, 1), tall)
                )
        painter.setPen(ink)
        painter.drawLine(area.bottomLeft(), area.bottomRight())
        faint = QColor(ink)
        faint.setAlpha(110)
        low, high = HISTOGRAM_EDGES_PPM[0], HISTOGRAM_EDGES_PPM[-1]
        factor = 1000 if self._unit() == "ppb" else 1
        centred = int(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop)
        font = painter.font()
        font.setPixelSize(11)
        painter.setFont(font)
        for tenth in range(-3, 4):
            x = area.left() + (tenth / 10 - low) / (high - low) * area.width()
            painter.drawLine(int(x), int(area.bottom()), int(x), int(area.bottom()) + 3)
            text = f"{tenth / 10 * factor:g}".replace("-", "−")
            painter.drawText(QRectF(x - 30, area.bottom() + 4, 60, 14), centred, text)
            if tenth == 0:
                painter.setPen(faint)
                painter.drawLine(int(x), int(area.top()), int(x), int(area.bottom()))
                painter.setPen(ink)
        painter.drawText(
            QRectF(0, area.bottom() + 18, self.width(), 14),
            centred,
            f"susceptibility in the map ({self._unit()})",
        )
        painter.end()

    def mouseMoveEvent(self, event: Any) -> None:
        """Tell the bar below the mouse."""
        quality = self._quality
        area = self._area()
        place = event.position() if hasattr(event, "position") else event.pos()
        if quality is None or not quality.histogram or area.width() <= 0:
            return
        n = int((place.x() - area.left()) / area.width() * len(quality.histogram))
        if not 0 <= n < len(quality.histogram):
            QToolTip.hideText()
            return
        whole = sum(quality.histogram) + quality.below_histogram + quality.above_histogram
        factor, digits = (1000, 0) if self._unit() == "ppb" else (1, 2)
        low, high = (f"{HISTOGRAM_EDGES_PPM[m] * factor:.{digits}f}" for m in (n, n + 1))
        share = 100 * quality.histogram[n] / whole
        text = f"{low} to {high} {self._unit()}: {share:.2f} % of the map"
        QToolTip.showText(self.mapToGlobal(self._below(place)), text.replace("-", "−"), self)

    @staticmethod
    def _below(place: Any) -> Any:
        return place.toPoint() if hasattr(place, "toPoint") else place

    def _area(self) -> QRectF:
        return QRectF(_SIDE, _TOP, max(self.width() - 2 * _SIDE, 0), self.height() - _TOP - _FOOT)
