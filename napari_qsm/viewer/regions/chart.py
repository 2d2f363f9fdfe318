"""A histogram or a box plot of a few regions, painted in the window's own colours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QBrush, QColor, QPainter, QPaintEvent, QPalette, QPen, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_qsm.arrays import Array
from napari_qsm.rois.measures import Measures
from napari_qsm.units import ticks

_BINS = 40
_LINE = 15
_LEGEND_WIDTH = 26
#: Beyond this share of values at either end the histogram's axis is cut.
_TAIL = 0.5


@dataclass(frozen=True, eq=False)
class Group:
    """One region on one map.

    Attributes
    ----------
    name : str
        For the legend.
    color : str
        ``"#rrggbb"``.
    values : (n,) ndarray
        In the unit shown; finite.
    measures : Measures
        Of these values, with percentiles.
    text : str
        Mean and SD, as the table writes them.
    dashed : bool
        For a second map, so that colour does not carry the meaning alone.
    """

    name: str
    color: str
    values: Array
    measures: Measures
    text: str
    dashed: bool = False


class Chart(QWidget):
    """Paints groups; kind is ``"histogram"`` or ``"boxes"``."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("qsm.charts.canvas")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.groups: list[Group] = []
        self.kind = "histogram"
        self.unit = ""
        self.empty_text = ""

    def show_groups(self, groups: list[Group], kind: str, unit: str, empty_text: str) -> None:
        """Paint other groups."""
        self.groups, self.kind, self.unit, self.empty_text = groups, kind, unit, empty_text
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        """Room for the plot and a legend line per group."""
        return QSize(300, self._height())

    def minimumSizeHint(self) -> QSize:
        """The same height."""
        return QSize(200, self._height())

    def _height(self) -> int:
        if not self.groups:
            return 60
        if self.kind == "boxes":
            return 46 + 46 * len(self.groups)
        return 170 + _LINE * 2 * len(self.groups)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ink = self.palette().color(QPalette.ColorRole.WindowText)
        painter.setPen(ink)
        if not self.groups:
            flags = int(Qt.AlignmentFlag.AlignCenter) | int(Qt.TextFlag.TextWordWrap)
            painter.drawText(self.rect(), flags, self.empty_text)
        elif self.kind == "boxes":
            self._boxes(painter, ink)
        else:
            self._histogram(painter, ink)
        painter.end()

    def _range(self, *, whole: bool) -> tuple[float, float]:
        """Ends of the axis of values."""
        cut = 0.0 if whole else _TAIL
        low = min(float(np.percentile(g.values, cut)) for g in self.groups)
        high = max(float(np.percentile(g.values, 100 - cut)) for g in self.groups)
        pad = 0.04 * (high - low) or abs(low) * 0.1 or 1.0
        return low - pad, high + pad

    def _axis(
        self, painter: QPainter, ink: QColor, plot: QRectF, low: float, high: float
    ) -> Callable[[float], float]:
        """The axis of values below the plot; returns where a value lies across."""

        def across(value: float) -> float:
            return plot.left() + (value - low) / (high - low) * plot.width()

        painter.setPen(QPen(ink, 1))
        painter.drawLine(plot.bottomLeft(), plot.bottomRight())
        for value in ticks(low, high, 5):
            x = across(value)
            painter.drawLine(QPointF(x, plot.bottom()), QPointF(x, plot.bottom() + 4))
            box = QRectF(x - 40, plot.bottom() + 4, 80, 14)
            text = f"{value:g}".replace("-", "−")
            painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), text)
        box = QRectF(plot.left(), plot.bottom() + 18, plot.width(), 14)
        painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), self.unit or "unit not known")
        return across

    def _histogram(self, painter: QPainter, ink: QColor) -> None:
        low, high = self._range(whole=False)
        plot = QRectF(12, 8, self.width() - 24, 118)
        across = self._axis(painter, ink, plot, low, high)
        edges = np.linspace(low, high, _BINS + 1)
        # Shares, so that a small region stands beside a large one.
        shares = [np.histogram(g.values, edges)[0] / g.values.size for g in self.groups]
        top = max(float(share.max()) for share in shares) or 1.0
        for group, share in zip(self.groups, shares, strict=True):
            points = [QPointF(across(low), plot.bottom())]
            for left, right, part in zip(edges[:-1], edges[1:], share, strict=True):
                y = plot.bottom() - plot.height() * float(part) / top
                points += [QPointF(across(left), y), QPointF(across(right), y)]
            points.append(QPointF(across(high), plot.bottom()))
            color = QColor(group.color)
            painter.setPen(QPen(color, 1.6, _style(group)))
            color.setAlpha(50)
            painter.setBrush(QBrush(color))
            painter.drawPolygon(QPolygonF(points))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for index, group in enumerate(self.groups):
            self._legend(painter, ink, group, 164 + 2 * _LINE * index)

    def _legend(self, painter: QPainter, ink: QColor, group: Group, top: float) -> None:
        middle = top + _LINE / 2
        painter.setPen(QPen(QColor(group.color), 2, _style(group)))
        painter.drawLine(QPointF(12, middle), QPointF(12 + _LEGEND_WIDTH, middle))
        painter.setPen(ink)
        left = 12 + _LEGEND_WIDTH + 6
        box = QRectF(left, top, self.width() - left - 6, _LINE)
        name = painter.fontMetrics().elidedText(
            group.name, Qt.TextElideMode.ElideMiddle, int(box.width())
        )
        painter.drawText(box, int(Qt.AlignmentFlag.AlignVCenter), name)
        box.translate(0, _LINE - 1)
        painter.drawText(box, int(Qt.AlignmentFlag.AlignVCenter), group.text)

    def _boxes(self, painter: QPainter, ink: QColor) -> None:
        low, high = self._range(whole=True)
        plot = QRectF(12, 6, self.width() - 24, 46 * len(self.groups) + 2)
        across = self._axis(painter, ink, plot, low, high)
        for index, group in enumerate(self.groups):
            top = plot.top() + 46 * index
            painter.setPen(ink)
            box = QRectF(plot.left(), top, plot.width(), _LINE)
            name = painter.fontMetrics().elidedText(
                f"{group.name}: {group.text}", Qt.TextElideMode.ElideMiddle, int(box.width())
            )
            painter.drawText(box, int(Qt.AlignmentFlag.AlignVCenter), name)
            self._one_box(painter, ink, group, top + 29, across)

    def _one_box(
        self,
        painter: QPainter,
        ink: QColor,
        group: Group,
        middle: float,
        across: Callable[[float], float],
    ) -> None:
        """Box from the 25th to the 75th percentile, whiskers to the extremes, mean ± SD below."""
        of = group.measures
        q1, median, q3 = (across(of.value(name)) for name in ("p25", "median", "p75"))
        color = QColor(group.color)
        painter.setPen(QPen(color, 1.6, _style(group)))
        for start, end in ((across(of.value("min")), q1), (q3, across(of.value("max")))):
            painter.drawLine(QPointF(start, middle), QPointF(end, middle))
        color.setAlpha(90)
        painter.setBrush(QBrush(color))
        painter.drawRect(QRectF(q1, middle - 7, max(q3 - q1, 1), 14))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(ink, 2))
        painter.drawLine(QPointF(median, middle - 7), QPointF(median, middle + 7))
        painter.setPen(QPen(ink, 1))
        painter.setBrush(QBrush(ink))
        painter.drawEllipse(QPointF(across(of.mean), middle + 11), 2.5, 2.5)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if of.sd == of.sd:
            ends = (across(of.mean - of.sd), across(of.mean + of.sd))
            painter.drawLine(QPointF(ends[0], middle + 11), QPointF(ends[1], middle + 11))


def _style(group: Group) -> Qt.PenStyle:
    return Qt.PenStyle.DashLine if group.dashed else Qt.PenStyle.SolidLine
