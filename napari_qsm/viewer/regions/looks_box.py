"""How regions look: filled or as outlines, how broad and how strong, in colours for everyone."""

from __future__ import annotations

from typing import Any

from napari_qsm.session.region_looks import region_maps, set_look
from napari_qsm.session.regions import recolour_regions
from napari_qsm.study.display import WIDEST_OUTLINE
from napari_qsm.viewer import ui
from napari_qsm.viewer.services import Services

_STYLES = (("fill", "Filled"), ("outline", "Outlines"))


class LooksBox(ui.Section):
    """The look of all label maps and masks of the case on show."""

    def __init__(self, context: Services) -> None:
        super().__init__("How regions look", "qsm.looks", is_open=False)
        self._session = session = context.session
        self._filling = False
        self._style = ui.combo(
            "qsm.looks.style", lambda _: self._set(), _STYLES,
            tip="Filled, or their edges alone; panels taken from a view look the same",
        )  # fmt: skip
        self._width = ui.whole_number(
            "qsm.looks.width", lambda _: self._set(), 1, WIDEST_OUTLINE,
            tip="How broad outlines are, from the region's edge inwards",
        )  # fmt: skip
        self._width.setMinimumWidth(86)
        self._opacity = ui.slider(
            "qsm.looks.opacity", lambda _: self._set(), 0.1, 1.0, tip="How strong the colours are"
        )
        self._opacity.setMinimumHeight(22)
        self._colours = ui.button(
            "Colours for everyone", "qsm.looks.colours", self._recolour,
            tip="A hue for each structure that colour-blind readers tell from its neighbours; "
            "the left side is the brighter one",
        )  # fmt: skip
        for part in (
            ui.row((self._style, 1), ui.WholeLabel("Width"), self._width, spacing=6),
            ui.row(ui.WholeLabel("Strength"), self._opacity, spacing=6),
            self._colours,
        ):
            self.body.addWidget(part) if part is self._colours else self.body.addLayout(part)
        self._heard = ui.Subscriptions()
        self._heard.connect(context.controller.drawn_again, session.events.painted, to=self.refresh)
        self.refresh()

    def dispose(self) -> None:
        """Stop listening."""
        self._heard.dispose()

    def refresh(self) -> None:
        """Show how the region maps look, by the uppermost one."""
        maps = region_maps(self._session)
        painted = self._session.entry(self._session.painted) if self._session.painted else None
        for part in (self._style, self._width, self._opacity):
            part.setEnabled(bool(maps))
        self._colours.setEnabled(painted is not None and bool(painted.regions))
        if not maps:
            return
        display = maps[-1].display
        self._filling = True
        try:
            ui.show_choices(self._style, _STYLES, "outline" if display.outline else "fill")
            self._width.setValue(display.outline_width)
            self._width.setEnabled(display.outline)
            self._opacity.setValue(display.opacity)
        finally:
            self._filling = False

    def _set(self, *_: Any) -> None:
        if not self._filling:
            set_look(
                self._session,
                outline=self._style.currentData() == "outline",
                width=self._width.value(),
                opacity=round(self._opacity.value(), 2),
            )
            self.refresh()

    def _recolour(self) -> None:
        entry = self._session.entry(self._session.painted) if self._session.painted else None
        if entry is not None:
            recolour_regions(self._session, entry)
