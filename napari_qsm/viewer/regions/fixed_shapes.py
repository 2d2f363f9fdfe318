"""Fixed shapes: choose one, place it, read its numbers, mirror, save, burn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QPushButton,
    QWidget,
)

from napari_qsm.anatomy import side_mm
from napari_qsm.errors import QsmError
from napari_qsm.rois.shape_changes import Applied
from napari_qsm.rois.shapes import FixedShape
from napari_qsm.session.blinding import shown_case
from napari_qsm.session.settings import load_settings, save_settings
from napari_qsm.viewer import ui
from napari_qsm.viewer.regions.guide import Guide
from napari_qsm.viewer.regions.shape_burn_box import BurnBox
from napari_qsm.viewer.regions.shape_copying import copy_all
from napari_qsm.viewer.regions.shape_form import ShapeForm
from napari_qsm.viewer.regions.shape_guide import GuideBox
from napari_qsm.viewer.regions.shape_list import ShapeList, numbers_text
from napari_qsm.viewer.regions.shape_tool import ShapeTool
from napari_qsm.viewer.regions.shape_work import ShapeWork
from napari_qsm.viewer.services import Services

_FILES = "Fixed shapes (*.json)"


class FixedShapesBox(ui.Section):
    """The section of the Regions panel for shapes of one size."""

    def __init__(self, context: Services) -> None:
        super().__init__("Fixed shapes", "qsm.shapes", is_open=False)
        self._context = context
        self._session = context.session
        self.work = ShapeWork(context.session, context.controller)
        self.guide = Guide(self.work)
        self.tool = ShapeTool(self.work, self.deactivate, self._words)
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(0)
        self._soon.timeout.connect(self.refresh)
        layout = self.body
        self._place = ui.button("Place shapes", "qsm.shapes.place", self._on_place, main=True)
        self._place.setToolTip(
            "Click puts a shape down, drag moves it, arrow keys and Page Up/Down nudge it by a "
            "voxel, the wheel turns it, Delete takes it away, Escape ends"
        )
        layout.addWidget(self._place)
        self._hint = ui.label("", "qsm.shapes.hint")
        layout.addWidget(self._hint)
        self.form = ShapeForm(self.work)
        self.guide_box = GuideBox(self.work, self.guide, self._tell, self.activate)
        self.list = ShapeList(self.work)
        for part in (self.guide_box, self.form, self.list):
            layout.addWidget(part)
        layout.addLayout(self._chosen_row())
        layout.addLayout(self._middle_row())
        layout.addLayout(self._file_row())
        self._copy_bar = self._copy_row()
        layout.addWidget(self._copy_bar)
        self._burning = BurnBox(self._session, self.work, self._guarded, self._tell)
        layout.addWidget(self._burning)
        context.controller.overlay_items.append(self.tool.patches)
        context.controller.items_everywhere.append(self.tool.patches_beside)
        for emitter, call in self._connections():
            emitter.connect(call)
        self.refresh()
        self._on_tool(None)

    def dispose(self) -> None:
        """Stop listening and take the shapes off the views."""
        self._soon.stop()
        for emitter, call in self._connections():
            emitter.disconnect(call)
        controller = self._context.controller
        if self.tool.patches in controller.overlay_items:
            controller.overlay_items.remove(self.tool.patches)
            controller.items_everywhere.remove(self.tool.patches_beside)
        if controller.tool is self.tool:
            controller.use_tool(None)
        for part in (self.guide_box, self.form, self.list, self.guide, self.work):
            part.dispose()

    def refresh(self) -> None:
        """Take up maps, cases and regions as they are now."""
        self._soon.stop()
        self.form.refresh()
        cases = self.work.other_cases()
        wanted = [(case.id, shown_case(self._session, case)) for case in cases]
        chosen = self._cases.currentData() if self._cases.currentData() in dict(wanted) else None
        ui.show_choices(self._cases, wanted, chosen or next(iter(dict(wanted)), None))
        self._copy_bar.setVisible(bool(cases))
        self._on_middle()
        self._on_chosen()

    # -- the tool ---------------------------------------------------------------------------

    def activate(self) -> None:
        """Give the left button to the shapes."""
        self._context.controller.use_tool(self.tool)

    def deactivate(self) -> None:
        """Give the left button back to the crosshair."""
        if self._context.controller.tool is self.tool:
            self._context.controller.use_tool(None)

    def _on_place(self) -> None:
        if self.tool.active:
            self.deactivate()
        elif self.work.volume is None:
            self._tell("Open a map first; shapes are placed on its grid.")
        else:
            self.activate()

    def _on_tool(self, tool: Any) -> None:
        self.tool.active = tool is self.tool
        if not self.tool.active:
            self.work.ghost = None
        self._place.setText("Stop placing (Esc)" if self.tool.active else "Place shapes")
        self._hint.setText(
            "Click to place, drag to move, arrows to nudge, wheel to turn, Delete to remove."
        )
        self._hint.setVisible(self.tool.active)
        self._context.controller.repaint_all()

    def _on_fold(self, is_open: bool) -> None:
        if not is_open:  # nobody should click with a tool whose panel is out of sight
            self.deactivate()

    def _words(self, shape: FixedShape) -> str:
        row = next((row for row in self.work.rows if row.shape is shape), None)
        if row is None:
            return shape.name
        return f"{shape.name}\n{numbers_text(row, self.work)}"

    # -- rows of buttons --------------------------------------------------------------------

    def _chosen_row(self) -> QHBoxLayout:
        self._mirror = _button(
            "Mirror",
            "qsm.shapes.mirror",
            "Put a shape of the same size on the patient's other side",
            self._guarded(self.work.mirror),
        )
        self._resize = _button(
            "This size",
            "qsm.shapes.resize",
            "Give the chosen shape the kind and size above",
            self._guarded(self.work.resize),
        )
        self._delete = _button(
            "Delete", "qsm.shapes.delete", "Take the chosen shape away", self.work.delete
        )
        return _row(self._mirror, self._resize, self._delete)

    def _middle_row(self) -> QHBoxLayout:
        self._middle = ui.label("", "qsm.shapes.middle")
        self._set_middle = _button(
            "Set at crosshair",
            "qsm.shapes.set_middle",
            "The plane between the patient's sides, for mirroring: put the crosshair between "
            "the hemispheres first",
            self._on_set_middle,
        )
        return ui.row((self._middle, 1), self._set_middle, spacing=5)

    def _file_row(self) -> QHBoxLayout:
        self._save = _button(
            "Save shapes…",
            "qsm.shapes.save",
            "Save the shapes of this map into a file, with their places in mm",
            self.ask_save,
        )
        self._open = _button(
            "Open shapes…",
            "qsm.shapes.open",
            "Put the shapes of a file onto the map on show, by their places in mm",
            self.ask_open,
        )
        return _row(self._save, self._open)

    def _copy_row(self) -> QWidget:
        self._cases = ui.combo("qsm.shapes.groups", lambda _: None, characters=6)
        self._copy = _button(
            "Copy all to",
            "qsm.shapes.copy",
            "The same shapes for another visit, carried with the head by its rigid transform; "
            "without one you are told by how much the heads differ, and asked",
            self._guarded(self._on_copy),
        )
        return ui.panel(ui.row(self._copy, (self._cases, 1), spacing=5))

    # -- what buttons do --------------------------------------------------------------------

    def _guarded(self, call: Callable[[], Any]) -> Callable[[], None]:
        """Errors become a sentence in the window."""

        def guarded() -> None:
            try:
                call()
            except QsmError as error:
                self._tell(str(error))

        return guarded

    def _tell(self, sentence: str) -> None:
        self._context.message(sentence)

    def _report(self, done: str, found: Applied) -> None:
        say = self._context.message if found.notes else self._context.success
        say(" ".join([done, *found.notes]))

    def _on_set_middle(self) -> None:
        frame = self._context.controller.frame
        if frame is not None:
            at = frame.world_to_display(self._session.crosshair_mm)
            self._session.change("middle of the head", self._session.case, midline_mm=float(at[0]))

    def _on_middle(self) -> None:
        middle = self._session.case.midline_mm
        self._middle.setText(
            "Middle of the head: not set"
            if middle is None
            else f"Middle of the head: {side_mm(0, middle)}"
        )
        self.work.refresh()

    def _on_chosen(self) -> None:
        chosen = self.work.chosen_shape is not None
        for button in (self._mirror, self._resize, self._delete):
            button.setEnabled(chosen)
        for button in (self._save, self._copy, self._burning.button):
            button.setEnabled(bool(self.work.rows))
        self._open.setEnabled(self.work.volume is not None)
        self._set_middle.setEnabled(self.work.volume is not None)

    def _on_copy(self) -> None:
        case, entry = self._session.study.case(self._cases.currentData() or ""), self.work.entry
        if case is not None and entry is not None:
            copy_all(self._context, entry, case, self.work.shapes, self._report)

    def ask_save(self) -> None:
        """Ask for a file and save the shapes of the map on show."""
        path, _ = QFileDialog.getSaveFileName(self, "Save shapes", _folder("shapes.json"), _FILES)
        if path:
            self._guarded(lambda: self.save(Path(path).with_suffix(".json")))()

    def ask_open(self) -> None:
        """Ask for a file and put its shapes onto the map on show."""
        path, _ = QFileDialog.getOpenFileName(self, "Open shapes", _folder(""), _FILES)
        if path:
            self._guarded(lambda: self.open(Path(path)))()

    def save(self, path: Path) -> None:
        """Save the shapes of the map on show."""
        number = self.work.save(path)
        save_settings({"folder": str(path.parent)})
        self._tell(f"Saved {number} shapes in '{path.name}'.")

    def open(self, path: Path) -> None:
        """Put the shapes of a file onto the map on show."""
        found = self.work.load(path)
        save_settings({"folder": str(path.parent)})
        self._report(f"Placed {len(found.shapes)} shapes from '{path.name}'.", found)

    def _connections(self) -> list[tuple[Any, Callable[..., Any]]]:
        session, controller = self._session, self._context.controller
        return [
            (controller.tool_changed, self._on_tool),
            (self.heading.toggled, self._on_fold),
            (controller.drawn_again, self._refresh_soon),
            (session.maps.events.inserted, self._refresh_soon),
            (session.maps.events.removed, self._refresh_soon),
            (session.events.painted, self._refresh_soon),
            (session.case_events.midline_mm, self._on_middle),
            (session.case_edited, self._on_other_case),
            (self.work.rows_changed, self._on_chosen),
            (self.work.chosen_changed, self._on_chosen),
        ]

    def _on_other_case(self, case: str, name: str) -> None:
        """Shapes of another visit came or went, which may stand beside."""
        if name == "shapes" and case != self._session.active_case:
            self._context.controller.repaint_all()

    def _refresh_soon(self, *_: Any) -> None:
        self._soon.start()


def _folder(name: str) -> str:
    folder = load_settings().get("folder", "")
    known = Path(folder) if isinstance(folder, str) and folder else Path.home()
    return str(known / name) if name else str(known)


def _button(text: str, name: str, tip: str, call: Callable[[], Any]) -> QPushButton:
    button = QPushButton(text)
    button.setObjectName(name)
    button.setToolTip(tip)
    button.clicked.connect(lambda _=False: call())
    return button


def _row(*widgets: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setSpacing(5)
    for widget in widgets:
        if isinstance(widget, QPushButton):
            widget.setMinimumWidth(60)
        row.addWidget(widget)
    return row
