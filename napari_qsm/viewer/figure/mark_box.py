"""Arrows, circles, lines and words for the views: which tool, which look."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QSize
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QToolButton,
    QWidget,
)

from napari_qsm.viewer import ui
from napari_qsm.viewer.figure.mark_tool import MarkTool
from napari_qsm.viewer.figure.work import FigureWork
from napari_qsm.viewer.icons import icon

_TOOLS = (
    ("arrow", "Arrow", "Drag from the arrow's tail to its tip"),
    ("circle", "Circle", "Drag from the middle to the rim"),
    ("ellipse", "Ellipse", "Drag from the middle to a corner"),
    ("line", "Line", "Drag from end to end; its length in mm is written beside it"),
    ("text", "Text", "Click where the words shall stand"),
)
#: Colours that colour-blind readers tell apart.
_COLOURS = (
    ("#ffffff", "white"),
    ("#000000", "black"),
    ("#f0e442", "yellow"),
    ("#e69f00", "orange"),
    ("#56b4e9", "light blue"),
    ("#009e73", "green"),
    ("#d55e00", "red"),
)


class MarkBox(QWidget):
    """The tools, and the look of the chosen mark or of those to come."""

    def __init__(self, work: FigureWork) -> None:
        super().__init__()
        self._work = work
        self._session = work.session
        self._controller = work.context.controller
        self._filling = False
        self._kind = "arrow"
        self.tool = MarkTool(self._controller, self._session, self._new, self._on_chosen)
        form = QFormLayout(self)
        form.setContentsMargins(4, 2, 4, 2)
        form.setVerticalSpacing(4)
        row = QHBoxLayout()
        row.setSpacing(3)
        self._tools: dict[str, QToolButton] = {}
        for kind, text, tip in _TOOLS:
            button = QToolButton()
            button.setObjectName(f"qsm.figure.mark_{kind}")
            button.setText(text)
            button.setToolTip(tip)
            button.setCheckable(True)
            button.setStyleSheet(ui.TOOL_BUTTONS.replace("7px", "4px"))
            button.clicked.connect(lambda on=False, k=kind: self._on_tool(k, on))
            row.addWidget(button)
            self._tools[kind] = button
        row.addStretch(1)
        form.addRow(row)
        self._hint = ui.quiet("")
        form.addRow(self._hint)
        self._colour = QComboBox()
        self._colour.setObjectName("qsm.figure.mark_colour")
        self._colour.setIconSize(QSize(14, 14))
        for colour, name in _COLOURS:
            self._colour.addItem(icon("square", colour=colour, side=14), name, colour)
        self._colour.activated.connect(lambda _=0: self._restyle(colour=self._colour.currentData()))
        self._width = QDoubleSpinBox()
        self._width.setObjectName("qsm.figure.mark_width")
        self._width.setRange(0.5, 6.0)
        self._width.setSingleStep(0.5)
        self._width.setDecimals(1)
        self._width.setSuffix(" pt")
        self._width.setValue(1.5)
        self._width.setKeyboardTracking(False)
        self._width.valueChanged.connect(lambda v: self._restyle(width_pt=v))
        look = QHBoxLayout()
        look.addWidget(self._colour, 1)
        look.addWidget(self._width)
        form.addRow("Look", look)
        self._text = self._line("mark_words", "Written beside the mark")
        self._text.editingFinished.connect(self._on_text)
        form.addRow("Words", self._text)
        self._meaning = self._line("mark_meaning", "What it points at, for the caption alone")
        self._meaning.editingFinished.connect(
            lambda: self._restyle(meaning=self._meaning.text().strip())
        )
        form.addRow("Points at", self._meaning)
        self._delete = QPushButton("Delete")
        self._delete.setObjectName("qsm.figure.mark_delete")
        self._delete.clicked.connect(lambda _=False: self.tool.delete())
        self._shown = QCheckBox("Show in the views")
        self._shown.setObjectName("qsm.figure.marks_shown")
        self._shown.setChecked(True)
        self._shown.toggled.connect(self._on_shown)
        last = QHBoxLayout()
        last.addWidget(self._shown, 1)
        last.addWidget(self._delete)
        form.addRow(last)
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

    def _line(self, name: str, tip: str) -> QLineEdit:
        line = QLineEdit()
        line.setObjectName(f"qsm.figure.{name}")
        line.setMaxLength(200)
        line.setToolTip(tip)
        return line

    # -- what the tool asks ---------------------------------------------------------------

    def _new(self) -> dict[str, Any]:
        """The fields of a mark to come."""
        words = self._text.text().strip() if self.tool.mark is None else ""
        return {
            "kind": self._kind,
            "colour": self._colour.currentData(),
            "width_pt": self._width.value(),
            "text": (words or "text") if self._kind == "text" else "",
        }

    def _on_chosen(self) -> None:
        mark = self.tool.mark
        self._filling = True
        if mark is not None:
            at = self._colour.findData(mark.colour)
            if at < 0:
                self._colour.addItem(
                    icon("square", colour=mark.colour, side=14), mark.colour, mark.colour
                )
                at = self._colour.count() - 1
            self._colour.setCurrentIndex(at)
            self._width.setValue(mark.width_pt)
        self._text.setText(mark.text if mark is not None else "")
        self._meaning.setText(mark.meaning if mark is not None else "")
        self._filling = False
        self._delete.setEnabled(mark is not None)
        self._meaning.setEnabled(mark is not None)
        self._text.setEnabled(mark is not None or self._kind == "text")
        self._say()
        if mark is not None and mark.kind == "text" and mark.text == "text":
            self._text.setFocus()
            self._text.selectAll()

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
        self._text.setEnabled(self.tool.mark is not None or self._kind == "text")
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

    def _on_text(self) -> None:
        mark, words = self.tool.mark, self._text.text().strip()
        if mark is not None and mark.kind == "text" and not words:
            self._text.setText(mark.text)  # a text without words would be nothing
            return
        self._restyle(text=words)

    def _restyle(self, **changes: Any) -> None:
        if not self._filling:
            self.tool.restyle(**changes)
