"""A cohort's table to the numbers of a paper, without the command line."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from qtpy.QtCore import QUrl
from qtpy.QtGui import QDesktopServices, QFontDatabase
from qtpy.QtWidgets import QDialog, QLineEdit, QPlainTextEdit

from napari_qsm.errors import QsmError
from napari_qsm.viewer import ui
from napari_qsm.viewer.dialogs import Answer, ask, ask_folder, ask_open_file

if TYPE_CHECKING:
    from napari_qsm.viewer.services import Services

_TABLES = "Tables (*.tsv *.csv);;All files (*)"
_PLANS = "Plans (*.yaml *.yml *.json);;All files (*)"
_TITLES = {"analyse": "Analyse a table", "agree": "Agreement of readings"}
_WORDS = {
    "analyse": "One row for each region of each participant at each visit (a long table, as "
    "exported for a study). Groups and visits are compared region by region; all tests, effect "
    "sizes and corrections are written.",
    "agree": "A long table with a column 'rater' or 'reading': ICC, SEM, smallest change, bias "
    "and limits, by region and pooled.",
}
#: A file that every result holds.
_RESULT = {"analyse": "report.txt", "agree": "agreement.txt"}
#: Field, label, kinds of files, whether it may stay empty, for which of the two.
_FIELDS = (
    ("table", "Long table", _TABLES, False, ("analyse", "agree")),
    ("participants", "Participants (group, age, sex)", _TABLES, True, ("analyse",)),
    ("phenotype", "Scores", _TABLES, True, ("analyse",)),
    ("plan", "Plan", _PLANS, True, ("analyse",)),
)


class CohortDialog(QDialog):
    """Asks for the files, works in the background, shows the report."""

    def __init__(self, services: Services, what: Literal["analyse", "agree"]) -> None:
        super().__init__(services.window)
        self.setObjectName(f"qsm.{what}")
        self.setWindowTitle(_TITLES[what])
        self.setMinimumWidth(620)
        self._services, self._what = services, what
        self._fields: dict[str, QLineEdit] = {}
        form = ui.form()
        for name, label, kinds, optional, whom in _FIELDS:
            if what in whom:
                field = self._field(name, "optional" if optional else "")
                choose = ui.button(
                    "Choose …", f"qsm.{what}.{name}.choose", partial(self._choose, field, kinds)
                )
                form.addRow(label, ui.row((field, 1), choose))
        out = self._field("out", "")
        choose = ui.button("Choose …", f"qsm.{what}.out.choose", partial(self._choose_folder, out))
        form.addRow("Folder for the results", ui.row((out, 1), choose))
        self._go = ui.button("Start", f"qsm.{what}.start", self._start, main=True)
        self._report = ui.named(QPlainTextEdit(), f"qsm.{what}.report")
        self._report.setReadOnly(True)
        self._report.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self._report.setMinimumHeight(260)
        self._report.hide()
        self._open = ui.button("Open the folder", f"qsm.{what}.open", self._on_open)
        self._open.hide()
        close = ui.button("Close", f"qsm.{what}.close", self.close)
        for each in (close, self._open):
            each.setAutoDefault(False)
        self.setLayout(
            ui.column(
                ui.label(_WORDS[what]),
                form,
                (self._report, 1),
                ui.row(self._open, None, close, self._go, spacing=6),
                spacing=10,
                margins=(16, 14, 16, 14),
            )
        )
        self._out = Path()
        self._refresh()

    def _field(self, name: str, example: str) -> QLineEdit:
        field = ui.line(f"qsm.{self._what}.{name}", example=example, longest=4096)
        field.textChanged.connect(self._refresh)
        self._fields[name] = field
        return field

    def _refresh(self) -> None:
        needed = (self._fields.get(name) for name in ("table", "out"))
        self._go.setEnabled(all(field is not None and field.text().strip() for field in needed))

    def _choose(self, field: QLineEdit, kinds: str) -> None:
        path = ask_open_file(self, self.windowTitle(), kinds)
        if path is None:
            return
        field.setText(str(path))
        out = self._fields["out"]
        if field is self._fields["table"] and not out.text():
            out.setText(str(path.with_name(f"{path.stem}_{self._what}")))

    def _choose_folder(self, field: QLineEdit) -> None:
        folder = ask_folder(self, "A folder for the results")
        if folder is not None:
            field.setText(str(folder))

    def _path(self, name: str) -> Path | None:
        text = self._fields[name].text().strip() if name in self._fields else ""
        return Path(text).expanduser() if text else None

    def _start(self) -> None:
        out = self._path("out")
        if out is None:
            return
        earlier = (out / _RESULT[self._what]).exists()
        if not earlier or self._agrees(out):
            self._run(overwrite=earlier)

    def _run(self, *, overwrite: bool) -> None:
        table, out = self._path("table"), self._path("out")
        if table is None or out is None:
            return
        others = {name: self._path(name) for name in ("participants", "phenotype", "plan")}
        notes: list[str] = []

        def work(progress: Any, cancelled: Any) -> str:
            from napari_qsm.figures.draw import DRAWING
            from napari_qsm.study.agree import agree_files
            from napari_qsm.study.analysis_files import analyse_files

            progress(0.0, f"{_TITLES[self._what]} …")
            with DRAWING:
                if self._what == "agree":
                    return agree_files(table, out, overwrite=overwrite, warn=notes.append)
                return analyse_files(
                    table,
                    out,
                    participants=others["participants"],
                    phenotype=others["phenotype"],
                    plan_path=others["plan"],
                    overwrite=overwrite,
                    warn=notes.append,
                )

        def done(text: str) -> None:
            self._out = out
            self._go.setEnabled(True)
            self._show("\n".join([*notes, "", text] if notes else [text]), done=True)

        def failed(error: Exception) -> None:
            self._go.setEnabled(True)
            if not isinstance(error, QsmError):
                raise error
            self._show(str(error), done=False)

        self._go.setEnabled(False)
        self._services.jobs.run(_TITLES[self._what], work, done=done, failed=failed)

    def _agrees(self, out: Path) -> bool:
        answer = ask(
            self,
            f"qsm.{self._what}.replace",
            "Replace earlier results?",
            f"'{out.name}' holds results already. Replace them?",
            "The files of the earlier results go.",
            (Answer("replace", "Replace", "destroys"), Answer("keep", "Keep them", "no")),
        )
        return answer == "replace"

    def _show(self, text: str, *, done: bool) -> None:
        self._report.setPlainText(text)
        self._report.show()
        self._open.setVisible(done)

    def _on_open(self) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._out)))
