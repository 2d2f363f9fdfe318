"""Files of regions in the window: opening them onto a map, saving them as other programs do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QFileDialog, QInputDialog

from napari_qsm.io.formats import dialog_filter, format_of, label_choices, stem
from napari_qsm.rois.canonical_grid import Transferred, nearest
from napari_qsm.session import MapEntry
from napari_qsm.session.folder import ChangedOnDisk
from napari_qsm.session.label_files import (
    OpenedRegions,
    open_regions,
    previous_name,
    save_regions,
)
from napari_qsm.session.references import Stamp, stamp_of
from napari_qsm.session.settings import save_settings
from napari_qsm.session.work import region_names
from napari_qsm.viewer.dialogs import Answer, ask, last_folder

if TYPE_CHECKING:
    from napari_qsm.viewer.services import Services

#: What the dialog offers: words, ending of the file, ending of the table beside it.
FORMATS = label_choices()


class RegionFiles:
    """What a workspace does with files of regions.

    Parameters
    ----------
    services : Services
        Whose session it is.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        #: Files that label maps were read from or written to, by their ids.
        self._known: dict[str, tuple[Path, Stamp]] = {}

    @property
    def _window(self) -> Any:
        return self._services.window

    # -- opening --------------------------------------------------------------------------

    def ask_open(self) -> None:
        """Ask for a file of regions and open it onto the chosen map."""
        name, _ = QFileDialog.getOpenFileName(
            self._window, "Open regions", last_folder(), dialog_filter("Regions", labels=True)
        )
        if name:
            save_settings({"folder": str(Path(name).parent)})
            self.open(Path(name))

    def open(self, path: Path) -> None:
        """Open a file of regions onto the chosen map; another grid is told, never hidden."""
        onto = self._map()

        def work(progress: Any, cancelled: Any) -> tuple[OpenedRegions, Stamp]:
            return open_regions(path, onto.shown if onto else None), stamp_of(path)

        def done(result: tuple[OpenedRegions, Stamp]) -> None:
            opened, stamp = result
            if onto is not None and onto not in self._services.session.maps:
                self._services.message(f"'{onto.name}' was removed while '{path.name}' was read.")
            elif opened.differs and onto is not None:
                self._ask_transfer(path, opened, onto)
            else:
                entry = self._add(opened, onto)
                self._known[entry.id] = (path, stamp)

        self._services.run(f"Reading {path.name}", work, done)

    def _map(self) -> MapEntry | None:
        """The map that regions are meant for: the chosen one, or the first."""
        session = self._services.session
        selected = session.selected_entry
        if selected is not None and selected.editable is None:
            return selected
        images = [entry for entry in session.case.maps if entry.editable is None]
        return next((entry for entry in images if session.is_shown(entry)), None)

    def _add(self, opened: OpenedRegions, onto: MapEntry | None) -> MapEntry:
        session = self._services.session
        return session.add(
            opened.volume,
            role="labels",
            regions=dict(opened.regions),
            case=session.case_of(onto) if onto is not None else None,
        )

    def _ask_transfer(self, path: Path, opened: OpenedRegions, onto: MapEntry) -> None:
        answer = ask(
            self._window,
            "qsm.transfer",
            "Another grid",
            f"The regions were not drawn on the map '{onto.name}'.",
            f"{opened.differs}\n\nThey can be carried over by their place in the scanner: each "
            "voxel of the map takes the region in which its middle lies. This is right only if "
            "the patient did not move in between, and volumes change a little.",
            (Answer("carry", "Carry over to the map"), Answer("cancel", "Cancel", "no")),
            default="cancel",
        )
        if answer == "cancel":
            return

        def work(progress: Any, cancelled: Any) -> Transferred:
            return nearest(opened.volume, onto.shown)

        def done(result: Transferred) -> None:
            volume = replace(result.volume, name=f"{opened.volume.name} carried over")
            entry = self._add(OpenedRegions(volume, opened.regions), onto)
            change = f"{100 * result.largest_change:.0f} %"
            text = f"Carried over; volumes changed by up to {change}."
            if result.lost:
                lost = ", ".join(region_names(entry, result.lost))
                text = f"Carried over, but nothing is left of: {lost}."
            self._services.message(text)

        self._services.run("Carrying regions over", work, done)

    # -- saving ---------------------------------------------------------------------------

    def ask_save(self) -> None:
        """Ask for a file and write a label map into it."""
        entry = self._labels()
        if entry is None:
            return
        known = self._known.get(entry.id)
        proposed = known[0] if known else Path(last_folder()) / f"{_plain(entry.name)}.nii.gz"
        name, chosen = QFileDialog.getSaveFileName(
            self._window,
            "Save regions as",
            str(proposed),
            ";;".join(words for words, _, _ in FORMATS),
        )
        if name:
            ending, table = next(
                ((e, t) for words, e, t in FORMATS if words == chosen), FORMATS[0][1:]
            )
            path = _with_ending(Path(name), ending)
            save_settings({"folder": str(path.parent)})
            # The dialog has asked about replacing this very name, unless an ending was added.
            agreed = path == Path(name) and (known is None or known[0] != path)
            self.save(entry, path, table=table, overwrite=agreed)

    def save(
        self, entry: MapEntry, path: Path, *, table: str = "", overwrite: bool = False
    ) -> None:
        """Write a label map into a file; asks before a change by somebody else is replaced."""
        known = self._known.get(entry.id)
        stamp = known[1] if known is not None and known[0] == path else None

        def work(progress: Any, cancelled: Any) -> Stamp | ChangedOnDisk:
            try:
                return save_regions(entry, path, table=table, known=stamp, overwrite=overwrite)
            except ChangedOnDisk as changed:
                return changed.with_traceback(None)  # its frames would hold the window

        def done(result: Stamp | ChangedOnDisk) -> None:
            if isinstance(result, Stamp):
                self._known[entry.id] = (path, result)
                self._services.success(f"Regions saved as '{path}'.")
            elif self._ask_replace(path, result):
                self.save(entry, path, table=table, overwrite=True)

        self._services.run("Saving regions", work, done)

    def _labels(self) -> MapEntry | None:
        session = self._services.session
        labels = session.of_role("labels")
        for entry in (session.selected_entry, session.painted_entry):
            if entry in labels:
                return entry
        if len(labels) < 2:
            if not labels:
                self._services.message("There are no regions to save yet.")
            return next(iter(labels), None)
        names = [entry.name for entry in labels]
        name, chosen = QInputDialog.getItem(
            self._window, "Which regions?", "Save the regions of:", names, 0, False
        )
        return session.entry(name) if chosen else None

    def _ask_replace(self, path: Path, changed: ChangedOnDisk) -> bool:
        kept = f"The other version stays as '{previous_name(path).name}'"
        answer = ask(
            self._window,
            "qsm.replace",
            "Replace?",
            f"Replace '{path.name}'?",
            str(changed),
            (Answer("replace", "Replace", "destroys", kept), Answer("cancel", "Cancel", "no")),
        )
        return answer == "replace"


def _with_ending(path: Path, ending: str) -> Path:
    """The path with the ending of a choice; one of the same format that it has already stays."""
    bare = stem(path)
    extra = stem(Path(ending))  # such as "_dseg"
    if extra:
        return path.with_name(bare.removesuffix(extra) + ending)
    same = format_of(path) is format_of(Path(f"x{ending}"))
    return path if same else path.with_name(bare + ending)


def _plain(name: str) -> str:
    kept = "".join(c if c.isalnum() or c in "-_." else "_" for c in name.replace("χ", "chi"))
    return kept.strip("_.") or "regions"
