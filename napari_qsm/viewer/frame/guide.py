"""The user guide in a window of its own, from the pages that come with the program."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, QUrl
from qtpy.QtGui import QDesktopServices, QImage
from qtpy.QtWidgets import QDialog, QTextBrowser, QWidget

from napari_qsm.errors import FileError
from napari_qsm.viewer import ui

if TYPE_CHECKING:
    from napari_qsm.viewer.workspace import Workspace

_ROOT = Path(__file__).resolve().parents[2]
#: Beside the package in the project's folder; within the package where it was installed.
_PLACES = (_ROOT.parent / "docs", _ROOT / "docs")
_MARGIN, _NARROWEST = 40, 300
_FIRST = Path("user-guide") / "index.md"


def guide_folder() -> Path:
    """Where the pages lie.

    Raises
    ------
    FileError
        If they did not come with the program.
    """
    for place in _PLACES:
        if (place / _FIRST).is_file():
            return place
    raise FileError("The user guide did not come with this installation; install the program anew.")


def show_guide(workspace: Workspace) -> None:
    """Open the guide, or say why not."""
    try:
        folder = guide_folder()
    except FileError as error:
        workspace.services.message(str(error))
        return
    GuideWindow(folder, workspace.services.window).show()


class GuideWindow(QDialog):
    """One page at a time, with links, back and forward."""

    def __init__(self, folder: Path, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("qsm.guide")
        self.setWindowTitle("User guide")
        self.resize(820, 680)
        self.page = _Page()
        self._first = folder / _FIRST
        back = ui.button("Back", "qsm.guide.back", self.page.backward)
        contents = ui.button("Contents", "qsm.guide.contents", self._to_contents)
        back.setEnabled(False)
        self.page.backwardAvailable.connect(back.setEnabled)
        for each in (back, contents):
            each.setAutoDefault(False)
        self.setLayout(
            ui.column(
                ui.row(back, contents, None), (self.page, 1), spacing=6, margins=(10, 8, 10, 10)
            )
        )
        self.finished.connect(self.deleteLater)
        self._to_contents()

    def _to_contents(self) -> None:
        self.page.setSource(QUrl.fromLocalFile(str(self._first)))


class _Page(QTextBrowser):
    """Markdown pages; pictures that did not come along are left out."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("qsm.guide.page")
        self.setOpenLinks(False)
        self.anchorClicked.connect(self._on_link)

    def _on_link(self, url: QUrl) -> None:
        if url.scheme() in ("http", "https"):
            QDesktopServices.openUrl(url)
            return
        self.setSource(self.source().resolved(url))

    def loadResource(self, kind: int, name: QUrl) -> object:
        """Read a page, or a picture no wider than the page; anything else as Qt does it."""
        path = Path(self.source().resolved(name).toLocalFile())
        if path.suffix == ".png":
            picture = QImage(str(path))
            room = max(self.viewport().width() - _MARGIN, _NARROWEST)
            if picture.width() <= room:
                return picture
            return picture.scaledToWidth(room, Qt.TransformationMode.SmoothTransformation)
        if path.suffix != ".md":
            return super().loadResource(kind, name)
        try:
            text = path.read_text(encoding="utf-8")
        except OSError:
            text = f"There is no page '{path.name}'."
        return re.sub(r"!\[[^\]]*\]\(([^)]+)\)", lambda m: _picture(m, path.parent), text)


def _picture(found: re.Match[str], folder: Path) -> str:
    return found.group() if (folder / found.group(1)).is_file() else ""
