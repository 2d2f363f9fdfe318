"""The row of buttons above the panels: what the view area shows."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QToolButton, QWidget

from napari_qsm.session import Layout
from napari_qsm.viewer import ui
from napari_qsm.viewer.icons import icon, is_dark

if TYPE_CHECKING:
    from napari_qsm.viewer.docks import Docks
    from napari_qsm.viewer.services import Services

_LAYOUTS: tuple[tuple[Layout, str], ...] = (
    ("three", "Three views"),
    ("one", "Large view alone (Q)"),
    ("volume", "3-D: brightest along the line of sight"),
)


class ViewBar(QWidget):
    """Layouts, swap, link, crosshair, side convention, unit, help."""

    def __init__(self, services: Services, docks: Docks, toggle_help: Callable[[], None]) -> None:
        super().__init__()
        self.setObjectName("qsm.view")
        self.setStyleSheet(ui.TOOL_BUTTONS)
        self._session = session = services.session
        self._viewer = services.viewer
        self._napari = docks
        self._icons: list[tuple[QToolButton, str]] = []
        self._layouts: dict[str, QToolButton] = {}
        for key, tip in _LAYOUTS:
            self._layouts[key] = self._button(
                key, tip, partial(self._on_layout, key), key, checkable=True
            )
        swap = self._button(
            "swap",
            "Another plane becomes the large one (W)",
            lambda _: services.controller.swap(),
            "swap",
        )
        fit = self._button(
            "fit", "Whole field of view (Ctrl+R)", lambda _: services.viewer.reset_view(), "fit"
        )
        self._link = self._button(
            "link",
            "Zoom and move all views together",
            partial(setattr, session, "views_linked"),
            "link",
            checkable=True,
        )
        self._crosshair = self._button(
            "crosshair",
            "Crosshair (H)",
            partial(setattr, session, "crosshair_visible"),
            "crosshair",
            checkable=True,
        )
        self._docks = self._button(
            "layers",
            "napari's own layer list and layer controls",
            docks.show_napari,
            "layers",
            checkable=True,
        )
        self._sides = self._button("sides", "", self._on_sides)
        self._unit = self._button("unit", "Unit of susceptibility, everywhere (U)", self._on_unit)
        help_ = self._button("help", "Keys and mouse (F1)", lambda _: toggle_help())
        help_.setText("?")
        looks = (swap, fit, self._link, self._crosshair)
        row = ui.row(*self._layouts.values(), 8, *looks, None, self._docks, spacing=3)
        row2 = ui.row(self._sides, self._unit, None, help_, spacing=3)
        self.setLayout(ui.column(row, row2, spacing=3, margins=(8, 6, 8, 0)))
        events = session.events
        self._heard = ui.Subscriptions()
        self._heard.connect(
            events.layout,
            events.views_linked,
            events.crosshair_visible,
            events.radiological,
            events.unit,
            docks.napari_changed,
            to=self.refresh,
        )
        self._heard.connect(self._viewer.events.theme, to=self._draw_icons)
        self._draw_icons()
        self.refresh()

    def dispose(self) -> None:
        """Stop listening."""
        self._heard.dispose()

    def refresh(self) -> None:
        """Show the session's state."""
        session = self._session
        for key, button in self._layouts.items():
            button.setChecked(session.layout == key)
        self._link.setChecked(session.views_linked)
        self._crosshair.setChecked(session.crosshair_visible)
        self._sides.setText("Radiological" if session.radiological else "Neurological")
        self._sides.setToolTip(
            "The patient's right is on the left of the screen; click to change"
            if session.radiological
            else "The patient's right is on the right of the screen; click to change"
        )
        self._unit.setText(session.unit)
        self._docks.setChecked(self._napari.napari_shown)

    def _button(
        self,
        name: str,
        tip: str,
        call: Callable[[bool], Any],
        picture: str = "",
        *,
        checkable: bool = False,
    ) -> QToolButton:
        button = ui.tool(f"qsm.view.{name}", call, tip=tip, checkable=checkable)
        button.setMinimumSize(30, 26)
        if picture:
            self._icons.append((button, picture))
        return button

    def _draw_icons(self, event: Any = None) -> None:
        dark = is_dark(self._viewer.theme)
        for button, picture in self._icons:
            button.setIcon(icon(picture, dark))

    def _on_layout(self, key: Layout, _: bool) -> None:
        self._session.layout = key
        self.refresh()

    def _on_sides(self, _: bool) -> None:
        self._session.radiological = not self._session.radiological

    def _on_unit(self, _: bool) -> None:
        self._session.unit = "ppb" if self._session.unit == "ppm" else "ppm"
