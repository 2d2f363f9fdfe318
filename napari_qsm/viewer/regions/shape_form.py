"""The kind and size of the shape in hand, and what they come to on the map."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from math import prod
from typing import Any

from qtpy.QtWidgets import QComboBox, QGridLayout, QLabel, QWidget
from superqt.utils import signals_blocked

from napari_qsm.anatomy import DEPTH_AXIS
from napari_qsm.errors import QsmError
from napari_qsm.rois.canonical_grid import canonical_spacing
from napari_qsm.rois.shape_changes import with_area, with_volume
from napari_qsm.rois.shapes import FEW_VOXELS, FLAT, SIZES, TURNABLE, Kind, nominal
from napari_qsm.viewer import ui
from napari_qsm.viewer.regions.shape_work import ShapeWork

#: Sizes offered when a kind is first chosen, mm.
_FIRST: dict[Kind, tuple[float, ...]] = {
    "circle": (6.0,),
    "ellipse": (10.0, 5.0),
    "rectangle": (8.0, 5.0),
    "sphere": (6.0,),
    "ellipsoid": (10.0, 6.0, 6.0),
    "cylinder": (6.0, 6.0),
}
_SHORT = QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
_NO_REGION = "none yet"


class ShapeForm(QWidget):
    """What the next click places."""

    def __init__(self, work: ShapeWork) -> None:
        super().__init__()
        self._work = work
        self._sizes: dict[Kind, tuple[float, ...]] = dict(_FIRST)
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(6)
        grid.setVerticalSpacing(4)
        grid.setColumnStretch(1, 1)
        grid.setColumnStretch(3, 1)
        self._kind = ui.combo(
            "qsm.shapes.kind", self._on_kind, [(kind, kind.capitalize()) for kind in SIZES]
        )
        self._slices = ui.whole_number(
            "qsm.shapes.slices",
            lambda n: self._change(slices=n),
            1,
            100,
            tip="On how many slices. An even number reaches one slice further to the top (front, "
            "right) from the one you click",
        )
        self._slices.setMinimumWidth(70)
        self._size = [
            _number(f"qsm.shapes.size{n}", self._on_size, " mm", 0.1, 300, 0.5) for n in range(3)
        ]
        self._turn = _number(
            "qsm.shapes.turn",
            lambda value: self._change(rotation_deg=value),
            "°",
            -89.9,
            90,
            5.0,
            tip="From the patient's right towards the front (sagittal: front to top)",
        )
        tip = "Another way to give the size; widths in mm follow and are what counts"
        self._area = _number("qsm.shapes.area", self._on_area, " mm²", 0.1, 90_000, 5.0, tip)
        self._volume = _number(
            "qsm.shapes.volume", self._on_volume, " mm³", 0.1, 27_000_000, 10.0, tip
        )
        self._titles = [QLabel() for _ in range(3)]
        self._slices_title, self._turn_title = QLabel("Slices"), QLabel("Turn")
        cells: tuple[tuple[int, int, QWidget, QWidget], ...] = (
            (1, 0, self._titles[0], self._size[0]),
            (1, 2, self._titles[1], self._size[1]),
            # No kind has both a third width and slices.
            (2, 0, self._titles[2], self._size[2]),
            (2, 0, self._slices_title, self._slices),
            (2, 2, self._turn_title, self._turn),
            (3, 0, QLabel("Area"), self._area),
            (3, 2, QLabel("Volume"), self._volume),
        )
        for row, column, title, widget in cells:
            grid.addWidget(title, row, column)
            grid.addWidget(widget, row, column + 1)
        grid.addWidget(QLabel("Shape"), 0, 0)
        grid.addWidget(self._kind, 0, 1, 1, 3)
        self._region = QComboBox()
        self._region.setObjectName("qsm.shapes.region")
        self._region.setEditable(True)
        self._region.setMinimumContentsLength(8)
        self._region.setSizeAdjustPolicy(_SHORT)
        self._region.setToolTip("The region that the next shape stands for; write a new name here")
        self._region.activated.connect(lambda _=0: self._on_region())
        line = self._region.lineEdit()
        if line is not None:
            line.editingFinished.connect(self._on_region)
        grid.addWidget(QLabel("Region"), 4, 0)
        grid.addWidget(self._region, 4, 1, 1, 3)
        self._snap = ui.check(
            "same voxel count everywhere",
            "qsm.shapes.snap",
            lambda on: self._change(snapped=on),
            tip="Shapes keep to the voxel grid, so that each placement is as large",
        )
        self._result = ui.label("", "qsm.shapes.result")
        self.setLayout(ui.column(grid, self._snap, self._result))
        work.template_changed.connect(self.show_template)
        self.refresh()

    def dispose(self) -> None:
        """Stop listening."""
        self._work.template_changed.disconnect(self.show_template)

    def refresh(self) -> None:
        """Offer the regions of the label map; tell what the shape comes to on the map."""
        labels = self._work.labels
        regions = labels.regions if labels is not None else {}
        wanted = [_NO_REGION, *(r.name for _, r in sorted(regions.items()))]
        if [self._region.itemText(i) for i in range(self._region.count())] != wanted:
            self._region.clear()
            self._region.addItems(wanted)
        self.show_template()

    def show_template(self) -> None:
        """Show the shape in hand."""
        shape = self._work.template
        kind = shape.kind
        self._sizes[kind] = shape.size_mm
        names = SIZES[kind]
        area, volume = nominal(shape, self._slice_mm())
        fields = (self._kind, self._slices, self._turn, self._area, self._volume, self._snap)
        with ExitStack() as silence:
            for field in (*fields, self._region, *self._size):
                silence.enter_context(signals_blocked(field))
            self._kind.setCurrentIndex(self._kind.findData(kind))
            for number, (title, field) in enumerate(zip(self._titles, self._size, strict=True)):
                used = number < len(names)
                title.setText(names[number].capitalize() if used else "")
                title.setVisible(used)
                field.setVisible(used)
                if used:
                    field.setValue(shape.size_mm[number])
            self._slices.setValue(shape.slices)
            self._turn.setValue(shape.rotation_deg)
            self._area.setValue(area)
            self._volume.setValue(volume)
            self._snap.setChecked(shape.snapped)
            self._region.setEditText(shape.region_name or _NO_REGION)
        for widget in (self._slices_title, self._slices):
            widget.setVisible(kind in FLAT)
        for widget in (self._turn_title, self._turn):
            widget.setVisible(kind in TURNABLE)
        self._show_result()

    def _show_result(self) -> None:
        found = self._work.realised()
        if found is None:
            self._result.setText("Open a map to see how many voxels this is.")
            return
        if not self._work.template.snapped:
            self._result.setText("<b>The count differs from click to click</b>, off the grid.")
            return
        text = (
            f"On this map each is <b>{found.words}</b> (by its size "
            f"{found.nominal_area_mm2:.1f} mm², {found.nominal_volume_mm3:.1f} mm³)."
        )
        if found.few:
            text += f"<br><b>! Fewer than {FEW_VOXELS} voxels:</b> a mean over them says little."
        self._result.setText(text)

    def _slice_mm(self) -> float:
        volume = self._work.volume
        depth = DEPTH_AXIS[self._work.template.plane]
        return canonical_spacing(volume)[depth] if volume is not None else 1.0

    def _change(self, **changes: object) -> None:
        try:
            self._work.set_template(**changes)
        except QsmError as error:
            self._work.controller.message.emit(str(error))
            self.show_template()

    def _on_kind(self, kind: Kind) -> None:
        hand = self._work.template
        self._change(
            kind=kind,
            size_mm=self._sizes[kind],
            slices=hand.slices if kind in FLAT else 1,
            rotation_deg=hand.rotation_deg if kind in TURNABLE else 0.0,
        )

    def _on_size(self, _: float) -> None:
        shape = self._work.template
        # What is shown is rounded; only the number that was changed may replace the exact one.
        sizes = tuple(
            spin.value() if abs(spin.value() - size) > 0.005 + 1e-9 else size
            for spin, size in zip(self._size, shape.size_mm, strict=False)
        )
        self._change(size_mm=sizes)

    def _on_area(self, area: float) -> None:
        shape = self._work.template
        self._sized(lambda: with_area(shape.kind, shape.size_mm, area))

    def _on_volume(self, volume: float) -> None:
        shape = self._work.template
        height = shape.slices * self._slice_mm()
        self._sized(lambda: with_volume(shape.kind, shape.size_mm, volume, height))

    def _sized(self, sizes: object) -> None:
        assert callable(sizes)
        try:
            found = sizes()
        except QsmError as error:
            self._work.controller.message.emit(str(error))
            self.show_template()
            return
        if prod(found) > 0:
            self._change(size_mm=found)

    def _on_region(self) -> None:
        text = self._region.currentText().strip()
        name = "" if text == _NO_REGION else text
        if name != self._work.template.region_name:
            self._change(**self._work.region_fields(name))


def _number(
    name: str,
    slot: Callable[[float], Any],
    suffix: str,
    low: float,
    high: float,
    step: float,
    tip: str = "",
) -> ui.NumberField:
    """A narrow field; buttons would leave no room for the unit, and arrow keys step as well."""
    decimals = 2 if suffix == " mm" else 1
    made = ui.number(
        name, slot, low, high, step=step, decimals=decimals, suffix=suffix, tip=tip, buttons=False
    )
    made.setMinimumWidth(70)
    made.setStyleSheet("QDoubleSpinBox { padding: 1px 2px; }")
    return made
