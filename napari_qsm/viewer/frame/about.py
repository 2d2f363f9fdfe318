"""What this program is, and what it runs on."""

from __future__ import annotations

import platform
from importlib.metadata import version
from typing import TYPE_CHECKING

import qtpy
from qtpy.QtWidgets import QApplication, QDialog, QLabel

from napari_qsm._version import __version__
from napari_qsm.session.newer_version import comparison, published_version
from napari_qsm.viewer import ui

if TYPE_CHECKING:
    from napari_qsm.viewer.workspace import Workspace


def versions() -> str:
    """The program and what it stands on, one a line, for a message to whoever helps."""
    lines = [f"napari-qsm {__version__}", f"napari {version('napari')}"]
    lines.append(f"{qtpy.API_NAME}, Qt {qtpy.QT_VERSION}")
    lines.append(f"Python {platform.python_version()}, {platform.platform()}")
    return "\n".join(lines)


def ask_for_newer(workspace: Workspace) -> None:
    """Ask whether a newer version is published, and say the answer."""
    services = workspace.services
    services.run(
        "Asking for the newest version",
        lambda progress, cancelled: published_version(),
        lambda published: services.message(comparison(published)),
    )


def show_about(workspace: Workspace) -> None:
    """Show name, versions and licence."""
    dialog = QDialog(workspace.services.window)
    dialog.setObjectName("qsm.about")
    dialog.setWindowTitle("About napari-qsm")
    text = ui.label(
        "<h3>napari-qsm</h3><p>From a scanner's files to a published figure of brain iron.</p>"
        "<p>Not a medical device: for research, not for diagnosis.</p>"
        "<p>BSD 3-Clause License.</p>"
    )
    text.setMinimumWidth(380)
    facts = QLabel(versions())
    facts.setObjectName("qsm.about.versions")

    def copy() -> None:
        board = QApplication.clipboard()
        if board is not None:
            board.setText(versions())

    dialog.setLayout(
        ui.column(
            text,
            facts,
            ui.row(
                ui.button("Copy versions", "qsm.about.copy", copy),
                None,
                ui.button("Close", "qsm.about.close", dialog.close),
            ),
            spacing=10,
            margins=(18, 14, 18, 14),
        )
    )
    dialog.finished.connect(dialog.deleteLater)
    dialog.show()
