"""The dialog that asks what goes back to a hospital as DICOM, and whose study it goes into."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtWidgets import QPushButton, QWidget

from napari_qsm.errors import QsmError
from napari_qsm.session.table.numbers import measured_map
from napari_qsm.viewer import ui
from napari_qsm.viewer.dialogs import Answer, ask, ask_folder
from napari_qsm.viewer.forms import Field
from napari_qsm.viewer.study.dialogs import Asking, Values

if TYPE_CHECKING:
    from napari_qsm.session import Session
    from napari_qsm.viewer.services import Services

_WORDS = (
    "The map goes out as MR images in ppb, regions as a segmentation, their numbers as a report, and one "
    "page to read. This is research software: not a medical device, and nothing of it is for diagnosis."
)
_WHOSE = (
    ("new", "a new patient that names nobody"),
    ("scan", "the scan's own patient and study"),
)


class ExportDicom(Asking):
    """Which map and regions, into which study, and where to."""

    def __init__(self, parent: QWidget, session: Session) -> None:
        maps = [entry for entry in session.case.maps if entry.is_susceptibility]
        labels = session.case.of_role("labels")
        shown = measured_map(session)
        under = session.case.labels_of(shown) if shown is not None else None
        fields = [
            Field("map", "map", str, "Map", "", tuple((e.id, e.name) for e in maps)),
            Field(
                "labels", "labels", str, "Regions",
                "Fixed shapes go out once they are burnt into a region map.",
                (*((e.id, e.name) for e in labels), ("", "none")),
            ),
            Field("whose", "whose", str, "Into the study of", "", _WHOSE),
            Field("code", "code", str, "Called", "A pseudonym, never a name", longest=64),
            Field("source", "source", str, "Folder of the scan", "Its DICOM files", longest=4096),
            Field(
                "float_map", "float_map", bool, "Also a parametric map, with float ppm",
                "For research programs; few archives show it.",
            ),
            Field("folder", "folder", str, "Write into", "A new or empty folder", longest=4096),
        ]  # fmt: skip
        choose = {
            name: self._chooser(name, title)
            for name, title in (
                ("source", "The folder with the scan's DICOM files"),
                ("folder", "A folder for the DICOM files"),
            )
        }
        at_first = {
            "map": shown.id if shown in maps and shown is not None else maps[0].id,
            "labels": under.id if under is not None else "",
            "whose": "new",
            "code": "QSM",
        }
        super().__init__(
            parent, "qsm.dicom", "Export as DICOM", _WORDS, fields, go="Export",
            wrong=_what_is_wrong, follows=_what_follows, beside=choose, at_first=at_first,
        )  # fmt: skip

    def _chooser(self, name: str, title: str) -> QPushButton:
        def choose() -> None:
            folder = ask_folder(self, title)
            if folder is not None:
                self.form.show_values({name: str(folder)})
                self._refresh()

        button = ui.button("Choose …", f"qsm.dicom.{name}.choose", choose)
        button.setAutoDefault(False)
        button.setMaximumWidth(100)
        return button

    def _refresh(self) -> None:
        new = self.values()["whose"] == "new"
        self.form.controls["code"].widget.setEnabled(new)
        self.form.controls["source"].widget.setEnabled(not new)
        super()._refresh()


def _what_is_wrong(values: Values) -> str:
    folder, source = values["folder"].strip(), values["source"].strip()
    if values["whose"] == "new" and not values["code"].strip():
        return "Needed: what the patient is called, a pseudonym."
    if values["whose"] == "scan" and not source:
        return "Needed: the folder with the scan's DICOM files."
    if values["whose"] == "scan" and not Path(source).expanduser().is_dir():
        return f"There is no folder '{source}'."
    return "" if folder else "Needed: a folder to write into."


def _what_follows(values: Values) -> str:
    if values["whose"] == "new":
        return "Nothing of the scan's headers is read; names that you gave to regions are written."
    return (
        "Name, ID, birth date and study of the patient are copied from that folder if its grid is the map's. "
        "The files then hold personal data."
    )


def ask_export(services: Services) -> None:
    """Ask, and write in the background; a problem becomes a sentence."""
    from napari_qsm.io.dicom_out.libraries import need_highdicom

    session = services.session
    if not any(entry.is_susceptibility for entry in session.case.maps):
        services.message("There is no susceptibility map to export; open one, or reconstruct.")
        return
    try:
        need_highdicom()
    except QsmError as error:
        services.message(str(error))
        return
    values = ExportDicom(services.window, session).ask()
    if values is None:
        return
    folder = Path(values["folder"].strip()).expanduser()
    overwrite = False
    if (folder / "export.json").is_file():
        answer = ask(
            services.window, "qsm.dicom.replace", "Replace the export?",
            f"'{folder.name}' already holds an export. Replace it?", "",
            (Answer("yes", "Replace", "destroys"), Answer("no", "Cancel", "no")),
        )  # fmt: skip
        if answer != "yes":
            return
        overwrite = True
    services.run("Writing DICOM", _writer(session, values, folder, overwrite), _told(services))


def _writer(
    session: Session, values: dict[str, Any], folder: Path, overwrite: bool
) -> Callable[..., Any]:
    """What writes for a thread, from copies: drawing may go on."""
    entry, drawn = session.entry(values["map"]), session.entry(values["labels"])
    assert entry is not None
    chi, labels, regions = entry.shown, None, None
    if drawn is not None:
        labels = drawn.volume.with_data(np.array(drawn.labels), unit="", name=drawn.name)
        regions = dict(drawn.regions)
    scan = session.case.scan
    phase = scan.phase[0].to_canonical() if scan is not None and scan.phase else None
    source = Path(values["source"].strip()).expanduser() if values["whose"] == "scan" else None

    def work(progress: Any, cancelled: Any) -> tuple[Any, list[str]]:
        from napari_qsm.hospital.export import export_dicom

        said: list[str] = []
        done = export_dicom(
            chi, folder, labels=labels, regions=regions, code=values["code"], into_source=source, phase=phase,
            float_map=values["float_map"], overwrite=overwrite, progress=progress, warn=said.append,
        )  # fmt: skip
        return done, said

    return work


def _told(services: Services) -> Callable[[tuple[Any, list[str]]], None]:
    def done(result: tuple[Any, list[str]]) -> None:
        made, said = result
        text = " ".join([*made.text().splitlines(), *said])
        # Into somebody's study: it has to be read, not to pass by.
        (services.message if made.into or said else services.success)(text)

    return done
