"""Acting on the window as a person does: real mouse and key events."""

import numpy as np
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt, QTimer
from qtpy.QtGui import QMouseEvent, QWheelEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_qsm.anatomy import DEPTH_AXIS, nearest_voxel
from tests.viewer.conftest import settle

LEFT = Qt.MouseButton.LeftButton
MIDDLE = Qt.MouseButton.MiddleButton
RIGHT = Qt.MouseButton.RightButton
NONE = Qt.KeyboardModifier.NoModifier
CTRL = Qt.KeyboardModifier.ControlModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier


def pixel_of(workspace, view, world):
    """Canvas pixel under which a point of the head lies in a view."""
    display = workspace.controller.frame.world_to_display(world)
    x, y = view.camera().to_pixel(display)
    return QPoint(round(x), round(y))


def click(view, at, modifiers=NONE):
    """Press and release the left button."""
    QTest.mouseClick(view.native, LEFT, modifiers, at)
    settle()


def double_click(view, at):
    """A quick second click."""
    QTest.mouseClick(view.native, LEFT, NONE, at)
    QTest.mouseDClick(view.native, LEFT, NONE, at)
    settle()


def _send(view, kind, at, button, buttons, modifiers):
    """A mouse event as the system sends it, with the buttons that are down."""
    local = QPointF(at)
    everywhere = QPointF(view.native.mapToGlobal(at))
    event = QMouseEvent(kind, local, everywhere, button, buttons, modifiers)
    QApplication.sendEvent(view.native, event)


def drag(view, start, end, button=LEFT, modifiers=NONE, steps=4):
    """Press, move in steps, release."""
    none = Qt.MouseButton.NoButton
    _send(view, QEvent.Type.MouseButtonPress, start, button, button, modifiers)
    for step in range(1, steps + 1):
        part = step / steps
        x = start.x() + (end.x() - start.x()) * part
        y = start.y() + (end.y() - start.y()) * part
        at = QPoint(round(x), round(y))
        _send(view, QEvent.Type.MouseMove, at, none, button, modifiers)
        settle(1)
    _send(view, QEvent.Type.MouseButtonRelease, end, button, none, modifiers)
    settle()


def hover(view, at):
    """Move without a button."""
    none = Qt.MouseButton.NoButton
    _send(view, QEvent.Type.MouseMove, at, none, none, NONE)
    settle()


def wheel(view, at, notches, modifiers=NONE):
    """Turn the wheel away from the hand by so many notches."""
    event = QWheelEvent(
        QPointF(at),
        QPointF(view.native.mapToGlobal(at)),
        QPoint(0, 0),
        QPoint(0, 120 * notches),
        Qt.MouseButton.NoButton,
        modifiers,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(view.native, event)
    settle()


def key(view, name, modifiers=NONE):
    """Press a key while a view has the focus."""
    QTest.keyClick(view.native, getattr(Qt.Key, f"Key_{name}"), modifiers)
    settle()


def child(workspace, name):
    """A control by its object name."""
    from qtpy.QtWidgets import QWidget

    found = workspace.viewer.window._qt_window.findChildren(QWidget, name)
    assert len(found) == 1, f"{len(found)} widgets are called {name}"
    return found[0]


def press(workspace, name):
    """Click a button."""
    button = child(workspace, name)
    QTest.mouseClick(button, LEFT, NONE, button.rect().center())
    settle()


def picture(view):
    """What a canvas shows, without what lies over it: (height, width, 3), 0 to 255."""
    settle()
    return view.surface.picture().astype(float)


def slice_of(workspace, entry, view):
    """Which slice of a map, counted along its own axis, a view says it shows."""
    frame = workspace.controller.frame
    axis = DEPTH_AXIS[view.plane]
    display = frame.world_to_display(workspace.session.crosshair_mm)
    display[axis] = view.depth_mm
    return nearest_voxel(entry.volume, frame.display_to_world(display))[axis]


def assert_slice_is_drawn(workspace, entry, view):
    """Grey levels in the picture are those of the map's values in the slice it should show."""
    axis, shape = DEPTH_AXIS[view.plane], entry.volume.shape
    low, high = entry.display.window
    shot = picture(view)
    scale = shot.shape[1] / view.native.width()
    for part in (0.3, 0.45, 0.6):
        there = np.rint(part * np.array(shape)).astype(int)
        there[axis] = slice_of(workspace, entry, view)
        at = pixel_of(workspace, view, entry.volume.voxel_to_world(there)) * scale
        grey = np.clip((entry.volume.data[tuple(there)] - low) / (high - low), 0, 1) * 255
        assert abs(shot[at.y(), at.x()] - grey).max() <= 1.5, (view.plane, there)


class Answers:
    """Presses buttons of dialogs when they come up, in this order."""

    def __init__(self, *names, before=None):
        self.left, self.before, self.texts = list(names), before, []
        self.timer = QTimer()
        self.timer.timeout.connect(self._look)
        self.timer.start(10)

    def _look(self):
        if not self.left:
            return
        for widget in QApplication.allWidgets():
            if widget.objectName() == self.left[0] and widget.isVisible():
                dialog = widget.window()
                if hasattr(dialog, "informativeText"):
                    self.texts.append(dialog.text() + " " + dialog.informativeText())
                if self.before is not None:
                    self.before(dialog)
                self.left.pop(0)
                QTest.mouseClick(widget, LEFT)
                return

    def done(self):
        self.timer.stop()
        self.timer.timeout.disconnect()
        self.timer.deleteLater()
        assert self.left == [], f"never asked: {self.left}"


def cell(table, row, column, role=Qt.ItemDataRole.DisplayRole):
    """What a table shows in a cell, or its font or icon by their roles."""
    return table.model().index(row, column).data(role)
