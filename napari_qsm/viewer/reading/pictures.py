"""What a blinded view shows: a slice, letters, a scale; no name and no value."""

from __future__ import annotations

import numpy as np

from napari_qsm.anatomy import DEPTH_AXIS, DisplayFrame, letters, scale_bar_mm
from napari_qsm.arrays import Array, bounding_box
from napari_qsm.colormaps import effective_window, lookup_table
from napari_qsm.compositing import Sheet, display_colours
from napari_qsm.session import MapEntry, Session
from napari_qsm.viewer.canvas.layers import drawn
from napari_qsm.viewer.canvas.overlay import ColourBar, OverlayContent
from napari_qsm.viewer.canvas.slice_view import SliceView
from napari_qsm.volume import Volume

#: How much is shown around the brain, mm.
_RIM_MM = 8.0


def sheet_of(entry: MapEntry, frame: DisplayFrame) -> Sheet:
    """An image as part of a picture, in its own window."""
    lies = drawn(entry, frame)
    return Sheet(lies.data, lies.scale, lies.translate, display_colours(entry.display))


def blinded_content(
    view: SliceView,
    session: Session,
    frame: DisplayFrame,
    entry: MapEntry | None,
    *,
    is_large: bool,
) -> OverlayContent:
    """What stands over a view; ``entry`` is the image that it shows.

    Places in the scanner are left out as well: they differ from visit to visit.
    """
    reference, camera = frame.reference, view.camera()
    axis = DEPTH_AXIS[view.plane]
    index = int(np.rint(reference.world_to_voxel(session.crosshair_mm))[axis])
    known = reference.orientation_known
    content = OverlayContent(
        letters=letters(view.plane, radiological=view.radiological, known=known),
        title=view.plane.capitalize(),
        slice_text=f"slice {index + 1} of {reference.shape[axis]}",
        pixels_per_mm=camera.zoom,
        bar_mm=scale_bar_mm(camera.zoom, 110 if is_large else 70),
    )
    if is_large and entry is not None:
        content.notes.append("magnitude" if entry.role == "magnitude" else "χ")
        content.colour_bar = _bar_without_numbers(entry)
    if session.crosshair_visible and not is_large:
        content.crosshair = camera.to_pixel(frame.world_to_display(session.crosshair_mm))
    return content


def extent_of(brain: Volume, frame: DisplayFrame) -> Array:
    """Corners of the brain with a rim, display mm; of the whole map where it is nowhere 0.

    Returns
    -------
    (2, 3) ndarray
        Lowest and highest (x, y, z).
    """
    box = bounding_box(np.nan_to_num(brain.data) != 0)
    ends = np.array([[part.start for part in box], [part.stop - 1 for part in box]])
    matrix = frame.display_of(brain)
    corners = [
        matrix[:3, :3] @ ends[list(pick), [0, 1, 2]] + matrix[:3, 3] for pick in np.ndindex(2, 2, 2)
    ]
    return np.array([np.min(corners, axis=0) - _RIM_MM, np.max(corners, axis=0) + _RIM_MM])


def _bar_without_numbers(entry: MapEntry) -> ColourBar:
    low, high = effective_window(entry.display)
    return ColourBar(
        "", low, high, [], entry.display.model_dump_json(), lookup_table(entry.display)
    )
