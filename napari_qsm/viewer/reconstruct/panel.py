"""Reconstruct: from the scan to susceptibility, the whole way or step by step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from napari_qsm.arrays import Box
from napari_qsm.errors import QsmError
from napari_qsm.io.formats import dialog_filter
from napari_qsm.recon.recipe import Recipe, parse_recipe
from napari_qsm.recon.stages import STAGES
from napari_qsm.session import Case
from napari_qsm.session.open_scans import chosen, offers, read_given
from napari_qsm.session.quality import Judgement, Subject, finished_map
from napari_qsm.session.stage_results import Results
from napari_qsm.session.stage_texts import STAGE_TEXTS
from napari_qsm.study.reconstruction import Reconstruction
from napari_qsm.study.stage_task import StageResult
from napari_qsm.viewer import ui
from napari_qsm.viewer.dialogs import last_folder
from napari_qsm.viewer.icons import icon, is_dark
from napari_qsm.viewer.reconstruct.how_made import HowMade
from napari_qsm.viewer.reconstruct.inputs import InputBox
from napari_qsm.viewer.reconstruct.keeping import ask_result_folder, result_writer
from napari_qsm.viewer.reconstruct.quality_box import QualityBox
from napari_qsm.viewer.reconstruct.recipes import RecipeRow
from napari_qsm.viewer.reconstruct.running import Runner
from napari_qsm.viewer.reconstruct.sections import Actions, StageSection
from napari_qsm.viewer.reconstruct.sweep_dialog import TryOuts, try_button
from napari_qsm.viewer.services import Services

if TYPE_CHECKING:
    from napari_qsm.recon.pipeline import Result

#: Strokes of a brush are gathered so long before the lights follow.
_SETTLE_MS = 150


@dataclass
class Bench:
    """The reconstruction of one case at work; it goes on while another case is on show."""

    recon: Reconstruction
    results: Results
    runner: Runner
    #: The stages whose results are shown as soon as they are there; empty for all.
    asked: tuple[str, ...] = ()


class ReconstructPanel(QWidget):
    """Inputs, recipe, one section for each stage, and the button that runs what is stale.

    Attributes
    ----------
    quality : QualityBox
        Below the stages; judges the result.
    tryouts : TryOuts
        Settings of a stage tried side by side.
    """

    title = "Reconstruct"
    painting_asked = Signal()

    def __init__(self, context: Services) -> None:
        super().__init__()
        self.setObjectName("qsm.reconstruct")
        self._context = context
        self._session = context.session
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._body: QWidget | None = None
        self.quality: QualityBox | None = None
        self.tryouts = TryOuts(context)
        self._dialog: HowMade | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_SETTLE_MS)
        self._timer.timeout.connect(self._take_mask)
        self._benches: dict[str, Bench] = {}
        self._judged: dict[str, Judgement] = {}
        self._disposed = False
        self._setup()
        self._events: list[tuple[Any, Any]] = [
            (self._session.case_events.scan, self._on_maps),
            (self._session.case_events.reconstruction, self._on_reconstruction),
            (self._session.study.cases.events.removed, self._on_case_closed),
            (self._session.maps.events.inserted, self._on_maps),
            (self._session.maps.events.removed, self._on_maps),
            (self._session.labels_edited, self._on_labels),
            (context.controller.drawn_again, self._on_drawn),
            (context.controller.viewer.events.theme, self._draw_icons),
        ]
        for signal, call in self._events:
            signal.connect(call)
        self._on_maps()

    # -- building -------------------------------------------------------------------------

    def _setup(self) -> None:
        """Build everything around the reconstruction of the active case, which gets one here."""
        self.tryouts.close()
        if self.quality is not None:
            self.quality.dispose()
        case = self._session.case
        recon = case.reconstruction or Reconstruction()
        bench = self._benches.get(case.id)
        if bench is None or bench.recon is not recon:
            if bench is not None:
                bench.runner.dispose()
            bench = self._benches[case.id] = self._new_bench(case, recon)
        self.case, self.bench = case, bench
        self.recon, self.results, self.runner = recon, bench.results, bench.runner
        case.reconstruction = recon
        self.recon.changed.connect(self.refresh)
        old, self._body = self._body, self._build()
        if old is not None:
            self._layout.replaceWidget(old, self._body)
            old.setParent(None)
            old.deleteLater()
        else:
            self._layout.addWidget(self._body)
        self._draw_icons()

    def _new_bench(self, case: Case, recon: Reconstruction) -> Bench:
        """What goes on working on a case while another is on show."""
        results = Results(self._session, case, recon)
        bench = Bench(recon, results, Runner(self._context.jobs, recon))
        bench.runner.on_made = lambda made: self._on_made(bench, made)
        bench.runner.on_progress = lambda stage, f: self._on_progress(bench, stage, f)
        bench.runner.on_failed = lambda stage: self._on_failed(bench, stage)
        return bench

    def _build(self) -> QWidget:
        self._inputs = InputBox(self.recon, self._on_choose_scan)
        self._recipes = RecipeRow(self.recon, self._context.message)
        actions = Actions(
            run=self._on_run,
            look=self._on_look,
            flip=self._on_flip,
            how=self.show_how,
            paint=self._on_paint,
            offers=lambda stage: offers(stage, self.case, self.recon),
            give=self._on_give,
            ask_file=self._on_ask_file,
            drop=self._on_drop,
        )
        self.sections = {
            stage: StageSection(stage, number, self.recon, actions)
            for number, stage in enumerate(STAGES, 1)
        }
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(8, 6, 8, 6)
        column.setSpacing(5)
        column.addWidget(_heading("Scan"))
        column.addWidget(self._inputs)
        column.addWidget(_heading("Recipe"))
        column.addWidget(self._recipes)
        column.addWidget(_heading("Steps"))
        for stage, section in self.sections.items():
            column.addWidget(section)
            section.below.addWidget(try_button(stage, self._on_try))
        self.quality = QualityBox(self._context, self._finished, self._judged)
        column.addWidget(self.quality)
        column.addStretch(1)
        self._scroll = scroll = QScrollArea()
        scroll.setObjectName("qsm.reconstruct.scroll")
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(inner)
        self._run_all = ui.button("Run all", "qsm.reconstruct.run_all", self._on_run_all, main=True)
        self._cancel = QPushButton("Cancel")
        self._cancel.setObjectName("qsm.reconstruct.cancel")
        self._cancel.setToolTip("Stop; results that are there stay")
        self._cancel.clicked.connect(lambda _=False: self._on_cancel())
        self._plan = QLabel()
        self._plan.setObjectName("qsm.reconstruct.plan")
        self._plan.setWordWrap(True)
        foot = QVBoxLayout()
        foot.setContentsMargins(8, 2, 8, 6)
        foot.setSpacing(3)
        row = QHBoxLayout()
        row.addWidget(self._run_all, 1)
        row.addWidget(self._cancel)
        foot.addLayout(row)
        self._save = QPushButton("Save results …")
        self._save.setObjectName("qsm.reconstruct.save")
        self._save.setToolTip(
            "All maps, how they were made, and report.html, as the command line writes them"
        )
        self._save.clicked.connect(lambda _=False: self._on_save())
        foot.addWidget(self._plan)
        foot.addWidget(self._save)
        body = QWidget()
        layout = QVBoxLayout(body)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(scroll, 1)
        layout.addLayout(foot)
        return body

    def dispose(self) -> None:
        """Stop what is running, and stop listening."""
        self._disposed = True
        self._timer.stop()
        self.tryouts.close()
        if self.quality is not None:
            self.quality.dispose()
        for bench in self._benches.values():
            bench.runner.dispose()
        self._benches.clear()
        self.recon.changed.disconnect(self.refresh)
        for signal, call in self._events:
            signal.disconnect(call)
        if self._dialog is not None:
            self._dialog.close()

    # -- what scripts use -----------------------------------------------------------------

    def reconstruct(self, recipe: str | Path | Recipe | Mapping[str, Any]) -> Result:
        """Run a recipe to its end; see :meth:`Workspace.reconstruct`."""
        if self.recon.running:
            raise QsmError("A reconstruction is running; wait for it, or cancel it first.")
        self._take_mask()
        if isinstance(recipe, Mapping):
            recipe = parse_recipe(recipe)
        self.recon.use_recipe(recipe)
        stages = self.recon.stale_stages()
        if stages:
            self._start(stages, ())
            self.runner.wait()
        return self.recon.result()

    # -- showing --------------------------------------------------------------------------

    def refresh(self) -> None:
        """Show everything as it stands."""
        if self._disposed:
            return
        recon = self.recon
        self._inputs.refresh(self.case.scan_sources())
        self._recipes.refresh()
        shown = self.results.shown_stage()
        for stage, section in self.sections.items():
            section.refresh(shown=stage == shown, flipped=self.results.flipped == stage)
        problems = recon.missing()
        stale = recon.stale_stages()
        running = bool(recon.running)
        self._run_all.setEnabled(bool(stale) and not problems and not running)
        self._cancel.setVisible(running)
        self._save.setVisible(not stale and not problems and not running)
        if running:
            text = f"Running: {STAGE_TEXTS[recon.running[0]].title.lower()} …"
        elif problems:
            text = problems[0]
        elif not stale:
            text = "Everything is up to date."
        elif len(stale) == len(recon.active()):
            text = "Runs all steps."
        else:
            text = "Runs " + ", ".join(STAGE_TEXTS[stage].title.lower() for stage in stale) + "."
        self._plan.setText(text)
        if self.quality is not None:
            self.quality.refresh()

    def _finished(self) -> Subject | None:
        return finished_map(self.recon, self.case)

    def show_how(self, stage: str) -> None:
        """Say how a stage's result was made."""
        entry = self.results.entry(stage)
        if entry is not None:
            name, provenance = entry.name, entry.provenance
        else:
            name, provenance = STAGE_TEXTS[stage].result, self.recon.provenance(stage)
        if self._dialog is not None:
            self._dialog.close()
        self._dialog = HowMade(name, provenance, self)
        self._dialog.show()

    def flip(self) -> None:
        """Show the old or the new result of the stage on show."""
        stage = self.results.flipped or self.results.shown_stage()
        self._on_flip(stage or "reference")

    def _draw_icons(self, event: Any = None) -> None:
        eye = icon("eye", is_dark(self._context.controller.viewer.theme))
        for section in self.sections.values():
            section.set_icon(eye)

    # -- what the session says ------------------------------------------------------------

    def _on_maps(self) -> None:
        sources = self.case.scan_sources()
        if not self.recon.running:
            keys = [source.key for source in sources]
            current = self.recon.source
            if current is None or current.key not in keys:
                self.recon.use_scan(sources[0] if sources else None)
            self.recon.forget_others(sources)
        self.refresh()

    def _on_choose_scan(self, index: int) -> None:
        self.recon.use_scan(self.case.scan_sources()[index])

    def _on_reconstruction(self) -> None:
        """Another case is on show, or the case was given another reconstruction, or none."""
        if self._session.case is self.case and self.case.reconstruction is self.recon:
            return
        self._take_mask()
        self.recon.changed.disconnect(self.refresh)
        self._setup()
        self._on_maps()

    def _on_case_closed(self, index: int, case: Case) -> None:
        """What was being computed of a case that is closed is of no use."""
        bench = self._benches.pop(case.id, None)
        if bench is not None:
            bench.runner.dispose()
        self._judged.pop(case.id, None)

    def _on_drawn(self) -> None:
        shown = self.results.shown_stage()
        for stage, section in self.sections.items():
            section.show_eye(stage == shown)

    def _on_labels(self, key: str, box: Box) -> None:
        entry = self._session.entry(key)
        ours = entry is not None and entry is self.results.entry("mask")
        if ours and not self.results.writing:
            self._timer.start()

    def _take_mask(self) -> None:
        """Tell the reconstruction what the mask looks like now."""
        self._timer.stop()
        entry = self.results.entry("mask")
        if entry is not None and entry.editable is not None:
            self.recon.paint_mask(entry.editable)

    # -- running --------------------------------------------------------------------------

    def _on_run_all(self) -> None:
        self._take_mask()
        self._begin(self.recon.stale_stages(), ())

    def _on_run(self, stage: str) -> None:
        self._take_mask()
        self._begin(self.recon.needed(stage), (stage,))

    def _begin(self, stages: list[str], asked: tuple[str, ...]) -> None:
        try:
            self._start(stages, asked)
        except QsmError as error:
            self._context.message(str(error))

    def _start(self, stages: list[str], asked: tuple[str, ...]) -> None:
        if not stages:
            return
        busy = next((c for c in self._session.cases if self._runs(c)), None)
        if busy is not None and busy is not self.case:
            raise QsmError(
                f"'{busy.name}' is being reconstructed; wait for it, or cancel it there first."
            )
        self.bench.asked = asked
        self.runner.run(stages)

    def _runs(self, case: Case) -> bool:
        bench = self._benches.get(case.id)
        return bench is not None and bool(bench.recon.running)

    def _on_cancel(self) -> None:
        self._cancel.setEnabled(False)
        self._plan.setText("Stopping …")
        self.runner.cancel()
        self._cancel.setEnabled(True)

    def _on_made(self, bench: Bench, made: StageResult) -> None:
        if made.stage == "mask" and bench.recon.previous_of("mask") is None:
            self._warn_of_mask(bench, made)
        look = made.stage in bench.asked if bench.asked else made.stage != "mask"
        bench.results.show_made(made, look=look)
        if bench is self.bench:
            self.refresh()

    def _warn_of_mask(self, bench: Bench, made: StageResult) -> None:
        """A mask from earlier work, perhaps painted on, is replaced: say how to get it back."""
        entry = bench.results.entry("mask")
        if entry is None or entry.editable is None:
            return
        mask = made.quantities["mask"]
        if entry.editable.shape == mask.shape and ((entry.editable != 0) != mask).any():
            self._context.message(
                "The brain mask that was open was replaced; Ctrl+Z brings it back."
            )

    def _on_progress(self, bench: Bench, stage: str, fraction: float) -> None:
        if bench is not self.bench:
            return
        if fraction == 0:
            self._scroll.ensureWidgetVisible(self.sections[stage], 0, 20)
        self.sections[stage].show_fraction(fraction)
        self._plan.setText(f"Running: {STAGE_TEXTS[stage].title.lower()} …")

    def _on_failed(self, bench: Bench, stage: str) -> None:
        """Bring the sentence into sight, where the tab may be scrolled or another one."""
        if bench is not self.bench:
            return
        self._scroll.ensureWidgetVisible(self.sections[stage] if stage else self._inputs, 0, 20)

    def _on_save(self) -> None:
        try:
            folder = ask_result_folder(self)
            if folder is None:
                return
            work = result_writer(self.recon, folder)
        except QsmError as error:
            self._context.message(str(error))
            return
        self._context.run("Saving the results", work, self._on_saved)

    def _on_saved(self, folder: Path) -> None:
        if self.quality is not None:
            self.quality.result_saved(folder)
        self._context.message(f"The maps and report.html are in '{folder}'.")

    # -- what the sections ask for --------------------------------------------------------

    def _on_look(self, stage: str) -> None:
        self.results.look(stage)
        self.refresh()

    def _on_flip(self, stage: str) -> None:
        try:
            self.results.flip(stage)
        except QsmError as error:
            self._context.message(str(error))
        self.refresh()

    def _on_try(self, stage: str) -> None:
        try:
            self._take_mask()
            self.tryouts.open(self.recon, stage)
        except QsmError as error:
            self._context.message(str(error))

    def _on_paint(self, stage: str) -> None:
        entry = self.results.entry(stage)
        if entry is None:
            self._context.message("There is no mask to paint on; run the step Mask first.")
            return
        self.results.look(stage)
        self._session.painted = entry.id
        self._session.active_region = 1
        self._session.selected = entry.id
        layer = self._context.controller.layers[entry.id]
        self._context.controller.viewer.layers.selection.active = layer
        layer.selected_label = 1
        self.painting_asked.emit()
        self._context.message(
            "The brushes on this tab now draw on the brain mask; come back to Reconstruct and "
            "press Run all."
        )

    def _on_give(self, stage: str, key: Any) -> None:
        role = STAGE_TEXTS[stage].given
        try:
            if key is None:
                self.recon.clear_input(role)
            else:
                self.recon.set_input(role, chosen(key, stage, self._session))
        except QsmError as error:
            self._context.message(str(error))
            self.refresh()

    def _on_ask_file(self, stage: str) -> None:
        name, _ = QFileDialog.getOpenFileName(
            self, "Use a file for this step", last_folder(), dialog_filter("Images")
        )
        if name:
            self._on_drop(stage, [Path(name)])

    def _on_drop(self, stage: str, paths: list[Path]) -> None:
        if self.recon.running:
            self._context.message("A reconstruction is running; wait for it, or cancel it first.")
            return
        if len(paths) != 1:
            self._context.message("Drop one file here.")
            return

        def done(read: Any) -> None:
            volume, said = read
            try:
                self.recon.set_input(STAGE_TEXTS[stage].given, volume)
            except QsmError as error:
                said = str(error)
            if said:
                self._context.message(said)

        path = paths[0]
        facts = self.recon.facts
        read = partial(
            read_given,
            path,
            stage,
            field_strength_t=facts.field_strength_t,
            echo_times_s=facts.echo_times_s,
        )
        self._context.run(f"Reading {path.name}", lambda *_: read(), done)


def _heading(text: str) -> QLabel:
    label = QLabel(f"<b>{text}</b>")
    label.setContentsMargins(0, 4, 0, 0)
    return label
