"""Is this map good? A section that judges the finished map, and takes a person's verdict."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from qtpy.QtCore import QUrl
from qtpy.QtGui import QDesktopServices

from napari_qsm.errors import Cancelled, QsmError
from napari_qsm.qc.quality import rows
from napari_qsm.qc.rating import Rating, add_rating
from napari_qsm.session import quality as unexplained
from napari_qsm.session.quality import Judgement, Subject, iron_rich_labels, judge
from napari_qsm.session.stage_results import result_entry, show_result
from napari_qsm.viewer import ui
from napari_qsm.viewer.dialogs import ask_save_file
from napari_qsm.viewer.icons import text_colour
from napari_qsm.viewer.jobs import Job
from napari_qsm.viewer.reconstruct.quality_histogram import Histogram
from napari_qsm.viewer.reconstruct.quality_lists import FindingList, NumberTable, parted
from napari_qsm.viewer.reconstruct.rating_form import RatingForm
from napari_qsm.viewer.services import Services

_NOTHING = (
    "Once every stage above has run, the map is judged here: warnings in plain words, numbers "
    "with what is usual, and your own verdict."
)
_OLD = (
    "Something above has changed since. These numbers are of the map before; press Run all for "
    "new ones."
)


class QualityBox(ui.Section):
    """Findings, numbers, histogram, what is left unexplained, rating and report.

    The judging runs in the background and never holds up anything else.

    Parameters
    ----------
    context : Services
    subject : callable
        Gives the map to judge, or None while there is none that is finished. It is asked by
        :meth:`refresh`, which the panel calls whenever something may have changed.
    judged : dict of str to Judgement
        The last judgement of each case, by its id: a case that comes back is not judged again.
    """

    def __init__(
        self,
        context: Services,
        subject: Callable[[], Subject | None],
        judged: dict[str, Judgement],
    ) -> None:
        super().__init__("Is this map good?", "qsm.quality", is_open=True)
        self._context = context
        self._session = context.session
        self._subject = subject
        self._judged = judged
        self._now: Judgement | None = None
        self._is_old = False
        self._asked: Any = None
        self._job: Job | None = None
        self._report: Path | None = None
        self._places: dict[str, tuple[Path, str]] = {}
        self._add_findings()
        self._add_buttons()
        self.form = RatingForm(self._on_rating)
        self.body.addWidget(self.form)
        for emitter, call in self._connections():
            emitter.connect(call)
        self._fill()

    def dispose(self) -> None:
        """Stop listening, and stop what is going on."""
        for emitter, call in self._connections():
            emitter.disconnect(call)
        self._stop()
        self.histogram.forget()  # whoever still holds the box must not hold a closed window
        self._subject, self._now = _nothing, None

    @property
    def judgement(self) -> Judgement | None:
        """What is shown; None while nothing has been judged."""
        return self._now

    def refresh(self) -> None:
        """Judge the map that is finished now, if it has not been judged yet."""
        subject = self._subject()
        key = None if subject is None else subject.key
        if key is not None and key == self._asked:
            return
        self._stop()
        known = self._judged.get(subject.case.id) if subject is not None else None
        if self._now is None and known is not None and known.subject.key == key:
            self._now = known
            self._fill()
            return
        self._is_old = self._now is not None and self._now.subject.key != key
        if subject is not None and (self._now is None or self._is_old):
            self._judge(subject)
        self._show_state()

    def result_saved(self, folder: Path, prefix: str = "") -> None:
        """The result that was judged is on the disk: keep its ratings beside it.

        Parameters
        ----------
        folder : Path
            Of its ``provenance.json``.
        prefix : str
            What comes before ``rating.json``.

        Raises
        ------
        FileError
            If the ratings cannot be written there.
        """
        if self._now is None:
            return
        checksum = self._now.quality.chi_sha256
        self._places[checksum] = (folder, prefix)
        for rating in self._now.subject.case.ratings:
            if rating.chi_sha256 == checksum:
                add_rating(folder, rating, prefix=prefix)

    # -- building -----------------------------------------------------------------------------

    def _add_findings(self) -> None:
        self._state = ui.label("", "qsm.quality.state")
        self.findings = FindingList("qsm.quality.findings")
        self.numbers = NumberTable("qsm.quality.numbers")
        self._more = ui.Section("More numbers", "qsm.quality.more", is_open=False)
        self.more_numbers = NumberTable("qsm.quality.more_numbers")
        self._more.body.addWidget(self.more_numbers)
        viewer = self._context.viewer
        self.histogram = Histogram(lambda: text_colour(viewer.theme), lambda: self._session.unit)
        for part in (self._state, self.findings, self.numbers, self._more, self.histogram):
            self.body.addWidget(part)

    def _add_buttons(self) -> None:
        self._rest, self._write, self._open, self._again = (
            ui.button(text, f"qsm.quality.{name}", call, tip=f"<p>{tip}</p>")
            for name, text, call, tip in (
                (
                    "unexplained",
                    "Show what is left unexplained",
                    self._on_unexplained,
                    "The field less the field that the map makes, as an image: noise belongs "
                    "there, structures do not",
                ),
                (
                    "report",
                    "Write report …",
                    self._on_report,
                    "One page with pictures of every stage, numbers, ratings and the recipe; it "
                    "names no person and opens in any browser",
                ),
                ("open_report", "Open report", self._on_open, "Show it in the browser"),
                (
                    "again",
                    "Check again",
                    self._on_again,
                    "Judge once more, with the regions drawn since: putamen and globus pallidus "
                    "tell whether the sign is right",
                ),
            )
        )
        self.body.addWidget(self._rest)
        row = ((button, 1) for button in (self._write, self._open, self._again))
        self.body.addLayout(ui.row(*row, spacing=5))

    # -- judging ------------------------------------------------------------------------------

    def _judge(self, subject: Subject) -> None:
        self._asked = subject.key
        labels = iron_rich_labels(subject.case, subject.grid)
        with_rest = result_entry(subject.case, unexplained.RESULT) is not None

        def work(progress: Callable[..., None], cancelled: Callable[[], bool]) -> Any:
            judged = judge(subject, labels, lambda f: progress(0.9 * f, "Judging the map"))
            has_field = judged.result.arrays.get("local_field_ppm") is not None
            rest = unexplained.unexplained_field(judged.result) if with_rest and has_field else None
            return judged, rest

        def done(outcome: Any) -> None:
            if self._job is job:
                self._asked, self._job, self._is_old = None, None, False
                self._now, rest = outcome
                self._judged[subject.case.id] = self._now
                self._report = None
                self._fill()
                if rest is not None:
                    self._put(rest, select=False)

        def failed(error: Exception) -> None:
            if self._job is job:
                self._job = None  # what was asked for stays: it would fail again
                self._show_state()
                self._state.setText(_sentence(error))
                self._state.show()
                self._again.show()

        jobs = self._context.jobs
        job = jobs.run("Judging the map", work, done=done, failed=failed)
        self._job = job

    def _stop(self) -> None:
        """Judge no further; nobody needs to be told."""
        self._asked = None
        job, self._job = self._job, None
        if job is not None:
            job.cancel()

    def _fill(self) -> None:
        """Show the judgement."""
        now = self._now
        self.findings.show_findings(None if now is None else now.findings)
        first, others = parted(rows(now.quality)) if now is not None else ([], [])
        self.numbers.show_rows(first)
        self.more_numbers.show_rows(others)
        self.histogram.show_quality(None if now is None else now.quality)
        parts = (self.findings, self.numbers, self._more, self.form, self._rest, self._write)
        for part in (*parts, self._again):
            part.setVisible(now is not None)
        self._open.setVisible(self._report is not None)
        self._rest.setEnabled(now is not None and "local_field_ppm" in now.result.arrays)
        self._on_ratings()
        self._show_state()

    def _show_state(self) -> None:
        text = ""
        if self._job is not None:
            text = "Judging the map …"
        elif self._now is None:
            text = _NOTHING
        elif self._is_old:
            text = _OLD
        self._state.setText(text)
        self._state.setVisible(bool(text))
        self._again.setEnabled(not self._is_old and self._job is None)

    # -- what the buttons do ------------------------------------------------------------------

    def _on_again(self) -> None:
        subject = self._subject()
        if subject is not None:
            self._stop()
            self._judge(subject)
            self._show_state()

    def _on_unexplained(self) -> None:
        now = self._now
        if now is None:
            return

        def work(progress: Callable[..., None], cancelled: Callable[[], bool]) -> Any:
            return unexplained.unexplained_field(now.result)

        self._context.run(
            "What is left unexplained", work, lambda volume: self._put(volume, select=True)
        )

    def _put(self, volume: Any, *, select: bool) -> None:
        now = self._now
        if now is None:
            return
        entry = unexplained.put(self._session, volume, now.subject.case, now.result.provenance)
        if select:
            show_result(self._session, entry)

    def _on_rating(self, rating: Rating) -> None:
        now = self._now
        case = now.subject.case if now is not None else self._session.case
        case.ratings = (*case.ratings, rating)
        if now is None:
            return
        place = self._places.get(rating.chi_sha256)
        if place is None and now.subject.folder is not None:
            place = (now.subject.folder, now.subject.prefix)
        if place is not None:
            add_rating(place[0], rating, prefix=place[1])

    def _on_ratings(self) -> None:
        checksum = self._now.quality.chi_sha256 if self._now is not None else ""
        case = self._now.subject.case if self._now is not None else self._session.case
        self.form.show_map(checksum, case.ratings)

    def _on_report(self) -> None:
        now = self._now
        if now is None:
            return
        chosen = ask_save_file(self, "Write the report", "report.html", "Web page (*.html)")
        if chosen is not None:
            self.write_report(chosen[0])

    def write_report(self, path: Path) -> None:
        """Write the report of the map that is shown, in the background."""
        now = self._now
        if now is None:
            return
        ratings = now.subject.case.ratings

        def work(progress: Callable[..., None], cancelled: Callable[[], bool]) -> Path:
            _write_report(now, ratings, path)
            return path

        def done(path: Path) -> None:
            self._report = path
            self._context.success(f"The report is in '{path}'.")
            self._open.show()

        self._context.run("Writing the report", work, done)

    def _on_open(self) -> None:
        if self._report is not None and not QDesktopServices.openUrl(
            QUrl.fromLocalFile(str(self._report))
        ):
            self._context.message(f"No browser could be opened; the report is '{self._report}'.")

    def _connections(self) -> list[tuple[Any, Callable[..., Any]]]:
        return [
            (self._session.case_events.ratings, self._on_ratings),
            (self._session.events.unit, self._redraw),
            (self._context.viewer.events.theme, self._redraw),
        ]

    def _redraw(self, event: Any = None) -> None:
        self.histogram.changed()


def _sentence(error: Exception) -> str:
    """What is shown of an error; one that nobody foresaw goes on."""
    if isinstance(error, Cancelled):
        return "Judging was stopped; press Check again to take it up."
    if isinstance(error, QsmError):
        return str(error)
    if isinstance(error, MemoryError):
        return "This computer's memory is too small to judge this map; close other maps first."
    raise error


def _write_report(judged: Judgement, ratings: tuple[Rating, ...], path: Path) -> None:
    from napari_qsm.qc.report import write_report

    magnitude = judged.subject.magnitude
    write_report(judged.result, path, rating=ratings, quality=judged.quality, magnitude=magnitude)


def _nothing() -> None:
    """There is no map to judge any more."""
