"""The position of a panel's slice, typed or stepped from slice to slice."""

from __future__ import annotations

from qtpy.QtGui import QValidator
from qtpy.QtWidgets import QDoubleSpinBox
from superqt.utils import signals_blocked

from napari_qsm import typed
from napari_qsm.anatomy import DEPTH_AXIS, side_mm
from napari_qsm.errors import QsmError
from napari_qsm.figures.panels import ImagePanel
from napari_qsm.session.figure.marks import panel_slice
from napari_qsm.viewer import ui
from napari_qsm.volume import Volume


class SliceSpin(QDoubleSpinBox):
    """A position along an axis that steps from slice to slice: ``"S 4.0 mm"``."""

    def __init__(self) -> None:
        super().__init__()
        self._axis = 2
        self.setDecimals(3)
        self.setKeyboardTracking(False)
        ui.spare_wheel(self)

    def show_slice(self, volume: Volume, panel: ImagePanel) -> None:
        """Show a panel's slice, in silence, and step by the slices of a volume."""
        axis = self._axis = DEPTH_AXIS[panel.plane]
        count = volume.shape[axis]
        first, last = (
            panel_slice(_numbered(panel, number), volume).position_mm for number in (1, count)
        )
        with signals_blocked(self):
            self.setRange(first, last)
            self.setSingleStep((last - first) / max(count - 1, 1))
            self.setValue(panel_slice(panel, volume).position_mm)

    def textFromValue(self, v: float) -> str:
        """``"S 4.0 mm"``."""
        return side_mm(self._axis, v)

    def valueFromText(self, text: str | None) -> float:
        """Letter and number, or a number with its sign."""
        words = (text or "").replace("mm", " ").strip()
        sign = -1.0 if words[:1].upper() in ("I", "P", "L") else 1.0
        try:
            wanted = sign * typed.number(words.lstrip("SIAPRLsiaprl "), "Slice")
        except QsmError:
            return self.value()
        step = self.singleStep() or 1.0  # to the middle of the nearest slice
        return self.minimum() + round((wanted - self.minimum()) / step) * step

    def validate(self, text: str | None, pos: int) -> tuple[QValidator.State, str, int]:
        """Anything may be typed; what makes no sense changes nothing."""
        return QValidator.State.Acceptable, text or "", pos


def _numbered(panel: ImagePanel, number: int) -> ImagePanel:
    """The panel at another slice, by its number from 1."""
    place = {"slice_index": number, "slice_mm": None, "through_mm": None}
    return panel.model_copy(update=place)
