"""The workspace: napari's window made into one for reading susceptibility maps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import napari
from qtpy.QtWidgets import QTabWidget, QWidget

from napari_qsm.session import Session
from napari_qsm.session.opening import Loaded
from napari_qsm.session.settings import REMEMBERED, load_settings, recall, save_settings
from napari_qsm.viewer import compat, ui
from napari_qsm.viewer.canvas.arrangement import ViewArea
from napari_qsm.viewer.canvas.controller import Controller
from napari_qsm.viewer.canvas.plain_look import PlainLook
from napari_qsm.viewer.canvas.readout import Readout
from napari_qsm.viewer.canvas.viewbar import ViewBar
from napari_qsm.viewer.central import CentralArea, Drops
from napari_qsm.viewer.data.files import Files
from napari_qsm.viewer.data.panel import DataPanel
from napari_qsm.viewer.data.saving import Closing, Saving
from napari_qsm.viewer.demonstration import open_demonstration
from napari_qsm.viewer.display.panel import DisplayPanel
from napari_qsm.viewer.docks import Docks
from napari_qsm.viewer.figure.panel import FigurePanel
from napari_qsm.viewer.frame.placing import place, prepare
from napari_qsm.viewer.frame.recent_work import RecentWork
from napari_qsm.viewer.frame.status_line import StatusLine
from napari_qsm.viewer.help_page import HelpPage
from napari_qsm.viewer.keys import Keys
from napari_qsm.viewer.number_fields import spare_wheels
from napari_qsm.viewer.reconstruct.panel import ReconstructPanel
from napari_qsm.viewer.regions.files import RegionFiles
from napari_qsm.viewer.regions.panel import RegionsPanel
from napari_qsm.viewer.regions.table import RegionTable
from napari_qsm.viewer.services import Panel, Services
from napari_qsm.viewer.study.studies import Studies

if TYPE_CHECKING:
    import pandas as pd

    from napari_qsm.recon.pipeline import Result
    from napari_qsm.recon.recipe import Recipe

_SIDE_WIDTH = 350
#: Workspaces whose window is open; a script may not keep the one it opened.
_OPEN: set[Workspace] = set()
Paths = Iterable[Path | str] | Path | str


def open_workspace(paths: Paths | None = None, *, show: bool = True) -> Workspace:
    """Open napari with the workspace; a QsmError says why, where no window can be opened.

    Parameters
    ----------
    paths : path or list of paths, optional
        Maps, folders with a scan, or a saved session: open when this returns. A study's page follows.
    show : bool
        Whether the window appears.

    Returns
    -------
    Workspace
        Ends with :meth:`Workspace.close` or when its window is closed.
    """
    prepare()
    viewer = napari.Viewer(title="napari-qsm", show=False)
    workspace = Workspace(viewer, owns_viewer=True)
    window, size = compat.qt_window(viewer), load_settings().get("window")
    place(window, size)
    if show:
        viewer.window.show()
        place(window, size)  # napari has given it a size of its own
        workspace.saving.offer_recoveries()
    if paths is not None:
        listed = [paths] if isinstance(paths, str | Path) else list(paths)
        if listed:
            workspace.files.open_now([Path(path) for path in listed])
    return workspace


@dataclass(frozen=True)
class Panels:
    """The tabs, in the order of the work."""

    data: DataPanel
    reconstruct: ReconstructPanel
    display: DisplayPanel
    regions: RegionsPanel
    figure: FigurePanel

    def __iter__(self) -> Iterator[Panel]:
        """From left to right."""
        return (getattr(self, each.name) for each in fields(self))


class Workspace:
    """Three linked views, panels and tables around a napari viewer.

    Parameters
    ----------
    viewer : napari.Viewer
        Its image and labels layers become part of the session.
    owns_viewer : bool
        Whether :meth:`close` closes the window too.
    side : QWidget, optional
        A widget that takes the panels; they are docked on the right otherwise.

    Attributes
    ----------
    viewer : napari.Viewer
        The window.
    session : Session
        What is loaded and how it is looked at.
    controller : Controller
        Views and layers.
    services : Services
        What panels and scripts may use of all this.
    panels : Panels
        The tabs.
    table_panel : RegionTable
        The table below the views.
    files, saving, region_files, studies : Files, Saving, RegionFiles, Studies
        Opening, saving, files of regions and cohorts, with the questions that belong to them.
    owns_viewer : bool
        Whether the window is the workspace's own.
    """

    session: Session
    controller: Controller
    central: CentralArea
    docks: Docks
    services: Services
    panels: Panels
    table_panel: RegionTable
    files: Files
    saving: Saving
    region_files: RegionFiles
    studies: Studies
    keys: Keys
    tabs: QTabWidget

    def __init__(
        self, viewer: napari.Viewer, *, owns_viewer: bool = False, side: QWidget | None = None
    ) -> None:
        compat.spare_software_renderer()
        self.viewer = viewer
        self.session = session = Session()
        self.owns_viewer = owns_viewer
        self._closed = False
        self._subscriptions = ui.Subscriptions()
        recall(session)
        self._window: Any = compat.qt_window(viewer)
        self._welcome_before = compat.set_welcome(compat.qt_viewer(viewer), False)
        self._look = PlainLook(viewer)
        self.area = ViewArea(viewer)
        self.central = CentralArea(self.area, self.open)
        self._window.centralWidget().layout().addWidget(self.central)
        self.controller = Controller(viewer, session, self.area, painted=side is None)
        self.services = services = Services(session, self.controller, self.central)
        self.files = Files(services)
        self.saving = Saving(services, self.files, titled=owns_viewer)
        self.region_files = RegionFiles(services)
        self.studies = Studies(services, self.files)
        self.central.offer(self.files.choices(self.open_head), self.saving.box)
        self.docks = Docks(viewer)
        self.table_panel = RegionTable(services)
        self.panels = Panels(
            DataPanel(services, self.files, self.saving, self.region_files),
            ReconstructPanel(services),
            DisplayPanel(services),
            RegionsPanel(services, self.table_panel),
            FigurePanel(services),
        )
        self.viewbar = ViewBar(services, self.docks, self.toggle_help)
        self.readout = Readout(self.controller)
        self.side = self._build_side()
        self.docks.add(self.side, self.table_panel, side)
        if owns_viewer:
            self.docks.show_napari_as_last()
            self._subscriptions.on_dispose(compat.hide_slice_numbers(viewer))
        self.keys = Keys(self)
        self.status = StatusLine(session, self.saving, self.central.jobs, viewer, own=owns_viewer)
        self.recents = RecentWork(self)
        self.help = HelpPage(self._window, self.keys)
        self._drops = Drops(self.open)
        self._drop_targets = [compat.qt_viewer(viewer), self.side]
        for target in self._drop_targets:
            target.setAcceptDrops(True)
            target.installEventFilter(self._drops)
        self._closing = Closing(
            lambda: self.studies.may_close() and self.saving.may_close(),
            self.leave,
            alone=owns_viewer,
        )
        self._window.installEventFilter(self._closing)
        for each in (self.side, self.table_panel):
            spare_wheels(each)
        self._connect()
        _OPEN.add(self)
        self._look.take_over(self.controller)
        self._on_maps()

    def _build_side(self) -> QWidget:
        self.tabs = ui.named(QTabWidget(), "qsm.tabs")
        self.tabs.setDocumentMode(True)
        bar = self.tabs.tabBar()
        if bar is not None:
            bar.setDrawBase(False)
        for panel in self.panels:
            self.tabs.addTab(panel, panel.title)
        layout = ui.column(self.viewbar, (self.tabs, 1), self.readout)
        layout.addStrut(_SIDE_WIDTH)  # a least width of the widget would let wider panels be cut
        return ui.panel(layout, "qsm.side")

    # -- what scripts use -----------------------------------------------------------------

    def table(self) -> pd.DataFrame:
        """The region table as the window shows it at this moment.

        Returns
        -------
        DataFrame
            Columns ``label, name, side, voxels, volume_mm3, mean_ppm, …`` (``_ppb`` while the
            window writes ppb, and the map's own unit for maps of other kinds); regions, then
            fixed shapes. Values hidden from a blinded reader are NaN. Empty without regions or
            without a map.

        Raises
        ------
        GeometryError
            If labels and map lie on different grids.
        """
        return self.table_panel.frame_now()

    def save(self, folder: Path | str, *, overwrite: bool = False) -> Path:
        """Save maps, regions and everything else of this work into a folder.

        Parameters
        ----------
        folder : path
            Made if missing. Maps that were opened from files stay there.
        overwrite : bool
            Replace a session in that folder that somebody else has saved or changed; it then
            stays in the folder ``previous`` within.

        Returns
        -------
        Path
            The session's file; open the folder again with :func:`open_workspace`.

        Raises
        ------
        FileError
            If the folder cannot be written to, or holds somebody else's session.
        """
        return self.saving.save_now(Path(folder), overwrite=overwrite)

    def reconstruct(
        self, recipe: str | Path | Recipe | Mapping[str, Any] = "case-report"
    ) -> Result:
        """Reconstruct the scan that is open, and show the results in the window.

        Parameters
        ----------
        recipe : str, path, Recipe or dict
            A preset, a recipe file, or a recipe.

        Returns
        -------
        Result
            Once all stages have run; the same arrays as the command line gives for the recipe.

        Raises
        ------
        QsmError
            If something is missing or fails, or a reconstruction is running already.
        """
        return self.panels.reconstruct.reconstruct(recipe)

    def open(self, paths: list[Path]) -> None:
        """Read files and folders in the background and show them."""
        self.files.open(paths)

    def open_head(self, subject: str = "") -> None:
        """Make the built-in heads in the background and show them.

        Parameters
        ----------
        subject : {"", "control", "patient"}
            One head with its true map; both of them, reconstructed from their phase and with
            the figures of the case report, unless given.
        """
        if subject:
            self.files.open_head(subject)
        else:
            open_demonstration(self)

    def show_loaded(self, loaded: Loaded, *, paths: Sequence[Path] = ()) -> None:
        """Put what was read into the session, and say what could not be."""
        self.files.show_loaded(loaded, paths=paths)

    def new_case(self) -> None:
        """Begin another case beside those that are open; the next files fill it."""
        session = self.session
        empty = next((case for case in session.cases if case.is_empty), None)
        session.active_case = (empty or session.study.new_case()).id

    def toggle_help(self) -> None:
        """Show or hide keys and mouse actions."""
        if self.help.isVisible():
            self.help.hide()
        else:
            self.help.open()

    def close(self) -> None:
        """Leave the workspace; a window that it opened itself is closed too."""
        self.leave()
        if self.owns_viewer and not compat.is_closed(self.viewer):
            self.viewer.close()

    def leave(self) -> None:
        """Take the workspace away and give napari back as it was; layers stay."""
        if self._closed:
            return
        self._closed = True
        _OPEN.discard(self)
        self._remember()
        self.studies.dispose()
        self.services.jobs.stop_all()
        self.saving.stop()
        self._subscriptions.dispose()
        self._window.removeEventFilter(self._closing)
        for target in self._drop_targets:
            target.removeEventFilter(self._drops)
        for part in (
            self.recents,
            self.status,
            self.keys,
            self.viewbar,
            *self.panels,
            self.readout,
            self.table_panel,
        ):
            part.dispose()
        self._look.keep(self.controller)
        self.controller.dispose()
        self._look.give_back()
        self.area.dispose()
        self.central.setParent(None)
        self.central.deleteLater()
        self.help.deleteLater()
        compat.set_welcome(compat.qt_viewer(self.viewer), self._welcome_before)
        self.docks.remove()
        self.side.deleteLater()
        self.table_panel.deleteLater()
        # Whoever still holds the workspace must not hold a closed window with it.
        self._drop_targets.clear()
        del self.panels, self.studies
        self._window = None

    # -- inside ---------------------------------------------------------------------------

    def _connect(self) -> None:
        connect, events = self._subscriptions.connect, self.session.events
        maps = self.session.maps.events
        connect(maps.inserted, maps.removed, self.session.case_events.shapes, to=self._on_maps)
        connect(events.active_case, to=self._on_maps)
        connect(self.controller.message, to=self.services.message)
        connect(*(getattr(events, name) for name in REMEMBERED), to=self._remember)
        self.panels.data.next_step.asked.connect(
            lambda tab: self.tabs.setCurrentWidget(getattr(self.panels, tab))
        )
        self.panels.display.visits.figure_asked.connect(self._on_visits_figure)
        self.panels.reconstruct.painting_asked.connect(
            lambda: self.tabs.setCurrentWidget(self.panels.regions)
        )

    def _on_visits_figure(self) -> None:
        self.tabs.setCurrentWidget(self.panels.figure)
        self.panels.figure.templates.choose("visits")

    def _on_maps(self) -> None:
        session = self.session
        self.central.show_start(not session.case.maps)
        self.docks.show_table(
            bool(session.of_role("labels") or (session.maps and session.case.shapes))
        )
        self.table_panel.update_soon()

    def _remember(self) -> None:
        values = {name: getattr(self.session, name) for name in REMEMBERED}
        if self.owns_viewer and not self._window.isMaximized():
            size = self._window.size()
            values["window"] = [size.width(), size.height()]
        save_settings(values)
