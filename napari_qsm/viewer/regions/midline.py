"""The plane between the patient's sides, as the tools use it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_qsm.anatomy import DisplayFrame
from napari_qsm.errors import QsmError
from napari_qsm.session import MapEntry
from napari_qsm.session.regions import plane_index
from napari_qsm.viewer.canvas.overlay_items import Outline

if TYPE_CHECKING:
    from napari_qsm.viewer.canvas.controller import Controller
    from napari_qsm.viewer.canvas.slice_view import SliceView


def midline_of(controller: Controller, entry: MapEntry) -> float:
    """Voxel index along x of the midline in a region map.

    Raises
    ------
    QsmError
        If nobody has set the midline, it lies outside, or the map is turned.
    """
    frame, x_mm = controller.frame, controller.session.case.midline_mm
    if x_mm is None or frame is None:
        raise QsmError(
            "Set the midline first: put the crosshair between the two sides, then press "
            "'Midline here' under 'The other side'."
        )
    return plane_in(entry, frame, x_mm)


def plane_in(entry: MapEntry, frame: DisplayFrame, x_mm: float) -> float:
    """Voxel index along x of a plane in display mm."""
    matrix = frame.display_of(entry.volume)
    if np.abs(matrix[0, 1:3]).max() > 1e-3 * abs(matrix[0, 0]):
        raise QsmError(f"'{entry.name}' is turned against the first map in the list.")
    return plane_index(entry, x_mm, float(matrix[0, 3]))


def midline_outline(view: SliceView, x_mm: float) -> list[Outline]:
    """The midline as a view draws it; a sagittal view lies in it and draws nothing."""
    if view.is_3d or view.plane == "sagittal":
        return []
    camera = view.camera()
    column, _ = camera.to_pixel(np.array([x_mm, 0.0, 0.0]))
    return [Outline(((column, float(view.native.height())), (column, 0.0)), dashed=True)]
