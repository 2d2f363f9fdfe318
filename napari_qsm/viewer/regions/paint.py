"""Draw: the tools in a row, a sentence about the next click, and the settings of the one in hand."""

from __future__ import annotations

from functools import partial
from typing import Any

from qtpy.QtCore import QSize
from qtpy.QtWidgets import QToolButton, QWidget

from napari_qsm.session.growth import mask_for
from napari_qsm.session.painting import PaintOptions
from napari_qsm.viewer import ui
from napari_qsm.viewer.icons import icon, is_dark
from napari_qsm.viewer.key_sets import chosen_keys
from napari_qsm.viewer.regions.painter import Painter
from napari_qsm.viewer.regions.tool_options import ToolOptions
from napari_qsm.viewer.services import Services

_TOOLS = (
    ("brush", "Brush", "paints with the left button, erases with the right one"),
    ("adaptive", "Adaptive brush", "paints up to the edges of the map, within its tip"),
    ("eraser", "Eraser", "takes paint away"),
    ("push", "Push", "pushes the outline: out from inside, in from outside"),
    ("polygon", "Polygon", "corners that can be dragged, put in between and taken out"),
    ("lasso", "Lasso", "drag round what is to be painted"),
    ("fill", "Fill", "click inside a closed outline, or within limits of values"),
    ("grow", "Grow", "from a seed within limits, seen before it is painted"),
    ("move", "Move", "arrows nudge the outline, or the whole region, by a voxel"),
    ("pick", "Pick", "click a region to choose it; Alt + click does so with any tool"),
)
#: Narrower than other small buttons: all tools stand in one row of the narrowest panel.
_TOOL_STYLE = ui.TOOL_BUTTONS.replace("padding: 2px 7px", "padding: 2px")


class PaintBox(ui.Section):
    """The drawing tools."""

    painter: Painter
    options: PaintOptions

    def __init__(self, context: Services) -> None:
        super().__init__("Draw", "qsm.paint", is_open=True)
        self._context = context
        self._session = context.session
        self._keys: dict[str, str] = {}
        self._said_of = "?"
        self.painter = Painter(context.controller)
        self.options = self.painter.options
        self._tools: dict[str, QToolButton] = {}
        for kind, title, _ in _TOOLS:
            made = ui.tool(f"qsm.paint.{kind}", partial(self._on_tool, kind), checkable=True)
            made.setAccessibleName(title)
            made.setIconSize(QSize(20, 20))
            made.setMinimumSize(26, 28)
            made.setStyleSheet(_TOOL_STYLE)
            self._tools[kind] = made
        self._says = ui.label("", "qsm.paint.says")
        self._says.setMinimumHeight(self._says.fontMetrics().height() * 3 + 2)
        self._settings = ToolOptions(self.options, self.painter.grown.fit_limits)
        self._open = ui.button(
            "Open the outline", "qsm.paint.open", self.painter.open_outline,
            tip="The region's outline on this slice as a polygon, whose corners can be dragged",
        )  # fmt: skip
        self._take = ui.button("Paint it", "qsm.paint.take", self.painter.take, main=True)
        self._drop = ui.button("Drop it", "qsm.paint.drop", lambda: self.painter.cancel())
        self._undo = ui.button("Undo", "qsm.paint.undo", context.session.history.undo)
        self._redo = ui.button("Redo", "qsm.paint.redo", context.session.history.redo)
        self._pending: QWidget = ui.panel(ui.row(self._take, self._drop, spacing=4))
        for part in (
            ui.panel(ui.row(*self._tools.values(), spacing=2)), self._says, self._settings,
            self._open, self._pending, ui.panel(ui.row(self._undo, self._redo, spacing=4)),
        ):  # fmt: skip
            self.body.addWidget(part)
        self._heard = ui.Subscriptions()
        session = context.session
        self._heard.connect(
            self.painter.changed, session.events.unit, session.maps.events.inserted, to=self.refresh
        )
        self._heard.connect(session.history.changed, to=self._show_undo)
        self._heard.connect(context.controller.drawn_again, to=self._say)
        self._heard.connect(context.viewer.events.theme, to=self._draw_icons)
        self._heard.on_dispose(self.painter.dispose)
        self._draw_icons()
        self.refresh()
        self._show_undo()

    def dispose(self) -> None:
        """Put the tool away and stop listening."""
        self._heard.dispose()

    # -- showing --------------------------------------------------------------------------

    def refresh(self) -> None:
        """Show how the tools are set."""
        kind = self.options.kind
        for each, button in self._tools.items():
            button.setChecked(each == kind)
        if self._said_of != kind:
            self._said_of = kind
            self._show_keys()
        entry = self._session.entry(self._session.painted) if self._session.painted else None
        has_mask = entry is not None and mask_for(self._session, entry) is not None
        self._settings.show_options(self._session.unit, has_mask=has_mask)
        self._open.setVisible(kind == "polygon")
        self._pending.setVisible(kind in ("polygon", "grow"))
        self._take.setEnabled(self.painter.can_be_taken)
        self._drop.setEnabled(self.painter.is_busy)
        self._say()

    def _say(self) -> None:
        text, ready = self.painter.sentence()
        kind = self.options.kind
        title = next((title for each, title, _ in _TOOLS if each == kind), "")
        key = self._keys.get(f"qsm.{kind}", "")
        self._says.setText(f"{title}{f' ({key})' if key else ''}: {text}" if title else text)
        font = self._says.font()
        font.setBold(ready)
        self._says.setFont(font)

    def _show_keys(self) -> None:
        """Names, keys and uses of the tools; keys may have been chosen anew."""
        self._keys = chosen_keys()
        for kind, title, says in _TOOLS:
            key = self._keys.get(f"qsm.{kind}", "")
            self._tools[kind].setToolTip(f"{title}{f' ({key})' if key else ''}: {says}")
        for button, command, text in (
            (self._take, "qsm.close_outline", "Paints what is shown, as one undo"),
            (self._drop, "qsm.escape", "Nothing is painted"),
        ):
            key = self._keys.get(command, "")
            button.setToolTip(f"{text} ({key})" if key else text)

    def _draw_icons(self, event: Any = None) -> None:
        dark = is_dark(self._context.viewer.theme)
        for kind, button in self._tools.items():
            button.setIcon(icon(f"tool-{kind}", dark))

    def _show_undo(self) -> None:
        history = self._session.history
        for button, text, key in (
            (self._undo, history.undo_text, "Ctrl Z"),
            (self._redo, history.redo_text, "Ctrl Shift Z"),
        ):
            button.setEnabled(bool(text))
            button.setToolTip(f"{text} ({key})" if text else key)

    # -- what the user does ---------------------------------------------------------------

    def _on_tool(self, kind: str, _: bool) -> None:
        self.painter.use(kind)
        self.refresh()

    def toggle_eraser(self) -> None:
        """From any tool to the eraser, and from the eraser to the brush."""
        self.painter.use("brush" if self.options.kind == "eraser" else "eraser")

    def escape(self) -> None:
        """First give up an outline, then put the tool away."""
        if not self.painter.cancel():
            self.painter.use("")
