"""Measure: highest and lowest value under a circle or in a region."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QWidget,
)
from superqt import QCollapsible

from napari_qsm.anatomy import DEPTH_AXIS, DRAWN_AXES, Plane, side_mm
from napari_qsm.arrays import Array
from napari_qsm.errors import QsmError
from napari_qsm.rois.statistics import region_name
from napari_qsm.session import MapEntry
from napari_qsm.session.appearance import shown_unit
from napari_qsm.session.blinding import HIDDEN, hides_values, shown_name
from napari_qsm.session.measuring import Extremes, in_region, under_circle
from napari_qsm.units import number, to_shown
from napari_qsm.viewer import ui
from napari_qsm.viewer.canvas.overlay_items import Ring
from napari_qsm.viewer.services import Services

if TYPE_CHECKING:
    from napari_qsm.viewer.canvas.slice_view import SliceView

_DEFAULT_MM = 8.0
#: A drag shorter than this is a click: the circle keeps its size.
_CLICK_MM = 1.0


class CircleTool:
    """Draws one circle: click for one of the chosen size, drag for any other."""

    def __init__(self, box: MeasureBox) -> None:
        self._box = box
        self.plane: Plane = "axial"
        self.centre: Array | None = None
        self.radius_mm = _DEFAULT_MM / 2

    def press(self, view: SliceView, at: Array) -> None:
        """The centre."""
        self.plane, self.centre = view.plane, np.array(at)
        self._box.measured()

    def drag(self, view: SliceView, at: Array) -> None:
        """The rim."""
        across, up = DRAWN_AXES[self.plane]
        if self.centre is None or view.plane != self.plane:
            return
        away = float(np.hypot(at[across] - self.centre[across], at[up] - self.centre[up]))
        if away >= _CLICK_MM:
            self.radius_mm = away
            self._box.measured()

    def release(self, view: SliceView, at: Array) -> None:
        """Done; the circle stays until the next one."""
        self._box.measured()

    def rings(self, view: SliceView, text: str) -> list[Ring]:
        """The circle as this view draws it, if it shows its slice."""
        if self.centre is None or view.plane != self.plane or view.is_3d:
            return []
        if abs(view.depth_mm - self.centre[DEPTH_AXIS[self.plane]]) > 1e-3:
            return []
        camera = view.camera()
        return [Ring(camera.to_pixel(self.centre), self.radius_mm * camera.zoom, text)]


class MeasureBox(QCollapsible):
    """The circle tool and the region choice, with the numbers they give."""

    def __init__(self, context: Services) -> None:
        super().__init__("Highest and lowest value")
        self.setObjectName("qsm.measure")
        self._context = context
        self._session = context.session
        self.tool = CircleTool(self)
        self._ring_text = ""
        self._last: Extremes | None = None
        body = QWidget()
        form = QFormLayout(body)
        form.setContentsMargins(4, 2, 4, 2)
        form.setVerticalSpacing(4)
        row = QHBoxLayout()
        self._circle = QPushButton("Draw a circle")
        self._circle.setObjectName("qsm.measure.circle")
        self._circle.setCheckable(True)
        self._circle.setToolTip("Click on a slice for a circle of this size, or drag one")
        self._circle.toggled.connect(self._on_circle)
        self._size = QDoubleSpinBox()
        self._size.setObjectName("qsm.measure.size")
        self._size.setRange(0.5, 200)
        self._size.setDecimals(1)
        self._size.setSuffix(" mm wide")
        self._size.setValue(_DEFAULT_MM)
        self._size.setKeyboardTracking(False)
        self._size.valueChanged.connect(self._on_size)
        row.addWidget(self._circle)
        row.addWidget(self._size)
        form.addRow(row)
        self._region = QComboBox()
        self._region.setObjectName("qsm.measure.region")
        self._region.activated.connect(self._on_region)
        self._region_title = QLabel("Region")
        form.addRow(self._region_title, self._region)
        self._result = QLabel()
        self._result.setObjectName("qsm.measure.result")
        self._result.setWordWrap(True)
        self._result.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        form.addRow(self._result)
        go = QHBoxLayout()
        self._to_high = QPushButton("Go to highest")
        self._to_high.setObjectName("qsm.measure.go_high")
        self._to_low = QPushButton("Go to lowest")
        self._to_low.setObjectName("qsm.measure.go_low")
        self._to_high.clicked.connect(lambda _=False: self._go("high_mm"))
        self._to_low.clicked.connect(lambda _=False: self._go("low_mm"))
        go.addWidget(self._to_high)
        go.addWidget(self._to_low)
        form.addRow(go)
        self.toggleButton().setStyleSheet(ui.FOLDING)
        self.addWidget(body)
        self.expand(animate=False)
        context.controller.overlay_items.append(self._rings)
        self._show(None, "")

    def dispose(self) -> None:
        """Put the tool away."""
        if self._rings in self._context.controller.overlay_items:
            self._context.controller.overlay_items.remove(self._rings)
        self._context.controller.use_tool(None)

    def refresh(self) -> None:
        """Offer the regions that are loaded."""
        wanted = []
        for labels in self._session.of_role("labels"):
            for key, region in sorted(labels.regions.items()):
                wanted.append((region_name(region) or f"region {key}", (labels.id, key)))
        known = [
            (self._region.itemText(i), self._region.itemData(i))
            for i in range(1, self._region.count())
        ]
        if known != wanted:
            self._region.clear()
            self._region.addItem("choose …", None)
            for name, data in wanted:
                self._region.addItem(name, data)
        for widget in (self._region, self._region_title):
            widget.setVisible(bool(wanted))
        if self.tool.centre is not None:
            self.measured()

    def measured(self) -> None:
        """Read the map under the circle as it is now."""
        entry, frame = self._target(), self._context.controller.frame
        self._size.blockSignals(True)
        self._size.setValue(2 * self.tool.radius_mm)
        self._size.blockSignals(False)
        if entry is None or frame is None or self.tool.centre is None:
            return
        try:
            found = under_circle(
                entry, frame, self.tool.plane, self.tool.centre, self.tool.radius_mm
            )
        except QsmError as error:
            self._ring_text = ""
            self._last = None
            self._result.setText(str(error))
        else:
            self._ring_text = f"max {self._value(entry, found.high)}\nmin " + self._value(
                entry, found.low
            )
            self._show(
                found,
                f"Circle {2 * self.tool.radius_mm:.1f} mm, {shown_name(self._session, entry)}",
            )
        self._context.controller.repaint_all()

    def _target(self) -> MapEntry | None:
        return self._context.controller.shown_in(self._context.controller.main)

    def _value(self, entry: MapEntry, value: float) -> str:
        if hides_values(self._session, entry):
            return HIDDEN
        unit = shown_unit(entry, self._session.unit)
        shown = to_shown(value, entry.volume.unit, self._session.unit)
        return f"{number(shown, unit)} {unit}".rstrip()

    def _show(self, found: Extremes | None, title: str) -> None:
        self._last = found
        entry = self._target()
        for button in (self._to_high, self._to_low):
            button.setEnabled(found is not None)
        if found is None or entry is None:
            self._result.setText("")
            return
        self._result.setText(
            f"<b>{title}</b><br>"
            f"highest <b>{self._value(entry, found.high)}</b> at {_place(found.high_mm)}<br>"
            f"lowest <b>{self._value(entry, found.low)}</b> at {_place(found.low_mm)}<br>"
            f"mean {self._value(entry, found.mean)}, SD {self._value(entry, found.sd)}, "
            f"{found.voxels} voxels"
        )

    def _rings(self, view: SliceView) -> list[Ring]:
        return self.tool.rings(view, self._ring_text)

    def _on_circle(self, on: bool) -> None:
        if not on:
            self.tool.centre = None
            self._ring_text = ""
            self._show(None, "")
        self._context.controller.use_tool(self.tool if on else None)
        self._circle.setText("Put the circle away" if on else "Draw a circle")
        self._context.controller.repaint_all()

    def _on_size(self, width_mm: float) -> None:
        self.tool.radius_mm = width_mm / 2
        if self.tool.centre is not None:
            self.measured()

    def _on_region(self, index: int) -> None:
        data = self._region.itemData(index)
        entry = self._target()
        if data is None or entry is None:
            return
        labels = self._session.entry(data[0])
        if labels is None:
            return
        try:
            self._show(in_region(entry, labels, data[1]), self._region.itemText(index))
        except QsmError as error:
            self._show(None, "")
            self._result.setText(str(error))

    def _go(self, which: str) -> None:
        if self._last is not None:
            self._context.controller.go_to(np.array(getattr(self._last, which)))


def _place(world_mm: tuple[float, float, float]) -> str:
    return ", ".join(side_mm(axis, world_mm[axis]) for axis in range(3))
