"""What a study asks before a step: a few fields, what is wrong with them, and what follows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from qtpy.QtWidgets import QDialog, QFileDialog, QLineEdit, QWidget

from napari_qsm.errors import QsmError
from napari_qsm.recon.recipe import preset_names
from napari_qsm.rois.guided import guided_presets
from napari_qsm.study.protocol import Protocol, load_protocol
from napari_qsm.viewer import ui
from napari_qsm.viewer.dialogs import ask_folder, ask_open_file, last_folder
from napari_qsm.viewer.forms import Field, Form, schema_field

PROTOCOLS = "Protocols (*.yaml *.yml *.json);;All files (*)"
TABLES = "Tables (*.tsv *.csv);;All files (*)"
Values = Mapping[str, Any]


class Asking(QDialog):
    """Fields under a few sentences; goes on only where nothing is wrong.

    Parameters
    ----------
    parent : QWidget
    name, title, words : str
        Object name, title, and what it is about.
    fields : iterable of Field
    go : str
        On the button that goes on.
    wrong : callable
        Given the values, the sentence that keeps it from going on; empty if nothing is wrong.
    follows : callable, optional
        Given the values, what follows from them, to be read before going on.
    beside : mapping, optional
        Widgets behind fields, by their names.
    at_first : mapping, optional
        Values that fields begin with.
    """

    def __init__(
        self,
        parent: QWidget,
        name: str,
        title: str,
        words: str,
        fields: Iterable[Field],
        *,
        go: str,
        wrong: Callable[[Values], str] = lambda values: "",
        follows: Callable[[Values], str] = lambda values: "",
        beside: Mapping[str, QWidget] | None = None,
        at_first: Values | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setWindowTitle(title)
        self.setMinimumWidth(520)
        self._wrong, self._follows = wrong, follows
        self.form = Form(fields, f"{name}.field", lambda field, value: self._refresh(), beside)
        self.form.show_values(at_first or {})
        for control in self.form.controls.values():
            if isinstance(control.widget, QLineEdit):
                control.widget.setPlaceholderText(control.field.tip)
                # heard at every letter, not only when it is left
                control.widget.textChanged.connect(lambda _="": self._refresh())
        self._sentence = ui.label("", f"{name}.wrong")
        self._go = ui.button(go, f"{name}.go", self.accept, main=True)
        cancel = ui.button("Cancel", f"{name}.cancel", self.reject)
        cancel.setAutoDefault(False)
        self.setLayout(
            ui.column(
                ui.label(words),
                self.form,
                self._sentence,
                ui.row(None, cancel, self._go, spacing=6),
                spacing=10,
                margins=(16, 14, 16, 14),
            )
        )
        self._refresh()

    def values(self) -> dict[str, Any]:
        """What the fields say."""
        return self.form.values()

    def _refresh(self) -> None:
        values = self.values()
        wrong = self._wrong(values)
        self._go.setEnabled(not wrong)
        self._sentence.setText(wrong or self._follows(values))

    def ask(self) -> dict[str, Any] | None:
        """Wait for the answer; None if the user gave up."""
        agreed = bool(self.exec())
        values = self.values() if agreed else None
        self.deleteLater()
        return values


def ask_reason(
    parent: QWidget, name: str, title: str, words: str, *, go: str, who: str | None = None,
    follows: Callable[[Values], str] = lambda values: "",
) -> dict[str, Any] | None:  # fmt: skip
    """Ask for a reason, and where wanted for who states it; both are needed."""
    fields = [
        Field("reason", "reason", str, "Reason", "In your words; it is written into the log.")
    ]
    if who is not None:
        fields.insert(
            0, Field("who", "who", str, "Who you are", "A name, or your label as a reader.")
        )

    def wrong(values: Values) -> str:
        missing = [each.label.lower() for each in fields if not values[each.name].strip()]
        return f"Needed: {' and '.join(missing)}." if missing else ""

    at_first = {"who": who} if who else {}
    return Asking(
        parent, name, title, words, fields, go=go, wrong=wrong, follows=follows, at_first=at_first
    ).ask()


class NewStudy(Asking):
    """Folder, raw data, protocol and what is decided in it: what ``study new`` writes."""

    def __init__(self, parent: QWidget) -> None:
        lists = guided_presets()
        sources = {**lists, "": "A protocol's file"}
        placements = {
            "independent": "by eye, without a suggestion",
            "suggested": "places suggested from an atlas",
            "carried": "the first visit's shapes carried to later ones",
        }
        presets = {name: name for name in preset_names()}
        window = ("window_low", "window_high")
        fields = [
            Field("folder", "folder", str, "Folder of the study", "New or empty", longest=4096),
            Field("raw", "raw", str, "Raw data (BIDS)", "May follow later", longest=4096),
            Field("source", "source", str, "Regions", "", tuple(sources.items())),
            Field("file", "file", str, "Protocol's file", "", longest=4096),
            schema_field(Protocol, "name", "Name"),
            schema_field(Protocol, "placement", "Shapes are placed", words=placements),
            schema_field(Protocol, "recipe", "Recipe", words=presets),
            *(
                Field(name, name, float, label, "", unit="ppb", default=value, low=-5000, high=5000)
                for name, label, value in zip(
                    window, ("Grey window from", "Grey window to"), (-100.0, 200.0), strict=True
                )
            ),
        ]
        choose = {
            "folder": ui.button("Choose …", "qsm.new_study.folder.choose", self._choose_folder),
            "raw": ui.button("Choose …", "qsm.new_study.raw.choose", self._choose_raw),
            "file": ui.button("Choose …", "qsm.new_study.file.choose", self._choose_file),
        }
        for button in choose.values():
            button.setAutoDefault(False)
            button.setMaximumWidth(100)
        self._problem = ""
        super().__init__(
            parent,
            "qsm.new_study",
            "New study",
            "What is decided here is the same for every scan and every reader. It can be changed in "
            "'study.yaml' until somebody has read; then a change needs a reason.",
            fields,
            go="Make the study",
            wrong=self._what_is_wrong,
            beside=choose,
        )
        self._source = ""
        self._from_source()

    def _choose_folder(self) -> None:
        name = QFileDialog.getExistingDirectory(self, "A folder for the study", last_folder())
        if name:
            self.form.show_values({"folder": name})
            self._refresh()

    def _choose_raw(self) -> None:
        folder = ask_folder(self, "The raw data set")
        if folder is not None:
            self.form.show_values({"raw": str(folder)})
            self._refresh()

    def _choose_file(self) -> None:
        path = ask_open_file(self, "A protocol", PROTOCOLS)
        if path is not None:
            self.form.show_values({"file": str(path), "source": ""})
            self._from_source()

    def values(self) -> dict[str, Any]:
        """What the fields say; no recipe where the protocol's file brings one in full."""
        said = super().values()
        if not self.form.controls["recipe"].widget.isEnabled():
            said["recipe"] = ""
        return said

    def source(self) -> str:
        """A list of regions that comes with the program, or the path of a file."""
        values = self.values()
        return values["source"] or values["file"]

    def _refresh(self) -> None:
        if hasattr(self, "_source") and self.source() != self._source:
            self._from_source()
        else:
            super()._refresh()

    def _from_source(self) -> None:
        """Show what the protocol says that was chosen, to be kept or changed."""
        self._source = self.source()
        self.form.controls["file"].widget.setEnabled(not self.values()["source"])
        self._problem = ""
        try:
            protocol = load_protocol(self._source)
        except QsmError as error:
            self._problem = str(error)
            super()._refresh()
            return
        recipe = protocol.recipe if isinstance(protocol.recipe, str) else ""
        low, high = protocol.window_ppb
        shown = {"name": protocol.name, "placement": protocol.placement}
        self.form.show_values({**shown, "window_low": low, "window_high": high})
        if recipe:
            self.form.show_values({"recipe": recipe})
        self.form.controls["recipe"].widget.setEnabled(bool(recipe))
        super()._refresh()

    def _what_is_wrong(self, values: Values) -> str:
        if not values["folder"].strip():
            return "Needed: a folder for the study."
        source = values["source"] or values["file"]
        if not source:
            return "Needed: a protocol's file, or a list of regions."
        if self._problem:
            return self._problem
        raw = values["raw"].strip()
        if raw and not Path(raw).expanduser().is_dir():
            return f"There is no folder '{raw}'."
        if not values["name"].strip():
            return "Needed: a name."
        if not values["window_low"] < values["window_high"]:
            return "The lower end of the grey window must come first."
        return ""
