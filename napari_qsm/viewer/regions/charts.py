"""How the values of the marked regions are spread: histogram or box plot, live."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtCore import QTimer
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QComboBox, QWidget

from napari_qsm.errors import QsmError
from napari_qsm.figures.plots import Group
from napari_qsm.rois.files import write_table
from napari_qsm.rois.histogram import histogram_frame
from napari_qsm.rois.sums import measures_of
from napari_qsm.session.table.numbers import Row, ShownMap
from napari_qsm.units import decimals, factor, mean_sd, percent, with_unit
from napari_qsm.viewer import ui
from napari_qsm.viewer.dialogs import ask_save_file
from napari_qsm.viewer.regions.chart import Chart
from napari_qsm.viewer.regions.table import RegionTable
from napari_qsm.viewer.services import Services

#: Least time between two drawings: numbers run with the hand, pictures need not.
_EVERY_MS = 250
_MOST = 8
_FILTERS = "Table (*.csv);;Excel workbook (*.xlsx);;Table with tabs (*.tsv);;JSON (*.json)"
_KINDS = (("Histogram", "histogram"), ("Box plot with mean ± SD", "boxes"))


class ChartsBox(ui.Section):
    """Follows the rows that are marked in the table of regions."""

    def __init__(self, services: Services, table: RegionTable) -> None:
        super().__init__("Distribution", "qsm.charts", is_open=False)
        self._services = services
        self._table = table
        self.kind = QComboBox()
        self.kind.setObjectName("qsm.charts.kind")
        for text, kind in _KINDS:
            self.kind.addItem(text, kind)
        self.kind.currentIndexChanged.connect(self.update_soon)
        self.chart = Chart()
        self.save = ui.button(
            "Save histograms…",
            "qsm.charts.save",
            self._ask_save,
            tip="Counts of the marked regions, else of all, in bins of 5 ppb",
        )
        self.body.addLayout(ui.row(self.kind, self.save))
        self.body.addWidget(self.chart)
        note: QWidget = ui.quiet(
            "Mark rows in the table below; Ctrl + click marks several. Maps chosen there under "
            "“More maps” are drawn dashed."
        )
        self.body.addWidget(note)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_EVERY_MS)
        self._timer.timeout.connect(self.update_now)
        self.heading.toggled.connect(self.update_soon)
        table.updated.connect(self.update_soon)

    def dispose(self) -> None:
        """Stop listening."""
        self._timer.stop()
        self._table.updated.disconnect(self.update_soon)

    def showEvent(self, event: QShowEvent | None) -> None:
        """Catch up."""
        super().showEvent(event)
        self.update_soon()

    def update_soon(self, *_: Any) -> None:
        """Draw shortly; many changes in a row cost one drawing."""
        if self.is_open and self.isVisible() and not self._timer.isActive():
            self._timer.start()

    def update_now(self) -> None:
        """Draw the marked regions."""
        table = self._table
        rows = table.selected_rows() or self._active_rows()
        text = "Mark one or more rows in the table."
        if rows and all(row.hidden for row in rows):
            text = "Hidden until the region is locked."
        groups: list[Group]
        try:
            groups = self._groups([row for row in rows if not row.hidden])
        except QsmError as error:
            groups, text = [], str(error)
        unit = table.maps[0].unit if table.maps else ""
        if rows and not groups and not all(row.hidden for row in rows):
            text = "These regions have no voxels with a number."
        self.chart.show_groups(groups, self.kind.currentData(), unit, text)

    def _active_rows(self) -> list[Row]:
        active = self._services.session.active_region
        rows = self._table.rows()
        return [row for row in rows if active and row.label == active and row.shape is None]

    def _groups(self, rows: list[Row]) -> list[Group]:
        """Marked regions on the first map and on all others in the same unit."""
        maps: list[ShownMap] = self._table.maps
        same_unit = [shown for shown in maps if shown.unit == maps[0].unit]
        groups: list[Group] = []
        for row in rows:
            for index, shown in enumerate(same_unit):
                if shown.entry.id not in row.measures or len(groups) == _MOST:
                    continue
                values = self._table.numbers.values(row, shown) * shown.factor
                values = values[np.isfinite(values)]
                if values.size:
                    name = row.name if len(same_unit) == 1 else f"{row.name}, {shown.name}"
                    groups.append(self._group(name, row.color, values, shown, dashed=index > 0))
        return groups

    def _group(self, name: str, color: str, values: Any, shown: ShownMap, *, dashed: bool) -> Group:
        limit = self._table.choice_now().high.of(name) if shown.entry.in_ppm else None
        high_from = math.nan if limit is None else limit * factor("ppm", shown.unit)
        measures = measures_of(values, high_from)
        text = mean_sd(measures.mean, measures.sd, decimals(shown.unit, abs(measures.mean)))
        unit = f" {shown.unit}" if shown.unit else ""
        text += f"{unit}, {measures.numbers} voxels"
        if limit is not None:
            share = percent(measures.value("high_fraction"), 0)
            text += f", {share} above {with_unit(high_from, shown.unit)}"
        return Group(name, color, values, measures, text, dashed, high_from)

    def _ask_save(self) -> None:
        chosen = ask_save_file(self, "Save histograms", "histograms.csv", _FILTERS)
        if chosen is not None:
            self.save_histograms(chosen[0])

    def save_histograms(self, path: Path) -> None:
        """Write the counts of the marked regions, else of all, on the first map."""
        table = self._table
        table.settle()
        rows = [row for row in table.selected_rows() or table.rows() if not row.hidden]
        try:
            if not table.maps or not rows:
                raise QsmError("There is no region whose values can be counted.")
            first = table.maps[0]
            told = [
                (row.label, row.name, row.side, table.numbers.values(row, first))
                for row in rows
                if first.entry.id in row.measures
            ]
            width = None if first.entry.in_ppm else self._breadth(told)
            frame = histogram_frame(told, unit=first.unit, factor_=first.factor, width=width)
            write_table(frame, path)
        except QsmError as error:
            self._services.message(str(error))
            return
        self._services.success(f"Wrote '{path.name}' into '{path.parent}'.")

    def _breadth(self, told: list[Any]) -> float:
        """Of a bin for maps without a usual one: about forty over the range of the values."""
        values = np.concatenate([row[3][np.isfinite(row[3])] for row in told] or [np.zeros(1)])
        spread = float(np.ptp(values)) if values.size else 0.0
        return 10.0 ** round(math.log10(spread / 40)) if spread > 0 else 1.0
