"""Commands of a program: cases, files, undo, choices, cohorts, help."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_qsm.session.visits import links_on_show
from napari_qsm.viewer.command import Command
from napari_qsm.viewer.demonstration import open_demonstration
from napari_qsm.viewer.frame import recent_menu
from napari_qsm.viewer.frame.about import ask_for_newer, show_about
from napari_qsm.viewer.frame.cohort import CohortDialog
from napari_qsm.viewer.frame.guide import show_guide
from napari_qsm.viewer.frame.preferences import Preferences
from napari_qsm.viewer.hospital import ask_export

if TYPE_CHECKING:
    from napari_qsm.viewer.workspace import Workspace


def _toggle_full_screen(workspace: Workspace) -> None:
    window = workspace.services.window
    if window.isFullScreen():
        window.showNormal()
    else:
        window.showFullScreen()


def _undo_title(workspace: Workspace) -> str:
    text = workspace.session.history.undo_text
    return f"Undo: {text}" if text else "Undo"


def _redo_title(workspace: Workspace) -> str:
    text = workspace.session.history.redo_text
    return f"Redo: {text}" if text else "Redo"


def _export_figure(workspace: Workspace) -> None:
    workspace.tabs.setCurrentWidget(workspace.panels.figure)
    workspace.panels.figure.export.ask_export()


_FILE = (
    Command(
        "qsm.new_case", "new case", lambda w: w.new_case(), "Ctrl+N", "Cases",
        needs="not empty", reach="program",
    ),
    Command(
        "qsm.open_folder", "open scan …", lambda w: w.files.ask_folder(), "Ctrl+Shift+O", "Files",
        reach="program",
    ),
    Command(
        "qsm.open_map", "open map …", lambda w: w.files.ask_map(), "Ctrl+O", "Files",
        reach="program",
    ),
    Command(
        "qsm.recent", "open recent", lambda w: w.central.show_start(True), group="Files",
        fill=recent_menu.fill,
    ),
    Command(
        "qsm.save", "save", lambda w: w.saving.save(), "Ctrl+S", "Saving", reach="program"
    ),
    Command(
        "qsm.save_as", "save as …", lambda w: w.saving.ask(), "Ctrl+Shift+S", "Saving",
        reach="program",
    ),
    Command(
        "qsm.share_session", "save for sharing …", lambda w: w.saving.ask_share(),
        group="Saving", needs="maps + regions > 0",
    ),
    Command(
        "qsm.close_case", "close case", lambda w: w.saving.close_case(w.session.case), "Ctrl+W",
        "Saving", needs="not empty or cases > 1", reach="program",
    ),
    Command(
        "qsm.copy_table", "copy table", lambda w: w.table_panel.actions_.copy_shown(),
        group="Results", needs="rows > 0",
    ),
    Command(
        "qsm.export_table", "export table …", lambda w: w.table_panel.actions_.ask_export(),
        group="Results", needs="rows > 0",
    ),
    Command(
        "qsm.export_figure", "export figure …", _export_figure, group="Results", needs="figure"
    ),
    Command(
        "qsm.export_dicom", "export as DICOM …", lambda w: ask_export(w.services),
        group="Results", needs="maps > 0",
    ),
    Command(
        "qsm.quit", "quit", lambda w: w.services.window.close(), "Ctrl+Q", "Program",
        reach="program",
    ),
)  # fmt: skip
_EDIT = (
    Command(
        "qsm.undo", "undo", lambda w: w.session.history.undo(), "Ctrl+Z", "Work", needs="undo",
        says=_undo_title,
    ),
    Command(
        "qsm.redo", "redo", lambda w: w.session.history.redo(), "Ctrl+Shift+Z", "Work",
        needs="redo", says=_redo_title,
    ),
    Command("qsm.keys", "change keys …", lambda w: w.keys.edit(), group="Choices"),
    Command(
        "qsm.preferences", "preferences …", lambda w: Preferences(w).show(), "Ctrl+,", "Choices",
        reach="program",
    ),
)  # fmt: skip
_LAYOUT = (
    Command(
        "qsm.three", "three views", lambda w: setattr(w.session, "layout", "three"),
        group="Layout", is_on=lambda w: w.session.layout == "three",
    ),
    Command(
        "qsm.one", "large view alone", lambda w: setattr(w.session, "layout", "one"),
        group="Layout", is_on=lambda w: w.session.layout == "one",
    ),
    Command(
        "qsm.volume", "3-D", lambda w: setattr(w.session, "layout", "volume"),
        group="Layout", is_on=lambda w: w.session.layout == "volume",
    ),
    Command(
        "qsm.visits_beside", "visits of a person side by side",
        lambda w: w.panels.display.visits.toggle(), group="Layout", needs="maps > 0",
        is_on=lambda w: bool(links_on_show(w.session)),
    ),
    Command(
        "qsm.napari_docks", "napari's layer list and controls",
        lambda w: w.docks.show_napari(not w.docks.napari_shown),
        group="Layout", is_on=lambda w: w.docks.napari_shown,
    ),
    Command(
        "qsm.full_screen", "full screen", _toggle_full_screen, "F11", "Layout", reach="program",
        is_on=lambda w: w.services.window.isFullScreen(),
    ),
)  # fmt: skip
_REGIONS = (
    Command(
        "qsm.new_regions", "new region map", lambda w: w.panels.regions.list.make_new(),
        group="Regions", needs="maps > 0",
    ),
    Command(
        "qsm.open_regions", "open regions …", lambda w: w.region_files.ask_open(), group="Regions"
    ),
    Command(
        "qsm.save_regions", "save regions as …", lambda w: w.region_files.ask_save(),
        group="Regions", needs="regions > 0",
    ),
)  # fmt: skip
_STUDY = (
    Command(
        "qsm.next_case", "next case: another patient or visit", lambda w: w.session.step_case(),
        "Shift+N", "Study", needs="cases > 1",
    ),
    Command(
        "qsm.blinded", "blinded reading",
        lambda w: setattr(w.session, "blinded", not w.session.blinded),
        group="Study", is_on=lambda w: w.session.blinded,
    ),
    Command(
        "qsm.study_page", "page of the study", lambda w: w.studies.toggle(), "F6", "Pages",
        needs="study", is_on=lambda w: w.studies.is_shown,
    ),
    Command(
        "qsm.open_study", "open study …", lambda w: w.files.ask_study(), group="Pages"
    ),
    Command("qsm.new_study", "new study …", lambda w: w.studies.ask_new(), group="Pages"),
    Command(
        "qsm.analyse", "analyse a table …", lambda w: CohortDialog(w.services, "analyse").show(),
        group="Cohort",
    ),
    Command(
        "qsm.agree", "agreement of readings …", lambda w: CohortDialog(w.services, "agree").show(),
        group="Cohort",
    ),
)  # fmt: skip

#: Everything of a program but help, which comes last.
PROGRAM = (*_FILE, *_EDIT, *_LAYOUT, *_REGIONS, *_STUDY)
HELP = (
    Command("qsm.guide", "user guide", show_guide, group="Help"),
    Command("qsm.help", "keys and mouse", lambda w: w.toggle_help(), "F1", "Help"),
    Command(
        "qsm.palette", "find a command by its name", lambda w: w.keys.open_palette(), "F2",
        "Help",
    ),
    Command(
        "qsm.demo", "demonstration", lambda w: open_demonstration(w), group="Demonstration"
    ),
    Command(
        "qsm.demo_anew", "demonstration, computed anew (minutes)",
        lambda w: open_demonstration(w, anew=True), group="Demonstration",
    ),
    Command("qsm.newer", "is there a newer version?", ask_for_newer, group="Help"),
    Command("qsm.about", "about napari-qsm", show_about, group="Help"),
)  # fmt: skip
