"""A histogram or a box plot of a few regions."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt
from qtpy.QtGui import QPainter, QPaintEvent

from napari_qsm.figures.page import Page
from napari_qsm.figures.plots import (
    Group,
    boxes_height,
    distributions_height,
    draw_boxes,
    draw_distributions,
)
from napari_qsm.viewer.plot import Plot

_EMPTY_MM = 16.0


class Chart(Plot):
    """Shows groups; kind is ``"histogram"`` or ``"boxes"``."""

    def __init__(self) -> None:
        super().__init__("qsm.charts.canvas")
        self.groups: Sequence[Group] = []
        self.kind = "histogram"
        self.unit = ""
        self.empty_text = ""

    def show_groups(self, groups: list[Group], kind: str, unit: str, empty_text: str) -> None:
        """Show other groups."""
        self.groups, self.kind, self.unit, self.empty_text = groups, kind, unit, empty_text
        self.changed()

    def height_mm(self) -> float:
        """Room for the plot and what is written to each group."""
        if not self.groups:
            return _EMPTY_MM
        height = boxes_height if self.kind == "boxes" else distributions_height
        return height(self.ruler, self.groups)

    def draw_on(self, page: Page) -> None:
        """The plot."""
        draw = draw_boxes if self.kind == "boxes" else draw_distributions
        draw(page, page.rect, self.groups, self.unit)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """The plot, or what to do for one."""
        if self.groups:
            super().paintEvent(event)
            return
        painter = QPainter(self)
        painter.setPen(self.ink())
        flags = int(Qt.AlignmentFlag.AlignCenter) | int(Qt.TextFlag.TextWordWrap)
        painter.drawText(self.rect(), flags, self.empty_text)
        painter.end()
