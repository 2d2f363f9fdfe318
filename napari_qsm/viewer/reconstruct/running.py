"""Stages of a reconstruction run in a thread, their results handed to the window one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from qtpy.QtCore import QEventLoop, QObject, Qt, Signal, Slot
from qtpy.QtWidgets import QWidget

from napari_qsm.errors import Cancelled, QsmError
from napari_qsm.session.stage_texts import STAGE_TEXTS
from napari_qsm.study.reconstruction import Reconstruction
from napari_qsm.study.stage_task import PreparedInputs, StageFailed, StageResult
from napari_qsm.viewer import ui
from napari_qsm.viewer.jobs import Job, JobBar


class Runner(QObject):
    """Runs stages of a reconstruction; one run at a time.

    Parameters
    ----------
    jobs : JobBar
        Runs the thread, and shows how far it is.
    recon : Reconstruction
        Gets the results.
    """

    _handed = Signal(int, object)
    _progressed = Signal(int, str, float)

    def __init__(self, jobs: JobBar, recon: Reconstruction) -> None:
        super().__init__()
        self._jobs = jobs
        self._recon = recon
        self._job: Job | None = None
        self._loop: QEventLoop | None = None
        self._error: Exception | None = None
        self._gone = False
        self._run = 0  # a run that was let go may still be heard of
        self.on_made: Callable[[StageResult], None] = lambda made: None
        self.on_failed: Callable[[str], None] = lambda stage: None
        self.on_progress: Callable[[str, float], None] = lambda stage, fraction: None
        queued = Qt.ConnectionType.QueuedConnection
        self._handed.connect(self._on_handed, queued)
        self._progressed.connect(self._on_progress, queued)

    def run(self, stages: Sequence[str]) -> None:
        """Start.

        Raises
        ------
        QsmError
            If something is missing, or a run is going on.
        """
        task = self._recon.task(stages)
        self._error = None
        count = max(len(stages), 1)
        self._run += 1
        run = self._run

        def work(progress: Callable[[float, str], None], cancelled: Callable[[], bool]) -> None:
            def told(stage: str, fraction: float) -> None:
                done = (list(stages).index(stage) + fraction) / count
                progress(done, f"{STAGE_TEXTS[stage].title} …")
                self._progressed.emit(run, stage, fraction)

            def handed(item: Any) -> None:
                self._handed.emit(run, item)

            task.run(handed, progress=told, cancelled=cancelled)

        self._recon.start(stages)
        self._job = self._jobs.run(
            "Reading the scan …",
            work,
            done=self._on_done,
            failed=self._on_failed,
            computes=True,
        )

    def wait(self) -> None:
        """Let the window live until the run has ended.

        Raises
        ------
        Exception
            What the run ended with, if it failed or was stopped.
        """
        if self._job is not None:
            self._loop = QEventLoop()
            self._loop.exec()
            self._loop = None
        if self._gone:
            raise Cancelled("The window was closed before the reconstruction had ended.")
        if self._error is not None:
            raise self._error

    def cancel(self) -> None:
        """Stop; results that are there stay."""
        if self._job is not None:
            self._jobs.cancel(self._job)

    def dispose(self) -> None:
        """The window goes away: stop, and listen to nothing any more."""
        self._gone = True
        self.cancel()
        self._end()

    @Slot(int, object)
    def _on_handed(self, run: int, item: Any) -> None:
        if self._gone or run != self._run or self._job is None:
            return
        if isinstance(item, PreparedInputs):
            self._recon.take_prepared(item)
        elif isinstance(item, StageResult):
            self._recon.take(item)
            self.on_made(item)

    @Slot(int, str, float)
    def _on_progress(self, run: int, stage: str, fraction: float) -> None:
        if not self._gone and run == self._run and stage in self._recon.running:
            self.on_progress(stage, fraction)

    def _on_done(self, result: Any) -> None:
        self._recon.end()
        self._end()

    def _on_failed(self, error: Exception) -> None:
        if isinstance(error, StageFailed):
            self._error = error.error
            self._recon.end(error.stage, str(error))
            self.on_failed(error.stage)
        elif isinstance(error, QsmError):
            self._error = error
            self._recon.end()
        else:
            self._error = QsmError(f"Something in the program went wrong: {error}")
            self._recon.end("", str(self._error))
            self._end()
            raise error
        self._end()

    def _end(self) -> None:
        self._job = None
        if self._loop is not None:
            self._loop.quit()


class RunBar(QWidget):
    """Below the stages: runs what is stale, says what that is, stops it, saves the results.

    Parameters
    ----------
    run, cancel, save : callable
        What the buttons do.
    """

    def __init__(
        self, run: Callable[[], None], cancel: Callable[[], None], save: Callable[[], None]
    ) -> None:
        super().__init__()
        self._stop = cancel
        self._run_all = ui.button("Run all", "qsm.reconstruct.run_all", run, main=True)
        self._cancel = ui.button(
            "Cancel",
            "qsm.reconstruct.cancel",
            self._on_cancel,
            tip="Stop; results that are there stay",
        )
        self._plan = ui.label("", "qsm.reconstruct.plan")
        self._save = ui.button(
            "Save results …",
            "qsm.reconstruct.save",
            save,
            tip="All maps, how they were made, and report.html, as the command line writes them",
        )
        row = ui.row((self._run_all, 1), self._cancel, spacing=6)
        # What is said stands above: however long it is, the buttons keep their places.
        self.setLayout(ui.column(self._plan, row, self._save, spacing=3, margins=(8, 2, 8, 6)))

    def refresh(self, recon: Reconstruction) -> None:
        """Say what there is to do."""
        problems, stale, running = recon.missing(), recon.stale_stages(), bool(recon.running)
        self._run_all.setEnabled(bool(stale) and not problems and not running)
        self._cancel.setEnabled(running)
        self._save.setEnabled(not stale and not problems and not running)
        if running:
            self.show_running(recon.running[0])
        elif problems:
            self._plan.setText(problems[0])
        elif not stale:
            self._plan.setText("Everything is up to date.")
        elif len(stale) == len(recon.active()):
            self._plan.setText("Runs all steps.")
        else:
            titles = (STAGE_TEXTS[stage].title.lower() for stage in stale)
            self._plan.setText(f"Runs {', '.join(titles)}.")

    def show_running(self, stage: str) -> None:
        """Say which stage is running."""
        self._plan.setText(f"Running: {STAGE_TEXTS[stage].title.lower()} …")

    def _on_cancel(self) -> None:
        self._cancel.setEnabled(False)
        self._plan.setText("Stopping …")
        self._stop()
