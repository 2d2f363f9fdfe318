"""A map with a region map on it, and where its voxels lie, for tests that draw."""

import numpy as np

from napari_qsm.anatomy import DEPTH_AXIS, DRAWN_AXES
from napari_qsm.session import regions
from napari_qsm.volume import Volume
from tests.viewer.actions import child, pixel_of, press
from tests.viewer.conftest import affine_of, settle

#: Anisotropic, and unlike along every axis.
SHAPE = (40, 44, 18)
SIZE = np.array([1.25, 1.0, 3.0])


def open_map(workspace, values=None):
    """Show a map and the Regions tab, and make a region map."""
    if values is None:
        values = np.random.default_rng(1).normal(0.05, 0.05, SHAPE).astype(np.float32)
    chi = Volume(values, affine_of(SHAPE, SIZE), unit="ppm", name="χ test")
    workspace.session.add(chi)
    workspace.tabs.setCurrentWidget(workspace.panels.regions)
    press(workspace, "qsm.regions.new")


def begin(workspace):
    """Two empty regions, tools as at the start."""
    session = workspace.session
    entry = session.entry("regions test")
    painter = child(workspace, "qsm.paint").painter
    painter.use("")
    entry.editable[:] = 0
    session.take_outside_edit(entry)
    entry.regions = {}
    session.painted = entry.id
    for name in ("Putamen L", "Putamen R"):
        regions.add_region(session, entry, name)
    session.history.clear()
    session.update({"active_region": 1, "unit": "ppm", "crosshair_visible": True})
    session.case.midline_mm = None
    workspace.controller.first_look()
    painter.options.update(
        {"diameter_mm": 7.0, "tip": "round", "in_3d": False, "protect": True, "limited": False}
    )
    settle()


def entry_of(workspace):
    return workspace.session.entry(workspace.session.painted)


def options_of(workspace):
    return child(workspace, "qsm.paint").painter.options


def view_of(workspace, plane):
    return next(v for v in workspace.controller.views if v.plane == plane)


def display(workspace):
    """Display mm of every voxel centre, (x, y, z, 3)."""
    entry = entry_of(workspace)
    grid = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"), axis=-1)
    return workspace.controller.frame.world_to_display(entry.volume.voxel_to_world(grid))


def at_pixel(view, pixel):
    """Display mm under a pixel of a view."""
    return view.camera().to_display((pixel.x(), pixel.y()), view.depth_mm)


def disc(workspace, view, pixels, diameter, tip="round", ball=False):
    """Voxels whose centres lie within the brush put down densely along a way over pixels."""
    places = display(workspace)
    across, up = DRAWN_AXES[view.plane]
    axes = [0, 1, 2] if ball else [across, up]
    way = [at_pixel(view, pixel) for pixel in pixels]
    out = np.zeros(SHAPE, dtype=bool)
    for start, end in zip(way, way[1:] or way, strict=False):
        for t in np.linspace(0, 1, 400):
            offset = places - (start + t * (end - start))
            if tip == "round":
                out |= np.linalg.norm(offset[..., axes], axis=-1) <= diameter / 2
            else:
                out |= np.abs(offset[..., axes]).max(axis=-1) <= diameter / 2
    if not ball:
        depth = DEPTH_AXIS[view.plane]
        out &= np.abs(places[..., depth] - view.depth_mm) < SIZE[depth] / 2
    return out


def middle(workspace, view):
    return pixel_of(workspace, view, workspace.session.crosshair_mm)
