"""What to do next, as the largest button of the Data tab; and the smaller ways to open more."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_qsm.study import Case
from napari_qsm.viewer import ui

if TYPE_CHECKING:
    from napari_qsm.viewer.data.files import Files

#: Tab, words on the button, its tooltip.
_STEPS = {
    "reconstruct": ("Make the map", "The scan is open; its susceptibility map comes next."),
    "regions": ("Draw regions", "The map is open; regions to measure come next."),
    "figure": ("Make a figure", "The regions are measured below; a figure comes next."),
}


def next_step(case: Case) -> str:
    """The tab of what comes next for a case; empty while nothing of it is open."""
    if not any(entry.is_susceptibility for entry in case.of_role("map")):
        return "reconstruct" if case.scan_sources() else ""
    drawn = any(entry.labels.any() for entry in case.of_role("labels"))
    return "figure" if drawn or case.shapes else "regions"


class NextStep(QWidget):
    """Opens data while there is none; then leads on, and opening more is small.

    Parameters
    ----------
    files : Files
        Opens.
    case : callable
        The case on show.

    Attributes
    ----------
    asked : Signal
        Name of the tab that the user wants to go on in.
    """

    asked = Signal(str)

    def __init__(self, files: Files, case: Callable[[], Case]) -> None:
        super().__init__()
        self._case = case
        self._step = ""
        self._go = ui.button("", "qsm.data.next_step", self._on_go, main=True)
        self._go.setMinimumHeight(44)
        map_tip = "One or more NIfTI files; you can also drop them on the window"
        folder_tip = "A folder of DICOM files, a BIDS folder, or a saved session"
        self._first = ui.button(
            "Open scan …", "qsm.data.open_folder", files.ask_folder, tip=folder_tip
        )
        self._second = ui.button("Open map …", "qsm.data.open_map", files.ask_map, tip=map_tip)
        self._heads = ui.panel(
            ui.row(
                *(
                    ui.button(
                        f"Built-in head: {subject}",
                        f"qsm.data.head_{subject}",
                        partial(files.open_head, subject),
                        tip="A head made by formula, with known susceptibilities",
                    )
                    for subject in ("control", "patient")
                ),
                spacing=6,
            ),
            "qsm.data.heads",
        )
        self.setLayout(
            ui.column(
                self._go,
                ui.row((self._first, 1), (self._second, 1), spacing=6),
                self._heads,
                spacing=6,
            )
        )
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self.refresh()

    def refresh(self) -> None:
        """Offer what makes sense now."""
        case = self._case()
        self._step = next_step(case)
        leads = self._step in _STEPS
        if leads:
            text, why = _STEPS[self._step]
            self._go.setText(f"{text} ▸")
            self._go.setToolTip(why)
        self._go.setVisible(leads)
        ui.set_main(self._first, not case.maps)
        for button in (self._first, self._second):
            button.setMinimumHeight(0 if case.maps else 36)
        self._heads.setVisible(not case.maps)

    def _on_go(self) -> None:
        self.asked.emit(self._step)
