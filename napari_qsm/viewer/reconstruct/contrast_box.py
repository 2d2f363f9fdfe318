"""R2*, SWI, tSWI, projections and χ-separation of the same scan: a section that makes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtWidgets import QCheckBox, QWidget

from napari_qsm.errors import QsmError
from napari_qsm.recon.stage_run import Contrasts
from napari_qsm.recon.stages import CONTRASTS, Setting, methods
from napari_qsm.session.contrasts import CONTRAST_TEXTS, maker, put, said_of, take
from napari_qsm.session.quality import Subject
from napari_qsm.session.stage_results import show_result
from napari_qsm.session.stage_texts import method_tooltip
from napari_qsm.study.reconstruction import Reconstruction
from napari_qsm.viewer import ui
from napari_qsm.viewer.forms import Form, setting_field
from napari_qsm.viewer.services import Services

_NOTHING = "Once every step above has run, other maps of the same scan can be made here."
#: Settings that nobody may leave to a default; they stand below the box to tick.
_MUST = {"chi-separation": ("r2",)}
_CARE = (
    "χ+ and χ− are estimates: R2 is not measured but stated by you (or given as a map), one constant "
    "from deep grey matter at 3 T stands for all tissue, the direction of fibres is left out. "
    "Checked on simulated signals only, not on people. For research."
)
_ONE_VALUE = "one value, below"


class ContrastBox(ui.Section):
    """Makes maps beside χ in the background, and shows them in the list of maps.

    Parameters
    ----------
    context : Services
    recon : Reconstruction
        Of the case on show.
    subject : callable
        Gives its finished map, or None.
    """

    def __init__(
        self, context: Services, recon: Reconstruction, subject: Callable[[], Subject | None]
    ) -> None:
        super().__init__("Other maps of this scan", "qsm.contrasts", is_open=False)
        self._context, self._recon, self._subject = context, recon, subject
        self._state = ui.label(_NOTHING, "qsm.contrasts.state")
        self._ticks: dict[str, QCheckBox] = {}
        self._forms: dict[str, list[Form]] = {}
        self._must: dict[str, QWidget] = {}
        self._rest: dict[str, QWidget] = {}
        self.body.addWidget(self._state)
        for name, method in methods(CONTRASTS).items():
            text = CONTRAST_TEXTS[name]
            tick = ui.check(
                text.title, f"qsm.contrasts.{name}", self._on_tick, tip=method_tooltip(method)
            )
            self._ticks[name] = tick
            self.body.addWidget(tick)
            self.body.addWidget(ui.quiet(text.purpose))
            must = [s for s in method.settings.values() if s.name in _MUST.get(name, ())]
            rest = [s for s in method.settings.values() if s not in must]
            if must:
                self._must[name] = self._must_know(name, must)
                self.body.addWidget(self._must[name])
            self._rest[name] = self._form(name, rest)
            self.body.addWidget(self._rest[name])
        self._more = ui.toggle(
            "Settings",
            "qsm.contrasts.settings",
            self._on_tick,
            tip="Show the settings of the maps that are ticked",
        )
        self._make = ui.button(
            "Make these maps", "qsm.contrasts.make", self._on_make, tip="Takes seconds to a minute"
        )
        self.body.addLayout(ui.row((self._make, 1), self._more, spacing=6))
        self._notes = ui.label("", "qsm.contrasts.notes", selectable=True)
        self.body.addWidget(self._notes)
        self._on_tick()

    def _form(self, name: str, settings: list[Setting]) -> Form:
        form = Form(
            map(setting_field, settings),
            f"qsm.contrasts.{name}.set",
            lambda key, value: self._on_set(name, key, value),
        )
        form.layout().setContentsMargins(22, 0, 0, 4)
        self._forms.setdefault(name, []).append(form)
        return form

    def _must_know(self, name: str, settings: list[Setting]) -> QWidget:
        """What has to be stated, where R2 comes from, and what to be careful about."""
        self._source = ui.combo(
            "qsm.contrasts.r2_map",
            self._on_source,
            tip="A map of R2 (1/s) from spin echoes, on this scan's grid; open it on the tab Data",
        )
        form = self._form(name, settings)
        form.layout().insertRow(0, "R2 from", self._source)
        return ui.panel(
            ui.column(form, ui.label(_CARE, "qsm.contrasts.care"), spacing=3, margins=(0, 0, 0, 4))
        )

    # -- showing --------------------------------------------------------------------------

    def refresh(self) -> None:
        """Say what is made, and whether more can be."""
        finished = self._subject() is not None
        said = said_of(self._recon)
        found = self._recon.contrasts
        self._notes.setText("\n".join(f"Note: {s}" for s in (found.warnings if found else ())))
        self._notes.setVisible(bool(self._notes.text()))
        self._state.setText(said or ("" if finished else _NOTHING))
        self._state.setVisible(bool(self._state.text()))
        self._make.setEnabled(finished and bool(self.asked))
        self._offer_r2()
        for name, forms in self._forms.items():
            kept = self._recon.contrast_settings.get(name, {})
            for form in forms:
                form.show_values(
                    {key: kept.get(key, c.field.default) for key, c in form.controls.items()}
                )

    def asked_box(self, name: str) -> QCheckBox:
        """The box to tick for a map."""
        return self._ticks[name]

    @property
    def asked(self) -> list[str]:
        """The maps that are ticked."""
        return [name for name, tick in self._ticks.items() if tick.isChecked()]

    def _offer_r2(self) -> None:
        given = self._recon.given.get("r2_per_s")
        case = self._context.session.case
        offered = [
            (entry.id, entry.name)
            for entry in case.maps
            if entry.volume.unit == "1/s" and not entry.provenance
        ]
        known = {entry.id: entry.volume for entry in case.maps}
        chosen = next(
            (key for key, _ in offered if given is not None and known[key] is given), None
        )
        if given is not None and chosen is None:
            offered.insert(0, ("kept", given.name))
            chosen = "kept"
        ui.show_choices(self._source, [(None, _ONE_VALUE), *offered], chosen)

    def _on_tick(self, *_: Any) -> None:
        for name, tick in self._ticks.items():
            if name in self._must:
                self._must[name].setVisible(tick.isChecked())
            self._rest[name].setVisible(tick.isChecked() and self._more.isChecked())
        self.refresh()

    # -- doing ----------------------------------------------------------------------------

    def _on_set(self, name: str, key: str, value: Any) -> None:
        self._recon.contrast_settings.setdefault(name, {})[key] = value
        self._recon.changed.emit()

    def _on_source(self, key: Any) -> None:
        if key == "kept":
            return
        try:
            if key is None:
                self._recon.clear_input("r2_per_s")
            else:
                entry = self._context.session.entry(key)
                if entry is not None:
                    self._recon.set_input("r2_per_s", entry.volume)
        except QsmError as error:
            self._context.message(str(error))
        self.refresh()

    def _on_make(self) -> None:
        subject, recon, asked = self._subject(), self._recon, self.asked
        if subject is None:
            return
        try:
            work = maker(recon, subject.grid, asked)
        except QsmError as error:
            self._context.message(str(error))
            return
        number = recon.number("reference")

        def done(made: Contrasts) -> None:
            if not take(recon, number, made):
                return
            session = self._context.session
            shown = put(session, subject.case, recon, subject.grid, made)
            wanted = {name for each in asked for name in CONTRAST_TEXTS[each].shows.values()}
            show_result(session, next(e for e in shown if e.name in wanted))
            names = ", ".join(entry.name for entry in shown)
            self._context.success(
                f"{names}: in the list of maps, and in the table's choice of maps."
            )

        self._context.run("Other maps of the scan", work, done)
