"""Studies in the window: opened, followed while others work on them, scans opened from their page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer

from napari_qsm.errors import QsmError
from napari_qsm.session import recents
from napari_qsm.study.folder import StudyFolder
from napari_qsm.study.openings import files_of, reader_warning, state_opening
from napari_qsm.study.overview import Column, Overview, counted, load_overview, moments_of
from napari_qsm.study.protocol import PROTOCOL_FILE
from napari_qsm.study.stale import Known, stale_readings
from napari_qsm.study.status import STEPS, ScanStatus
from napari_qsm.study.step_work import new_study
from napari_qsm.study.steps import StudyStep, study_steps
from napari_qsm.viewer import ui
from napari_qsm.viewer.jobs import Job
from napari_qsm.viewer.study.dialogs import NewStudy, Values, ask_reason
from napari_qsm.viewer.study.page import StudyPage
from napari_qsm.viewer.study.work import StepRunner, may_stop, show_file

if TYPE_CHECKING:
    from napari_qsm.viewer.data.files import Files
    from napari_qsm.viewer.services import Services

#: How often the page looks whether something has changed, and how much of its time that may take.
LOOK_MS = 2000
_SHARE = 0.1

_Looked = tuple[Overview, tuple[StudyStep, ...], tuple[int, ...], float]


class Studies(QObject):
    """What a workspace does with studies.

    Parameters
    ----------
    services : Services
        The window.
    files : Files
        Opens scans.

    Attributes
    ----------
    page : StudyPage
        Over the views, once a study was opened.
    """

    def __init__(self, services: Services, files: Files) -> None:
        super().__init__()
        self._services, self._files = services, files
        self.page = StudyPage(services.central)
        self._runner = StepRunner(self.page, services.window, self.look)
        self._root: Path | None = None
        self._moments: tuple[int, ...] = ()
        self._checksums: Known = {}
        self._stated: tuple[str, str] | None = None
        self._looking: Job | None = None
        self._checking: Job | None = None
        self._again = False
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_MS)
        self._timer.timeout.connect(self._on_timer)
        services.central.put_page(self.page)
        self.page.step_asked.connect(self._runner.run)
        self.page.amend_asked.connect(self._runner.amend)
        self.page.renew_asked.connect(self.look)
        self.page.leave_asked.connect(self.toggle)  # a partial would keep the closed window
        self.page.opened.connect(self._on_opened)
        self.page.result_asked.connect(self._on_result)
        self._heard = ui.Subscriptions()
        events = services.session.events
        self._heard.connect(services.session.maps.events.inserted, to=self._on_maps)
        self._heard.connect(events.blinded, to=self._on_blinded)
        self._heard.connect(files.study_found, to=self.open)

    @property
    def root(self) -> Path | None:
        """The folder of the study that is open."""
        return self._root

    @property
    def is_shown(self) -> bool:
        """Whether the page lies over the views."""
        return not self.page.isHidden()

    # -- opening --------------------------------------------------------------------------

    def ask_new(self) -> None:
        """Ask what is to be decided, make a study and open it."""
        box = NewStudy(self._services.window)
        source = box.source
        agreed = bool(box.exec())
        said, chosen = box.values(), source()
        box.deleteLater()
        if agreed:
            self._make(said, chosen)

    def _make(self, said: Values, source: str) -> None:
        raw = said["raw"].strip()
        try:
            made = new_study(
                Path(said["folder"].strip()).expanduser(),
                source,
                Path(raw).expanduser() if raw else None,
                name=said["name"].strip(),
                placement=said["placement"],
                recipe=said["recipe"],
                window_ppb=(said["window_low"], said["window_high"]),
            )
        except QsmError as error:
            self._services.message(str(error))
            return
        self.open(made.root)

    def open(self, folder: Path) -> None:
        """Show the page of a study; the one before is left as it is."""
        folder = folder.parent if folder.name == PROTOCOL_FILE else folder
        if self._services.session.blinded:
            self._services.message(
                "The page of a study names people; end blinded reading in this window first."
            )
            return
        if self.page.jobs.busy and folder.absolute() != self._root:
            self._services.message(
                "Work on the study that is open is going on; wait for it, or cancel it on its page."
            )
            return
        try:
            root = StudyFolder(folder).root
        except QsmError as error:
            self._services.message(str(error))
            return
        if root != self._root:
            self._let_go()
            self._root, self._stated, self._checksums = root, None, {}
            self.page.begin()
        self._moments = ()
        self.look()

    def look(self) -> None:
        """Read the state of the study anew, in the background."""
        if self._root is None:
            return
        if self._looking is not None:
            self._again = True
            return
        self._start_look(self._root, ())

    def _start_look(self, root: Path, before: tuple[int, ...]) -> None:
        def work(progress: Any, cancelled: Any) -> _Looked | None:
            import time

            began = time.perf_counter()
            study = StudyFolder(root)
            moments = moments_of(study)
            if moments == before:
                return None
            overview = load_overview(root)
            return overview, study_steps(overview), moments, time.perf_counter() - began

        self._looking = Job("Reading the study", work, self._on_looked, self._on_failed)
        self._looking.start_alone()

    def _on_timer(self) -> None:
        if self._root is not None and self._looking is None and self.is_shown:
            self._start_look(self._root, self._moments)

    def _on_looked(self, found: _Looked | None) -> None:
        self._looking = None
        if found is not None:
            overview, steps, self._moments, seconds = found
            first = self.page.overview is None
            stale = {} if first else self.page.overview.stale  # type: ignore[union-attr]
            self.page.show_overview(overview.with_stale(stale), steps)
            self._timer.setInterval(max(LOOK_MS, round(1000 * seconds / _SHARE)))
            if first:
                name = overview.protocol.name if overview.protocol else overview.study.root.name
                recents.remember_study(overview.study.root, name, overview.summary())
                self.show(True)
            self._check()
        if self.is_shown:
            self._timer.start()
        if self._again:
            self._again = False
            self.look()

    def _on_failed(self, error: Exception) -> None:
        self._looking = None
        self._again = False
        self._timer.stop()  # 'Look again' begins anew; the same sentence every other second helps nobody
        self._services.failed(error)

    def _check(self) -> None:
        """Look in the background for readings whose map was made anew."""
        overview = self.page.overview
        if overview is None:
            return
        if self._checking is not None:
            self._checking.let_go()
        known = self._checksums

        def work(progress: Any, cancelled: Any) -> Any:
            return stale_readings(
                overview.study, known=known, progress=lambda part: progress(part, "")
            )

        def done(stale: Any) -> None:
            self._checking = None
            shown = self.page.overview
            if shown is not None and shown.stale != stale:
                self.page.show_stale(shown.with_stale(stale))

        self._checking = Job("Comparing readings with maps", work, done, lambda error: None)
        self._checking.start_alone()

    # -- the page over the views ----------------------------------------------------------

    def show(self, shown: bool) -> None:
        """Show the page of the study that is open, or the views."""
        if shown and self._root is None:
            self._files.ask_study()
            return
        if shown and self._services.session.blinded:
            self._on_blinded()
            return
        was = self.is_shown
        self._services.central.show_page(shown)
        if shown:
            self._timer.start()
            self.page.grid.setFocus()
            if not was and self.page.overview is not None and self._moments:
                self.look()  # verdicts may have been given in the meantime
        else:
            self._timer.stop()

    def toggle(self) -> None:
        """From the page to the views, and back."""
        self.show(not self.is_shown)

    def _on_maps(self, *_: object) -> None:
        if self.is_shown:
            self.show(False)

    def _on_blinded(self, *_: object) -> None:
        if self._services.session.blinded and self.is_shown:
            self.show(False)

    # -- scans and results ----------------------------------------------------------------

    def _on_result(self, place: str) -> None:
        if self._root is not None:
            show_file(self._root / place)

    def _on_opened(self, participant: str, column: Column) -> None:
        overview = self.page.overview
        row = overview.row(participant, column.visit) if overview is not None else None
        if overview is None or row is None:
            return
        scan = overview.study.scan(*row.key)
        log = overview.study.log_of(scan)
        if column.step == "qc" and scan.report.is_file():
            show_file(scan.report)
        elif column.step == "registered" and (overview.study.group / "registration.html").is_file():
            show_file(overview.study.group / "registration.html")
        elif column.step == "reconstructed" and row.reconstructed == "failed" and log.is_file():
            show_file(log)
        else:
            label = "" if column.step in STEPS else column.step
            self.open_scan(row, raw=column.step == "imported", label=label)

    def open_scan(self, row: ScanStatus, *, raw: bool = False, label: str = "") -> None:
        """Open a scan under its name in the views, stated first where readers are still blind.

        Parameters
        ----------
        row : ScanStatus
        raw : bool
            The raw scan even where there is a map.
        label : str
            Of a reading that is to be shown on the map.
        """
        overview = self.page.overview
        if overview is None:
            return
        try:
            paths = files_of(overview, row, raw=raw, label=label)
            if overview.is_blind and not self._state(overview, row):
                return
        except QsmError as error:
            self._services.message(str(error))
            return
        self._files.open(paths)

    def _state(self, overview: Overview, row: ScanStatus) -> bool:
        """Have it stated, once in a sitting, that scans are opened under their names."""
        if self._stated is None:
            said = ask_reason(
                self._services.window, "qsm.study_name", "Open scans under their names",
                f"Still to be made blind: {counted(overview.unread, 'reading')}. Whoever opens scans here "
                "sees whose they are; each one is written into the log of the study with your reason. The "
                "codes stay hidden.",
                go="Open", who="", follows=lambda values: reader_warning(overview, values["who"]),
            )  # fmt: skip
            if said is None:
                return False
            self._stated = said["who"], said["reason"]
        state_opening(overview, row, *self._stated)
        return True

    # -- the end --------------------------------------------------------------------------

    def may_close(self) -> bool:
        """Ask what becomes of work on the study that is going on; False if the window stays."""
        return not self.page.jobs.busy or may_stop(self._services.window)

    def _let_go(self) -> None:
        for job in (self._looking, self._checking):
            if job is not None:
                job.let_go()
        self._looking = self._checking = None
        self._again = False

    def dispose(self) -> None:
        """Stop all work; what is done of it is kept."""
        self._timer.stop()
        self._let_go()
        self.page.jobs.stop_all()
        self._heard.dispose()
