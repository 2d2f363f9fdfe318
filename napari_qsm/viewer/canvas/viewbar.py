"""The row of buttons above the panels: what the view area shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QHBoxLayout, QToolButton, QVBoxLayout, QWidget

from napari_qsm.viewer import ui
from napari_qsm.viewer.icons import icon, is_dark

if TYPE_CHECKING:
    from napari_qsm.viewer.docks import Docks
    from napari_qsm.viewer.services import Services

_LAYOUTS = (
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
        row, row2 = QHBoxLayout(), QHBoxLayout()
        for each in (row, row2):
            each.setSpacing(3)
        for key, tip in _LAYOUTS:
            button = self._button(key, tip, lambda _=False, k=key: self._on_layout(k), key)
            button.setCheckable(True)
            self._layouts[key] = button
            row.addWidget(button)
        row.addSpacing(8)
        row.addWidget(
            self._button(
                "swap",
                "Another plane becomes the large one (W)",
                lambda _=False: services.controller.swap(),
                "swap",
            )
        )
        row.addWidget(
            self._button(
                "fit",
                "Whole field of view (Ctrl+R)",
                lambda _=False: services.viewer.reset_view(),
                "fit",
            )
        )
        self._link = self._button("link", "Zoom and move all views together", self._on_link, "link")
        self._link.setCheckable(True)
        row.addWidget(self._link)
        self._crosshair = self._button(
            "crosshair", "Crosshair (H)", self._on_crosshair, "crosshair"
        )
        self._crosshair.setCheckable(True)
        row.addWidget(self._crosshair)
        row.addStretch(1)
        self._docks = self._button(
            "layers",
            "napari's own layer list and layer controls",
            lambda _=False: docks.show_napari(self._docks.isChecked()),
            "layers",
        )
        self._docks.setCheckable(True)
        row.addWidget(self._docks)
        self._sides = self._button("sides", "", self._on_sides)
        self._unit = self._button("unit", "Unit of susceptibility, everywhere (U)", self._on_unit)
        help_ = self._button("help", "Keys and mouse (F1)", lambda _=False: toggle_help())
        help_.setText("?")
        row2.addWidget(self._sides)
        row2.addWidget(self._unit)
        row2.addStretch(1)
        row2.addWidget(help_)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 6, 8, 0)
        layout.setSpacing(3)
        layout.addLayout(row)
        layout.addLayout(row2)
        self._events = [
            session.events.layout,
            session.events.views_linked,
            session.events.crosshair_visible,
            session.events.radiological,
            session.events.unit,
            docks.napari_changed,
        ]
        for signal in self._events:
            signal.connect(self.refresh)
        self._viewer.events.theme.connect(self._draw_icons)
        self._draw_icons()
        self.refresh()

    def dispose(self) -> None:
        """Stop listening."""
        for signal in self._events:
            signal.disconnect(self.refresh)
        self._viewer.events.theme.disconnect(self._draw_icons)

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
        self, name: str, tip: str, call: Callable[..., Any], picture: str = ""
    ) -> QToolButton:
        button = QToolButton()
        button.setObjectName(f"qsm.view.{name}")
        button.setToolTip(tip)
        button.setMinimumSize(30, 26)
        button.clicked.connect(call)
        if picture:
            self._icons.append((button, picture))
        return button

    def _draw_icons(self, event: Any = None) -> None:
        dark = is_dark(self._viewer.theme)
        for button, picture in self._icons:
            button.setIcon(icon(picture, dark))

    def _on_layout(self, key: str) -> None:
        self._session.layout = key  # type: ignore[assignment]
        self.refresh()

    def _on_link(self) -> None:
        self._session.views_linked = self._link.isChecked()

    def _on_crosshair(self) -> None:
        self._session.crosshair_visible = self._crosshair.isChecked()

    def _on_sides(self) -> None:
        self._session.radiological = not self._session.radiological

    def _on_unit(self) -> None:
        self._session.unit = "ppb" if self._session.unit == "ppm" else "ppm"
