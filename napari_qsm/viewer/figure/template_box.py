"""Choosing whose maps a figure shows and which template makes it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QWidget

from napari_qsm.figures.draw import DRAWING
from napari_qsm.figures.spec import FigureSpec
from napari_qsm.session import MapEntry
from napari_qsm.session.figure.from_session import guess, make, maps_of, wanted
from napari_qsm.session.figure.marks import adopt
from napari_qsm.session.figure.visits import visits_figure
from napari_qsm.viewer import ui
from napari_qsm.viewer.figure.work import FigureWork

VISITS = "visits"
#: Key and name of each template, in the order offered.
TITLES = (
    ("case-report-1", "Case report figure 1"),
    ("case-report-2", "Case report figure 2"),
    ("fixed-shape-plate", "Fixed-shape ROI plate"),
    ("other-maps", "χ and other maps of the scan"),
    ("qc-montage", "QC montage"),
    ("methods-and-results", "Methods and results table"),
    (VISITS, "Visits of a person"),
)
_HELP = (
    "Grey maps of control and patient, two slices each; the same with the putamen outlined; "
    "its numbers",
    "Colour maps with arrows on the putamen and circles on the globus pallidus; inverted images",
    "Every region on the slice where it is largest, filled and named",
    "Two slices of χ and of each of R2*, SWI, χ+ and χ− that was made, with a colour bar each",
    "All slices, axial, coronal and sagittal, for a check",
    "How the maps were made, the numbers of the regions, and a chart",
    "The same place of the head at each of the visits side by side, with shapes, means and changes",
)


class TemplateBox(QWidget):
    """Control, patient, template."""

    def __init__(self, work: FigureWork) -> None:
        super().__init__()
        self._work = work
        self._session = work.session
        self._touched: set[str] = set()
        self._people = {
            who: ui.combo(
                f"qsm.figure.{who}",
                partial(self._touch, who),
                tip=f"The map that the figure calls '{who.capitalize()}'",
                characters=14,
            )
            for who in ("control", "patient")
        }
        self._template = ui.combo(
            "qsm.figure.template",
            self._on_template,
            (("", "Choose a template …"), *TITLES),
            tip="Makes a figure from what is open; undo brings the old one back",
            characters=14,
        )
        for number, help_ in enumerate(_HELP, 1):
            self._template.setItemData(number, help_, Qt.ItemDataRole.ToolTipRole)
        self._again = ui.button(
            "Make it again",
            "qsm.figure.again",
            self._on_template,
            tip="Choose the slices anew, after regions or maps have changed",
        )
        rows = [(who.capitalize(), combo) for who, combo in self._people.items()]
        form = ui.form(*rows, ("Template", self._template), ("", self._again))
        form.setContentsMargins(0, 0, 0, 0)
        self.setLayout(form)
        self._heard = ui.Subscriptions()
        maps = self._session.maps.events
        self._heard.connect(maps.inserted, maps.removed, to=self.refresh)
        self.refresh()

    def dispose(self) -> None:
        """Stop listening."""
        self._heard.dispose()

    def _touch(self, who: str, _: Any) -> None:
        self._touched.add(who)
        if self._session.figure is not None and self._template.currentData():
            self._on_template()  # the figure on show is about whoever is chosen

    def refresh(self, *_: Any) -> None:
        """Offer the maps that are open; names say who is who unless somebody chose."""
        entries = maps_of(self._session)
        for who, combo in self._people.items():
            before = combo.currentData()
            ids = [entry.id for entry in entries]
            found = guess(self._session, who)
            keep = before in ids and who in self._touched
            wanted_id = before if keep else (found.id if found is not None else "")
            none = "–" if entries else "no map is open"
            ui.show_choices(combo, [("", none), *((e.id, e.name) for e in entries)], wanted_id)
            combo.setEnabled(bool(entries))
        self._again.setVisible(self._template.currentIndex() > 0)

    def people(self) -> list[tuple[str, MapEntry]]:
        """The chosen subjects with their maps."""
        out = []
        for who, combo in self._people.items():
            entry = self._session.entry(combo.currentData() or "")
            if entry is not None:
                out.append((who.capitalize(), entry))
        return out

    def name_of(self, entry: MapEntry) -> str:
        """What the figure calls a map that is new to it."""
        return next((name for name, each in self.people() if each is entry), entry.name)

    def choose(
        self,
        template: str,
        then: Callable[[FigureSpec], None] | None = None,
        *,
        is_work: bool = True,
    ) -> None:
        """Choose a template and make its figure.

        Parameters
        ----------
        template : str
            Its name.
        then : callable
            Called with the figure.
        is_work : bool
            Whether figure and marks are somebody's work, which must not be lost.
        """
        self._template.setCurrentIndex(self._template.findData(template))
        self._again.show()
        self._work.attempt(lambda: self._make(template, then, is_work=is_work))

    def _on_template(self, *_: Any) -> None:
        template = self._template.currentData()
        self._again.setVisible(bool(template))
        if template:
            self._work.attempt(lambda: self._make(template))

    def _make(
        self,
        template: str,
        then: Callable[[FigureSpec], None] | None = None,
        *,
        is_work: bool = True,
    ) -> None:
        work, session = self._work, self._session
        if template == VISITS:
            spec = visits_figure(session)
            if work.spec is not None:
                spec = spec.model_copy(update={"style": work.spec.style})
            work.choose(0)
            adopt(session, spec)
            return
        people = self.people()
        if len({entry.id for _, entry in people}) < len(people):
            work.context.message("Control and patient are one map. Choose two, or only one.")
            return
        what = wanted(session, template, people, work.revisions, work.known_provenance())
        before = work.spec
        cache = work.renderer.cache.loaded

        def job(progress: Any, cancelled: Any) -> FigureSpec:
            with DRAWING:
                return make(what, cache, before.style if before is not None else None)

        def done(spec: FigureSpec) -> None:
            work.choose(0)
            with nullcontext() if is_work else session.no_work():
                adopt(session, spec)
            if then is not None and session.figure is not None:
                then(session.figure)
            if what.notes:
                work.context.message(" ".join(what.notes))

        work.context.run("Making the figure", job, done)
