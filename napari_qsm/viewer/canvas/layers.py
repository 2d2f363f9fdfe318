"""Layers as views of the session's entries: made from them, and read back into them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from napari.layers import Image, Labels, Layer

from napari_qsm.anatomy import DisplayFrame, Placement, place
from napari_qsm.clusters import leaves_out_clusters
from napari_qsm.colormaps import (
    COLORMAPS,
    colormap_name,
    effective_window,
    end_colours,
    has_thresholds,
    lookup_table,
    over_grey,
    register_colormap,
)
from napari_qsm.errors import GeometryError
from napari_qsm.io.whole_numbers import as_labels
from napari_qsm.session import MapDisplay, MapEntry, Role, Session, first_display, guess_role
from napari_qsm.session.composites import TurnedGrid
from napari_qsm.session.frames import napari_order
from napari_qsm.session.speckle import speckle
from napari_qsm.study.display import WIDEST_OUTLINE
from napari_qsm.viewer import compat
from napari_qsm.viewer.plain.layers import (
    AXIS_LABELS,
    REGIONS_KEY,
    ROLE_KEY,
    UNITS,
    VOLUME_KEY,
    region_colours,
)
from napari_qsm.volume import Volume

#: Under which a layer keeps the window it was given here; another one is somebody's choice.
WINDOW_KEY = "napari-qsm window"
#: Under which it keeps which voxels a painted view does not colour, and what has them look as they do.
LEFT_OUT_KEY = "napari-qsm left out"


@dataclass
class Drawn:
    """The array a layer draws, in napari's (z, y, x) order, and where it lies."""

    data: Any
    scale: tuple[float, float, float]
    translate: tuple[float, float, float]
    placement: Placement


def drawn(entry: MapEntry, frame: DisplayFrame) -> Drawn:
    """The array of an entry as napari is to see it: a view, never a copy."""
    volume = entry.shown
    placement = place(volume, frame)
    if not placement.aligned:
        turned = TurnedGrid(volume, frame)
        return Drawn(turned, napari_order(turned.scale), napari_order(turned.translate), placement)
    source = volume.data if entry.editable is None else entry.editable
    return Drawn(
        source.transpose(2, 1, 0),
        napari_order(placement.scale),
        napari_order(placement.translate),
        placement,
    )


def left_out_of(
    entry: MapEntry, frame: DisplayFrame, display: MapDisplay | None = None
) -> Callable[[], Any] | None:
    """What gives the voxels of an entry that its colours leave out, as :func:`drawn`; or None.

    They are looked for when a view is painted: a window that is dragged changes more often.
    """
    colours = entry.display if display is None else display
    if entry.editable is not None or not leaves_out_clusters(colours):
        return None

    def find() -> Any:
        mask = entry.shown.with_data(speckle(entry, colours))
        aligned = place(mask, frame).aligned
        return mask.data.transpose(2, 1, 0) if aligned else TurnedGrid(mask, frame)

    return find


def make_layer(entry: MapEntry, frame: DisplayFrame) -> Layer:
    """A napari layer that shows an entry."""
    view = drawn(entry, frame)
    common: dict[str, Any] = {
        "name": entry.name,
        "scale": view.scale,
        "translate": view.translate,
        "units": UNITS,
        "axis_labels": AXIS_LABELS,
        "metadata": {VOLUME_KEY: entry.volume, ROLE_KEY: entry.role},
    }
    if entry.editable is not None:
        common["metadata"][REGIONS_KEY] = entry.regions
        layer = Labels(view.data, **common)
        apply_display(entry.display, layer)
        if entry.regions:
            layer.colormap = region_colours(entry.regions)
        layer.editable = view.placement.aligned
        layer.visible = entry.display.visible
        return layer
    layer = Image(
        view.data,
        contrast_limits=effective_window(entry.display),
        blending="translucent_no_depth",
        **common,
    )
    apply_display(entry.display, layer)
    return layer


def apply_display(
    display: MapDisplay,
    layer: Layer,
    grey: tuple[float, float] | None = None,
    left_out: Callable[[], Any] | None = None,
) -> None:
    """Show a layer the way the session says; visibility is left to the views.

    Parameters
    ----------
    display : MapDisplay
    layer : Layer
    grey : (low, high), optional
        Window of its own grey that is drawn where a threshold hides the value.
    left_out : callable, optional
        As from :func:`left_out_of`.
    """
    if layer.opacity != display.opacity:
        layer.opacity = display.opacity
    contour = display.outline_width if display.outline else 0
    if isinstance(layer, Labels) and layer.contour != contour:
        layer.contour = contour
    if not isinstance(layer, Image):
        return
    window, table, ends = effective_window(display), None, None
    if grey is not None:
        window, table, ends = over_grey(display, grey)
    if tuple(layer.contrast_limits) != window:
        low, high = layer.contrast_limits_range
        layer.contrast_limits_range = (min(low, window[0]), max(high, window[1]))
        layer.contrast_limits = window
    layer.metadata[WINDOW_KEY] = window
    size = 0.0 if left_out is None else display.smallest_cluster_mm3
    before = layer.metadata.get(LEFT_OUT_KEY, (None, 0.0, None))
    layer.metadata[LEFT_OUT_KEY] = (left_out, size, grey)
    if before[1] != size:
        layer.events.opacity()  # no field of a layer has changed, but what is painted of it
    plain = not has_thresholds(display) and display.colouring != "both sides"
    name = colormap_name(display)
    if plain and compat.napari_colormap(name) is not None:
        if layer.colormap.name != name:
            layer.colormap = name
        return
    title = "both sides" if display.colouring == "both sides" else name
    if table is None or ends is None:
        table, ends = lookup_table(display), end_colours(display)
    compat.set_colormap(layer, title, table, ends)


def read_display(layer: Layer) -> dict[str, Any]:
    """What napari's own controls were set to, as changes of a :class:`MapDisplay`."""
    changes: dict[str, Any] = {"opacity": float(layer.opacity)}
    if isinstance(layer, Labels):
        changes["outline"] = layer.contour > 0
        if 1 <= layer.contour <= WIDEST_OUTLINE:
            changes["outline_width"] = int(layer.contour)
    if not isinstance(layer, Image):
        return changes
    low, high = map(float, layer.contrast_limits)
    if (low, high) != layer.metadata.get(WINDOW_KEY):
        changes["window"] = (low, high)
    name = layer.colormap.name
    if name.endswith(compat.COLORMAP_MARK):
        return changes
    if name in ("gray", "gray_r"):
        changes["colouring"] = "grey" if name == "gray" else "inverted"
    else:
        if name not in {each.name for each in COLORMAPS}:
            register_colormap(name, layer.colormap.map)
        changes.update(colouring="colour", colormap=name)
    return changes


def adopt(layer: Layer) -> tuple[Volume, Role, dict[int, str], MapDisplay | None]:
    """Make out what a layer that somebody else made holds.

    A layer opened through this plugin carries its volume. Any other 3-D image or labels
    layer is taken as (z, y, x) in mm with unknown orientation, so no side is ever claimed
    for it.

    Raises
    ------
    GeometryError
        If the layer cannot be shown in three planes.
    """
    volume = layer.metadata.get(VOLUME_KEY)
    names = dict(layer.metadata.get(REGIONS_KEY, {}))
    if isinstance(volume, Volume):
        role = layer.metadata.get(ROLE_KEY) or guess_role(volume)
        return volume, role, names, None
    if layer.ndim != 3 or getattr(layer, "rgb", False) or getattr(layer, "multiscale", False):
        kind = "coloured" if getattr(layer, "rgb", False) else f"{layer.ndim}-D"
        raise GeometryError(
            f"'{layer.name}' is {kind}; the three views show 3-D maps, so it is left as it is."
        )
    if not isinstance(layer.data, np.ndarray):
        raise GeometryError(
            f"'{layer.name}' is not held in memory; load it as an array to see it in three views."
        )
    affine = np.eye(4)
    affine[:3, :3] = np.diag(np.asarray(layer.scale)[::-1])
    affine[:3, 3] = np.asarray(layer.translate)[::-1]
    made = Volume(
        data=layer.data.transpose(2, 1, 0),
        affine=affine,
        name=layer.name,
        orientation_known=False,
    )
    if isinstance(layer, Labels):
        return made, "labels", names, None
    display = replace_display(first_display(made, "other"), read_display(layer))
    return made, guess_role(made), names, display


def replace_display(display: MapDisplay, changes: dict[str, Any]) -> MapDisplay:
    """A display with some fields changed."""
    return MapDisplay(**{**display.model_dump(), **changes})


def take_new_data(session: Session, entry: MapEntry, layer: Layer, own: Drawn) -> None:
    """Bring an entry up to an array that somebody gave its layer.

    New labels are written into the array that is there, as one edit that can be undone; the
    layer then shows that array again. A new image replaces the entry's.

    Parameters
    ----------
    session : Session
        Its history learns of new labels.
    entry : MapEntry
        What the layer shows.
    layer : Layer
        A layer of the viewer.
    own : Drawn
        What the layer shows if nobody interferes.

    Raises
    ------
    GeometryError
        If the array has another size; the layer shows its own again.
    FileError
        If new labels are no labels; likewise.
    """
    given = layer.data
    if given is own.data or not isinstance(own.data, np.ndarray):
        return
    if isinstance(given, np.ndarray) and np.shares_memory(given, own.data):
        return
    if np.shape(given) != own.data.shape:
        layer.data = own.data
        sizes = " x ".join(map(str, np.shape(given)[::-1]))
        raise GeometryError(
            f"'{entry.name}' cannot take an array of {sizes} voxels; add it as a layer of its own."
        )
    new = np.asarray(given).transpose(2, 1, 0)
    if isinstance(layer, Labels):
        layer.data = own.data
        values = as_labels(entry.volume.with_data(new))
        at = np.flatnonzero((values != entry.editable).ravel(order="F"))
        session.edit_labels(entry, at, values.ravel(order="F")[at], "labels replaced")
        return
    if entry.volume.data.ndim == 4:
        every = np.array(entry.volume.data)
        every[..., entry.echo] = new
        new = every
    volume = replace(entry.volume, data=new)
    layer.metadata[VOLUME_KEY] = volume
    entry.volume = volume
