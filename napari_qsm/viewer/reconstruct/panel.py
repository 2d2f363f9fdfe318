"""Reconstruct: from the scan to susceptibility, the whole way or step by step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QWidget

from napari_qsm.errors import QsmError
from napari_qsm.recon.recipe import Recipe, parse_recipe
from napari_qsm.recon.stages import STAGES
from napari_qsm.session import Case
from napari_qsm.session.quality import Judgement, Subject, finished_map
from napari_qsm.study.reconstruction import Reconstruction
from napari_qsm.study.stage_task import StageResult
from napari_qsm.viewer import ui
from napari_qsm.viewer.dialogs import ask_open_file
from napari_qsm.viewer.icons import icon, is_dark
from napari_qsm.viewer.reconstruct.benches import Bench, Benches
from napari_qsm.viewer.reconstruct.contrast_box import ContrastBox
from napari_qsm.viewer.reconstruct.export import ask_result_folder, result_writer
from napari_qsm.viewer.reconstruct.how_made import HowMade, how_made
from napari_qsm.viewer.reconstruct.inputs import InputBox, use_file, use_map
from napari_qsm.viewer.reconstruct.mask_painting import MaskPainting
from napari_qsm.viewer.reconstruct.noise_box import NoiseBox
from napari_qsm.viewer.reconstruct.quality_box import QualityBox
from napari_qsm.viewer.reconstruct.recipes import RecipeRow
from napari_qsm.viewer.reconstruct.running import RunBar
from napari_qsm.viewer.reconstruct.sections import StageSection
from napari_qsm.viewer.reconstruct.sweep_dialog import Sweeps
from napari_qsm.viewer.services import Services

if TYPE_CHECKING:
    from napari_qsm.recon.pipeline import Result


class ReconstructPanel(QWidget):
    """Inputs, recipe, one section for each stage, and the button that runs what is stale.

    Attributes
    ----------
    quality : QualityBox
        Below the stages; judges the result.
    sweeps : Sweeps
        Settings of a stage tried side by side.
    """

    title = "Reconstruct"
    painting_asked = Signal()

    def __init__(self, context: Services) -> None:
        super().__init__()
        self.setObjectName("qsm.reconstruct")
        self._context = context
        self._session = context.session
        self._layout = ui.column()
        self.setLayout(self._layout)
        self._body: QWidget | None = None
        self.quality: QualityBox | None = None
        self.sweeps = Sweeps(context)
        self._dialog: HowMade | None = None
        self._mask = MaskPainting(context)
        self._benches = Benches(context, self._on_made, self._on_progress, self._on_failed)
        self._judged: dict[str, Judgement] = {}
        self._disposed = False
        self._sections: dict[str, StageSection] = {}
        self._activate_case()
        self._show_case()
        self._heard = ui.Subscriptions()
        session, controller, hear = self._session, context.controller, self._heard.connect
        maps = session.maps.events
        hear(session.case_events.scan, maps.inserted, maps.removed, to=self._on_maps)
        hear(session.case_events.reconstruction, to=self._on_reconstruction)
        hear(session.study.cases.events.removed, to=self._on_case_closed)
        hear(session.labels_edited, to=self._mask.on_labels)
        hear(controller.drawn_again, to=self._on_drawn)
        hear(controller.viewer.events.theme, to=self._draw_icons)
        self._on_maps()

    # -- building -------------------------------------------------------------------------

    def _activate_case(self) -> None:
        """Turn to the reconstruction of the active case, which gets one here."""
        self.sweeps.close()
        if self.quality is not None:
            self.quality.dispose()
            self.quality = None
        case = self._session.case
        recon = case.reconstruction or Reconstruction()
        bench = self._benches.of(case, recon)
        self.case, self.bench = case, bench
        self.recon, self.results, self.runner = recon, bench.results, bench.runner
        self._mask.follow(recon, bench.results)
        case.reconstruction = recon
        self.recon.changed.connect(self.refresh)

    def _show_case(self) -> None:
        """Build the controls of the case, unless they are there: the tab need not be seen."""
        if self.quality is not None or self._disposed:
            return
        old, self._body = self._body, self._build()
        if old is not None:
            self._layout.replaceWidget(old, self._body)
            old.setParent(None)
            old.deleteLater()
        else:
            self._layout.addWidget(self._body)
        self._draw_icons()

    @property
    def sections(self) -> dict[str, StageSection]:
        """The steps of the active case, by stage."""
        self._show_case()
        return self._sections

    def showEvent(self, event: QShowEvent | None) -> None:
        """Catch up with cases that were changed while another tab was in front."""
        if self.quality is None:
            self._show_case()
            self.refresh()
        super().showEvent(event)

    def _build(self) -> QWidget:
        self._inputs = InputBox(
            self.recon, lambda index: self.recon.use_scan(self.case.scan_sources()[index])
        )
        self._recipes = RecipeRow(self.recon, self._context.message)
        self._sections = {
            stage: StageSection(
                stage, number, self.recon, self.case, self._do, self._on_give, self._on_drop
            )
            for number, stage in enumerate(STAGES, 1)
        }
        self.quality = QualityBox(self._context, self._finished, self._judged)
        self.noise = NoiseBox(self._context, self.recon, self._finished)
        self.contrasts = ContrastBox(self._context, self.recon, self._finished)
        parts = (
            *(ui.heading("Scan"), self._inputs, ui.heading("Recipe"), self._recipes),
            *(ui.heading("Steps"), *self._sections.values()),
            *(self.quality, self.noise, self.contrasts, None),
        )
        inner = ui.panel(ui.column(*parts, spacing=5, margins=(8, 6, 8, 6)))
        self._scroll = ui.scrolled(inner, "qsm.reconstruct.scroll")
        self._bar = RunBar(self._on_run_all, self.runner.cancel, self._on_save)
        return ui.panel(ui.column((self._scroll, 1), self._bar, spacing=0))

    def dispose(self) -> None:
        """Stop what is running, and stop listening."""
        self._disposed = True
        self._mask.dispose()
        self.sweeps.close()
        if self.quality is not None:
            self.quality.dispose()
        self._benches.dispose()
        self.recon.changed.disconnect(self.refresh)
        self._heard.dispose()
        if self._dialog is not None:
            self._dialog.close()

    # -- what scripts use -----------------------------------------------------------------

    def reconstruct(self, recipe: str | Path | Recipe | Mapping[str, Any]) -> Result:
        """Run a recipe to its end; see :meth:`Workspace.reconstruct`."""
        if self.recon.running:
            raise QsmError("A reconstruction is running; wait for it, or cancel it first.")
        self._mask.take()
        if isinstance(recipe, Mapping):
            recipe = parse_recipe(recipe)
        self.recon.use_recipe(recipe)
        stages = self.recon.stale_stages()
        if stages:
            self._benches.start(self.bench, stages, ())
            self.runner.wait()
        return self.recon.result()

    # -- showing --------------------------------------------------------------------------

    def refresh(self) -> None:
        """Show everything as it stands."""
        if self._disposed or self.quality is None:
            return
        recon = self.recon
        self._inputs.refresh(self.case.scan_sources())
        self._recipes.refresh()
        shown = self.results.shown_stage()
        for stage, section in self._sections.items():
            section.refresh(shown=stage == shown, flipped=self.results.flipped == stage)
        self._bar.refresh(recon)
        self.quality.refresh()
        self.noise.refresh()
        self.contrasts.refresh()

    def _finished(self) -> Subject | None:
        return finished_map(self.recon, self.case)

    def show_how(self, stage: str) -> None:
        """Say how a stage's result was made."""
        if self._dialog is not None:
            self._dialog.close()
        self._dialog = HowMade(*how_made(self.recon, self.results, stage), self)
        self._dialog.show()

    def flip(self) -> None:
        """Show the old or the new result of the stage on show."""
        stage = self.results.flipped or self.results.shown_stage()
        self._do("flip", stage or "reference")

    def _draw_icons(self, event: Any = None) -> None:
        eye = icon("eye", is_dark(self._context.controller.viewer.theme))
        for section in self._sections.values():
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

    def _on_reconstruction(self) -> None:
        """Another case is on show, or the case was given another reconstruction, or none."""
        if self._session.case is self.case and self.case.reconstruction is self.recon:
            return
        self._mask.take()
        self.recon.changed.disconnect(self.refresh)
        self._activate_case()
        if self.isVisible():
            self._show_case()
        self._on_maps()

    def _on_case_closed(self, index: int, case: Case) -> None:
        """What was being computed of a case that is closed is of no use."""
        self._benches.drop(case)
        self._judged.pop(case.id, None)

    def _on_drawn(self) -> None:
        if self.quality is not None:
            shown = self.results.shown_stage()
            for stage, section in self._sections.items():
                section.show_eye(stage == shown)

    # -- running --------------------------------------------------------------------------

    def _on_run_all(self) -> None:
        self._mask.take()
        self._attempt(lambda: self._benches.start(self.bench, self.recon.stale_stages(), ()))

    def _attempt(self, call: Callable[[], Any]) -> None:
        """Do something; say in a sentence why it could not be done."""
        try:
            call()
        except QsmError as error:
            self._context.message(str(error))

    def _on_made(self, bench: Bench, made: StageResult) -> None:
        if bench is self.bench:
            self.refresh()

    def _on_progress(self, bench: Bench, stage: str, fraction: float) -> None:
        if bench is self.bench and self.quality is not None:
            if fraction == 0:
                self._scroll.ensureWidgetVisible(self.sections[stage], 0, 20)
            self.sections[stage].show_fraction(fraction)
            self._bar.show_running(stage)

    def _on_failed(self, bench: Bench, stage: str) -> None:
        if bench is self.bench and self.quality is not None:
            said_at = self.sections[stage] if stage else self._inputs
            self._scroll.ensureWidgetVisible(said_at, 0, 20)

    def _on_save(self) -> None:
        folder = ask_result_folder(self)
        if folder is not None:
            self._attempt(
                lambda: self._context.run(
                    "Saving the results", result_writer(self.recon, folder), self._on_saved
                )
            )

    def _on_saved(self, folder: Path) -> None:
        if self.quality is not None:
            self.quality.result_saved(folder)
        self._context.success(f"The maps and report.html are in '{folder}'.")

    # -- what the sections ask for --------------------------------------------------------

    def _do(self, what: str, stage: str) -> None:
        """Do what a section's button asks for."""
        if what in ("run", "try"):
            self._mask.take()
        if what == "run":
            self._attempt(
                lambda: self._benches.start(self.bench, self.recon.needed(stage), (stage,))
            )
        elif what == "look":
            self.results.look(stage)
            self.refresh()
        elif what == "flip":
            self._attempt(lambda: self.results.flip(stage))
            self.refresh()
        elif what == "how":
            self.show_how(stage)
        elif what == "try":
            self._attempt(lambda: self.sweeps.open(self.recon, stage))
        elif what == "paint":
            self._attempt(self._on_paint)
        else:
            path = ask_open_file(self, "Use a file for this step")
            if path is not None:
                self._on_drop(stage, [path])

    def _on_paint(self) -> None:
        self._mask.begin()
        self.painting_asked.emit()
        self._context.message(
            "The brushes on this tab now draw on the brain mask; come back to Reconstruct and "
            "press Run all."
        )

    def _on_give(self, stage: str, key: Any) -> None:
        self._attempt(lambda: use_map(self.recon, self._session, stage, key))
        self.refresh()

    def _on_drop(self, stage: str, paths: list[Path]) -> None:
        use_file(self._context, self.recon, stage, paths)
