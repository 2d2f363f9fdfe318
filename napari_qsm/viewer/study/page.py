"""The page of a study over the views: what is wrong, how far everybody is, the grid, the steps."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QFontDatabase
from qtpy.QtWidgets import QFrame, QLabel, QMenu, QPlainTextEdit, QProgressBar, QWidget

from napari_qsm.study.overview import Column, Overview, counted
from napari_qsm.study.overview_filter import Filter, filters_of, shown
from napari_qsm.study.step_work import StepDone
from napari_qsm.study.steps import StudyStep, is_bundle, results_of
from napari_qsm.viewer import ui
from napari_qsm.viewer.jobs import JobBar
from napari_qsm.viewer.study.grid import COLOURS, LEGEND, LETTERS_IN_WORDS, GridView
from napari_qsm.viewer.study.steps_box import StepsBox

_ORDERS = (("participant", "by participant"), ("group", "by group"))
_MOST_PROBLEMS = 2
_STYLE = (
    " #qsm\\.study\\.problem { background: #6b4a12; color: white; border-radius: 4px; padding: 5px; }"
    " #qsm\\.study\\.blind { background: #1d3b5c; color: white; border-radius: 4px; padding: 5px; }"
)


class StudyPage(QFrame):
    """Shows an overview; asks for steps and for scans to be opened.

    Attributes
    ----------
    step_asked : Signal
        Id of a step.
    opened : Signal
        Participant and column of a cell that is to be opened.
    result_asked : Signal
        Place of a result within the study.
    amend_asked, renew_asked, leave_asked : Signal
        To state a change of the protocol, to look again, to go back to the views.
    jobs : JobBar
        Work on the study, apart from that on scans.
    """

    step_asked = Signal(str)
    opened = Signal(str, object)
    result_asked = Signal(str)
    amend_asked = Signal()
    renew_asked = Signal()
    leave_asked = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("qsm.study")
        self.setStyleSheet(_STYLE)
        self.setAutoFillBackground(True)
        self.overview: Overview | None = None
        self._order: Column | str = "participant"
        self._falling = False
        self._title = ui.label("", "qsm.study.title")
        self._summary = ui.label("", "qsm.study.summary")
        self._problem = ui.label("", "qsm.study.problem", selectable=True)
        self._amend = ui.button("State the change …", "qsm.study.amend", self.amend_asked.emit)
        self._blind = ui.label("", "qsm.study.blind")
        self._progress = ui.panel(ui.row(spacing=12), "qsm.study.progress")
        self.grid = GridView()
        self.grid.opened.connect(self.opened)
        self.grid.message.connect(self._on_message)
        self.grid.heads.sectionClicked.connect(self._on_head)
        self._cell = ui.label("", "qsm.study.cell")
        self.steps = StepsBox(self.step_asked.emit)
        self.jobs = JobBar(name="qsm.study.jobs")
        self.jobs.setObjectName("qsm.study.jobs")
        self.jobs.progressed.connect(lambda text, part: self._on_working(text))
        self._build_report()
        self.setLayout(
            ui.column(
                self._build_head(),
                ui.row((self._problem, 1), self._amend),
                self._blind,
                ui.row(
                    self.steps,
                    (
                        ui.column(
                            self._build_filters(),
                            (self.grid, 1),
                            self._cell,
                            ui.row((self._legend(), 1), self._count),
                        ),
                        1,
                    ),
                    spacing=10,
                ),
                self.jobs,
                self._report_box,
                spacing=6,
                margins=(14, 10, 14, 8),
            )
        )
        self.layout().setStretch(3, 1)
        self.hide()

    # -- parts ----------------------------------------------------------------------------

    def _build_head(self) -> QWidget:
        results = ui.menu_button(
            "Results", "qsm.study.results", self._fill_results, tip="Files that are there"
        )
        again = ui.button(
            "Look again", "qsm.study.renew", self.renew_asked.emit,
            tip="Reads states and verdicts anew; lists and batches are followed by themselves",
        )  # fmt: skip
        back = ui.button("To the views", "qsm.study.leave", self.leave_asked.emit)
        return ui.panel(
            ui.column(
                ui.row((self._title, 1), results, again, back, spacing=6),
                ui.row((self._summary, 1), self._progress, spacing=12),
                spacing=2,
            )
        )

    def _build_filters(self) -> QWidget:
        self._what = ui.combo("qsm.study.filter", lambda _: self._show_rows(), characters=7)
        self._group = ui.combo("qsm.study.group_of", lambda _: self._show_rows(), characters=6)
        self._sort = ui.combo("qsm.study.order", self._on_order, _ORDERS, characters=9)
        self._text = ui.line("qsm.study.search", example="sub-01, ses-t1 …")
        self._text.setMinimumWidth(110)
        self._text.textChanged.connect(lambda _="": self._show_rows())
        self._count = ui.quiet("", "qsm.study.count")
        self._count.setWordWrap(False)
        return ui.panel(ui.row((self._what, 2), (self._group, 2), (self._text, 2), (self._sort, 2)))

    def _legend(self) -> QWidget:
        parts = []
        for kind, letter, words in LEGEND:
            fill, ink = COLOURS.get(kind, ("", ""))
            style = f" style='background:{fill};color:{ink}'" if fill else ""
            parts.append(
                f"<span{style}>&nbsp;{letter}&#8288;&nbsp;</span>&nbsp;{words.replace(' ', '&nbsp;')}"
            )
        made = ui.label(" &nbsp; ".join(parts), "qsm.study.legend")
        made.setToolTip(LETTERS_IN_WORDS)
        font = made.font()
        font.setPointSizeF(max(font.pointSizeF() - 1, 7))
        made.setFont(font)
        return made

    def _build_report(self) -> None:
        self._report_title = ui.label("", "qsm.study.done")
        self._report = ui.named(QPlainTextEdit(), "qsm.study.report")
        self._report.setReadOnly(True)
        self._report.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self._report.setFixedHeight(130)
        self._open = ui.button("Open", "qsm.study.open_result", lambda: self._opens())
        close = ui.button("Close", "qsm.study.close_report", lambda: self._report_box.hide())
        self._opens: Callable[[], Any] = lambda: None
        self._report_box = ui.panel(
            ui.column(ui.row((self._report_title, 1), self._open, close), self._report),
            "qsm.study.report_box",
        )
        self._report_box.hide()

    # -- what is shown --------------------------------------------------------------------

    def begin(self) -> None:
        """Forget the study before: another one starts with all of it, in its own order."""
        self.overview = None
        self._order, self._falling = "participant", False
        self.grid.heads.setSortIndicatorShown(False)
        for box in (self._what, self._group, self._sort):
            box.setCurrentIndex(0)
        self._text.clear()
        self._cell.clear()
        self._report_box.hide()

    def show_overview(self, overview: Overview, steps: tuple[StudyStep, ...]) -> None:
        """Show how far the study is."""
        self.overview = overview
        name = overview.protocol.name if overview.protocol else overview.study.root.name
        self._title.setText(f"<span style='font-size:17px'><b>{_plain(name)}</b></span>")
        self._title.setToolTip(str(overview.study.root))
        self._show_words(overview)
        ui.show_choices(self._what, filters_of(overview), self._what.currentData() or "all")
        groups = sorted({row.group for row in overview.rows if row.group})
        choices = [("", "All groups"), *((group, group) for group in groups)]
        ui.show_choices(self._group, choices, self._group.currentData() or "")
        self._group.setVisible(len(groups) > 1)
        for box in (self._what, self._group):
            if box.currentIndex() < 0:
                box.setCurrentIndex(0)
        if isinstance(self._order, Column) and self._order not in overview.columns:
            self._order = "participant"
        self._show_progress(overview)
        self.steps.show_steps(steps)
        self._show_rows()

    def show_stale(self, overview: Overview) -> None:
        """The same overview, with readings that belong to an earlier map."""
        self.overview = overview
        self._show_words(overview)
        self._show_rows()

    def _show_words(self, overview: Overview) -> None:
        self._summary.setText(overview.summary())
        self._summary.setToolTip("\n".join(overview.notes))
        listed = [*overview.problems, *overview.stale.values()]
        more = len(listed) - _MOST_PROBLEMS
        text = "\n".join(listed[:_MOST_PROBLEMS]) + (f"\nand {more} more" if more > 0 else "")
        self._problem.setText(text)
        self._problem.setToolTip("\n".join(listed))
        self._problem.setVisible(bool(listed))
        self._amend.setVisible(overview.is_changed)
        left = counted(overview.unread, "reading")
        self._blind.setText(
            f"{left} are still to be made blind: read in the window of 'Read as …'. A scan opened from here "
            "shows its values, and is written into the log."
            if is_bundle(overview)
            else f"This page names people, and {left} are still to be made blind: who reads for this study "
            "should not look at it. A scan opened here is written into the log."
        )
        self._blind.setVisible(overview.is_blind)

    def _show_progress(self, overview: Overview) -> None:
        layout = self._progress.layout()
        while layout.count():
            gone = layout.takeAt(0).widget()
            if gone is not None:
                gone.setParent(None)
                gone.deleteLater()
        for rater in overview.raters:
            done, of = overview.counts(rater)
            bar = ui.named(QProgressBar(), f"qsm.study.progress.{rater}.bar")
            bar.setRange(0, max(of, 1))
            bar.setValue(done)
            bar.setTextVisible(False)
            bar.setFixedSize(60, 8)
            text = ui.named(QLabel(f"{rater} {done}/{of}"), f"qsm.study.progress.{rater}")
            text.setToolTip(f"{rater} has handed in {done} of {of} readings")
            layout.addWidget(text)
            layout.addWidget(bar)

    def _show_rows(self) -> None:
        if self.overview is None:
            return
        wanted = Filter(
            self._what.currentData() or "all", self._group.currentData() or "", self._text.text()
        )
        people, keys = shown(self.overview, wanted, self._order, falling=self._falling)
        self.grid.show_rows(self.overview, people, keys)
        self._count.setText(f"{len(keys)} of {len(self.overview.rows)} scans")

    def _on_order(self, order: str) -> None:
        self._order, self._falling = order, False
        self.grid.heads.setSortIndicatorShown(False)
        self._show_rows()

    def _on_head(self, section: int) -> None:
        column = self.grid.grid.column(section)
        self._falling = self._order == column and not self._falling
        self._order = column
        self._sort.setCurrentIndex(-1)
        down = Qt.SortOrder.DescendingOrder if self._falling else Qt.SortOrder.AscendingOrder
        self.grid.heads.setSortIndicator(section, down)
        self.grid.heads.setSortIndicatorShown(True)
        self._show_rows()

    def _on_message(self, sentence: str) -> None:
        self._cell.setText(sentence)

    def _on_working(self, text: str) -> None:
        self.steps.show_working(text.partition(":")[0])

    def _fill_results(self, menu: QMenu) -> None:
        for title, place in results_of(self.overview) if self.overview else ():
            ui.menu_entry(
                menu, title, f"qsm.study.result.{place}", partial(self.result_asked.emit, place)
            )

    def show_done(self, title: str, done: StepDone, opens: Callable[[], Any] | None) -> None:
        """Say what came of a step, and offer to open it."""
        mark = "●" if done.is_bad else "✓"
        self._report_title.setText(f"<b>{mark} {_plain(title)}</b>: {_plain(done.sentence)}")
        self._report.setPlainText(done.text)
        self._report.setVisible(bool(done.text))
        self._open.setVisible(opens is not None)
        self._opens = opens or (lambda: None)
        self._report_box.show()

    def show_failed(self, title: str, sentence: str) -> None:
        """Say why a step was not done."""
        self.show_done(title, StepDone(sentence, is_bad=True), None)


def _plain(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
