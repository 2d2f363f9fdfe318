"""Regions: the list, and the tools that draw them, one section below the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QScrollArea, QVBoxLayout, QWidget

from napari_qsm.viewer.context import PanelContext
from napari_qsm.viewer.regions.charts import ChartsBox
from napari_qsm.viewer.regions.fixed_shapes import FixedShapesBox
from napari_qsm.viewer.regions.paint import PaintBox
from napari_qsm.viewer.regions.region_edits import ChangeBox, MirrorBox
from napari_qsm.viewer.regions.region_list import RegionList

#: From top to bottom. A section is a widget made from a :class:`PanelContext`, with a
#: ``dispose()`` that stops it listening; a new one is one more line here.
SECTIONS: tuple[Callable[[PanelContext], Any], ...] = (
    RegionList,
    PaintBox,
    FixedShapesBox,
    ChangeBox,
    MirrorBox,
    ChartsBox,
)


class RegionsPanel(QWidget):
    """Everything about regions, in sections."""

    title = "Regions"

    def __init__(self, context: PanelContext) -> None:
        super().__init__()
        self.setObjectName("qsm.regions")
        body = QWidget()
        layout = QVBoxLayout(body)
        layout.setContentsMargins(8, 6, 8, 6)
        layout.setSpacing(6)
        self.sections = [make(context) for make in SECTIONS]
        for section in self.sections:
            layout.addWidget(section)
        layout.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(body)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scroll)

    def dispose(self) -> None:
        """Stop listening."""
        for section in self.sections:
            section.dispose()
