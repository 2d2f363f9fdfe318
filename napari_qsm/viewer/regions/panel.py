"""Regions: the list, and the tools that draw them, one section below the other."""

from __future__ import annotations

from qtpy.QtWidgets import QWidget

from napari_qsm.viewer import ui
from napari_qsm.viewer.regions.charts import ChartsBox
from napari_qsm.viewer.regions.fixed_shapes import FixedShapesBox
from napari_qsm.viewer.regions.in_context import ContextBox
from napari_qsm.viewer.regions.looks_box import LooksBox
from napari_qsm.viewer.regions.paint import PaintBox
from napari_qsm.viewer.regions.proposals import ProposalBox
from napari_qsm.viewer.regions.region_edits import ChangeBox, MirrorBox
from napari_qsm.viewer.regions.region_list import RegionList
from napari_qsm.viewer.regions.table import RegionTable
from napari_qsm.viewer.services import Services


class RegionsPanel(QWidget):
    """Everything about regions, in sections."""

    title = "Regions"
    list: RegionList
    paint: PaintBox
    shapes: FixedShapesBox
    change: ChangeBox
    charts: ChartsBox
    context: ContextBox

    def __init__(self, services: Services, table: RegionTable) -> None:
        super().__init__()
        self.setObjectName("qsm.regions")
        self.list = RegionList(services)
        self.proposals = ProposalBox(services)
        self.paint = PaintBox(services)
        self.looks = LooksBox(services)
        self.shapes = FixedShapesBox(services)
        self.change = ChangeBox(services)
        self.mirror = MirrorBox(services)
        self.charts = ChartsBox(services, table)
        self.context = ContextBox(services, table)
        self.sections = (
            self.list, self.proposals, self.paint, self.looks, self.shapes, self.change, self.mirror,
            self.charts, self.context,
        )  # fmt: skip
        body = ui.panel(ui.column(*self.sections, None, spacing=6, margins=(6, 6, 6, 6)))
        self.setLayout(ui.column(ui.scrolled(body)))

    def dispose(self) -> None:
        """Stop listening."""
        for section in self.sections:
            section.dispose()
