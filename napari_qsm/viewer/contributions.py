"""What plain napari can do with this plugin: open, save, sample data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_qsm.anatomy import DisplayFrame
from napari_qsm.colormaps import effective_window
from napari_qsm.errors import FileError, QsmError
from napari_qsm.io.formats import can_read, is_segmentation, read_image
from napari_qsm.io.maps import declared_unit
from napari_qsm.io.nifti import ENDINGS, write_volume
from napari_qsm.io.segmentation import read_labels, regions_beside
from napari_qsm.io.whole_numbers import as_labels, is_whole
from napari_qsm.quantities import checked_map
from napari_qsm.rois.region import RegionTable
from napari_qsm.samples import GRE_CROP
from napari_qsm.session import Role, first_display, guess_role
from napari_qsm.session.frames import napari_order
from napari_qsm.session.opening import load_head
from napari_qsm.volume import StoredGrid, Volume

LayerData = tuple[Any, dict[str, Any], str]

#: Keys of ``layer.metadata``.
VOLUME_KEY = "qsm_volume"
REGIONS_KEY = "qsm_regions"
ROLE_KEY = "qsm_role"

AXIS_LABELS = ("z", "y", "x")
UNITS = ("mm", "mm", "mm")


def get_reader(path: str | Sequence[str]) -> Callable[[Any], list[LayerData]] | None:
    """Offer to read images of the formats that are registered; None for anything else."""
    paths = [path] if isinstance(path, str | Path) else list(path)
    if not paths or not all(can_read(p) for p in paths):
        return None
    return read


def read(path: str | Sequence[str]) -> list[LayerData]:
    """Read images as layers in (z, y, x), upright, in mm.

    Parameters
    ----------
    path : str or list of str
        One or more files; each gives one layer, 4-D files one layer per echo.

    Returns
    -------
    list of (data, options, kind)
        Label maps (whole numbers under a name that says so, or with a label table beside
        them) come as labels layers. The volume rides along in the metadata, so that saving
        puts the data back onto the file's own grid.
    """
    paths = [path] if isinstance(path, str | Path) else list(path)
    layers: list[LayerData] = []
    for name in paths:
        if is_segmentation(name):
            volume, rows = read_labels(name)
            layers += layer_data(volume, "labels", {row.index: row for row in rows})
            continue
        volume = read_image(name, unit=declared_unit(name))
        regions = {row.index: row for row in regions_beside(name)}
        role = "labels" if regions and is_whole(volume) else guess_role(volume)
        if role == "map":
            volume = checked_map(volume)
        layers += layer_data(volume, role, regions)
    return layers


def layer_data(
    volume: Volume, role: Role | None = None, regions: RegionTable | None = None
) -> list[LayerData]:
    """A volume as layer tuples; see :func:`read`."""
    role = role or guess_role(volume)
    if role == "map" and not volume.unit:
        volume = replace(volume, unit="ppm")
    echoes = volume.data.shape[3] if volume.data.ndim == 4 else 1
    layers: list[LayerData] = []
    for index in range(echoes):
        part = volume.to_canonical().echo(index)
        if echoes > 1:
            part = replace(part, name=f"{volume.name} {index + 1}")
        layers.append(_layer_tuple(part, role, regions or {}))
    return layers


def _layer_tuple(part: Volume, role: Role, regions: RegionTable) -> LayerData:
    frame = DisplayFrame(part)
    options: dict[str, Any] = {
        "name": part.name,
        "scale": napari_order(frame.size_mm),
        "translate": napari_order(frame.origin_mm),
        "units": UNITS,
        "axis_labels": AXIS_LABELS,
        "metadata": {VOLUME_KEY: part, ROLE_KEY: role, REGIONS_KEY: regions},
    }
    if role in ("labels", "mask"):
        editable = np.array(as_labels(part))
        options["metadata"][VOLUME_KEY] = replace(part, data=editable)
        options["opacity"] = 0.5
        return editable.transpose(2, 1, 0), options, "labels"
    options["contrast_limits"] = effective_window(first_display(part, role))
    return part.data.transpose(2, 1, 0), options, "image"


def write_one(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Save one layer as NIfTI, on the grid of the file it came from.

    Parameters
    ----------
    path : str
        Where to; ``.nii.gz`` is added if no known ending is there.
    data : array, shape (z, y, x)
        The layer's data.
    meta : dict
        The layer's options, as napari hands them over.

    Returns
    -------
    list of str
        The file written; empty if it could not be.

    Raises
    ------
    QsmError
        If the layer is not 3-D, or its array has another shape than the volume it came from.
    """
    target = Path(path if path.lower().endswith(ENDINGS) else f"{path}{ENDINGS[0]}")
    write_volume(volume_of(data, meta), target)
    return [str(target)]


def volume_of(data: Any, meta: dict[str, Any]) -> Volume:
    """The volume behind a layer, holding the values the layer has now."""
    name = str(meta.get("name", "layer"))
    array = np.asarray(data)
    known = meta.get("metadata", {}).get(VOLUME_KEY)
    if isinstance(known, Volume):
        values = array.transpose(2, 1, 0) if array.ndim == 3 else array
        if values.shape != known.shape:
            raise FileError(
                f"'{name}' now has {values.shape} voxels, but its file had {known.shape}; "
                "it cannot be written onto that grid."
            )
        return known.with_data(values, name=name)
    if array.ndim != 3:
        raise QsmError(f"'{name}' is {array.ndim}-D; only 3-D layers can be saved as NIfTI.")
    affine = np.eye(4)
    affine[:3, :3] = np.diag(np.asarray(meta.get("scale", (1, 1, 1)), dtype=float)[::-1])
    affine[:3, 3] = np.asarray(meta.get("translate", (0, 0, 0)), dtype=float)[::-1]
    values = array.transpose(2, 1, 0)
    return Volume(values, affine, name=name, stored=StoredGrid(values.shape, affine))


def sample_control() -> list[LayerData]:
    """The built-in head of the control."""
    return sample("control")


def sample_patient() -> list[LayerData]:
    """The built-in head of the patient."""
    return sample("patient")


def sample_crop() -> list[LayerData]:
    """A part of a real brain: three echoes of phase and magnitude.

    Its field strength was not recorded; whatever makes a field of it has to ask.
    """
    layers = read([str(GRE_CROP / f"{part}.nii.gz") for part in ("phase", "magnitude")])
    return [
        (data, options | {"name": f"{options['name']} (real crop, B0 not recorded)"}, kind)
        for data, options, kind in layers
    ]


def sample(subject: str) -> list[LayerData]:
    """Magnitude, true susceptibility and regions of the built-in head."""
    layers: list[LayerData] = []
    for opened in load_head(subject).maps:
        layers += layer_data(opened.volume, opened.role, opened.regions)
    return layers
