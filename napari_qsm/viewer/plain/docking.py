"""Where widgets of plain napari lie in its window."""

from __future__ import annotations

from qtpy.QtWidgets import QDockWidget, QMainWindow, QWidget


def join_docks(widget: QWidget, kind: type[QWidget]) -> None:
    """Put the dock of a widget behind a tab with those of its kind; alone or afloat it stays.

    Parameters
    ----------
    widget : QWidget
        Somewhere in a dock of a window.
    kind : type
        Of the widgets in the docks to join.
    """
    window, own = widget.window(), _dock_of(widget)
    if own is None or not isinstance(window, QMainWindow):
        return
    if own.isFloating() or window.tabifiedDockWidgets(own):
        return
    others = [_dock_of(each) for each in window.findChildren(kind) if each is not widget]
    first = next((dock for dock in others if dock and dock.isVisible()), None)
    if first is not None:
        window.tabifyDockWidget(first, own)
        own.raise_()


def _dock_of(widget: QWidget) -> QDockWidget | None:
    parent = widget.parentWidget()
    while parent is not None and not isinstance(parent, QDockWidget):
        parent = parent.parentWidget()
    return parent
