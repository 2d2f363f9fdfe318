"""Measure: highest and lowest value under a circle or in a region."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from qtpy.QtWidgets import QLabel
from superqt.utils import signals_blocked

from napari_qsm.anatomy import DEPTH_AXIS, DRAWN_AXES, Plane, side_mm
from napari_qsm.arrays import Array
from napari_qsm.errors import QsmError
from napari_qsm.rois.region import name_of
from napari_qsm.session import MapEntry
from napari_qsm.session.appearance import shown_unit
from napari_qsm.session.blinding import HIDDEN, hides_values, shown_name
from napari_qsm.session.measuring import Extremes, in_region, under_circle
from napari_qsm.units import number, to_shown
from napari_qsm.viewer import ui
from napari_qsm.viewer.canvas.overlay_items import Ring
from napari_qsm.viewer.canvas.slice_view import SliceView
from napari_qsm.viewer.services import Services

_DEFAULT_MM = 8.0
#: A drag shorter than this is a click: the circle keeps its size.
_CLICK_MM = 1.0


class CircleTool:
    """Draws one circle: click for one of the chosen size, drag for any other."""

    def __init__(self, measured: Callable[[], None]) -> None:
        self._measured = measured
        self.plane: Plane = "axial"
        self.centre: Array | None = None
        self.radius_mm = _DEFAULT_MM / 2

    def press(self, view: SliceView, at: Array) -> None:
        """The centre."""
        self.plane, self.centre = view.plane, np.array(at)
        self._measured()

    def drag(self, view: SliceView, at: Array) -> None:
        """The rim."""
        across, up = DRAWN_AXES[self.plane]
        if self.centre is None or view.plane != self.plane:
            return
        away = float(np.hypot(at[across] - self.centre[across], at[up] - self.centre[up]))
        if away >= _CLICK_MM:
            self.radius_mm = away
            self._measured()

    def release(self, view: SliceView, at: Array) -> None:
        """Done; the circle stays until the next one."""
        self._measured()

    def rings(self, view: SliceView, text: str) -> list[Ring]:
        """The circle as this view draws it, if it shows its slice."""
        if self.centre is None or view.plane != self.plane or view.is_3d:
            return []
        if abs(view.depth_mm - self.centre[DEPTH_AXIS[self.plane]]) > 1e-3:
            return []
        camera = view.camera()
        return [Ring(camera.to_pixel(self.centre), self.radius_mm * camera.zoom, text)]


class MeasureBox(ui.Section):
    """The circle tool and the region choice, with the numbers they give."""

    def __init__(self, context: Services) -> None:
        super().__init__("Highest and lowest value", "qsm.measure", is_open=True)
        self._context = context
        self._session = context.session
        self.tool = CircleTool(self.measured)
        self._ring_text = ""
        self._last: Extremes | None = None
        circle = self._circle = ui.toggle(
            "Draw a circle",
            "qsm.measure.circle",
            self._on_circle,
            tip="Click on a slice for a circle of this size, or drag one",
        )
        self._size = ui.number(
            "qsm.measure.size",
            self._on_size,
            0.5,
            200,
            value=_DEFAULT_MM,
            decimals=1,
            suffix=" mm wide",
        )
        self._region = ui.combo("qsm.measure.region", self._on_region)
        self._region_title = QLabel("Region")
        self._result = ui.label("", "qsm.measure.result", selectable=True)
        self._to_high, self._to_low = (
            ui.button(f"Go to {end}est", f"qsm.measure.go_{end}", partial(self._go, end))
            for end in ("high", "low")
        )
        form = ui.form(
            ui.row(circle, self._size, spacing=6),
            (self._region_title, self._region),
            self._result,
            ui.row(self._to_high, self._to_low, spacing=6),
        )
        form.setContentsMargins(0, 0, 0, 0)
        self.body.addLayout(form)
        context.controller.overlay_items.append(self._overlay)
        self._show(None, "")

    def dispose(self) -> None:
        """Put the tool away."""
        self._context.controller.overlay_items.remove(self._overlay)
        self._context.controller.use_tool(None)

    def refresh(self) -> None:
        """Offer the regions that are loaded."""
        wanted: list[tuple[tuple[str, int] | None, str]] = [
            ((labels.id, key), name_of(labels.regions, key))
            for labels in self._session.of_role("labels")
            for key in sorted(labels.regions)
        ]
        chosen = self._region.currentData()
        ui.show_choices(self._region, [(None, "choose …"), *wanted], chosen)
        if self._region.currentIndex() < 0:
            self._region.setCurrentIndex(0)
        for widget in (self._region, self._region_title):
            widget.setVisible(bool(wanted))
        if self.tool.centre is not None:
            self.measured()

    def measured(self) -> None:
        """Read the map under the circle as it is now."""
        entry, frame = self._target(), self._context.controller.frame
        with signals_blocked(self._size):
            self._size.setValue(2 * self.tool.radius_mm)
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
        return self._context.controller.worked_map

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

    def _overlay(self, view: SliceView) -> list[Ring]:
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

    def _on_region(self, data: tuple[str, int] | None) -> None:
        entry = self._target()
        if data is None or entry is None:
            return
        labels = self._session.entry(data[0])
        if labels is None:
            return
        try:
            self._show(in_region(entry, labels, data[1]), self._region.currentText())
        except QsmError as error:
            self._show(None, "")
            self._result.setText(str(error))

    def _go(self, end: str) -> None:
        if self._last is not None:
            self._context.controller.go_to(
                np.array(self._last.high_mm if end == "high" else self._last.low_mm)
            )


def _place(world_mm: tuple[float, float, float]) -> str:
    return ", ".join(side_mm(axis, world_mm[axis]) for axis in range(3))
