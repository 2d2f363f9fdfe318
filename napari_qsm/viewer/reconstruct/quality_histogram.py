"""How often each susceptibility occurs in the map, as in the report."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtGui import QColor, QMouseEvent
from qtpy.QtWidgets import QToolTip

from napari_qsm.figures.lettering import Rect
from napari_qsm.figures.page import Page
from napari_qsm.figures.plots import draw_histogram
from napari_qsm.qc.quality import HISTOGRAM_EDGES_PPM, QualityReport
from napari_qsm.units import fixed, percent
from napari_qsm.viewer import ui
from napari_qsm.viewer.plot import MM, Plot

_HEIGHT_MM = 33.0


class Histogram(Plot):
    """Bars of 0.01 ppm, with zero marked; hovering tells a bar's share.

    Parameters
    ----------
    ink : callable
        The colour of text and axis now.
    unit : callable
        "ppm" or "ppb".
    """

    def __init__(self, ink: Callable[[], QColor], unit: Callable[[], str]) -> None:
        super().__init__("qsm.quality.histogram")
        self._ink, self._unit = ink, unit
        self._quality: QualityReport | None = None
        self._bars = Rect(0, 0, 0, 0)
        self.setMouseTracking(True)

    def height_mm(self) -> float:
        """Always the same."""
        return _HEIGHT_MM

    def ink(self) -> QColor:
        """The ink of the window's theme."""
        return self._ink()

    def show_quality(self, quality: QualityReport | None) -> None:
        """Draw another map's values."""
        self._quality = quality
        self.setVisible(quality is not None)
        self.changed()

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

    def draw_on(self, page: Page) -> None:
        """Bars, axis, numbers."""
        if self._quality is None or not self.bars:
            return
        edges = [edge * self._factor for edge in HISTOGRAM_EDGES_PPM]
        title = f"susceptibility in the map ({self._unit()})"
        counts = self._quality.histogram
        self._bars = draw_histogram(page, page.rect, edges, counts, title, colour=ui.ACCENT)

    @property
    def _factor(self) -> float:
        return 1000.0 if self._unit() == "ppb" else 1.0

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        """Tell the bar below the mouse."""
        quality = self._quality
        if event is None or quality is None or not quality.histogram or not self._bars.width:
            return
        place = event.pos()
        n = int((place.x() * MM - self._bars.left) / self._bars.width * len(quality.histogram))
        if not 0 <= n < len(quality.histogram):
            QToolTip.hideText()
            return
        whole = sum(quality.histogram) + quality.below_histogram + quality.above_histogram
        ends = (HISTOGRAM_EDGES_PPM[m] * self._factor for m in (n, n + 1))
        low, high = (fixed(end, 0 if self._unit() == "ppb" else 2) for end in ends)
        share = percent(quality.histogram[n] / whole, 2)
        text = f"{low} to {high} {self._unit()}: {share} of the map"
        QToolTip.showText(self.mapToGlobal(place), text, self)
