"""Volumes as layers of plain napari, upright and with all that is known of them, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from napari.layers import Labels, Layer
from napari.utils.colormaps import CyclicLabelColormap

from napari_qsm.anatomy import DisplayFrame
from napari_qsm.arrays import Array
from napari_qsm.colormaps import effective_window
from napari_qsm.errors import FileError, QsmError
from napari_qsm.io.label_table import default_color, rgb
from napari_qsm.io.region import Region
from napari_qsm.io.whole_numbers import as_labels
from napari_qsm.rois.region import RegionTable
from napari_qsm.session import Role, first_display, guess_role
from napari_qsm.session.frames import napari_order
from napari_qsm.session.upright import turned_back, turned_place, turned_round
from napari_qsm.viewer import compat
from napari_qsm.volume import StoredGrid, Volume

LayerData = tuple[Any, dict[str, Any], str]

#: Keys of ``layer.metadata``: the volume with its place, what its labels mean, what it holds.
VOLUME_KEY = "qsm_volume"
REGIONS_KEY = "qsm_regions"
ROLE_KEY = "qsm_role"
#: What its sidecar says (echo time, field strength), handed from stage to stage.
FACTS_KEY = "qsm_facts"
#: Whose it is, and which quantity of :data:`napari_qsm.recon.stages.QUANTITIES`.
HEAD_KEY = "qsm_head"
QUANTITY_KEY = "qsm_quantity"
#: Whether its array is turned round, as :mod:`napari_qsm.session.upright` says.
TURNED_KEY = "qsm_turned"

AXIS_LABELS = ("z", "y", "x")
UNITS = ("mm", "mm", "mm")


def layer_data(
    volume: Volume,
    role: Role | None = None,
    regions: RegionTable | None = None,
    *,
    facts: Mapping[str, Any] | None = None,
    head: str = "",
    turned: bool = True,
) -> list[LayerData]:
    """A volume as layer tuples in (z, y, x) mm, one for each echo.

    Parameters
    ----------
    volume : Volume
        3-D or 4-D, in any axis order.
    role : str, optional
        What it holds; guessed from name and unit unless given.
    regions : dict, optional
        What its labels mean.
    facts : mapping, optional
        Entries of its sidecar; echo times of several echoes are a list.
    head : str
        Whose it is; empty if unknown.
    turned : bool
        Turned round for plain napari, or as the workspace has it.
    """
    role = role or guess_role(volume)
    if role == "map" and not volume.unit:
        volume = replace(volume, unit="ppm")
    echoes = volume.data.shape[3] if volume.data.ndim == 4 else 1
    layers: list[LayerData] = []
    for index in range(echoes):
        part = volume.to_canonical().echo(index)
        if echoes > 1:
            part = replace(part, name=f"{volume.name} {index + 1}")
        said = {FACTS_KEY: _of_echo(facts or {}, index, echoes), HEAD_KEY: head}
        layers.append(_layer_tuple(part, role, regions or {}, said, turned))
    return layers


def _of_echo(facts: Mapping[str, Any], index: int, echoes: int) -> dict[str, Any]:
    said = dict(facts)
    times = said.get("EchoTime")
    if isinstance(times, list | tuple):
        del said["EchoTime"]
        if len(times) == echoes:
            said["EchoTime"] = times[index]
    return said


def _layer_tuple(
    part: Volume, role: Role, regions: RegionTable, said: dict[str, Any], turned: bool
) -> LayerData:
    metadata = {VOLUME_KEY: part, ROLE_KEY: role, REGIONS_KEY: regions, TURNED_KEY: turned, **said}
    options: dict[str, Any] = {
        "name": part.name,
        "units": UNITS,
        "axis_labels": AXIS_LABELS,
        "metadata": metadata,
    }
    frame = DisplayFrame(part)
    options["scale"], options["translate"] = (
        turned_place(part)
        if turned
        else (napari_order(frame.size_mm), napari_order(frame.origin_mm))
    )
    shown = turned_round if turned else _plainly
    # What lies on top is seen, whatever layers the canvas has drawn at the same depth before.
    options["blending"] = "translucent_no_depth"
    if role in ("labels", "mask"):
        editable = np.array(as_labels(part))
        metadata[VOLUME_KEY] = replace(part, data=editable)
        options["opacity"] = 0.5
        if regions:
            options["colormap"] = region_colours(regions)
            options["features"] = region_features(regions)
        return shown(editable), options, "labels"
    options["contrast_limits"] = effective_window(first_display(part, role))
    return shown(part.data), options, "image"


def _plainly(canonical: Array) -> Array:
    return canonical.transpose(2, 1, 0)


def region_colours(regions: RegionTable) -> CyclicLabelColormap:
    """The colours of a label table; labels that are not in it get colours of their own.

    Hidden regions are see-through. The ring of colours reaches past the highest label of the
    table, so that no two of its rows share one; napari maps a ring at once, but compiles code
    for seconds when it is given a dictionary.
    """
    count = max(256, *(index + 1 for index in regions)) if regions else 256
    colours = np.zeros((count, 4), dtype=np.float32)
    for index in range(1, count):
        region = regions.get(index)
        if region is None and index > 255:
            continue
        name = region.color if region is not None and region.color else default_color(index)
        colours[index, :3] = [part / 255 for part in rgb(name)]
        colours[index, 3] = float(region is None or region.visible)
    return CyclicLabelColormap(colors=colours, background_value=0)


def region_features(regions: RegionTable) -> pd.DataFrame:
    """The table of a labels layer: its status line and napari's own table show it.

    It has a row for every label up to the highest one, with or without a name, since napari's
    table takes the place of a row for the label.
    """
    rows = [
        regions.get(index, Region(index, "" if index else "no region", "", ""))
        for index in range(max(regions, default=0) + 1)
    ]
    return pd.DataFrame(
        {
            "index": [row.index for row in rows],
            "name": [row.name for row in rows],
            "side": [row.side for row in rows],
        }
    )


def regions_of(meta: Mapping[str, Any]) -> RegionTable:
    """What the labels of a layer mean, with names that were changed in napari's own table.

    Parameters
    ----------
    meta : mapping
        The layer's options, as napari hands them to a writer.
    """
    regions: RegionTable = dict(meta.get("metadata", {}).get(REGIONS_KEY, {}))
    table = meta.get("features")
    if table is not None and {"index", "name"} <= set(table):
        for index, name in zip(table["index"], table["name"], strict=True):
            known = regions.get(int(index))
            if known is not None and str(name).strip():
                regions[int(index)] = replace(known, name=str(name).strip())
    return regions


def canonical_values(data: Any, metadata: Mapping[str, Any]) -> Array:
    """The values of a 3-D layer in (x, y, z) to the right, the front and the top; no copy."""
    array = np.asarray(data)
    return turned_back(array) if metadata.get(TURNED_KEY) else array.transpose(2, 1, 0)


def volume_of(data: Any, meta: Mapping[str, Any]) -> Volume:
    """The volume behind a layer, holding the values the layer has now.

    Raises
    ------
    QsmError
        If the layer is not 3-D, or its array has another shape than the volume it came from.
    """
    name = str(meta.get("name", "layer"))
    array = np.asarray(data)
    metadata = meta.get("metadata", {})
    known = metadata.get(VOLUME_KEY)
    if array.ndim != 3 or meta.get("rgb"):
        kind = "coloured" if meta.get("rgb") else f"{array.ndim}-D"
        raise QsmError(f"'{name}' is {kind}; only 3-D layers can be saved as NIfTI.")
    values = canonical_values(array, metadata)
    if isinstance(known, Volume):
        if values.shape != known.shape:
            raise FileError(
                f"'{name}' now has {values.shape} voxels, but its file had {known.shape}; "
                "it cannot be written onto that grid."
            )
        return known.with_data(values, name=name)
    affine = np.eye(4)
    affine[:3, :3] = np.diag(np.asarray(meta.get("scale", (1, 1, 1)), dtype=float)[::-1])
    affine[:3, 3] = np.asarray(meta.get("translate", (0, 0, 0)), dtype=float)[::-1]
    return Volume(values, affine, name=name, stored=StoredGrid(values.shape, affine))


def as_workspace_has_it(layer: Layer) -> None:
    """Turn the array of a layer back that plain napari had turned round; its place is not set."""
    if layer.metadata.pop(TURNED_KEY, False):
        _give(layer, np.asarray(layer.data)[::-1, ::-1, ::-1])


def as_plain_napari_has_it(layer: Layer) -> None:
    """Turn a layer round that the workspace leaves behind, so that it is upright without it.

    Layers of others stay as they are.
    """
    volume = layer.metadata.get(VOLUME_KEY)
    if not isinstance(volume, Volume) or layer.metadata.get(TURNED_KEY) or layer.ndim != 3:
        return
    if not isinstance(layer.data, np.ndarray):  # it lay across the frame of another map
        _give(layer, volume.to_canonical().echo(0).data.transpose(2, 1, 0))
    layer.metadata[TURNED_KEY] = True
    _give(layer, layer.data[::-1, ::-1, ::-1])
    layer.scale, layer.translate = turned_place(volume.to_canonical())


def _give(layer: Layer, data: Array) -> None:
    layer.data = data
    if isinstance(layer, Labels):
        compat.clear_history(layer)  # it holds places in the array as it lay before
