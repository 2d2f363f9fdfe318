"""The mouse on a view: crosshair, slices, pan, zoom, and tools that take over.

| action | does |
|---|---|
| left click or drag | crosshair (napari's own tool, if the active layer is in one) |
| wheel | next or previous slice |
| Ctrl + wheel, right drag | zoom about the pointer |
| middle drag, Shift + left drag | pan |
| Ctrl + left drag | brightness (up and down) and contrast (left and right) of the map on top |
| Ctrl + double click | its window as it was before |
| Alt + click | choose the region under the pointer |
| double click | make this view the large one; on the large one: alone or with the others |

A tool takes the left button, and the right one if it has a use for it; while
``MouseSignals.aiming`` is set, the left button moves the crosshair whatever the tool.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from psygnal import Signal
from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QKeyEvent, QMouseEvent, QWheelEvent
from qtpy.QtWidgets import QAbstractSpinBox, QApplication, QLineEdit, QPlainTextEdit, QTextEdit

from napari_qsm.arrays import Array
from napari_qsm.viewer import compat
from napari_qsm.viewer.canvas.slice_view import SliceView

_LEFT = Qt.MouseButton.LeftButton
_MIDDLE = Qt.MouseButton.MiddleButton
_RIGHT = Qt.MouseButton.RightButton
_NOTCH = 120


class Tool(Protocol):
    """Something that takes over the left button until it is put away.

    Positions are display mm (x, y, z) in the slice of the view. A tool may also have

    * ``double_click(view, at)``;
    * ``press_right(view, at) -> bool``: the right button went down; True if it is for the tool,
      which then hears of drag and release, False if the drag shall zoom;
    * ``hover(view, at)``: the mouse moved with no button down; ``at`` is None once it has left;
    * ``wheel(view, at, notches, shift) -> bool``: the wheel was turned; True if that was for
      the tool, False if slices shall step;
    * ``key(view, event)``: what a key does, as a callable, or None if it is not for the tool.
    """

    def press(self, view: SliceView, at: Array) -> None:
        """The button went down."""

    def drag(self, view: SliceView, at: Array) -> None:
        """The mouse moved with the button down."""

    def release(self, view: SliceView, at: Array) -> None:
        """The button came up."""


class MouseSignals:
    """What the mouse has asked for, in whichever view."""

    picked = Signal(object, object)  # view, display position: put the crosshair there
    hovered = Signal(object, object)  # view, display position or None when the mouse left
    stepped = Signal(object, int)  # view, slices to step
    enlarged = Signal(object)  # view
    alt_clicked = Signal(object, object)  # view, display position
    window_grabbed = Signal(object, object)  # view, canvas pixel: a drag of its window begins
    window_dragged = Signal(object, object)  # canvas pixel where the pointer is now, pixels moved
    window_released = Signal()  # the drag is over
    window_undone = Signal(object)  # view whose window shall be as before

    def __init__(self) -> None:
        #: Whether the left button moves the crosshair, whatever the tool.
        self.aiming = False
        #: Views in which tools have the left button; the crosshair has it in the others.
        self.takes_tools: Callable[[SliceView], bool] = lambda view: True


class Mouse(QObject):
    """Turns mouse events on a view's canvas into signals."""

    def __init__(self, view: SliceView, signals: MouseSignals) -> None:
        super().__init__()
        self._signals = signals
        self._view = view
        self._drag: str | None = None
        self._button = Qt.MouseButton.NoButton
        self._last = (0.0, 0.0)
        self._start = (0.0, 0.0)
        self._notches = 0.0
        self._tool: Tool | None = None
        view.surface.watch(self)

    @property
    def tool(self) -> Tool | None:
        """What has the left button here."""
        return self._tool if self._signals.takes_tools(self._view) else None

    @tool.setter
    def tool(self, tool: Tool | None) -> None:
        self._tool = tool

    def dispose(self) -> None:
        """Let go of the canvas."""
        self._view.surface.unwatch(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Take what is ours; everything else goes to napari."""
        if event is None or self._view.is_3d or self._view.is_empty:
            return False
        kind = event.type()
        if kind == QEvent.Type.MouseButtonPress and isinstance(event, QMouseEvent):
            return self._press(event)
        if kind == QEvent.Type.MouseMove and isinstance(event, QMouseEvent):
            return self._move(event)
        if kind == QEvent.Type.MouseButtonRelease and isinstance(event, QMouseEvent):
            return self._release(event)
        if kind == QEvent.Type.MouseButtonDblClick and isinstance(event, QMouseEvent):
            return self._double_click(event)
        if kind == QEvent.Type.Wheel and isinstance(event, QWheelEvent):
            return self._wheel(event)
        if kind in (QEvent.Type.ShortcutOverride, QEvent.Type.KeyPress):
            return isinstance(event, QKeyEvent) and self._key(event)
        if kind == QEvent.Type.Enter:
            self._take_keys()
        elif kind == QEvent.Type.Leave:
            self._signals.hovered.emit(self._view, None)
            self._hover(None)
        return False

    def _take_keys(self) -> None:
        """Keys are for the view under the mouse, but for those that somebody is typing."""
        focus = QApplication.focusWidget()
        ours = focus is not None and focus.window() is self._view.native.window()
        if ours and not isinstance(
            focus, QLineEdit | QTextEdit | QPlainTextEdit | QAbstractSpinBox
        ):
            self._view.native.setFocus(Qt.FocusReason.MouseFocusReason)

    def _hover(self, at: Array | None) -> None:
        hover = getattr(self.tool, "hover", None)
        if hover is not None:
            hover(self._view, at)

    def _key(self, event: QKeyEvent) -> bool:
        """Let the tool have a key before napari's shortcuts do."""
        key = getattr(self.tool, "key", None)
        does = None if key is None else key(self._view, event)
        if does is None:
            return False
        if event.type() == QEvent.Type.KeyPress:
            does()
        event.accept()
        return True

    def _at(self, event: QMouseEvent | QWheelEvent) -> tuple[float, float]:
        place = compat.position(event)
        return place.x(), place.y()

    def _display(self, pixel: tuple[float, float]) -> Array:
        return self._view.camera().to_display(pixel, self._view.depth_mm)

    def _press(self, event: QMouseEvent) -> bool:
        button, down = event.button(), event.buttons()
        if self._drag is not None and self._button & down and self._button != button:
            return True  # a second finger on the mouse does not end what the first one does
        self._view.native.setFocus()
        self._last = self._start = self._at(event)
        self._button = button
        modifiers = event.modifiers()
        at = self._display(self._last)
        if button == _MIDDLE or (
            button == _LEFT and modifiers == Qt.KeyboardModifier.ShiftModifier
        ):
            self._drag = "pan"
        elif button == _RIGHT:
            right = None if self._signals.aiming else getattr(self.tool, "press_right", None)
            self._drag = "tool" if right is not None and right(self._view, at) else "zoom"
        elif button == _LEFT and modifiers == Qt.KeyboardModifier.ControlModifier:
            self._drag = "window"
            self._signals.window_grabbed.emit(self._view, self._last)
        elif button == _LEFT and modifiers == Qt.KeyboardModifier.AltModifier:
            self._signals.alt_clicked.emit(self._view, at)
        elif button == _LEFT and self.tool is not None and not self._signals.aiming:
            self._drag = "tool"
            self.tool.press(self._view, at)
        elif button == _LEFT and (
            self._signals.aiming
            or (not self._view.in_napari_tool and modifiers == Qt.KeyboardModifier.NoModifier)
        ):
            self._drag = "crosshair"
            self._signals.picked.emit(self._view, at)
        else:
            return False
        return True

    def _move(self, event: QMouseEvent) -> bool:
        at = self._at(event)
        self._signals.hovered.emit(self._view, self._display(at))
        if self._drag is None:
            if event.buttons() == Qt.MouseButton.NoButton:
                self._hover(self._display(at))
            return False
        dx, dy = at[0] - self._last[0], at[1] - self._last[1]
        self._last = at
        if self._drag == "pan":
            self._view.set_camera(self._view.camera().moved((dx, dy)))
        elif self._drag == "zoom":
            self._view.set_camera(self._view.camera().zoomed(1.01**-dy, self._start))
        elif self._drag == "window":
            self._signals.window_dragged.emit(at, (dx, dy))
        elif self._drag == "tool" and self.tool is not None:
            self.tool.drag(self._view, self._display(at))
        elif self._drag == "crosshair":
            self._signals.picked.emit(self._view, self._display(at))
        return True

    def _release(self, event: QMouseEvent) -> bool:
        if self._drag is None:
            return False
        if event.button() != self._button:
            return True
        if self._drag == "tool" and self.tool is not None:
            self.tool.release(self._view, self._display(self._at(event)))
        elif self._drag == "window":
            self._signals.window_released.emit()
        self._drag = None
        return True

    def _double_click(self, event: QMouseEvent) -> bool:
        if event.button() == _RIGHT and self.tool is not None:
            return self._press(event)  # two dabs in a row are two dabs
        if event.button() == _LEFT and event.modifiers() == Qt.KeyboardModifier.ControlModifier:
            self._signals.window_undone.emit(self._view)
            return True
        if self._signals.aiming:
            return self._press(event)
        twice = getattr(self.tool, "double_click", None)
        if event.button() == _LEFT and twice is not None:
            twice(self._view, self._display(self._at(event)))
            return True
        if self.tool is not None:
            return event.button() == _LEFT  # napari would zoom
        if event.button() != _LEFT or self._view.in_napari_tool:
            return False
        self._drag = None
        self._signals.enlarged.emit(self._view)
        return True

    def _wheel(self, event: QWheelEvent) -> bool:
        modifiers = event.modifiers()
        if modifiers == Qt.KeyboardModifier.ControlModifier:
            turns = event.angleDelta().y() / _NOTCH
            camera = self._view.camera().zoomed(1.2**turns, self._at(event))
            self._view.set_camera(camera)
            return True
        shift = modifiers == Qt.KeyboardModifier.ShiftModifier
        if shift or modifiers == Qt.KeyboardModifier.NoModifier:
            wheel = getattr(self.tool, "wheel", None)
            turns = event.angleDelta().y() / _NOTCH
            if wheel is not None and wheel(
                self._view, self._display(self._at(event)), turns, shift
            ):
                return True
        if modifiers != Qt.KeyboardModifier.NoModifier:
            return False
        self._notches += event.angleDelta().y() / _NOTCH
        steps = int(self._notches)
        self._notches -= steps
        if steps:
            self._signals.stepped.emit(self._view, steps)
        return True
