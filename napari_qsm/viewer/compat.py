"""Every use of napari's private parts, in one place.

Written for napari 0.9; each function says what it reaches for.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import napari
import numpy as np
from napari.components import ViewerModel
from napari.layers import Labels, Layer
from napari.qt import QtViewer, get_current_stylesheet, get_qapp
from napari.settings import get_settings
from napari.utils.colormaps import AVAILABLE_COLORMAPS, Colormap
from qtpy.QtCore import QCoreApplication, QDir, QPointF, Qt
from qtpy.QtGui import QAction, QKeySequence
from qtpy.QtWidgets import QMainWindow, QMenu, QMenuBar, QVBoxLayout, QWidget
from vispy.gloo import gl
from vispy.gloo.glir import GlirProgram

#: Colour colormaps of ours in napari's global list carry this word, to be found again.
COLORMAP_MARK = " (QSM)"


def qt_viewer(viewer: Any) -> QtViewer:
    """The Qt view of a napari viewer's own canvas."""
    return viewer.window._qt_viewer


def show_sliders(viewer: Any, shown: bool) -> None:
    """Show or hide the sliders below a napari viewer's own canvas."""
    qt_viewer(viewer).dims.setVisible(shown)


def open_viewers() -> list[Any]:
    """Every napari viewer there is, with or without a window on show."""
    return list(napari.Viewer._instances)


def unwrapped(viewer: Any) -> Any:
    """The viewer itself: napari hands widgets of plugins a stand-in that keeps private parts back."""
    return getattr(viewer, "__wrapped__", viewer)


def qt_window(viewer: Any) -> QMainWindow:
    """The main window of a napari viewer."""
    return viewer.window._qt_window


def is_closed(viewer: Any) -> bool:
    """Whether the viewer's window has gone."""
    try:
        qt_window(viewer).isVisible()
    except (RuntimeError, AttributeError):
        return True
    return False


def new_canvas(model: ViewerModel) -> QtViewer:
    """A canvas for a model of its own, without slice sliders and welcome text."""
    view = QtViewer(model, show_welcome_screen=False)
    view.dims.hide()
    view.dims.setMaximumHeight(0)
    view.setAcceptDrops(False)
    column_of(view).setContentsMargins(0, 0, 0, 0)
    return view


def column_of(view: QtViewer) -> QVBoxLayout:
    """The layout that a view's canvas lies in, above its sliders."""
    parent = native(view).parentWidget()
    layout = None if parent is None else parent.layout()
    assert isinstance(layout, QVBoxLayout)
    return layout


def hide_slice_numbers(viewer: Any) -> Callable[[], None]:
    """Keep napari's sliders from counting slices from 0 beside views that count them from 1.

    Returns what ends this.
    """
    view = qt_viewer(viewer)

    def hide(event: Any = None) -> None:
        for slider in view.dims.slider_widgets:
            for label in slider.findChildren(QWidget):
                if label.objectName().startswith("slice_label"):
                    label.hide()

    # Sliders come with dimensions, and napari's own slot makes them first.
    viewer.dims.events.ndim.connect(hide, position="last")
    hide()
    return lambda: viewer.dims.events.ndim.disconnect(hide)


def native(view: QtViewer) -> QWidget:
    """The widget that napari draws in and that gets the mouse and key events."""
    return view.canvas.native


def share_keys(source: QtViewer, target: QtViewer) -> None:
    """Let keys pressed in ``target`` do what they do in ``source``."""
    events = target.canvas.events
    own, shared = target._key_map_handler, source._key_map_handler
    events.key_press.disconnect(own.on_key_press)
    events.key_release.disconnect(own.on_key_release)
    events.key_press.connect(shared.on_key_press)
    events.key_release.connect(shared.on_key_release)


def unshare_keys(source: QtViewer, target: QtViewer) -> None:
    """Undo :func:`share_keys`."""
    events, shared = target.canvas.events, source._key_map_handler
    with contextlib.suppress(Exception):
        events.key_press.disconnect(shared.on_key_press)
        events.key_release.disconnect(shared.on_key_release)


def spare_software_renderer() -> None:
    """Keep Mesa's software renderer from ending the program after a layer was removed.

    On llvmpipe and softpipe (Mesa 22.3, as on a virtual display under Debian 12) a deleted
    shader program makes a later, valid draw read freed memory; plain napari ends in the same
    way when the lower of two layers is removed. There the few kilobytes of a program are kept
    until its window closes; on graphics cards nothing changes.
    """
    if hasattr(GlirProgram, "_qsm_delete"):
        return
    GlirProgram._qsm_delete = GlirProgram.delete

    def delete(self: Any) -> None:
        renderer = str(gl.glGetParameter(gl.GL_RENDERER)).lower()
        if not any(word in renderer for word in ("llvmpipe", "softpipe", "swrast")):
            self._qsm_delete()

    GlirProgram.delete = delete


def set_welcome(view: QtViewer, shown: bool) -> bool:
    """Show or hide napari's own welcome text on an empty canvas; returns what it was."""
    before = bool(view.show_welcome_screen)
    view.show_welcome_screen = shown
    return before


def no_binding_warning() -> None:
    """Keep napari from telling a reader, at every start, which Qt it will drop one day."""
    from napari._qt import qt_main_window

    qt_main_window.SHOW_QT_WARNING = False


def full_height_sides(viewer: Any) -> tuple[Any, ...]:
    """Let the docks at the sides keep the window's corners; returns who had them before."""
    window = qt_window(viewer)
    corners = (
        (Qt.Corner.BottomLeftCorner, Qt.DockWidgetArea.LeftDockWidgetArea),
        (Qt.Corner.BottomRightCorner, Qt.DockWidgetArea.RightDockWidgetArea),
    )
    before = tuple((corner, window.corner(corner)) for corner, _ in corners)
    for corner, area in corners:
        window.setCorner(corner, area)
    return before


def give_corners_back(viewer: Any, before: tuple[Any, ...]) -> None:
    """Undo :func:`full_height_sides`."""
    for corner, area in before:
        qt_window(viewer).setCorner(corner, area)


def napari_docks(viewer: Any) -> tuple[QWidget, QWidget]:
    """Napari's own layer controls and layer list."""
    view = qt_viewer(viewer)
    return view.dockLayerControls, view.dockLayerList


def dock_height(viewer: Any, dock: Any, pixels: int) -> None:
    """Give a dock at the bottom a height."""
    qt_window(viewer).resizeDocks([dock], [pixels], Qt.Orientation.Vertical)


def plain_dock(dock: Any) -> None:
    """Take away a dock's title bar, and with it the button that would destroy its widget."""
    dock.setTitleBarWidget(QWidget(dock))


def remove_dock(viewer: Any, dock: Any) -> None:
    """Remove a dock widget and the entry in the Window menu."""
    with contextlib.suppress(LookupError, RuntimeError):
        viewer.window.remove_dock_widget(dock)


def close_canvas(view: QtViewer) -> None:
    """Close a canvas made by :func:`new_canvas`, and everything that hangs on it."""
    view.viewer.layers.clear()
    view.close()
    view.deleteLater()


def share_history(source: Labels, target: Labels) -> None:
    """Give two labels layers on one array one common undo history."""
    target._undo_history = source._undo_history
    target._redo_history = source._redo_history


def is_drawing(layer: Labels) -> bool:
    """Whether a stroke is going on in a labels layer, as opposed to a single edit from code."""
    return bool(getattr(layer, "_block_history", False))


def clear_history(layer: Labels) -> None:
    """Make napari forget what could be undone in a labels layer; its copies share the list."""
    layer._undo_history.clear()
    layer._redo_history.clear()


def refresh_labels(layer: Labels, box: tuple[slice, slice, slice]) -> None:
    """Draw again what has changed of a labels layer, if it is on show at all.

    Parameters
    ----------
    layer : Labels
        3-D, with its data changed in place.
    box : (z, y, x)
        Voxels that hold all changes.
    """
    shown = layer._slice_input
    if len(shown.displayed) == 3 or layer.contour > 0 or not layer.loaded:
        layer.refresh(extent=False, highlight=False)
        return
    if not layer.visible:
        return  # it is sliced anew when it comes on show
    # napari works the slice out with units each time, which takes longer than all the rest;
    # every layer of ours has mm, and a little room keeps rounding from hiding a change.
    for axis in shown.not_displayed:
        at = (shown.world_slice.point[axis] - layer.translate[axis]) / layer.scale[axis]
        if not box[axis].start - 0.51 <= at <= box[axis].stop - 0.49:
            return
    part = tuple(box[axis] for axis in shown.displayed)
    view = layer._slice.image.view
    # For 8- and 16-bit labels what is drawn is the data itself; others are copied.
    changed = layer._raw_to_displayed(layer._slice.image.raw, data_slice=part)
    view[part] = changed
    layer.events.labels_update(data=changed, offset=[each.start for each in part])


def set_colormap(layer: Layer, name: str, table: np.ndarray, ends: tuple[Any, Any]) -> None:
    """Give an image layer a colormap with transparency; napari's global list does not grow.

    Parameters
    ----------
    layer : Image
        The layer.
    name : str
        What napari's own controls call the colormap.
    table : (n, 4) ndarray
        RGBA in even steps.
    ends : (low, high)
        RGBA of values beyond the contrast limits.
    """
    name += COLORMAP_MARK
    AVAILABLE_COLORMAPS.pop(name, None)
    layer.colormap = Colormap(
        table, name=name, interpolation="zero", low_color=ends[0], high_color=ends[1]
    )


def forget_colormaps() -> None:
    """Take our colormaps out of napari's global list."""
    for name in [name for name in AVAILABLE_COLORMAPS if name.endswith(COLORMAP_MARK)]:
        AVAILABLE_COLORMAPS.pop(name, None)


def napari_colormap(name: str) -> Colormap | None:
    """A colormap napari knows by name."""
    return AVAILABLE_COLORMAPS.get(name)


def position(event: Any) -> QPointF:
    """Where a mouse, wheel or drop event happened, in the widget, under Qt 5 and 6."""
    return event.position() if hasattr(event, "position") else QPointF(event.pos())


class FoldedMenus:
    """Napari's menus while they stand in a submenu of ours.

    Parameters
    ----------
    viewer : napari.Viewer
        Its menu bar loses them.
    into : QMenu
        Gets them, in their order.
    """

    def __init__(self, viewer: Any, into: QMenu) -> None:
        self._bar: QMenuBar = qt_window(viewer).menuBar()
        self._actions = list(self._bar.actions())
        self._into = into
        for action in self._actions:
            self._bar.removeAction(action)
            into.addAction(action)
        self._keys: list[tuple[QAction, list[QKeySequence]]] = []

    def restore(self) -> None:
        """Put them back."""
        self.give_keys_back()
        for action in self._actions:
            self._into.removeAction(action)
            self._bar.addAction(action)

    def take_keys(self, keys: Iterable[str]) -> None:
        """Take these keys from whatever entries have them."""
        self.give_keys_back()
        wanted = {QKeySequence(key).toString() for key in keys}
        for action in _entries(self._actions):
            has = action.shortcuts()
            if any(each.toString() in wanted for each in has):
                self._keys.append((action, has))
                action.setShortcuts([each for each in has if each.toString() not in wanted])

    def give_keys_back(self) -> None:
        """Give entries the keys that they had."""
        for action, keys in self._keys:
            with contextlib.suppress(RuntimeError):  # a plugin's entry may have gone
                action.setShortcuts(keys)
        self._keys.clear()


def fold_menus(viewer: Any, into: QMenu) -> FoldedMenus:
    """Move napari's menus into one of ours."""
    return FoldedMenus(viewer, into)


def _entries(actions: Iterable[QAction]) -> Iterator[QAction]:
    for action in actions:
        menu = action.menu()
        if menu is None:
            yield action
        else:
            yield from _entries(menu.actions())


def show_status(viewer: Any, shown: bool) -> None:
    """Show or hide napari's own texts and buttons in the status bar."""
    bar = qt_window(viewer).statusBar()
    bar._status.parentWidget().setVisible(shown)
    bar._activity_item.setVisible(shown)


def add_to_status_bar(viewer: Any, widget: QWidget) -> None:
    """Put a widget into the status bar, as wide as there is room."""
    bar = qt_window(viewer).statusBar()
    bar.setSizeGripEnabled(False)
    bar.addWidget(widget, 1)
    bar.show()


def remove_from_status_bar(viewer: Any, widget: QWidget) -> None:
    """Take a widget out of the status bar."""
    bar = qt_window(viewer).statusBar()
    bar.removeWidget(widget)
    bar.setSizeGripEnabled(True)


def theme_of(viewer: Any) -> str:
    """``"dark"`` or ``"light"``."""
    return "light" if str(viewer.theme) == "light" else "dark"


def set_theme(theme: str) -> None:
    """Choose napari's theme, for good."""
    get_settings().appearance.theme = theme


def application() -> QCoreApplication:
    """The program's Qt application, made if there is none, knowing where napari's icons lie."""
    app = QCoreApplication.instance()
    if app is not None and QDir.searchPaths("theme_dark"):
        return app
    with warnings.catch_warnings():  # at every start with PyQt5, whatever theme is chosen
        warnings.filterwarnings("ignore", "System theme detection requires", UserWarning)
        return get_qapp()


def style_sheet() -> str:
    """How napari's windows look in the theme that is chosen, for a window without napari."""
    application()
    return get_current_stylesheet()
