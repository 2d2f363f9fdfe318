"""A picture of a view as it stands on the screen: a file, and the clipboard."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QBuffer, QIODevice, QStandardPaths
from qtpy.QtGui import QImage
from qtpy.QtWidgets import QApplication, QFileDialog

from napari_qsm.anatomy import DEPTH_AXIS
from napari_qsm.errors import FileError
from napari_qsm.io.atomic import atomic_path, reason
from napari_qsm.session.settings import load_settings, save_settings

if TYPE_CHECKING:
    from napari_qsm.session import Session
    from napari_qsm.viewer.canvas.slice_view import SliceView
    from napari_qsm.viewer.workspace import Workspace

_SETTING = "picture_folder"


def picture_folder() -> Path:
    """Where pictures go: the folder that the user has chosen, else one among the system's."""
    known = load_settings().get(_SETTING)
    if isinstance(known, str) and known:
        return Path(known)
    place = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.PicturesLocation)
    return Path(place or Path.home()) / "napari-qsm"


def picture_of(view: SliceView) -> QImage:
    """A view with its letters, bars and regions, in the pixels of the screen."""
    return view.native.grab().toImage()


def save_picture(picture: QImage, folder: Path, name: str) -> Path:
    """Write a PNG, under a name that is free.

    Raises
    ------
    FileError
        If the folder cannot be made or written to.
    """
    path = folder / f"{name}.png"
    number = 2
    while path.exists():
        path = folder / f"{name}-{number}.png"
        number += 1
    held = QBuffer()
    held.open(QIODevice.OpenModeFlag.WriteOnly)
    picture.save(held, "PNG")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"Cannot make the folder '{folder}': {reason(error)}.") from error
    with atomic_path(path) as part:
        part.write_bytes(bytes(held.data().data()))
    return path


def take_picture(workspace: Workspace) -> None:
    """Keep what the view shows that the mouse was last in."""
    view = workspace.keys.view
    picture = picture_of(view)
    board = QApplication.clipboard()
    if board is not None:
        board.setImage(picture)
    try:
        path = save_picture(picture, picture_folder(), _name(view, workspace.session))
    except FileError as error:
        workspace.services.message(f"{error} The picture is on the clipboard.")
        return
    workspace.services.success(f"The picture is on the clipboard, and in '{path}'.")


def _name(view: SliceView, session: Session) -> str:
    """Plane, slice and time; no name of a person or file."""
    what, reference = "volume", session.reference
    if reference is not None and not view.is_3d:
        voxel = np.rint(reference.world_to_voxel(session.crosshair_mm))
        what = f"{view.plane}-slice-{int(voxel[DEPTH_AXIS[view.plane]]) + 1}"
    return f"{what}-{datetime.now():%Y-%m-%d-%H%M%S}"


def ask_picture_folder(workspace: Workspace) -> None:
    """Let the user choose where pictures go."""
    title = "Folder for pictures of views"
    chosen = QFileDialog.getExistingDirectory(
        workspace.services.window, title, str(picture_folder())
    )
    if chosen:
        save_settings({_SETTING: chosen})
