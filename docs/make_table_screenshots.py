"""Makes the pictures of the table of regions and of proposed outlines, from the built-in heads.

Needs a display (``xvfb-run -s "-screen 0 1600x1200x24" python docs/make_table_screenshots.py``).
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

from qtpy.QtCore import QItemSelectionModel
from qtpy.QtWidgets import QPushButton, QScrollArea, QWidget

sys.path.insert(0, str(Path(__file__).parent))
from make_screenshots import at_putamen, settle, shoot

from napari_qsm.session import proposals, regions
from napari_qsm.session.opening import load_head
from napari_qsm.viewer.workspace import Workspace, open_workspace


def mark(workspace: Workspace, names: tuple[str, ...]) -> None:
    """Mark rows of the table, as Ctrl + click does."""
    table = workspace.table_panel
    table.settle()
    view = table.table
    lines = [line.target for line in view.lines_as_shown()]
    view.clearSelection()
    flags = QItemSelectionModel.SelectionFlag
    for row, target in enumerate(lines):
        if target is not None and target.name in names:
            index = view.model().index(row, 0)
            view.selectionModel().select(index, flags.Select | flags.Rows)
    settle()


def show_distribution(workspace: Workspace, kind: str) -> None:
    """The section Distribution at the top of the tab Regions."""
    panel = workspace.panels.regions
    workspace.tabs.setCurrentWidget(panel)
    for section in panel.sections:
        if hasattr(section, "set_open"):
            section.set_open(section is panel.charts)
    panel.charts.kind.setCurrentIndex(panel.charts.kind.findData(kind))
    settle(0.6)
    show(panel, panel.charts)


def show(panel: QWidget, widget: QWidget) -> None:
    """Scroll the panel until a widget is at its top."""
    area = panel.findChild(QScrollArea)
    top = widget.mapTo(area.widget(), widget.rect().topLeft()).y()
    area.verticalScrollBar().setValue(top - 8)
    settle()


def table() -> None:
    """Two maps in one table with histograms; left and right; blinded."""
    workspace = open_workspace()
    workspace.viewer.window.resize(1600, 1000)
    for subject in ("control", "patient"):
        load_head(subject).into(workspace.session)
    session, panel = workspace.session, workspace.table_panel
    control, patient = (session.entry(f"χ {who}") for who in ("control", "patient"))
    session.selected = patient.id
    at_putamen(workspace, "patient")
    panel.set_extra((control.id,))
    settle(1)
    show_distribution(workspace, "histogram")
    mark(workspace, ("Caudate L", "Putamen L", "Putamen R", "Globus pallidus L"))
    settle(0.6)  # the chart follows some time later, and makes the panel longer
    show(workspace.panels.regions, workspace.panels.regions.charts)
    shoot(workspace, "table-maps-chart")
    panel.set_extra(())
    panel.set_choice(panel.choice.but(pairs=True))
    workspace.viewer.theme = "light"
    workspace.viewer.window.resize(1420, 760)  # all columns
    workspace.tabs.setCurrentIndex(0)
    settle(1)
    shoot(workspace, "table-pairs")
    workspace.viewer.window.resize(1280, 720)
    panel.set_choice(panel.choice.but(pairs=False))
    workspace.viewer.theme = "dark"
    labels = session.entry("regions patient")
    seen = ("Caudate L", "Caudate R")
    regions.set_locked(labels, [k for k, r in labels.regions.items() if r.name in seen], True)
    session.blinded = True
    settle(1)
    show_distribution(workspace, "boxes")
    mark(workspace, (*seen, "Putamen L", "Putamen R"))
    workspace.central.message.clear()
    shoot(workspace, "table-blinded")
    workspace.close()


def proposed() -> None:
    """Outlines proposed for a map that has none."""
    workspace = open_workspace()
    workspace.viewer.window.resize(1280, 800)
    loaded = load_head("control")
    loaded.maps = [each for each in loaded.maps if each.role != "labels"]
    loaded.into(workspace.session)
    session, panel = workspace.session, workspace.panels.regions
    workspace.controller.go_to((26, 2, 2))
    workspace.tabs.setCurrentWidget(panel)
    settle()
    panel.findChild(QPushButton, "qsm.proposals.propose").click()
    end = time.monotonic() + 300
    while proposals.proposal_of(session) is None and time.monotonic() < end:
        settle(0.2)
    entry = proposals.proposal_of(session)
    assert entry is not None
    session.active_region = next(k for k, r in entry.regions.items() if "Putamen L" in r.name)
    workspace.controller.go_to((26, 2, 2))
    settle(1)
    workspace.central.message.clear()
    shoot(workspace, "regions-proposed")
    workspace.close()


if __name__ == "__main__":
    for part in (table, proposed):
        # Each part shows the program as it first starts: no choices, no work left by another.
        with tempfile.TemporaryDirectory() as home:
            for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "APPDATA", "LOCALAPPDATA"):
                os.environ[name] = home
            part()
