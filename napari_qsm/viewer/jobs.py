"""The one way to work in a thread: progress, cancel, and a bar that shows what goes on."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QObject, Qt, QTimer, Signal, Slot
from qtpy.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QWidget

from napari_qsm.errors import Cancelled

#: Work gets ``progress(fraction, what)`` and ``cancelled()``.
Work = Callable[[Callable[[float, str], None], Callable[[], bool]], Any]
#: How long a cancelled computation may take to notice before the window goes on without it.
LET_GO_MS = 300


class _Messages(QObject):
    """Carries news from the thread to the window; Qt delivers them in the window's thread."""

    progressed = Signal(float, str)
    returned = Signal(object)
    failed = Signal(object)


class Job:
    """One piece of work in a thread of its own.

    A :class:`JobBar` runs them one after the other; :meth:`start_alone` is for small work that
    has a place of its own to show how it stands.
    """

    def __init__(
        self,
        title: str,
        work: Work,
        done: Callable[[Any], None],
        failed: Callable[[Exception], None],
        *,
        computes: bool = False,
    ) -> None:
        self.title = title
        self.computes = computes
        self.messages = _Messages()
        self._work, self._done, self._failed = work, done, failed
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"qsm: {title}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def start_alone(self) -> None:
        """Begin without a bar; result or error is handed over in the window's thread."""
        queued = Qt.ConnectionType.QueuedConnection
        self.messages.returned.connect(self.finish, queued)
        self.messages.failed.connect(self.fail, queued)
        self.start()

    def cancel(self) -> None:
        """Ask the work to stop; it does so at its next check."""
        self._stop.set()

    def let_go(self) -> None:
        """Hear nothing more of it."""
        self.cancel()
        self.messages.blockSignals(True)

    @property
    def cancelled(self) -> bool:
        """Whether it was asked to stop."""
        return self._stop.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait for the thread; True if it has ended."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def finish(self, result: Any) -> None:
        """Hand over the result, in the window's thread."""
        self._done(result)

    def fail(self, error: Exception) -> None:
        """Hand over the error, in the window's thread."""
        self._failed(error)

    def _run(self) -> None:
        def progress(fraction: float, what: str = "") -> None:
            if self._stop.is_set():
                raise Cancelled(f"{self.title}: stopped.")
            self.messages.progressed.emit(float(fraction), what)

        # The window may have gone in the meantime; then there is nobody to tell.
        with contextlib.suppress(RuntimeError):
            try:
                result = self._work(progress, self._stop.is_set)
            except Exception as error:
                self.messages.failed.emit(error)
            else:
                self.messages.returned.emit(result)


class JobBar(QWidget):
    """Runs jobs one after the other and shows the one at work, with a cancel button.

    Attributes
    ----------
    progressed : Signal
        What is being done, and how much of it (below 0 while nobody knows); an empty text once
        nothing is.
    """

    progressed = Signal(str, float)

    def __init__(self, parent: QWidget | None = None, name: str = "qsm.jobs") -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self._waiting: list[Job] = []
        self._current: Job | None = None
        self._text = QLabel()
        self._text.setObjectName(f"{name}.text")
        self._text.setMinimumWidth(60)
        self._bar = QProgressBar()
        self._bar.setObjectName(f"{name}.progress")
        self._bar.setRange(0, 1000)
        self._bar.setTextVisible(False)
        self._bar.setFixedHeight(10)
        self._cancel = QPushButton("Cancel")
        self._cancel.setObjectName(f"{name}.cancel")
        self._cancel.clicked.connect(lambda _=False: self.cancel())
        row = QHBoxLayout(self)
        row.setContentsMargins(6, 2, 6, 2)
        row.addWidget(self._text, 2)
        row.addWidget(self._bar, 3)
        row.addWidget(self._cancel)
        self.hide()

    @property
    def busy(self) -> bool:
        """Whether work is going on or waiting."""
        return self._current is not None

    def run(
        self,
        title: str,
        work: Work,
        *,
        done: Callable[[Any], None],
        failed: Callable[[Exception], None],
        computes: bool = False,
    ) -> Job:
        """Queue work; ``done`` or ``failed`` is called in the window's thread.

        Parameters
        ----------
        title : str
            What the bar says.
        work, done, failed : callables
            See :data:`Work`; the result; the error.
        computes : bool
            The work leaves nothing behind but its result. A cancelled computation that does
            not notice at once is let go: its thread ends by itself, unheard, and the window
            does not wait for it.
        """
        job = Job(title, work, done, failed, computes=computes)
        self._waiting.append(job)
        if self._current is None:
            self._next()
        return job

    def stop_all(self, seconds: float = 5.0) -> None:
        """Cancel everything and wait a moment for the thread to end."""
        self._waiting.clear()
        job, self._current = self._current, None
        if job is not None:
            job.cancel()
            job.messages.blockSignals(True)
            job.wait(seconds)

    def _next(self) -> None:
        if not self._waiting:
            self._current = None
            self.hide()
            self.progressed.emit("", 0.0)
            return
        job = self._current = self._waiting.pop(0)
        queued = Qt.ConnectionType.QueuedConnection
        job.messages.progressed.connect(self._on_progress, queued)
        job.messages.returned.connect(self._on_returned, queued)
        job.messages.failed.connect(self._on_failed, queued)
        self._text.setText(job.title)
        self._cancel.setEnabled(True)
        self._bar.setRange(0, 0)
        self.show()
        self.progressed.emit(job.title, -1.0)
        job.start()

    @Slot(float, str)
    def _on_progress(self, fraction: float, what: str) -> None:
        if self._current is None or self._current.cancelled:
            return
        self._bar.setRange(0, 1000 if fraction > 0 else 0)
        self._bar.setValue(int(1000 * min(max(fraction, 0), 1)))
        self._text.setText(what or self._current.title)
        self.progressed.emit(what or self._current.title, fraction)

    @Slot(object)
    def _on_returned(self, result: Any) -> None:
        job = self._current
        self._next()
        if job is not None:
            if job.cancelled:
                job.fail(Cancelled(f"{job.title}: stopped."))
            else:
                job.finish(result)

    @Slot(object)
    def _on_failed(self, error: Exception) -> None:
        job = self._current
        self._next()
        if job is not None:
            job.fail(error)

    def cancel(self, job: Job | None = None) -> None:
        """Stop the work that is going on, or a certain job even if it still waits."""
        if job is not None and job in self._waiting:
            self._waiting.remove(job)
            job.fail(Cancelled(f"{job.title}: stopped."))
            return
        if self._current is None or job not in (None, self._current):
            return
        job = self._current
        job.cancel()
        self._text.setText("Stopping …")
        self._cancel.setEnabled(False)
        if job.computes:
            QTimer.singleShot(LET_GO_MS, lambda: self._let_go(job))

    def _let_go(self, job: Job) -> None:
        if job is not self._current:
            return
        job.messages.blockSignals(True)
        self._next()
        job.fail(Cancelled(f"{job.title}: stopped."))
