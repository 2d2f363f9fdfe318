"""The steps of a study from its page: what is asked first, and the work in the background."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QSpinBox, QWidget

from napari_qsm.errors import Cancelled, QsmError
from napari_qsm.study import step_work
from napari_qsm.study.overview import Overview, counted
from napari_qsm.study.protocol import amend
from napari_qsm.study.step_work import StepDone
from napari_qsm.study.steps import is_bundle, label_problem, to_send
from napari_qsm.study.worklist import how_many
from napari_qsm.viewer.dialogs import Answer, ask, ask_folder, ask_open_file, ask_save_file
from napari_qsm.viewer.forms import Field
from napari_qsm.viewer.jobs import Job
from napari_qsm.viewer.study.dialogs import TABLES, Asking, Values, ask_reason

if TYPE_CHECKING:
    from napari_qsm.viewer.study.page import StudyPage


#: Bundles, there and back.
ZIPS = "Bundles (*.zip);;All files (*)"


def show_file(path: Path) -> None:
    """Open a file or folder with the program that the computer has for it."""
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(path)))


class StepRunner:
    """Does the steps that the page asks for, one after the other.

    Parameters
    ----------
    page : StudyPage
    window : QWidget
        What dialogs belong to.
    finished : callable
        Called when a step has ended, however.
    """

    def __init__(self, page: StudyPage, window: QWidget, finished: Callable[[], None]) -> None:
        self._page, self._window, self._finished = page, window, finished

    def run(self, step: str) -> None:
        """Ask what is to be asked, and do it."""
        overview = self._page.overview
        if overview is not None:
            getattr(self, f"_{step}")(overview)

    def _work(
        self,
        title: str,
        work: Callable[[step_work.Progress], StepDone],
        refused: Callable[[str], bool] = lambda sentence: False,
    ) -> None:
        """Work in the background; ``refused`` may take care of an error by its sentence."""

        def done(result: StepDone) -> None:
            opens = partial(show_file, result.opens) if result.opens is not None else None
            self._page.show_done(title, result, opens)
            self._finished()

        def failed(error: Exception) -> None:
            self._finished()
            if isinstance(error, Cancelled):
                self._page.show_failed(title, "Stopped; what was done until then is kept.")
            elif isinstance(error, QsmError | OSError):
                if not refused(str(error)):
                    self._page.show_failed(title, str(error))
            elif isinstance(error, MemoryError):
                self._page.show_failed(title, "This computer's memory is too small for that.")
            else:
                raise error

        self._page.jobs.run(title, lambda tell, cancelled: work(tell), done=done, failed=failed)

    # -- each step ------------------------------------------------------------------------

    def _import(self, overview: Overview) -> None:
        table = ask_open_file(
            self._window, "A table of visits: folder, subject, session (group, age, sex)", TABLES
        )
        if table is None:
            return
        raw = overview.study.raw or ask_folder(self._window, "A folder for the raw data (BIDS)")
        if raw is not None:
            root = overview.study.root
            self._work("Import", lambda tell: step_work.import_step(root, raw, table, tell))

    def _batch(self, overview: Overview) -> None:
        failed = sum(row.state == "failed" for row in overview.batch.values())
        otherwise = sum(row.state == "skipped" for row in overview.batch.values())
        fields = [
            Field("jobs", "jobs", int, "Scans side by side", low=0, high=256, default=0),
            Field("retry_failed", "retry_failed", bool, f"Try again what failed ({failed})"),
            Field(
                "overwrite", "overwrite", bool, f"Make anew what was made otherwise ({otherwise} known)",
                "With another recipe, version or input",
            ),
        ]  # fmt: skip

        def follows(values: Values) -> str:
            if not values["overwrite"]:
                return ""
            read = sum("submitted" in row.raters.values() for row in overview.rows)
            return (
                f"Readings of maps that are made anew become stale; {read} scans are read."
                if read
                else ""
            )

        box = Asking(
            self._window, "qsm.study_batch", "Reconstruct all scans",
            "Every scan without a map is reconstructed with the protocol's recipe, in processes of their "
            "own. It can be stopped at any time, and goes on from there.",
            fields, go="Start", follows=follows,
        )  # fmt: skip
        jobs = box.form.controls["jobs"].widget
        if isinstance(jobs, QSpinBox):
            jobs.setSpecialValueText("as many as processors and memory allow")
        said = box.ask()
        if said is not None:
            said["jobs"] = said["jobs"] or None
            root = overview.study.root
            self._work("Batch", lambda tell: step_work.batch_step(root, tell, **said))

    def _group(self, overview: Overview) -> None:
        self._work("Quality page", lambda tell: step_work.group_step(overview.study.root))

    def _register(self, overview: Overview) -> None:
        self._work("Registration", partial(step_work.register_step, overview.study.root))

    def _suggest(self, overview: Overview) -> None:
        self._work("Suggestions", partial(step_work.suggest_step, overview.study.root))

    def _assign(self, overview: Overview) -> None:
        readable = sum(r.reconstructed == "done" and r.qc != "fail" for r in overview.rows)
        fields = [
            Field("rater", "rater", str, "Reader", "Letters and digits, such as AA", longest=20),
            Field("sample", "sample", str, "How many scans", "20% or a number; all if left empty"),
            Field("repeat", "repeat", str, "Read twice", "10% or a number; none if left empty"),
            Field("seed", "seed", str, "Seed", "Of order, sample and codes; drawn if left empty"),
            Field("add", "add", bool, "Add scans to this reader's list", "Those not on it yet"),
        ]

        def wrong(values: Values) -> str:
            if not values["rater"]:
                return "Needed: the reader's label, such as AA."
            problem = label_problem(overview, values["rater"], adds=values["add"])
            if problem:
                return problem
            try:
                count = (
                    how_many(values["sample"], readable, "'How many'")
                    if values["sample"]
                    else readable
                )
                if values["repeat"]:
                    how_many(values["repeat"], count, "'Read twice'")
            except QsmError as error:
                return str(error)
            seed = values["seed"]
            return "" if not seed or seed.isdecimal() else "The seed is a whole number."

        said = Asking(
            self._window, "qsm.study_assign", "Assign a reader",
            f"{readable} scans can be read. The reader gets them under codes, in a random order with a "
            "person's visits and the repeats far apart. Scans that two people read, and repeats, are "
            "placed without suggestions.",
            fields, go="Make the list", wrong=wrong,
        ).ask()  # fmt: skip
        if said is not None:
            said["seed"] = int(said["seed"]) if said["seed"] else None
            root = overview.study.root
            self._work("Worklist", lambda tell: step_work.assign_step(root, **said))

    def _read(self, overview: Overview) -> None:
        raters = to_send(overview)
        said = Asking(
            self._window, "qsm.study_read", "Read as …",
            "The reading window opens in a program of its own, with codes instead of names, and this "
            "one is minimised: whoever reads should not look at it.",
            [Field("rater", "rater", str, "Reader", "", tuple((r, r) for r in raters))],
            go="Open the reading window",
        ).ask()  # fmt: skip
        if said is None:
            return
        rater, root = said["rater"], overview.study.root
        self._window.showMinimized()  # names are not to be seen beside the reader's window
        job = Job(
            f"Reading as {rater}",
            lambda tell, cancelled: step_work.read_step(root, rater),
            lambda result: self._finished(),
            lambda error: self._page.show_failed(f"Reading as {rater}", str(error)),
        )
        job.start_alone()

    def _bundle(self, overview: Overview) -> None:
        root = overview.study.root
        if is_bundle(overview):
            said = ask_save_file(
                self._window, "Readings to send back", f"{root.name}-read.zip", ZIPS
            )
            if said is not None:
                self._work("Readings", partial(step_work.return_step, root, said[0]))
            return
        raters = [(rater, rater) for rater in to_send(overview)]
        chosen = Asking(
            self._window, "qsm.study_bundle", "Send a bundle",
            "One file with the maps that a reader has still to read, the protocol and codes; it names "
            "nobody. The reader needs this program and nothing else.",
            [
                Field("rater", "rater", str, "For", "", tuple(raters)),
                Field("magnitude", "magnitude", bool, "Magnitudes too, of the brain alone"),
            ],
            go="Choose a file …", at_first={"magnitude": True},
        ).ask()  # fmt: skip
        if chosen is None:
            return
        rater, magnitude = chosen["rater"], chosen["magnitude"]
        said = ask_save_file(self._window, "The file to send", f"for-{rater}.zip", ZIPS)
        if said is not None:
            out = said[0]
            self._work(
                "Bundle",
                lambda tell: step_work.bundle_step(root, rater, out, tell, magnitude=magnitude),
            )

    def _merge(self, overview: Overview) -> None:
        path = ask_open_file(self._window, "What came back", ZIPS)
        if path is not None:
            self._work("Merging", partial(step_work.merge_step, overview.study.root, path))

    def _collect(self, overview: Overview, allow_mixed: bool = False) -> None:
        root = overview.study.root

        def refused(sentence: str) -> bool:
            if "--allow-mixed" not in sentence or allow_mixed:
                return False
            if self._pools(sentence.partition(" They can be pooled")[0]):
                self._collect(overview, True)
            return True

        self._work(
            "Collecting",
            lambda tell: step_work.collect_step(root, tell, allow_mixed=allow_mixed),
            refused,
        )

    def _pools(self, sentence: str) -> bool:
        answer = ask(
            self._window, "qsm.study_mixed", "Maps were made in different ways",
            "Pool them all the same?", f"{sentence} The methods section will say so.",
            (Answer("pool", "Pool them"), Answer("leave", "Leave it", "no")), default="leave",
        )  # fmt: skip
        return answer == "pool"

    def _agree(self, overview: Overview) -> None:
        self._work("Agreement", partial(step_work.agree_step, overview.study.root))

    def _analyse(self, overview: Overview) -> None:
        self._work("Analysis", partial(step_work.analyse_step, overview.study.root))

    def _unblind(self, overview: Overview) -> None:
        unread = overview.unread
        words = (
            f"Not handed in yet: {counted(unread, 'reading')}, no longer blind from then on; the methods "
            "section will say that codes were looked up before the last reading."
            if unread
            else "Every reading is handed in."
        )
        said = ask_reason(
            self._window, "qsm.study_unblind", "Unblind the study",
            f"What the codes stand for is shown, and that is stated in the log. {words} This cannot be "
            "taken back.",
            go="Unblind",
        )  # fmt: skip
        if said is not None:
            root = overview.study.root
            self._work("Unblinding", lambda tell: step_work.unblind_step(root, said["reason"]))

    def amend(self) -> None:
        """State a change of the protocol that was made after it was frozen."""
        overview = self._page.overview
        if overview is None:
            return
        said = ask_reason(
            self._window, "qsm.study_amend", "State a change of the protocol",
            "'study.yaml' was changed after it was frozen at the first reading. Take the change back in "
            "the file, or state it: what was frozen before is kept, and the methods section tells the "
            "change with your reason.",
            go="State it",
        )  # fmt: skip
        if said is None:
            return
        path = overview.study.protocol_file

        def work(tell: Any) -> StepDone:
            change = amend(path, said["reason"]).amendments[-1]
            return StepDone(f"Amended: {', '.join(change.changed) or 'the protocol'}.")

        self._work("Amendment", work)


def may_stop(window: QWidget) -> bool:
    """Ask whether work on a study that is going on is to be stopped."""
    answer = ask(
        window, "qsm.study_stop", "Work on the study is going on", "Stop it and close?",
        "Scans that are done stay done; the same step goes on from there.",
        (Answer("stop", "Stop and close"), Answer("stay", "Keep working", "no")),
    )  # fmt: skip
    return answer == "stop"
