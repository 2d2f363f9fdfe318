"""Changes of the chosen region as a whole, and its image on the other side."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from qtpy.QtWidgets import QGridLayout, QLabel
from superqt.utils import signals_blocked

from napari_qsm.anatomy import DEPTH_AXIS, Plane, side_mm
from napari_qsm.errors import QsmError
from napari_qsm.rois.mirror import other_side_name
from napari_qsm.session import MapEntry, regions
from napari_qsm.session.painting import find_target
from napari_qsm.viewer import ui
from napari_qsm.viewer.regions.midline import midline_of, midline_outline
from napari_qsm.viewer.services import Services

_CHANGES = (
    ("smooth", "Smooth", "Round corners and notches off"),
    ("shrink", "Shrink", "Take a rim of this width away"),
    ("grow", "Grow", "Add a rim of this width, where no other region lies"),
    ("fill holes", "Fill holes", "Paint what the region encloses"),
    ("keep largest piece", "Largest piece", "Take away all but the largest connected piece"),
)


class ChangeBox(ui.Section):
    """Smooth, shrink, grow, fill, copy to the next slice, interpolate."""

    def __init__(self, context: Services) -> None:
        super().__init__("Change the region", "qsm.change", is_open=False)
        self._context = context
        self._by = ui.number(
            "qsm.change.by",
            lambda _: None,
            0.1,
            20,
            value=1.0,
            step=0.5,
            decimals=1,
            suffix=" mm",
            tip="How far to smooth, shrink or grow",
        )
        self._by.setMinimumWidth(122)
        self._how = ui.combo(
            "qsm.change.how",
            lambda _: None,
            [(None, "in 3-D"), ("slices", "slice by slice")],
            tip="Slices are those of the large view",
        )
        self.body.addLayout(ui.row(QLabel("By"), self._by, (self._how, 1)))
        grid = QGridLayout()
        grid.setSpacing(3)
        for place, (how, text, tip) in enumerate(_CHANGES):
            do = partial(self._do, partial(self._change, how))
            button = ui.button(text, f"qsm.change.{how.split()[0]}", do, tip=tip)
            grid.addWidget(button, place // 3, place % 3)
        self.body.addLayout(grid)
        self.body.addWidget(ui.quiet("Slices of the large view:"))
        up, down = (
            ui.button(f"Copy {where}", f"qsm.change.{where}", partial(self.copy, steps), tip=tip)
            for where, steps, tip in (
                ("up", 1, "Copy this slice's part to the next slice"),
                ("down", -1, "Copy it to the slice before"),
            )
        )
        between = ui.button(
            "Interpolate",
            "qsm.change.interpolate",
            self.interpolate,
            tip="Fill the empty slices between painted ones by their shapes",
        )
        self.body.addLayout(ui.row(up, down, between, spacing=3))

    def dispose(self) -> None:
        """Nothing is listened to here."""

    def _do(self, call: Callable[[], Any]) -> None:
        try:
            call()
        except QsmError as error:
            self._context.message(str(error))

    def _target(self) -> tuple[MapEntry, int]:
        target = find_target(self._context.session, self._context.controller.frame)
        return target.entry, target.index

    def _axis(self) -> int:
        return DEPTH_AXIS[self._context.controller.main.plane]

    def _change(self, how: str) -> None:
        entry, index = self._target()
        across = self._axis() if self._how.currentData() else None
        changed = regions.change_shape(
            self._context.session, entry, index, how, by_mm=self._by.value(), across=across
        )
        if not changed:
            self._context.message("Nothing to change: the region stays as it is.")

    def copy(self, steps: int, plane: Plane | None = None) -> None:
        """Copy what the region has on the slice under the crosshair to another, and go there.

        Parameters
        ----------
        steps : int
            How many slices away.
        plane : {"axial", "coronal", "sagittal"}, optional
            Which slices; those of the large view unless given.
        """
        plane = plane or self._context.controller.main.plane
        self._do(lambda: self._copy(steps, plane))

    def _copy(self, steps: int, plane: Plane) -> None:
        controller, axis = self._context.controller, DEPTH_AXIS[plane]
        target = find_target(self._context.session, controller.frame)
        assert controller.frame is not None
        display = controller.frame.world_to_display(self._context.session.crosshair_mm)
        here = target.voxel(display)[axis]
        if not 0 <= here < target.entry.volume.shape[axis]:
            raise QsmError("This slice lies outside the region map.")
        regions.copy_region_slice(
            self._context.session, target.entry, target.index, axis, here, here + steps
        )
        controller.step(plane, steps)

    def interpolate(self) -> None:
        """Fill the empty slices between drawn ones, those of the large view."""
        self._do(self._interpolate)

    def _interpolate(self) -> None:
        entry, index = self._target()
        regions.change_shape(
            self._context.session, entry, index, "interpolate", across=self._axis()
        )


class MirrorBox(ui.Section):
    """The midline, and the region's image on the other side of it."""

    def __init__(self, context: Services) -> None:
        super().__init__("The other side", "qsm.mirror", is_open=False)
        self._context = context
        self._session = context.session
        self._at = ui.number(
            "qsm.mirror.at",
            self._on_typed,
            -1000,
            1000,
            step=0.5,
            decimals=1,
            suffix=" mm",
            tip="Millimetres along the left-right axis; right is positive",
        )
        here = ui.button(
            "Midline here", "qsm.mirror.here", self._on_here, tip="Put the midline at the crosshair"
        )
        self._says = ui.quiet(" ", "qsm.mirror.says")
        self._line = ui.check(
            "Show the midline",
            "qsm.mirror.line",
            lambda _: context.controller.repaint_all(),
            on=True,
        )
        self._mirror = ui.button(
            "Mirror",
            "qsm.mirror.do",
            self._on_mirror,
            tip="Replaces what the region on the other side holds",
        )
        self.body.addLayout(ui.row(QLabel("Midline"), self._at, (here, 1)))
        for part in (self._says, self._line, self._mirror):
            self.body.addWidget(part)
        self.heading.toggled.connect(lambda _: context.controller.repaint_all())
        session = context.session
        self._heard = ui.Subscriptions()
        hear = self._heard.connect
        hear(session.case_events.midline_mm, to=self._on_midline)
        hear(
            session.events.active_region,
            session.events.painted,
            session.history.changed,
            context.controller.drawn_again,
            to=self.refresh,
        )
        context.controller.overlay_items.append(self._overlay)
        self.refresh()

    def dispose(self) -> None:
        """Stop listening."""
        self._heard.dispose()
        if self._overlay in self._context.controller.overlay_items:
            self._context.controller.overlay_items.remove(self._overlay)

    def refresh(self) -> None:
        """Show where the midline is and what the button does."""
        x_mm = self._session.case.midline_mm
        with signals_blocked(self._at):
            self._at.setValue(x_mm or 0.0)
        self._at.setEnabled(x_mm is not None)
        if x_mm is None:
            self._says.setText("Put the crosshair between the two sides, then press the button.")
        else:
            self._says.setText(f"The midline lies at {side_mm(0, x_mm)}: the dashed line.")
        row = self._row()
        self._mirror.setEnabled(row is not None and x_mm is not None)
        other = "" if row is None else other_side_name(row[1])
        self._mirror.setText(
            f"{row[1]}  →  {other}" if row is not None and other != row[1] else "Mirror"
        )

    def _row(self) -> tuple[MapEntry, str] | None:
        entry = self._session.entry(self._session.painted) if self._session.painted else None
        index = self._session.active_region
        if entry is None or index not in entry.regions:
            return None
        return entry, regions.region_of(entry, index).name

    def _overlay(self, view: Any) -> list[Any]:
        x_mm = self._session.case.midline_mm
        # Only while this box is open and seen: elsewhere the line would be in the way.
        if x_mm is None or not self._line.isChecked() or not self._line.isVisible():
            return []
        return list(midline_outline(view, x_mm))

    def _on_midline(self) -> None:
        self.refresh()
        self._context.controller.repaint_all()

    def _on_here(self) -> None:
        frame = self._context.controller.frame
        if frame is None:
            self._context.message("Open a map first.")
            return
        display = frame.world_to_display(np.array(self._session.crosshair_mm))
        self._session.case.midline_mm = float(display[0])

    def _on_typed(self, value: float) -> None:
        self._session.case.midline_mm = float(value)

    def _on_mirror(self) -> None:
        row = self._row()
        if row is None:
            return
        entry, name = row
        try:
            plane = midline_of(self._context.controller, entry)
            partner, missed = regions.mirror_region(
                self._session, entry, self._session.active_region, plane
            )
        except QsmError as error:
            self._context.message(str(error))
            return
        other = regions.region_of(entry, partner).name
        text = f"'{other}' is now the mirror image of '{name}'."
        if missed:
            text += f" {missed} voxels were left out: outside the map or in other regions."
        (self._context.message if missed else self._context.success)(text)
