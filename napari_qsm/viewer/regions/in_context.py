"""What the table's numbers are compared with, and what of a region a mean leaves out."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

from qtpy.QtWidgets import QMenu
from superqt.utils import signals_blocked

from napari_qsm.errors import QsmError
from napari_qsm.io.atomic import write_text
from napari_qsm.rois.high_part import HighLimits, high_limits
from napari_qsm.session.table.choice import optional
from napari_qsm.session.table.in_context import CONTROL_COLUMNS, Chosen, facts_of_entry
from napari_qsm.study.comparison import read_repeatability
from napari_qsm.study.controls import Controls, read_controls
from napari_qsm.study.published_values import published_files, read_published
from napari_qsm.units import factor
from napari_qsm.viewer import ui
from napari_qsm.viewer.dialogs import ask_open_file, ask_save_file
from napari_qsm.viewer.regions.table import RegionTable
from napari_qsm.viewer.services import Services

_TABLES = "Tables of several people (*.tsv *.csv *.txt *.xlsx)"
_VALUES = "Published values (*.yaml *.yml)"
_HIGH = ("high_fraction", "high_mean")
_EDGE = ("inner_mean", "edge_difference")


class ContextBox(ui.Section):
    """Chooses controls, published values and limits; the table shows what they come to."""

    def __init__(self, services: Services, table: RegionTable) -> None:
        super().__init__("In context", "qsm.context", is_open=False)
        self._services = services
        self._session = services.session
        self._table = table
        self._chosen = Chosen()
        self._known: tuple[Any, ...] = ()
        self._differs: tuple[str, ...] = ()
        self._problems: list[str] = []
        self._build()
        table.updated.connect(self.refresh)
        self.heading.toggled.connect(lambda _=False: self.refresh())
        self._session.events.unit.connect(self._show_high)
        self._show()

    def _build(self) -> None:
        self.controls = ui.button(
            "Compare with my controls…",
            "qsm.context.controls",
            self._ask_controls,
            tip="A study's roi_long.tsv, or a table exported here of several people",
        )
        self.forget = ui.button(
            "Stop", "qsm.context.forget", self._forget, tip="Compare with no controls any more"
        )
        self.group = ui.combo("qsm.context.group", self._on_group, tip="Who the controls are")
        self.age = ui.number(
            "qsm.context.age",
            self._on_age,
            -1,
            120,
            value=-1,
            decimals=0,
            suffix=" y",
            tip="Age of the person; needed for published values and the line over ages",
        )
        self.age.setSpecialValueText("age?")
        self.at_age = ui.check(
            "at this age",
            "qsm.context.at_age",
            lambda on: self._change(at_age=on),
            tip="Compare with a straight line over the controls' ages",
        )
        self.anyway = ui.button("Compare all the same", "qsm.context.anyway", self._compare_anyway)
        self.published = ui.menu_button(
            "Published values",
            "qsm.context.published",
            self._fill_published,
            tip="Values by age from a file that names its source",
        )
        self.repeatability = ui.button(
            "Repeatability…",
            "qsm.context.repeatability",
            self._ask_repeatability,
            tip="agreement.tsv of a study: how far repeated readings lie apart",
        )
        self.difference = ui.check(
            "Difference from the next map",
            "qsm.context.difference",
            lambda on: self._columns(("difference",), on),
            tip="The first map of the table less the next one under “More maps”",
        )
        self.high = ui.line(
            "qsm.context.high",
            self._on_high,
            longest=5000,
            tip="One limit for all regions; a name and = for one; several are divided by ;",
        )
        self.high_label = ui.label("")
        self.high_controls = ui.button(
            "Controls' limits",
            "qsm.context.high_controls",
            lambda: self._try(self._limits_of_controls),
            tip="For each region the upper end of where 95 % of the controls' means lie",
        )
        self.edge = ui.check(
            "Mean without the outer voxels",
            "qsm.context.edge",
            lambda on: self._columns(_EDGE, on),
            tip="Worked out when the hand rests; a note says where it matters",
        )
        self.message = ui.label("", "qsm.context.said", selectable=True)
        self.body.addLayout(ui.row(self.controls, self.forget))
        self.body.addLayout(ui.row(self.group, self.age, self.at_age))
        self.body.addLayout(ui.row(self.published, self.repeatability, None))
        self.body.addWidget(self.difference)
        self.body.addWidget(self.message)
        self.body.addWidget(self.anyway)
        self.body.addLayout(ui.row(self.high_label, self.high, self.high_controls))
        self.body.addWidget(self.edge)
        self._show_high()

    def dispose(self) -> None:
        """Stop listening."""
        self._table.updated.disconnect(self.refresh)
        self._session.events.unit.disconnect(self._show_high)

    # -- following --------------------------------------------------------------------------

    def refresh(self) -> None:
        """Follow the table: another map may not be compared with the same controls."""
        table = self._table
        first = table.maps[0] if table.maps else None
        entry = first.entry if first is not None else None
        case = self._session.case_of(entry) if entry is not None else None
        person = (case.participant, case.title, entry.name) if case and entry else ()
        key = (entry and entry.id, entry and id(entry.volume), person, self._chosen)
        if key != self._known and first is not None and entry is not None:
            self._known = key
            beside, differs, problems = self._chosen.beside(facts_of_entry(first), person)
            self._differs, self._problems = differs, problems
            if beside != table.beside:
                table.set_beside(beside)
        if self.is_open:
            self._show()

    def _show(self) -> None:
        table, chosen = self._table, self._chosen
        columns = table.choice_now().columns
        with signals_blocked(self.edge), signals_blocked(self.difference):
            self.edge.setChecked(set(_EDGE) <= set(table.choice.columns))
            self.difference.setChecked("difference" in table.choice.columns)
        for widget in (self.forget, self.group, self.at_age):
            widget.setVisible(chosen.controls is not None)
        if chosen.controls is not None:
            groups = [(name, name or "everybody") for name in chosen.controls.groups]
            ui.show_choices(self.group, [("", "the controls"), *groups], chosen.group)
        said = list(chosen.controls.notes) if chosen.controls is not None else []
        said += self._problems
        if self._differs:
            said.append(f"Not compared. {' '.join(self._differs)}")
        said += table.beside.notes(table.rows(), table.maps, columns).values()
        text = "\n".join(said)
        if self.message.text() != text:
            self.message.setText(text)
        self.message.setVisible(bool(text))
        self.anyway.setVisible(bool(self._differs))
        self.high_controls.setVisible(table.beside.comparison is not None)

    # -- choosing ---------------------------------------------------------------------------

    def _change(self, **changes: Any) -> None:
        self._chosen = replace(self._chosen, **changes)
        self.refresh()

    def _columns(self, names: tuple[str, ...], shown: bool) -> None:
        """Show columns of the table, or hide them."""
        choice = self._table.choice
        kept = {*choice.columns, *names} if shown else {*choice.columns} - {*names}
        self._table.set_choice(choice.but(columns=tuple(n for n in optional() if n in kept)))

    def _ask_controls(self) -> None:
        path = ask_open_file(self, "A table of several people", _TABLES)
        if path is not None:
            self._services.run(
                "Reading the controls", lambda *_: read_controls(path), self.use_controls
            )

    def use_controls(self, controls: Controls) -> None:
        """Compare with a table that was read."""
        self._columns(CONTROL_COLUMNS, shown=True)
        self._change(controls=controls, group="", anyway=())

    def _forget(self) -> None:
        self._change(controls=None, group="", at_age=False, anyway=())
        with signals_blocked(self.at_age):
            self.at_age.setChecked(False)

    def _on_group(self, group: str) -> None:
        self._change(group=group, anyway=())

    def _on_age(self, age: float) -> None:
        self._change(age=age if age >= 0 else math.nan)

    def _compare_anyway(self) -> None:
        self._change(anyway=self._differs)

    def _ask_repeatability(self) -> None:
        path = ask_open_file(self, "agreement.tsv of a study", "Agreement (*.tsv *.csv)")
        if path is not None:
            self._try(lambda: self._change(repeatability=read_repeatability(path)))

    def _on_high(self) -> None:
        texts = [text.strip() for text in self.high.text().split(";") if text.strip()]
        try:
            limits = high_limits(texts, self._session.unit)
        except QsmError as error:
            self._services.message(str(error))
            return
        self._use_limits(limits)

    def _limits_of_controls(self) -> None:
        comparison = self._table.beside.comparison
        if comparison is not None:
            self._use_limits(comparison.high_limits())
            self._show_high()

    def _use_limits(self, limits: HighLimits) -> None:
        if limits != self._table.choice.high:
            self._table.set_choice(self._table.choice.but(high=limits))
            self._columns(_HIGH, shown=bool(limits))

    def _show_high(self, *_: Any) -> None:
        """The limits in the unit that is written."""
        unit = self._session.unit
        scale = factor("ppm", unit)
        limits = self._table.choice.high.ppm
        texts = [f"{name}={v * scale:.6g}" if name else f"{v * scale:.6g}" for name, v in limits]
        self.high.setText("; ".join(texts))
        self.high_label.setText(f"High part above ({unit})")
        self.high.setPlaceholderText("100; Red nucleus=150" if unit == "ppb" else "0.1")

    # -- published values -------------------------------------------------------------------

    def _fill_published(self, menu: QMenu) -> None:
        for path in published_files():
            values = read_published(path)
            ui.menu_entry(
                menu,
                values.title,
                f"qsm.context.published.{path.stem}",
                lambda on, each=values: self._use_published(each if on else None),
                checked=self._chosen.published == values,
            ).setToolTip(values.source)
        menu.addSeparator()
        ui.menu_entry(menu, "Open a file…", "qsm.context.published.open", self._open_published)
        ui.menu_entry(
            menu, "Copy a file to edit it…", "qsm.context.published.copy", self._copy_published
        )
        if self._chosen.published is not None:
            ui.menu_entry(
                menu, "None", "qsm.context.published.none", lambda: self._use_published(None)
            )

    def _use_published(self, values: Any) -> None:
        if values is not None:
            names = ("iron",) if values.quantity == "iron" else ("expected", "expected_z")
            self._columns(names, shown=True)
        self._change(published=values)

    def _open_published(self) -> None:
        path = ask_open_file(self, "Published values by age", _VALUES)
        if path is not None:
            self._try(lambda: self._use_published(read_published(path)))

    def _copy_published(self) -> None:
        source = published_files()[0]
        chosen = ask_save_file(self, "Copy a file of values", source.name, _VALUES)
        if chosen is not None:
            self._try(lambda: self._copied(source, chosen[0]))

    def _copied(self, source: Path, path: Path) -> None:
        write_text(path, source.read_text("utf-8"))
        self._services.success(f"Wrote '{path.name}' into '{path.parent}'; edit it, then open it.")

    def _try(self, call: Any) -> None:
        try:
            call()
        except QsmError as error:
            self._services.message(str(error))
