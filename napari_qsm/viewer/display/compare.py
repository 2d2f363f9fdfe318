"""Compare: maps side by side, in one picture, in turn, or subtracted."""

from __future__ import annotations

from qtpy.QtWidgets import QLabel
from superqt.utils import signals_blocked

from napari_qsm.errors import QsmError
from napari_qsm.session import MapEntry, Mix, same_case
from napari_qsm.session.blinding import shown_name
from napari_qsm.viewer import commands, ui
from napari_qsm.viewer.canvas.compare import add_difference
from napari_qsm.viewer.services import Services

_WAYS = (
    ("side by side", "Side by side"),
    ("curtain", "Curtain"),
    ("checkerboard", "Checkerboard"),
)


class CompareBox(ui.Section):
    """Choice of two maps and of the way they are put against each other."""

    def __init__(self, context: Services) -> None:
        super().__init__("Compare", "qsm.compare", is_open=True)
        self._context = context
        self._session = context.session
        self._hint = ui.quiet("Open a second map to compare with.")
        self._first, self._second = (
            ui.combo(f"qsm.compare.{name}", lambda _: self._on_pair())
            for name in ("first", "second")
        )
        self._way = ui.combo("qsm.compare.way", self._on_way, _WAYS)
        self._slider = ui.slider("qsm.compare.slider", self._on_slider, 0, 1)
        with signals_blocked(self._slider):
            self._slider.setValue(0.5)
        self._slider.setMinimumHeight(22)
        self._slider_title = QLabel("Curtain")
        self._start = ui.button(
            "Compare",
            "qsm.compare.start",
            self._on_start,
            tip="Put the two against each other, with one cursor and one window",
        )
        self._start.setCheckable(True)
        self._flicker = ui.button(
            "Flicker (K)",
            "qsm.compare.flicker",
            lambda: commands.flicker(context),
            tip="Show the two in turn, at the same place; the key K does it too",
        )
        self._subtract = ui.button(
            "Difference",
            "qsm.compare.difference",
            self._on_subtract,
            tip="Add the map first − second; both must lie on one grid",
        )
        form = ui.form(
            self._hint,
            ("First", self._first),
            ("Second", self._second),
            ("Shown", self._way),
            (self._slider_title, self._slider),
            ui.row(self._start, self._flicker, self._subtract, spacing=6),
        )
        form.setContentsMargins(0, 0, 0, 0)
        self.body.addLayout(form)

    def refresh(self) -> None:
        """Show what can be compared and what is."""
        maps = [entry for entry in self._session if entry.editable is None]
        preferred = [e for e in maps if e.role == "map"]
        enough = len(maps) > 1
        self._hint.setVisible(not enough)
        for widget in (self._first, self._second, self._way, self._start, self._flicker):
            widget.setEnabled(enough)
        self._subtract.setEnabled(enough)
        names = [(entry.id, shown_name(self._session, entry)) for entry in maps]
        for combo, entry in zip(
            (self._first, self._second), self._pair(maps, preferred), strict=True
        ):
            ui.show_choices(combo, names, entry.id if entry is not None else None)
        mixed = self._session.mix
        ui.show_choices(self._way, _WAYS, mixed)
        active = self._session.layout == "compare"
        self._start.setChecked(active)
        self._start.setText("Stop comparing" if active else "Compare")
        for widget in (self._slider, self._slider_title):
            widget.setVisible(mixed != "side by side")
        self._slider_title.setText("Curtain" if mixed == "curtain" else "Squares")

    def _pair(
        self, maps: list[MapEntry], preferred: list[MapEntry]
    ) -> tuple[MapEntry | None, MapEntry | None]:
        keys = self._session.compared
        if len(keys) > 1:
            return self._session.entry(keys[0]), self._session.entry(keys[1])
        pool = preferred if len(preferred) > 1 else maps
        return (pool[0], pool[1]) if len(pool) > 1 else (None, None)

    def _chosen(self) -> tuple[MapEntry, MapEntry] | None:
        first = self._session.entry(self._first.currentData() or "")
        second = self._session.entry(self._second.currentData() or "")
        return (first, second) if first and second and first is not second else None

    def _on_pair(self) -> None:
        pair = self._chosen()
        if pair is not None:
            rest = tuple(k for k in self._session.compared[2:] if k not in {e.id for e in pair})
            self._session.compared = (pair[0].id, pair[1].id, *rest)

    def _on_way(self, way: Mix) -> None:
        self._session.mix = way

    def _on_start(self) -> None:
        if self._session.layout == "compare":
            self._session.layout = "three"
            return
        if self._chosen() is None:
            self._context.message("Choose two different maps to compare.")
            self.refresh()
            return
        self._on_pair()
        self._session.layout = "compare"

    def _on_slider(self, value: float) -> None:
        mixed = self._context.controller.mixed
        if self._session.mix == "curtain":
            mixed.set_edge(value)
        else:
            mixed.set_tile(5.0 + 45.0 * value)

    def _on_subtract(self) -> None:
        pair = self._chosen()
        if pair is None:
            self._context.message("Choose two different maps to subtract.")
            return
        try:
            add_difference(self._session, *pair)
        except QsmError as error:
            self._context.message(str(error))
            return
        if not same_case(*pair):
            self._context.message(
                "The difference is taken at the same millimetres of the scanner; it is one of the same "
                "places only if both heads lay the same way."
            )
