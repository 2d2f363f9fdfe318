"""The workspace: napari's window made into one for reading susceptibility maps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import napari
from qtpy.QtWidgets import QTabWidget, QVBoxLayout, QWidget

from napari_qsm.errors import Cancelled, QsmError
from napari_qsm.session import Session
from napari_qsm.session.opening import Loaded, load
from napari_qsm.session.settings import REMEMBERED, load_settings, save_settings
from napari_qsm.viewer import compat
from napari_qsm.viewer.canvas.arrangement import ViewArea
from napari_qsm.viewer.canvas.controller import Controller
from napari_qsm.viewer.canvas.readout import Readout
from napari_qsm.viewer.canvas.slice_view import SliceView
from napari_qsm.viewer.canvas.viewbar import ViewBar
from napari_qsm.viewer.context import PanelContext, PanelMaker
from napari_qsm.viewer.data.closing import Closing
from napari_qsm.viewer.data.demonstration import open_demonstration
from napari_qsm.viewer.data.files import Files
from napari_qsm.viewer.data.panel import DataPanel
from napari_qsm.viewer.data.saving import Saving
from napari_qsm.viewer.display.panel import DisplayPanel
from napari_qsm.viewer.figure.panel import FigurePanel
from napari_qsm.viewer.jobs import Job
from napari_qsm.viewer.keys import HelpPage, Keys
from napari_qsm.viewer.reconstruct.panel import ReconstructPanel
from napari_qsm.viewer.regions.files import RegionFiles
from napari_qsm.viewer.regions.panel import RegionsPanel
from napari_qsm.viewer.regions.table import RegionTable
from napari_qsm.viewer.stage import Drops, Stage

if TYPE_CHECKING:
    import pandas as pd

    from napari_qsm.recon.pipeline import Result
    from napari_qsm.recon.recipe import Recipe

#: The tabs, in the order of the work. A new panel is one more line here.
PANELS: tuple[PanelMaker, ...] = (
    DataPanel,
    ReconstructPanel,
    DisplayPanel,
    RegionsPanel,
    FigurePanel,
)

_SIDE_WIDTH = 350
_TABLE_HEIGHT = 170
#: Workspaces whose window is open; a script may not keep the one it opened.
_OPEN: set[Workspace] = set()
Paths = Iterable[Path | str] | Path | str


def open_workspace(paths: Paths | None = None, *, show: bool = True) -> Workspace:
    """Open napari with the workspace.

    Parameters
    ----------
    paths : path or list of paths, optional
        Maps, folders with a scan, or a saved session. They are open when this returns.
    show : bool
        Whether the window appears.

    Returns
    -------
    Workspace
        Ends with :meth:`Workspace.close` or when its window is closed.
    """
    compat.no_binding_warning()
    viewer = napari.Viewer(title="napari-qsm", show=False)
    workspace = Workspace(viewer, owns_viewer=True)
    geometry = load_settings().get("window")
    if isinstance(geometry, list) and len(geometry) == 2:
        viewer.window.resize(*geometry)
    else:
        viewer.window.resize(1500, 940)
    if show:
        viewer.window.show()
        workspace.saving.offer_recoveries()
    if paths is not None:
        listed = [paths] if isinstance(paths, str | Path) else list(paths)
        if listed:
            workspace.show_loaded(load(listed))
    return workspace


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
    files : Files
        Opening, and the questions that belong to it.
    saving : Saving
        Saving, and what is kept in the background.
    region_files : RegionFiles
        Files of regions.
    owns_viewer : bool
        Whether the window is the workspace's own.
    """

    def __init__(
        self, viewer: Any, *, owns_viewer: bool = False, side: QWidget | None = None
    ) -> None:
        compat.spare_software_renderer()
        self.viewer = viewer
        self.session = Session()
        self.files = Files(self)
        self.owns_viewer = owns_viewer
        self._closed = False
        self.last_view: SliceView | None = None
        self._apply_settings()
        self._window: Any = compat.qt_window(viewer)
        self._welcome_before = compat.set_welcome(compat.qt_viewer(viewer), False)
        self.area = ViewArea(viewer)
        self.stage = Stage(self.area, self.files.choices(), self.open)
        self.saving = Saving(self)
        self.region_files = RegionFiles(self)
        self.stage.put_above(self.saving.box)
        layout = self._window.centralWidget().layout()
        layout.addWidget(self.stage)
        self.controller = Controller(viewer, self.session, self.area)
        self.context = PanelContext(self, self.session, self.controller)
        self.side = self._build_side()
        self._side_dock: Any = None
        if side is None:
            self._side_dock = viewer.window.add_dock_widget(
                self.side, area="right", name="QSM", add_vertical_stretch=False
            )
            compat.plain_dock(self._side_dock)
        else:
            inner = QVBoxLayout(side)
            inner.setContentsMargins(0, 0, 0, 0)
            inner.addWidget(self.side)
        self.regions = RegionTable(self.context)
        self._regions_dock = viewer.window.add_dock_widget(
            self.regions, area="bottom", name="Regions"
        )
        compat.plain_dock(self._regions_dock)
        self._regions_dock.hide()
        self._corners = compat.full_height_sides(viewer)
        self._docks_before = [dock.isHidden() for dock in compat.napari_docks(viewer)]
        if owns_viewer:
            self.show_napari_docks(bool(load_settings().get("napari_docks", False)))
        self.keys = Keys(self)
        self.help = HelpPage(self.stage, self.keys.bound)
        self._drops = Drops(self.open)
        self._drop_targets = [compat.qt_viewer(viewer), self.side]
        for target in self._drop_targets:
            target.setAcceptDrops(True)
            target.installEventFilter(self._drops)
        self._closing = Closing(self.saving.may_close, self.leave)
        self._window.installEventFilter(self._closing)
        self._connect()
        _OPEN.add(self)
        for layer in list(viewer.layers):
            self.controller.sync.take(layer)
        self._on_maps()

    def _build_side(self) -> QWidget:
        side = QWidget()
        side.setObjectName("qsm.side")
        side.setMinimumWidth(_SIDE_WIDTH)
        self.viewbar = ViewBar(self)
        self.tabs = QTabWidget()
        self.tabs.setObjectName("qsm.tabs")
        self.tabs.setDocumentMode(True)
        bar = self.tabs.tabBar()
        if bar is not None:
            bar.setDrawBase(False)
        self.panels: list[Any] = []
        for maker in PANELS:
            self.add_panel(maker)
        self.readout = Readout(self.controller)
        layout = QVBoxLayout(side)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.viewbar)
        layout.addWidget(self.tabs, 1)
        layout.addWidget(self.readout)
        return side

    def add_panel(self, maker: PanelMaker) -> Any:
        """Add a tab; returns the panel."""
        panel: Any = maker(self.context)
        self.panels.append(panel)
        self.tabs.addTab(panel, panel.title)
        return panel

    def panel(self, title: str) -> Any:
        """The panel under a tab's title."""
        return next(panel for panel in self.panels if panel.title == title)

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
        return self.regions.frame_now()

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
        result: Result = self.panel("Reconstruct").reconstruct(recipe)
        return result

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
        self.stage.jobs.stop_all()
        self.saving.stop()
        self._disconnect()
        self._window.removeEventFilter(self._closing)
        for target in self._drop_targets:
            target.removeEventFilter(self._drops)
        self.keys.dispose()
        self.viewbar.dispose()
        for panel in self.panels:
            panel.dispose()
        self.readout.dispose()
        self.regions.dispose()
        self.controller.dispose()
        self.area.dispose()
        self.stage.hide()
        self.stage.setParent(None)
        self.stage.deleteLater()
        compat.set_welcome(compat.qt_viewer(self.viewer), self._welcome_before)
        compat.give_corners_back(self.viewer, self._corners)
        for dock, hidden in zip(compat.napari_docks(self.viewer), self._docks_before, strict=True):
            dock.setVisible(not hidden)
        for dock in (self._side_dock, self._regions_dock):
            if dock is not None:
                compat.remove_dock(self.viewer, dock)
        self.side.deleteLater()
        self.regions.deleteLater()
        # Whoever still holds the workspace must not hold a closed window with it.
        self._drop_targets.clear()
        self.panels.clear()
        self.last_view = None
        self._window = None

    # -- opening --------------------------------------------------------------------------

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

    def show_loaded(self, loaded: Loaded) -> None:
        """Put what was read into the session, and say what could not be."""
        self.files.show_loaded(loaded)

    def run(self, title: str, work: Callable[..., Any], done: Callable[[Any], None]) -> Job:
        """Run long work in the background, with progress and cancel; errors become a sentence.

        Parameters
        ----------
        title : str
            What the bar says.
        work : callable
            Called in a thread with ``progress(fraction, what)`` and ``cancelled()``; must not
            touch layers or widgets.
        done : callable
            Called in the window with the result.
        """
        return self.stage.jobs.run(title, work, done=done, failed=self._on_failed)

    def say(self, sentence: str) -> None:
        """Tell the user something."""
        self.stage.message.say(sentence)

    def toggle_help(self) -> None:
        """Show or hide keys and mouse actions."""
        if self.help.isVisible():
            self.help.hide()
        else:
            self.help.open()

    def show_napari_docks(self, shown: bool) -> None:
        """Show or fold away napari's own layer list and controls."""
        for dock in compat.napari_docks(self.viewer):
            dock.setVisible(shown)
        save_settings({"napari_docks": shown})
        self.viewbar.refresh()

    @property
    def napari_docks_shown(self) -> bool:
        """Whether napari's own layer list is on show."""
        return not compat.napari_docks(self.viewer)[1].isHidden()

    # -- inside ---------------------------------------------------------------------------

    def _connect(self) -> None:
        session, controller = self.session, self.controller
        session.maps.events.inserted.connect(self._on_maps)
        session.maps.events.removed.connect(self._on_maps)
        session.events.shapes.connect(self._on_maps)
        controller.said.connect(self.say)
        controller.entered.connect(self._on_entered)
        for name in REMEMBERED:
            getattr(session.events, name).connect(self._remember)

    def _disconnect(self) -> None:
        session, controller = self.session, self.controller
        session.maps.events.inserted.disconnect(self._on_maps)
        session.maps.events.removed.disconnect(self._on_maps)
        session.events.shapes.disconnect(self._on_maps)
        controller.said.disconnect(self.say)
        controller.entered.disconnect(self._on_entered)
        for name in REMEMBERED:
            getattr(session.events, name).disconnect(self._remember)

    def _on_maps(self) -> None:
        self.stage.show_welcome(not self.session.maps)
        wanted = bool(self.session.of_role("labels") or (self.session.maps and self.session.shapes))
        if wanted and self._regions_dock.isHidden():
            self._regions_dock.show()
            compat.dock_height(self.viewer, self._regions_dock, _TABLE_HEIGHT)
        self._regions_dock.setVisible(wanted)
        self.regions.update_soon()

    def _on_entered(self, view: SliceView) -> None:
        self.last_view = view

    def _on_failed(self, error: Exception) -> None:
        if isinstance(error, (Cancelled, QsmError)):
            self.say(str(error))
        elif isinstance(error, MemoryError):
            self.say("This computer's memory is too small for that; close other maps first.")
        else:
            raise error

    def _apply_settings(self) -> None:
        known = load_settings()
        for name in REMEMBERED:
            try:
                setattr(self.session, name, known.get(name, getattr(self.session, name)))
            except ValueError:  # a damaged settings file must not keep the window from opening
                continue

    def _remember(self) -> None:
        values = {name: getattr(self.session, name) for name in REMEMBERED}
        if self.owns_viewer and not self._window.isMaximized():
            size = self._window.size()
            values["window"] = [size.width(), size.height()]
        save_settings(values)
