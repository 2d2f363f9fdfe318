"""Brightness and contrast by dragging in the picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import exp

from qtpy.QtGui import QPainter

from napari_qsm.colormaps import effective_window
from napari_qsm.session import MapEntry, Session, first_display
from napari_qsm.session.appearance import shown_unit
from napari_qsm.units import number, to_shown
from napari_qsm.viewer import ui
from napari_qsm.viewer.canvas.mouse import MouseSignals
from napari_qsm.viewer.canvas.overlay_items import OverlayItem, draw_lines
from napari_qsm.viewer.canvas.slice_view import SliceView

Window = tuple[float, float]


@dataclass
class Words:
    """Lines of text beside the pointer, in canvas pixels."""

    at: tuple[float, float]
    lines: list[str] = field(default_factory=list)

    def paint(self, painter: QPainter) -> None:
        """Draw them."""
        draw_lines(painter, (self.at[0] + 18, self.at[1] - 12), self.lines)


def dragged(window: Window, across: float, up: float, *, falling: bool = False) -> Window:
    """The window after a drag, as parts of the canvas it went over.

    Parameters
    ----------
    window : (low, high)
        Before it.
    across : float
        To the right; a whole canvas makes the window about seven times as wide.
    up : float
        Upwards, which makes the picture brighter; a whole canvas moves the window by twice its
        width.
    falling : bool
        Whether high values are drawn dark.
    """
    low, high = window
    middle, width = (low + high) / 2, high - low
    middle -= 2 * width * up * (-1 if falling else 1)
    width *= exp(2 * across)
    return middle - width / 2, middle + width / 2


class WindowDrag:
    """Takes the window of the map on top along with a drag, and says what it is.

    Parameters
    ----------
    session : Session
    mouse : MouseSignals
        What is asked for.
    shown_in : callable
        The map that a view is about.
    repaint : callable
        Draws what lies over a view anew.
    """

    def __init__(
        self,
        session: Session,
        mouse: MouseSignals,
        shown_in: Callable[[SliceView], MapEntry | None],
        repaint: Callable[[SliceView], None],
    ) -> None:
        self._session, self._shown_in, self._repaint = session, shown_in, repaint
        self._view: SliceView | None = None
        self._at = (0.0, 0.0)
        self._moved = (0.0, 0.0)
        self._start: Window = (0.0, 1.0)
        #: Windows as they were before the last drags, and as those left them, by entry.
        self._before: dict[str, tuple[Window, Window]] = {}
        self._heard = ui.Subscriptions()
        self._heard.connect(mouse.window_grabbed, to=self._on_grabbed)
        self._heard.connect(mouse.window_dragged, to=self._on_dragged)
        self._heard.connect(mouse.window_released, to=self._on_released)
        self._heard.connect(mouse.window_undone, to=self.undo)

    def dispose(self) -> None:
        """Stop listening."""
        self._heard.dispose()
        self._view = None

    def undo(self, view: SliceView) -> None:
        """Bring the window back to where it was before it was dragged; else as it first was."""
        entry = self._shown_in(view)
        if entry is None or entry.editable is not None:
            return
        before, left = self._before.pop(entry.id, (None, None))
        if before is None or left != entry.display.window:
            before = first_display(entry.volume, entry.role).window
        self._session.set_display(entry, window=before)

    def words(self, view: SliceView) -> list[OverlayItem]:
        """The window, beside the pointer while it is dragged."""
        entry = None if view is not self._view else self._shown_in(view)
        if entry is None:
            return []
        unit = shown_unit(entry, self._session.unit)
        low, high = (
            to_shown(value, entry.volume.unit, self._session.unit)
            for value in effective_window(entry.display)
        )
        ends = f"{number(low, unit)} to {number(high, unit)} {unit}".rstrip()
        middle = f"middle {number((low + high) / 2, unit)}, width {number(high - low, unit)}"
        return [Words(self._at, [ends, middle])]

    def _on_grabbed(self, view: SliceView, at: tuple[float, float]) -> None:
        entry = self._shown_in(view)
        if entry is None or entry.editable is not None:
            return
        self._view, self._at, self._moved = view, at, (0.0, 0.0)
        self._start = effective_window(entry.display)
        _, left = self._before.get(entry.id, (None, None))
        if left != entry.display.window:
            self._before[entry.id] = entry.display.window, entry.display.window
        self._repaint(view)

    def _on_dragged(self, at: tuple[float, float], by: tuple[float, float]) -> None:
        view = self._view
        entry = self._shown_in(view) if view is not None else None
        if view is None or entry is None:
            return
        self._at, self._moved = at, (self._moved[0] + by[0], self._moved[1] + by[1])
        across = self._moved[0] / max(view.native.width(), 1)
        up = -self._moved[1] / max(view.native.height(), 1)
        if entry.display.colouring == "both sides":
            up = 0.0  # zero stays in the middle
        window = dragged(self._start, across, up, falling=entry.display.colouring == "inverted")
        self._session.set_display(entry, window=window)
        if entry.id in self._before:
            self._before[entry.id] = self._before[entry.id][0], entry.display.window
        self._repaint(view)

    def _on_released(self) -> None:
        view, self._view = self._view, None
        if view is not None:
            self._repaint(view)
