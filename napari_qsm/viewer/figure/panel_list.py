"""The list of a figure's panels: order, copies, new ones."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import QAbstractItemView, QListWidget, QToolButton, QWidget

from napari_qsm.anatomy import DEPTH_AXIS, DRAWN_AXES, triple
from napari_qsm.errors import QsmError
from napari_qsm.figures import editing
from napari_qsm.figures.panels import ImagePanel
from napari_qsm.session.figure.from_view import Look, add_view, describe
from napari_qsm.session.figure.marks import marks_on, panel_slice
from napari_qsm.session.visits import at_visit
from napari_qsm.viewer import ui
from napari_qsm.viewer.canvas.slice_view import SliceView
from napari_qsm.viewer.figure.template_box import TemplateBox
from napari_qsm.viewer.figure.work import FigureWork

_TALL = 132


class _Uses(QObject):
    """Remembers in which view the mouse was pressed or its wheel turned last.

    The view that the mouse was over last is no guide: on its way to the panel it crosses others.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        super().__init__()
        self._changed = changed
        self._views: list[SliceView] = []
        self.last: SliceView | None = None

    def watch(self, views: list[SliceView]) -> None:
        """Watch these views from now on."""
        for view in self._views:
            if view not in views and view.viewer is not None:
                view.surface.unwatch(self)
        for view in views:
            if view not in self._views:
                view.surface.watch(self)
        self._views = list(views)
        if self.last not in views:
            self.last = None

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Notice; never keep an event from its receiver."""
        kinds = (QEvent.Type.MouseButtonPress, QEvent.Type.Wheel)
        if event is not None and watched is not None and event.type() in kinds:
            view = next((each for each in self._views if each.surface.holds(watched)), None)
            if view is not self.last:
                self.last = view
                self._changed()
        return False


class PanelList(QWidget):
    """Names of the panels in reading order, and what can be done with the chosen one."""

    def __init__(self, work: FigureWork, templates: TemplateBox) -> None:
        super().__init__()
        self._work = work
        self._templates = templates
        self._filling = False
        self._uses = _Uses(self._name_view)
        self._add = ui.button(
            "Add current view as a panel",
            "qsm.figure.add_view",
            lambda: self._work.attempt(self._add_view),
            tip="The slice, zoom, colours, regions and marks of the view that you clicked last",
        )
        self._add.setMinimumWidth(200)
        self._list = ui.named(QListWidget(), "qsm.figure.panels")
        self._list.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self._list.setFixedHeight(_TALL)
        self._list.setTextElideMode(Qt.TextElideMode.ElideRight)
        self._list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._list.currentRowChanged.connect(self._on_row)
        self._buttons: dict[str, QToolButton] = {}
        for name, text, tip in (
            ("up", "↑", "Earlier in the figure"),
            ("down", "↓", "Later in the figure"),
            ("copy", "Duplicate", "The same panel once more, for another slice or display"),
            ("delete", "Delete", "Take this panel out; undo brings it back"),
            ("go", "Go to", "Bring the views to the slice of this panel"),
        ):
            self._buttons[name] = ui.tool(
                f"qsm.figure.{name}",
                partial(self._attempt, name),
                text=text,
                tip=tip,
            )
            self._buttons[name].setStyleSheet(ui.TOOL_BUTTONS.replace("7px", "5px"))
        self.setLayout(ui.column(self._add, self._list, ui.row(*self._buttons.values(), None)))
        work.context.controller.drawn_again.connect(self._on_views)
        self._on_views()

    def dispose(self) -> None:
        """Stop listening."""
        self._work.context.controller.drawn_again.disconnect(self._on_views)
        self._uses.watch([])

    def _on_views(self) -> None:
        controller = self._work.context.controller
        self._uses.watch(controller.views)
        self._add.setEnabled(controller.frame is not None)
        self._name_view()

    def _name_view(self) -> None:
        """Say on the button which view it means."""
        controller = self._work.context.controller
        words = "Add current view as a panel"
        if controller.frame is not None and controller.views:
            words = f"Add current view as a panel ({self._view().plane})"
        self._add.setText(words)

    def refresh(self) -> None:
        """Show the panels as they are."""
        spec = self._work.spec
        self._filling = True
        lines = (
            []
            if spec is None
            else [describe(spec, i, self._where(i)) for i in range(len(spec.panels))]
        )
        if lines != [self._list.item(i).text() for i in range(self._list.count())]:
            self._list.clear()
            self._list.addItems(lines)
        self._list.setCurrentRow(self._work.chosen)
        self._filling = False
        self._list.setVisible(bool(lines))
        chosen, count = self._work.chosen, len(lines)
        for button in self._buttons.values():
            button.setVisible(bool(lines))
            button.setEnabled(chosen >= 0)
        self._buttons["up"].setEnabled(chosen > 0)
        self._buttons["down"].setEnabled(0 <= chosen < count - 1)
        panel = spec.panels[chosen] if spec is not None and chosen >= 0 else None
        self._buttons["go"].setEnabled(isinstance(panel, ImagePanel))
        self._name_view()

    def _where(self, index: int) -> str:
        spec = self._work.spec
        panel = spec.panels[index] if spec is not None else None
        if not isinstance(panel, ImagePanel):
            return ""
        volume = self._work.volume(panel.map)
        try:
            return panel_slice(panel, volume).text if volume is not None else ""
        except QsmError:
            return "outside the map"

    def _on_row(self, row: int) -> None:
        if not self._filling and row >= 0:
            self._work.choose(row)

    def _attempt(self, name: str, _: bool) -> None:
        self._work.attempt(partial(self._do, name))

    def _do(self, name: str) -> None:
        work, spec, at = self._work, self._work.spec, self._work.chosen
        if spec is None or at < 0:
            return
        if name in ("up", "down"):
            to = at + (1 if name == "down" else -1)
            work.change("panel moved", editing.moved(spec, at, to), to)
        elif name == "copy":
            work.change("panel duplicated", editing.duplicated(spec, at), at + 1)
        elif name == "delete":
            left = editing.without(spec, at)
            work.change("panel deleted", left if left.panels else None, max(at - 1, 0))
        else:
            self._go(spec.panels[at])

    def _go(self, panel: object) -> None:
        """Bring the views to a panel's slice, and its map on top."""
        if not isinstance(panel, ImagePanel):
            return
        entry, volume = self._work.entry(panel.map), self._work.volume(panel.map)
        if volume is None:
            return
        where = panel_slice(panel, volume)
        if entry is not None:
            self._work.session.selected = entry.id
        controller = self._work.context.controller
        voxel = volume.world_to_voxel(self._work.session.crosshair_mm)
        voxel[DEPTH_AXIS[panel.plane]] = where.index
        controller.go_to(volume.voxel_to_world(voxel))

    # -- the current view -----------------------------------------------------------------

    def _view(self) -> SliceView:
        controller = self._work.context.controller
        last = self._uses.last
        return last if last is not None and last in controller.views else controller.main

    def _add_view(self) -> None:
        work, session = self._work, self._work.session
        controller, view = work.context.controller, self._view()
        frame = controller.frame_in(view)
        if frame is None:
            raise QsmError("Open a map first: a panel shows what a view shows.")
        if view.is_3d:
            raise QsmError("A panel shows a slice. Leave the 3-D view first.")
        entry = controller.shown_in(view)
        if entry is None:
            raise QsmError("This view shows no map. Tick one in the Data panel first.")
        camera = view.camera()
        here = at_visit(session, session.crosshair_mm, controller.case_in(view))
        centre = frame.world_to_display(here)
        across, up = DRAWN_AXES[view.plane]
        centre[across], centre[up] = camera.centre
        look = Look(
            entry,
            view.plane,
            triple(here),
            triple(frame.display_to_world(centre)),
            (camera.size[0] / camera.zoom, camera.size[1] / camera.zoom),
        )
        spec = add_view(
            work.spec or session.figure, session, look, name=self._templates.name_of(entry)
        )
        new = next(i for i, p in enumerate(spec.panels) if _is_new(p, work.spec))
        panel = spec.panels[new]
        if isinstance(panel, ImagePanel):
            spec = editing.with_marks(
                spec, new, marks_on(session.case_of(entry).annotations, panel, entry)
            )
        work.change("view added to the figure", spec, new)


def _is_new(panel: object, before: object) -> bool:
    """Whether a panel was not in the figure, wherever it lay."""
    if before is None:
        return True
    old = [p.model_copy(update={"cell": None, "title": ""}) for p in before.panels]  # type: ignore[attr-defined]
    return panel.model_copy(update={"cell": None, "title": ""}) not in old  # type: ignore[attr-defined]
