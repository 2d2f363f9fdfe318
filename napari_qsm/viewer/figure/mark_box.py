"""Arrows, circles, lines and words for the views: which tool, which look."""

from __future__ import annotations

from functools import partial
from typing import Any

from qtpy.QtCore import QSize
from qtpy.QtWidgets import QComboBox, QLineEdit, QToolButton, QWidget

from napari_qsm.figures.annotations import Annotation
from napari_qsm.viewer import ui
from napari_qsm.viewer.figure.mark_tool import MarkTool
from napari_qsm.viewer.figure.work import FigureWork
from napari_qsm.viewer.forms import Control, schema_field
from napari_qsm.viewer.icons import icon

_TOOLS = (
    ("arrow", "Arrow", "Drag from the arrow's tail to its tip"),
    ("circle", "Circle", "Drag from the middle to the rim"),
    ("ellipse", "Ellipse", "Drag from the middle to a corner"),
    ("line", "Line", "Drag from end to end; its length in mm is written beside it"),
    ("text", "Text", "Click where the words shall stand"),
)
#: Colours that colour-blind readers tell apart.
_COLOURS = {
    "#ffffff": "white",
    "#000000": "black",
    "#f0e442": "yellow",
    "#e69f00": "orange",
    "#56b4e9": "light blue",
    "#009e73": "green",
    "#d55e00": "red",
}
_FIELDS = (
    schema_field(Annotation, "colour", "Colour", key="mark_colour", words=_COLOURS),
    schema_field(
        Annotation, "width_pt", "Width", key="mark_width", low=0.5, high=6.0, step=0.5, unit="pt"
    ),
    schema_field(Annotation, "text", "Words", key="mark_words", tip="Written beside the mark"),
    schema_field(
        Annotation,
        "meaning",
        "Points at",
        key="mark_meaning",
        tip="What it points at, for the caption alone",
    ),
)


class MarkBox(QWidget):
    """The tools, and the look of the chosen mark or of those to come."""

    def __init__(self, work: FigureWork) -> None:
        super().__init__()
        self._work = work
        self._session = work.session
        self._controller = work.context.controller
        self._kind = "arrow"
        self.tool = MarkTool(self._controller, self._session, self._new, self._on_chosen)
        self._tools: dict[str, QToolButton] = {}
        for kind, text, tip in _TOOLS:
            self._tools[kind] = ui.tool(
                f"qsm.figure.mark_{kind}",
                partial(self._on_tool, kind),
                text=text,
                tip=tip,
                checkable=True,
            )
            self._tools[kind].setStyleSheet(ui.TOOL_BUTTONS.replace("7px", "4px"))
        self._hint = ui.quiet("")
        self._controls = {
            field.name: Control(
                field, f"qsm.figure.{field.key}", partial(self._on_field, field.name)
            )
            for field in _FIELDS
        }
        self._controls["width_pt"].show(1.5)
        parts = {name: control.widget for name, control in self._controls.items()}
        colours = parts["colour"]
        assert isinstance(colours, QComboBox)
        colours.setIconSize(QSize(14, 14))
        for index in range(colours.count()):
            colour = colours.itemData(index)
            colours.setItemIcon(index, icon("square", colour=colour, side=14))
        self._delete = ui.button("Delete", "qsm.figure.mark_delete", lambda: self.tool.delete())
        self._shown = ui.check(
            "Show in the views", "qsm.figure.marks_shown", self._on_shown, on=True
        )
        self.setLayout(
            ui.form(
                ui.row(*self._tools.values(), None, spacing=3),
                self._hint,
                ("Look", ui.row((colours, 1), parts["width_pt"])),
                ("Words", parts["text"]),
                ("Points at", parts["meaning"]),
                ui.row((self._shown, 1), self._delete),
            )
        )
        self._controller.overlay_items.append(self.tool.drawn)
        self._controller.tool_changed.connect(self._on_tool_changed)
        self._session.case_events.annotations.connect(self._on_annotations)
        self._on_chosen()

    def dispose(self) -> None:
        """Put the tool away and stop listening."""
        self._controller.tool_changed.disconnect(self._on_tool_changed)
        self._session.case_events.annotations.disconnect(self._on_annotations)
        if self._controller.tool is self.tool:
            self._controller.use_tool(None)
        if self.tool.drawn in self._controller.overlay_items:
            self._controller.overlay_items.remove(self.tool.drawn)

    # -- what the tool asks ---------------------------------------------------------------

    def _new(self) -> dict[str, Any]:
        """The fields of a mark to come."""
        words = self._controls["text"].value if self.tool.mark is None else ""
        return {
            "kind": self._kind,
            "colour": self._controls["colour"].value,
            "width_pt": self._controls["width_pt"].value,
            "text": (words or "text") if self._kind == "text" else "",
        }

    def _on_chosen(self) -> None:
        mark = self.tool.mark
        controls = self._controls
        if mark is not None:
            controls["colour"].show(mark.colour)
            controls["width_pt"].show(mark.width_pt)
        for name in ("text", "meaning"):
            controls[name].show(getattr(mark, name) if mark is not None else "")
        self._delete.setEnabled(mark is not None)
        controls["meaning"].widget.setEnabled(mark is not None)
        words = controls["text"].widget
        words.setEnabled(mark is not None or self._kind == "text")
        self._say()
        if mark is not None and mark.kind == "text" and mark.text == "text":
            words.setFocus()
            assert isinstance(words, QLineEdit)
            words.selectAll()

    def _say(self) -> None:
        mark = self.tool.mark
        if self._controller.tool is not self.tool:
            self._hint.setText("Choose a tool, then draw on a slice in the views.")
        elif mark is not None:
            length = mark.length_mm
            size = f", {length:.1f} mm long" if length is not None else ""
            if mark.radii_mm is not None:
                across, up = (2 * r for r in mark.radii_mm)
                size = f", {across:.1f} mm" + (f" × {up:.1f} mm" if across != up else " wide")
            self._hint.setText(f"Chosen: {mark.kind}{size}. Drag it to move it; Delete removes it.")
        else:
            tip = next(tip for kind, _, tip in _TOOLS if kind == self._kind)
            self._hint.setText(f"{tip}. Click a mark to choose it.")

    # -- events ---------------------------------------------------------------------------

    def _on_tool(self, kind: str, on: bool) -> None:
        self._kind = kind
        self.tool.choose("")
        self._controller.use_tool(self.tool if on else None)
        self._show_tool()

    def _on_tool_changed(self, tool: object) -> None:
        if tool is not self.tool:
            self.tool.choose("")
        self._show_tool()

    def _show_tool(self) -> None:
        active = self._controller.tool is self.tool
        for kind, button in self._tools.items():
            button.setChecked(active and kind == self._kind)
        if active:
            self._shown.setChecked(True)
        self._controls["text"].widget.setEnabled(self.tool.mark is not None or self._kind == "text")
        self._say()

    def _on_annotations(self) -> None:
        if self.tool.chosen and self.tool.mark is None:
            self.tool.choose("")
        else:
            self._on_chosen()
        self._controller.repaint_all()

    def _on_shown(self, on: bool) -> None:
        self.tool.shown = on
        self._controller.repaint_all()

    def _on_field(self, name: str, value: Any) -> None:
        mark = self.tool.mark
        if name == "text" and mark is not None and mark.kind == "text" and not value:
            self._controls["text"].show(mark.text)  # a text without words would be nothing
        else:
            self.tool.restyle(**{name: value})
