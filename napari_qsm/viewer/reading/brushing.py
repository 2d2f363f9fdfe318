"""Brush and eraser on the painted regions of a scan that is read, and how these are shown."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtGui import QKeyEvent

from napari_qsm.arrays import Array, Box
from napari_qsm.compositing import Sheet, label_colours, outline_pixels
from napari_qsm.session import MapEntry
from napari_qsm.session.painting import Kind
from napari_qsm.session.reading.work import ReadingWork
from napari_qsm.study.painted import PaintedStep, painted_regions
from napari_qsm.viewer import ui
from napari_qsm.viewer.canvas.layers import drawn
from napari_qsm.viewer.canvas.slice_view import SliceView
from napari_qsm.viewer.reading.area import SliceArea
from napari_qsm.viewer.regions.painter import Painter

#: Of what is in hand, and of the other regions: red, green, blue.
_IN_HAND, _OTHERS = (1.0, 0.84, 0.25), (0.5, 0.77, 1.0)
_FILL = 0.45
#: Keys of a painted region, and what they do.
KEYS = (
    ("left button", "paint; the right one erases"),
    ("B, E", "brush, eraser"),
    ("[ ]", "narrower, wider"),
    ("Ctrl Z, Ctrl Y", "undo, redo"),
    ("O", "outlines, and back"),
)


class Brushing:
    """Lets the rater paint the region in hand; what is painted is kept at the end of each stroke.

    Parameters
    ----------
    area : SliceArea
    do : callable
        Does something with the scan on show; False where that cannot be done, which is then said.
    """

    def __init__(
        self, area: SliceArea, do: Callable[[Callable[[ReadingWork], object]], bool]
    ) -> None:
        self._area, self._do = area, do
        self._work: ReadingWork | None = None
        self._entry: MapEntry | None = None
        self._kind: Kind = "brush"
        self._outlined = False
        self._contour: tuple[int, Array] | None = None
        self.painter = _Brush(area, lambda: do(lambda work: work.take_contour()))
        self._heard = ui.Subscriptions()
        session = area.session
        self._heard.connect(session.history.changed, to=self._on_history)
        self._heard.connect(session.labels_edited, to=self._on_edited)
        area.sheets_over.append(self.sheets)

    def dispose(self) -> None:
        """Let go of the views."""
        self._heard.dispose()
        self._work = self._entry = None
        self._area.sheets_over.remove(self.sheets)
        self.painter.dispose()

    def activate(self, work: ReadingWork) -> None:
        """Work on another scan, which the views show already."""
        session = self._area.session
        self._work = self._entry = self._contour = None
        session.history.clear()  # nothing of another scan comes back
        if not work.painted.is_wanted:
            return
        opened = work.opened
        labels = opened.chi.with_data(work.painted.values, unit="")
        entry = session.add(
            labels,
            role="labels",
            name=work.code,
            regions={region.index: region for region in painted_regions(work.steps)},
            linked=False,
            select=False,
        )
        session.painted = entry.id
        session.history.clear()
        self._work, self._entry = work, entry

    @property
    def is_in_hand(self) -> bool:
        """Whether the region in hand is one that is painted."""
        return self._work is not None and isinstance(self._work.step, PaintedStep)

    def hold(self) -> bool:
        """Take up the brush for the region in hand; False where that is no painted one."""
        work = self._work
        if work is None or not isinstance(work.step, PaintedStep):
            self._area.redraw()
            return False
        self._area.session.active_region = work.painted.numbers[work.step.region_name]
        self.painter.options.kind = self._kind
        self.refresh()
        return True

    def refresh(self) -> None:
        """Show labels as they are kept, where something else than a stroke has changed them."""
        work, entry = self._work, self._entry
        if work is None or entry is None:
            return
        differ = entry.labels != work.painted.values
        if differ.any():
            at = np.flatnonzero(differ.ravel(order="F"))
            values = work.painted.values.ravel(order="F")[at]
            self._area.session.edit_labels(entry, at, values, "first contour")
        self._area.redraw()

    # -- keys -----------------------------------------------------------------------------

    def key(self, event: QKeyEvent) -> bool:
        """Do what a key does of :data:`KEYS`; False for all others."""
        if self._work is None:
            return False
        key, modifiers = event.key(), event.modifiers()
        shift = bool(modifiers & Qt.KeyboardModifier.ShiftModifier)
        if modifiers & Qt.KeyboardModifier.ControlModifier:
            again = key == Qt.Key.Key_Y or (key == Qt.Key.Key_Z and shift)
            if again:
                self._area.session.history.redo()
            elif key == Qt.Key.Key_Z:
                self._area.session.history.undo()
            return again or key == Qt.Key.Key_Z
        if not self.is_in_hand:
            return False
        kinds: dict[int, Kind] = {Qt.Key.Key_B: "brush", Qt.Key.Key_E: "eraser"}
        widths = {Qt.Key.Key_BracketLeft: -1, Qt.Key.Key_BracketRight: 1}
        if key in kinds:
            self._kind = self.painter.options.kind = kinds[key]
        elif key in widths:
            self.painter.options.wider(widths[key])
        elif key == Qt.Key.Key_O:
            self._outlined = not self._outlined
            self._area.redraw()
        else:
            return False
        return True

    # -- what is kept and shown -----------------------------------------------------------

    def _on_history(self) -> None:
        """A stroke is over, or was taken back."""
        work, entry = self._work, self._entry
        if work is None or entry is None or self._area.session.history.is_open:
            return
        values = np.array(entry.labels)
        if np.array_equal(values, work.painted.values):
            return
        if not self._do(lambda work: work.paint(values)):
            self.refresh()

    def _on_edited(self, key: str, box: Box) -> None:
        """Paint the part of the pictures anew that a stroke has changed, with its neighbours."""
        entry, frame = self._entry, self._area.frame
        if entry is None or frame is None:
            return
        placement = drawn(entry, frame).placement
        ends = np.array([(part.start - 1.5, part.stop + 0.5) for part in box]).T
        low, high = ends * placement.scale + placement.translate
        for view in self._area.views:
            view.surface.redraw_box(low, high)

    def sheets(self, view: SliceView) -> list[Sheet]:
        """The painted regions over the map of a view, and the first contour as an outline."""
        work, entry, frame = self._work, self._entry, self._area.frame
        if work is None or entry is None or frame is None:
            return []
        lies = drawn(entry, frame)
        step = work.step
        held = work.painted.numbers[step.region_name] if isinstance(step, PaintedStep) else 0
        colours = label_colours(
            lambda labels: _rgba(labels, held), 1.0 if self._outlined else _FILL
        )
        line = outline_pixels(1)
        rim = line if self._outlined else 0
        found = [Sheet(lies.data, lies.scale, lies.translate, colours, outline=rim)]
        contour = self._first_contour(work)
        if contour is not None:
            yellow = label_colours(lambda labels: _rgba(labels, held))
            found.append(
                Sheet(contour.transpose(2, 1, 0), lies.scale, lies.translate, yellow, outline=line)
            )
        return found

    def _first_contour(self, work: ReadingWork) -> Array | None:
        """Labels of the region in hand alone, while it is only suggested."""
        step = work.step
        if not isinstance(step, PaintedStep) or work.state_of(step) != "waiting":
            return None
        label, contours = work.painted.numbers[step.region_name], work.opened.contours
        if contours is None:
            return None
        if self._contour is None or self._contour[0] != label:
            inside = np.where(contours.data == label, label, 0).astype(np.uint16)
            self._contour = (label, inside)
        return self._contour[1]


class _Brush(Painter):
    """A brush that begins with the first contour of its region."""

    def __init__(self, area: SliceArea, begin: Callable[[], object]) -> None:
        super().__init__(area)
        self._before = begin

    def press(self, view: SliceView, at: Array) -> None:
        """Begin a stroke."""
        self._before()
        super().press(view, at)

    def press_right(self, view: SliceView, at: Array) -> bool:
        """Begin to erase."""
        self._before()
        return super().press_right(view, at)


def _rgba(labels: Array, held: int) -> Array:
    """Yellow for the region in hand, blue for others, nothing where there is none."""
    out = np.zeros((*labels.shape, 4))
    out[..., :3] = _OTHERS
    out[labels == held, :3] = _IN_HAND
    out[..., 3] = labels > 0
    return out
