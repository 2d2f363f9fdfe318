"""The page on which a scan is read: its views, the panel beside them, and what each key does."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import QInputDialog, QWidget

from napari_qsm.arrays import Array
from napari_qsm.errors import QsmError
from napari_qsm.rois.guided import Step
from napari_qsm.session import Session
from napari_qsm.session.reading.flags import Flag
from napari_qsm.session.reading.work import ReadingWork
from napari_qsm.session.settings import load_settings
from napari_qsm.viewer import ui
from napari_qsm.viewer.reading.area import SliceArea
from napari_qsm.viewer.reading.brushing import Brushing
from napari_qsm.viewer.reading.panel import Acts, ReadingPanel
from napari_qsm.viewer.reading.placing import Placing

ENTER = (Qt.Key.Key_Return, Qt.Key.Key_Enter)
_ARROWS = {
    Qt.Key.Key_Left: (-1, 0),
    Qt.Key.Key_Right: (1, 0),
    Qt.Key.Key_Up: (0, 1),
    Qt.Key.Key_Down: (0, -1),
}
#: What arrows do where nothing is to be moved.
_SLICES = {Qt.Key.Key_Up: 1, Qt.Key.Key_Down: -1}
_ZOOMS = {Qt.Key.Key_Plus: 1.25, Qt.Key.Key_Equal: 1.25, Qt.Key.Key_Minus: 0.8}


class ReadingPage(QWidget):
    """One scan after the other, each from the region where it was left.

    Attributes
    ----------
    work : ReadingWork or None
        The scan that is shown.
    area : SliceArea
    placing, brushing : Placing and Brushing
        What the mouse does with a shape, and with a painted region.
    panel : ReadingPanel
    """

    #: A scan was handed in.
    submitted = Signal(object)
    #: The rater wants to leave the scan for now.
    paused = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("qsm.reading.page")
        self.work: ReadingWork | None = None
        self._heard = ui.Subscriptions()
        session = Session(blinded=True)
        known = load_settings().get("radiological")
        session.radiological = known if isinstance(known, bool) else True
        self.area = SliceArea(session)
        self.placing = Placing(self.area, self._place)
        self.brushing = Brushing(self.area, self._do)
        self.panel = ReadingPanel(
            Acts(
                take=self._take,
                back=self._back,
                ask_reason=self._ask_reason,
                not_visible=self._not_visible,
                leave_question=lambda: self._leave_question(),
                answer=self._answer,
                go_to=self._go_to,
                submit=self._submit,
                begin_anew=self._begin_anew,
            )
        )
        self.setLayout(ui.row((self.area.widget, 1), self.panel, spacing=0))
        self.area.entered.connect(self._on_entered)
        self.area.message.connect(self.panel.say)

    def show_work(self, work: ReadingWork) -> None:
        """Show a scan, where its rater left it."""
        self.let_go()
        self.work = work
        opened = work.opened
        self.area.show_scan(opened.chi, opened.magnitude, opened.mask, opened.window_ppm)
        self.placing.activate(work)
        self.brushing.activate(work)
        self.panel.show_work(work)
        self._heard.connect(work.changed, to=self._refresh)
        self._heard.connect(work.moved_on, to=self._look)

    def begin(self) -> None:
        """Look at the region in hand; the page is on show now."""
        self._look()
        self._refresh()
        self.area.main.native.setFocus()

    def let_go(self) -> None:
        """Work on the scan no more."""
        self._heard.dispose()
        self.work = None

    def dispose(self) -> None:
        """Close the views."""
        self.let_go()
        self.area.entered.disconnect(self._on_entered)
        self.placing.dispose()
        self.brushing.dispose()
        self.area.dispose()

    # -- acts -----------------------------------------------------------------------------

    def _do(self, act: Callable[[ReadingWork], object]) -> bool:
        """Do something with the scan on show; what cannot be done is said."""
        work = self.work
        if work is None:
            return False
        self.panel.say("")
        try:
            act(work)
        except QsmError as error:
            self.panel.say(str(error))
            return False
        return True

    def _take(self) -> None:
        self._do(lambda work: work.take())

    def _back(self) -> None:
        self._do(lambda work: work.back())

    def _go_to(self, region_name: str) -> None:
        self._do(lambda work: work.go_to(region_name))

    def _place(self, world_mm: Array) -> None:
        if self._do(lambda work: work.place(world_mm)):
            self._follow()
        else:
            self.area.repaint_all()

    def _nudge(self, right: int, up: int) -> None:
        if self._do(lambda work: work.nudge(self.placing.voxels(right, up))):
            self._follow()

    def _ask_reason(self) -> None:
        if self.work is not None and self.work.step is not None:
            self.panel.say("")
            self.panel.ask_reason(True)
            self._refresh()

    def _not_visible(self, reason: str, words: str) -> None:
        if self._do(lambda work: work.not_visible(reason, words)):
            self.area.main.native.setFocus()

    def _leave_question(self) -> None:
        self.panel.ask_reason(False)
        self._refresh()
        self.area.main.native.setFocus()

    def _answer(self, flag: Flag, words: str) -> None:
        if self._do(lambda work: work.answer(flag, words)):
            self.area.main.native.setFocus()
            self._look()
            self.area.repaint_all()

    def _begin_anew(self) -> None:
        self._do(lambda work: work.begin_anew())

    def _submit(self) -> None:
        work = self.work
        if work is None or work.is_submitted:
            return
        reason = ""
        if work.opened.file.amending and not work.missing():
            reason, given = QInputDialog.getText(
                self, f"Change {work.code}", "Why is it changed? The reason goes into the methods."
            )
            if not given:
                return
        if self._do(lambda work: work.submit(reason)):
            self.submitted.emit(work)

    # -- what is looked at ----------------------------------------------------------------

    def _look(self) -> None:
        """Go to the slice of the region in hand, in the plane of its shape, with its tool."""
        work = self.work
        if work is None:
            return
        self.panel.ask_reason(False)
        shape, middle = work.looked_at, work.middle_mm
        if shape is not None:
            self.area.session.large_plane = shape.plane
            self.area.go_to(np.array(shape.centre_mm))
        elif middle is not None:
            self.area.go_to(middle)
        elif isinstance(work.step, Step):
            self.area.session.large_plane = work.step.shape.plane
        if not self.brushing.hold():
            self.area.use_tool(self.placing)

    def _follow(self) -> None:
        """The crosshair goes along with the shape; the picture stays under the hand."""
        shape = None if self.work is None else self.work.shape
        if shape is not None:
            self.area.cross(np.array(shape.centre_mm))

    def _refresh(self) -> None:
        self.brushing.refresh()
        self.panel.refresh(self.placing.active.plane)
        self.area.repaint_all()

    def _on_entered(self, view: object) -> None:
        self.panel.show_plane(self.placing.active.plane)

    # -- keys -----------------------------------------------------------------------------

    def key(self, event: QKeyEvent) -> bool:
        """Take a key, if it is for the scan; all that a rater needs, without a menu."""
        key, modifiers = event.key(), event.modifiers()
        shift = bool(modifiers & Qt.KeyboardModifier.ShiftModifier)
        if key in ENTER and modifiers & Qt.KeyboardModifier.ControlModifier:
            self._submit()
        elif self.panel.is_asking:
            return self.panel.reasons.key(event)
        elif key in ENTER and self.work is not None and self.work.opened.stale:
            self._begin_anew()
        elif key in ENTER:
            self._back() if shift else self._take()
        elif self.brushing.key(event):
            pass
        elif key in _SLICES and self.brushing.is_in_hand:
            self.area.step(self.placing.active.plane, _SLICES[Qt.Key(key)])
        elif key in _ARROWS:
            self._nudge(*_ARROWS[Qt.Key(key)])
        elif key == Qt.Key.Key_N:
            self._ask_reason()
        elif key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self._do(lambda work: work.withdraw())
        elif key == Qt.Key.Key_M:
            self._magnitude()
        elif key == Qt.Key.Key_V:
            self.area.next_plane()
        elif key in _ZOOMS:
            self.area.zoom_by(_ZOOMS[Qt.Key(key)])
        elif key == Qt.Key.Key_Escape:
            self.paused.emit()
        elif self.work is not None and self.work.step is None and self.work.unanswered:
            return self.panel.questions.key(event)
        else:
            return False
        return True

    def _magnitude(self) -> None:
        if self.area.magnitude is None:
            self.panel.say("There is no magnitude of this scan at hand.")
        else:
            self.area.show_magnitude(not self.area.shows_magnitude)
