"""Try settings: a small window beside the views that runs one stage in two or three ways."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QPoint, Qt
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import QDialog, QDockWidget, QHBoxLayout, QLabel, QLayout

from napari_qsm.arrays import Array
from napari_qsm.errors import Cancelled, MetadataError, QsmError
from napari_qsm.qc.judge import stage_numbers
from napari_qsm.recon.recipe import Choice
from napari_qsm.recon.stages import STAGES
from napari_qsm.recon.sweep import SLAB_STAGES, Slab, Variant, run_sweep
from napari_qsm.session.stage_texts import STAGE_TEXTS
from napari_qsm.session.sweep import LETTERS, Previews, neighbours, slab_at_crosshair
from napari_qsm.study.stage_task import PreparedInputs, StageResult
from napari_qsm.viewer import ui
from napari_qsm.viewer.jobs import Job
from napari_qsm.viewer.reconstruct.sweep_grid import VariantGrid, fit_text
from napari_qsm.viewer.services import Services
from napari_qsm.volume import Volume

if TYPE_CHECKING:
    from napari_qsm.study.reconstruction import Reconstruction

#: Share of the time that goes to the steps before the one that is tried, where they must run.
_BEFORE = 0.4
#: Width of sentences, pixels.
_WIDTH = 560
#: Between it and the edge of the window, pixels.
_RIM = 12


@dataclass(frozen=True, eq=False)
class Tried:
    """What came out, and on which grid it lies."""

    variants: list[Variant]
    grid: Volume
    magnitude: Array | None
    quantity: str


class SweepDialog(QDialog):
    """Variants of one stage side by side; nothing is changed until one of them is used.

    Parameters
    ----------
    context : Services
    recon : Reconstruction
    stage : str
        A key of :data:`~napari_qsm.recon.stages.STAGES`.
    """

    def __init__(self, context: Services, recon: Reconstruction, stage: str) -> None:
        super().__init__(context.window)
        self.setObjectName("qsm.tryouts")
        self.setWindowFlag(Qt.WindowType.Tool)
        self.setWindowTitle(f"Try settings: {STAGE_TEXTS[stage].title.lower()}")
        self._context, self._recon, self.stage = context, recon, stage
        self._session = context.session
        self._job: Job | None = None
        self._is_over = False
        self._room: tuple[QDockWidget, int] | None = None
        self._source = recon.source
        self.previews = Previews(context.session)
        self.grid = VariantGrid(stage, neighbours(recon.choices[stage]), self._on_use)
        self._purpose = QLabel(
            "Each column runs with its own settings. The maps are previews, side by side in the "
            "views: they are never saved, and go when this window closes."
        )
        every = ui.check("Show every setting", "qsm.tryouts.all", self.grid.show_all)
        self._state = ui.named(QLabel(), "qsm.tryouts.state")
        self._state.hide()
        self._run = ui.button("Run", "qsm.tryouts.run", self.run, main=True)
        self._stop = ui.button("Cancel", "qsm.tryouts.cancel", self._on_cancel)
        self._stop.setEnabled(False)
        close = ui.button("Close", "qsm.tryouts.close", self.close)
        for button in (self._run, self._stop, close):
            button.setAutoDefault(False)  # Enter ends the typing of a number, no more
        layout = ui.column(
            self._purpose,
            self.grid,
            every,
            self._extent_row(),
            self._look_row(),
            self._state,
            ui.row((self._run, 1), self._stop, close, spacing=6),
            spacing=7,
            margins=(10, 8, 10, 10),
        )
        layout.setSizeConstraint(QLayout.SizeConstraint.SetFixedSize)  # as large as its content
        self.setLayout(layout)
        recon.changed.connect(self._on_changed)

    def _extent_row(self) -> QHBoxLayout:
        self._extent = ui.combo(
            "qsm.tryouts.extent",
            lambda _: self._show_slices(),
            (("slab", "the slices round the crosshair"), ("whole", "the whole head (slower)")),
            tip="<p>A few slices show in a moment what settings do. Values near their first and "
            "last slice differ a little from a run on the whole head.</p>",
        )
        self._slices = ui.whole_number(
            "qsm.tryouts.slices", lambda _: None, 1, 200, value=8, suffix=" slices"
        )
        if self.stage not in SLAB_STAGES:
            self._extent.setCurrentIndex(1)
            self._extent.setEnabled(False)
            self._extent.setToolTip("This step needs the whole head")
        self._show_slices()
        return ui.row(QLabel("On"), (self._extent, 1), self._slices, spacing=6)

    def _look_row(self) -> QHBoxLayout:
        own = STAGE_TEXTS[self.stage]
        looks = [("", own.result)]
        if own.quantity != "chi_ppm":
            looks.append(("chi_ppm", "the map in the end (slower)"))
        self._look = ui.combo("qsm.tryouts.look", lambda _: None, looks)
        title = QLabel("Show")
        for widget in (self._look, title):
            widget.setVisible(len(looks) > 1)
        return ui.row(title, (self._look, 1), spacing=6)

    # -- running ------------------------------------------------------------------------------

    def run(self) -> None:
        """Run the variants in the background and show them side by side."""
        if self._job is not None:
            return
        try:
            work = self._work()
        except QsmError as error:
            self._say(str(error))
            return
        title = f"Trying settings: {STAGE_TEXTS[self.stage].title.lower()}"
        jobs = self._context.jobs
        self._job = jobs.run(title, work, done=self._on_done, failed=self._on_failed)
        self._say("Running …")
        self._enable()

    def _work(self) -> Callable[..., Tried]:
        """Everything the thread needs, as it is chosen now."""
        recon, stage = self._recon, self.stage
        active = recon.active()
        if stage not in active:
            raise MetadataError("This step does not run on what was given; nothing can be tried.")
        before = [name for name in recon.needed(stage) if name != stage]
        later = active[active.index(stage) :]
        task = recon.task([*before, *later])  # so that nothing made later is handed over
        task.steps = task.steps[: len(before)]
        grid = recon.grid()
        if grid is None:
            raise MetadataError("Open a scan first: its phase images are needed.")
        slab: Slab | None = None
        if self._extent.currentData() == "slab":
            canonical = grid.to_canonical().echo(0)
            slab = slab_at_crosshair(self._session, canonical, self._slices.value())
        quantity = str(self._look.currentData())
        recipe, choices = recon.recipe(), self.grid.wanted

        def work(progress: Callable[..., None], cancelled: Callable[[], bool]) -> Tried:
            prepared: list[PreparedInputs] = []
            have: dict[str, Any] = {}
            share = _BEFORE if before else 0.0

            def took(item: PreparedInputs | StageResult) -> None:
                if isinstance(item, PreparedInputs):
                    prepared.append(item)
                    have.update(item.have)
                    have.update(task.have)
                else:
                    have.update(item.quantities)

            def report(name: str, fraction: float) -> None:
                done = (before.index(name) + fraction) / max(len(before), 1)
                progress(share * done, f"{STAGE_TEXTS[name].title} …")

            task.run(took, progress=report, cancelled=cancelled)
            variants = run_sweep(
                recipe,
                have,
                stage,
                choices,
                slab=slab,
                with_chi=quantity == "chi_ppm",
                judge=stage_numbers,
                progress=lambda fraction: progress(share + (1 - share) * fraction),
                cancelled=cancelled,
            )
            return Tried(variants, prepared[0].grid, have.get("magnitude"), quantity)

        return work

    def _on_done(self, tried: Tried) -> None:
        if self._is_over:
            return
        self._job = None
        self.grid.show_tried(tried.variants)
        self.previews.show(
            tried.variants,
            tried.grid,
            self._context.session.case,
            magnitude=tried.magnitude,
            quantity=tried.quantity,
        )
        shown = [
            letter for letter, one in zip(LETTERS, tried.variants, strict=False) if not one.error
        ]
        slab = next((one.slab for one in tried.variants if one.slab is not None), None)
        text = f"In the views, from left to right: {', '.join(shown)}." if shown else ""
        if slab is not None and shown:
            text += (
                f" Slices {slab.start + 1} to {slab.stop} only; numbers are of these and a margin."
            )
        self._say("\n".join([text, *_warnings(tried.variants)]).strip())
        self._enable()

    def _on_failed(self, error: Exception) -> None:
        if self._is_over and isinstance(error, (QsmError, MemoryError)):
            return
        self._job = None
        self._enable()
        if isinstance(error, Cancelled):
            self._say("Stopped; nothing was changed.")
        elif isinstance(error, QsmError):
            self._say(str(error))
        elif isinstance(error, MemoryError):
            self._say("This computer's memory is too small for that; try fewer slices.")
        else:
            raise error

    def _on_cancel(self) -> None:
        if self._job is not None:
            self._job.cancel()
            self._say("Stopping …")

    # -- choosing -----------------------------------------------------------------------------

    def _on_use(self, letter: str, choice: Choice) -> None:
        if self._recon.running:
            self._say("A reconstruction is running; wait for it, or cancel it first.")
            return
        self._recon.choose(self.stage, choice.method.name)
        self._recon.set(self.stage, **choice.settings)
        self.close()
        self._context.message(
            f"The settings of {letter} are in the recipe now; press Run all to make the map "
            "with them."
        )

    def _on_changed(self) -> None:
        if self._recon.source is not self._source:  # another head: nothing here belongs to it
            self.close()

    def _show_slices(self) -> None:
        self._slices.setVisible(self._extent.currentData() == "slab")

    def _say(self, sentence: str) -> None:
        self._state.setText(sentence)
        fit_text(self._state, _WIDTH)
        self._state.setVisible(bool(sentence))

    def _enable(self) -> None:
        idle = self._job is None
        self._run.setEnabled(idle)
        self.grid.setEnabled(idle)
        self._stop.setEnabled(not idle)

    # -- coming and going ---------------------------------------------------------------------

    def open_beside(self) -> None:
        """Show it over the panels, where it does not hide the views."""
        self.show()
        fit_text(self._purpose, _WIDTH)
        layout = self.layout()
        if layout is not None:
            layout.activate()
        self._make_room()
        self.move(self._lowest())

    def _make_room(self) -> None:
        """Widen the panels to what the dialog takes, so that it lies over them alone."""
        window = self._context.window
        right = Qt.DockWidgetArea.RightDockWidgetArea
        docks = [d for d in window.findChildren(QDockWidget) if window.dockWidgetArea(d) == right]
        for dock in (d for d in docks if d.isVisible()):
            if self._room is None:
                self._room = (dock, dock.width())
            needed = self.frameGeometry().width() + 2 * _RIM
            if dock.width() < needed:
                window.resizeDocks([dock], [needed], Qt.Orientation.Horizontal)
            return

    def _give_room_back(self) -> None:
        if self._room is not None:
            dock, width = self._room
            self._context.window.resizeDocks([dock], [width], Qt.Orientation.Horizontal)

    def _lowest(self) -> QPoint:
        """Where its corner lies when it sits in the lower right of the window."""
        window, place = self._context.window, self.frameGeometry()
        corner = window.mapToGlobal(QPoint(window.width(), window.height()))
        x, y = corner.x() - place.width() - _RIM, corner.y() - place.height() - 30
        return QPoint(max(x, 0), max(y, 0))

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """It grows with its numbers: keep all of it within the window."""
        super().resizeEvent(event)
        self._make_room()
        lowest, now = self._lowest(), self.pos()
        self.move(min(now.x(), lowest.x()), min(now.y(), lowest.y()))

    def done(self, result: int) -> None:
        """Stop what runs, and take the previews away."""
        if not self._is_over:
            self._is_over = True
            self._give_room_back()
            if self._job is not None:
                self._job.cancel()
            self._recon.changed.disconnect(self._on_changed)
            self.previews.clear()
        super().done(result)


class Sweeps:
    """Opens the window for a stage; there is one at a time.

    Parameters
    ----------
    context : Services
    """

    def __init__(self, context: Services) -> None:
        self._context = context
        self.dialog: SweepDialog | None = None

    def open(self, recon: Reconstruction, stage: str) -> SweepDialog:
        """Show the window for a stage of a reconstruction.

        Raises
        ------
        QsmError
            If the stage does not take part, or something must be known first.
        """
        if stage not in STAGES or stage not in recon.active():
            raise MetadataError("This step does not run on what was given; nothing can be tried.")
        self.close()
        self.dialog = SweepDialog(self._context, recon, stage)
        self.dialog.finished.connect(self._forget)
        self.dialog.open_beside()
        return self.dialog

    def close(self) -> None:
        """Close the window if it is open."""
        dialog, self.dialog = self.dialog, None
        if dialog is not None:
            dialog.close()
            dialog.deleteLater()

    def _forget(self, result: int = 0) -> None:
        dialog, self.dialog = self.dialog, None
        if dialog is not None:
            dialog.deleteLater()


def _warnings(tried: Sequence[Variant]) -> list[str]:
    """What methods had to say, each sentence once, with the letters it is about."""
    letters: dict[str, list[str]] = {}
    for letter, one in zip(LETTERS, tried, strict=False):
        for sentence in one.warnings:
            letters.setdefault(sentence, []).append(letter)
    return [
        sentence if len(whose) == len(tried) else f"{', '.join(whose)}: {sentence}"
        for sentence, whose in letters.items()
    ]
