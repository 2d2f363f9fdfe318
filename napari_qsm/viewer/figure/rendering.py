"""Drawing the figure in a thread, again and again, with the newest state winning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from qtpy.QtCore import QObject, QTimer, Signal

from napari_qsm.arrays import Array
from napari_qsm.errors import QsmError
from napari_qsm.figures.draw import DRAWING, PREVIEW_DPI, Cache, Rendered, render
from napari_qsm.figures.gather import Given
from napari_qsm.figures.spec import FigureSpec
from napari_qsm.viewer.jobs import Job

_WAIT_MS = 80


@dataclass(frozen=True, eq=False)
class Preview:
    """A figure drawn for the screen.

    Attributes
    ----------
    drawn : Rendered
        With its notes, its caption, and where its panels lie.
    pixels : ndarray
        RGBA, shape (rows, columns, 4), uint8.
    """

    drawn: Rendered
    pixels: Array


@dataclass(frozen=True, eq=False)
class _Request:
    spec: FigureSpec
    given: Mapping[str, Given]
    dpi: float


class Renderer(QObject):
    """Draws what was asked for last; never more than one drawing at a time.

    Attributes
    ----------
    drawn : Signal
        Sends a :class:`Preview`.
    failed : Signal
        Sends the error.
    cache : Cache
        What one drawing leaves for the next.
    """

    drawn = Signal(object)
    failed = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.cache = Cache()
        self._wanted: _Request | None = None
        self._job: Job | None = None
        self._forgotten = False  # whether what the job draws is of no use any more
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_WAIT_MS)
        self._timer.timeout.connect(self._start)

    @property
    def busy(self) -> bool:
        """Whether a drawing is under way or waiting."""
        return self._wanted is not None or self._job is not None

    def request(
        self, spec: FigureSpec, given: Mapping[str, Given], dpi: float = PREVIEW_DPI
    ) -> None:
        """Draw this soon; what was asked for before and has not begun is forgotten."""
        self._wanted = _Request(spec, given, dpi)
        if self._job is None:
            self._timer.start()

    def forget(self) -> None:
        """Draw nothing more for now, and show nothing of what is being drawn."""
        self._wanted = None
        self._forgotten = True
        self._timer.stop()

    def dispose(self) -> None:
        """Stop, and wait for the thread."""
        self.forget()
        if self._job is not None:
            self._job.let_go()
            self._job.wait(10)
            self._job = None

    def _start(self) -> None:
        request, self._wanted = self._wanted, None
        if request is None:
            return
        self._forgotten = False
        spec, given, dpi = request.spec, request.given, request.dpi

        def work(progress: object, cancelled: object) -> Preview:
            with DRAWING:
                drawn = render(spec, given, preview=True, dpi=dpi, cache=self.cache)
                return Preview(drawn, drawn.pixels())

        self._job = Job("figure preview", work, self._on_drawn, self._on_failed)
        self._job.start_alone()

    def _next(self) -> None:
        self._job = None
        if self._wanted is not None:  # newer: the old picture is of no use but for the eye
            self._timer.start()

    def _on_drawn(self, preview: Preview) -> None:
        self._next()
        if not self._forgotten:
            self.drawn.emit(preview)

    def _on_failed(self, error: Exception) -> None:
        self._next()
        if not isinstance(error, QsmError):
            raise error
        if not self._forgotten:
            self.failed.emit(error)
