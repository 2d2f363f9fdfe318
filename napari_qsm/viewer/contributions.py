"""What plain napari can do with this plugin: open, save, sample data."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from napari.utils import progress

from napari_qsm.errors import FileError
from napari_qsm.io.bids import sidecar_of
from napari_qsm.io.formats import can_read, is_segmentation, read_image
from napari_qsm.io.maps import declared_unit
from napari_qsm.io.nifti import ENDINGS, write_volume
from napari_qsm.io.segmentation import read_labels, regions_beside, write_labels
from napari_qsm.io.sidecar import sidecar_path, write_sidecar
from napari_qsm.io.whole_numbers import is_whole
from napari_qsm.quantities import checked_map
from napari_qsm.samples import GRE_CROP
from napari_qsm.session import guess_role
from napari_qsm.session.opening import load_head
from napari_qsm.study.identity import identity_of
from napari_qsm.viewer.plain.layers import FACTS_KEY, LayerData, layer_data, regions_of, volume_of
from napari_qsm.viewer.plain.letters import show_letters

#: The samples' grid: the case report's field of view and slices, coarser in the plane. The whole
#: takes 2.6 GB while it is made, and half a minute.
SAMPLE_GRID: dict[str, Any] = {"shape": (160, 130, 72), "voxel_size_mm": (1.5, 1.5, 2.0)}


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
        them) come as labels layers with the table's names and colours. The volume rides along in
        the metadata, so that saving puts the data back onto the file's own grid.
    """
    paths = [path] if isinstance(path, str | Path) else list(path)
    show_letters()
    layers: list[LayerData] = []
    for name in paths:
        who = identity_of(name, is_folder=False)
        head = who.name or str(who.folder)
        if is_segmentation(name):
            volume, rows = read_labels(name)
            layers += layer_data(volume, "labels", {row.index: row for row in rows}, head=head)
            continue
        volume = read_image(name, unit=declared_unit(name))
        regions = {row.index: row for row in regions_beside(name)}
        role = "labels" if regions and is_whole(volume) else guess_role(volume)
        if role == "map":
            volume = checked_map(volume)
        layers += layer_data(volume, role, regions, facts=sidecar_of(name), head=head)
    return layers


def write_one(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Save one image as NIfTI, on the grid of the file it came from.

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
        The file written, and beside it a sidecar with what is known of the image: its unit, echo
        time, field strength. A sidecar that is there already stays as it is.

    Raises
    ------
    QsmError
        If the layer is not 3-D, or its array has another shape than the volume it came from.
    """
    target = _with_ending(path)
    volume = volume_of(data, meta)
    write_volume(volume, target)
    beside = sidecar_path(target)
    if beside.exists():
        return [str(target)]
    facts = dict(meta.get("metadata", {}).get(FACTS_KEY, {}))
    write_sidecar(target, facts | ({"Units": volume.unit} if volume.unit else {}))
    return [str(target), *([str(beside)] if beside.exists() else [])]


def write_regions(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Save one labels layer as NIfTI with its label table beside; see :func:`write_one`."""
    target = _with_ending(path)
    regions = regions_of(meta)
    written = write_labels(volume_of(data, meta), regions.values(), target)
    return [str(each) for each in written]


def write_all(path: str, layers: list[LayerData]) -> list[str]:
    """Save several layers, each into a file of its own.

    Parameters
    ----------
    path : str
        Beginning of the files' names: ``head.nii.gz`` becomes ``head_chi.nii.gz`` and so on,
        after the layers' names.
    layers : list of (data, options, kind)
        As napari hands them over.

    Returns
    -------
    list of str
        The files written.

    Raises
    ------
    QsmError
        If a layer cannot be saved, or one of the files is there already: napari asks about the
        name that was typed alone. Nothing is written then.
    """
    given = str(_with_ending(path))
    ending = next(end for end in ENDINGS if given.lower().endswith(end))
    start = given[: -len(ending)]
    names = [re.sub(r"[^\w.-]+", "_", str(meta.get("name", "layer"))) for _, meta, _ in layers]
    double = {name for name in names if names.count(name) > 1}
    if double:
        raise FileError(f"Several layers are called '{double.pop()}'; give each a name of its own.")
    targets = [f"{start}_{name}{given[-len(ending) :]}" for name in names]
    there = [Path(target).name for target in targets if Path(target).exists()]
    if there:
        raise FileError(
            f"'{there[0]}' is there already; nothing was saved. Choose another beginning of the names."
        )
    for data, meta, _ in layers:
        volume_of(data, meta)  # a layer that cannot be saved is said before anything is written
    written: list[str] = []
    for target, (data, meta, kind) in zip(targets, layers, strict=True):
        written += (write_regions if kind == "labels" else write_one)(target, data, meta)
    return written


def _with_ending(path: str) -> Path:
    return Path(path if path.lower().endswith(ENDINGS) else f"{path}{ENDINGS[0]}")


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
    """Phase, magnitude, true susceptibility and regions of the built-in head.

    Parameters
    ----------
    subject : {"control", "patient"}
        Whose head.

    Returns
    -------
    list of (data, options, kind)
        On :data:`SAMPLE_GRID`, with echo time and field strength for the stages' widgets.
    """
    show_letters()
    with progress(total=100, desc=f"Making the head of the {subject}") as bar:
        loaded = load_head(subject, lambda done: _move(bar, done), **SAMPLE_GRID)
    scan = loaded.scan
    assert scan is not None
    facts = {**scan.metadata, "EchoTime": list(scan.echo_times_s)}
    layers: list[LayerData] = []
    phase = scan.phase[0].with_data(scan.phase[0].data, name=f"phase {subject}")
    for data, options, kind in layer_data(phase, "phase", facts=facts, head=subject):
        layers.append((data, options | {"visible": False}, kind))
    for opened in loaded.maps:
        said = facts if opened.role == "magnitude" else None
        layers += layer_data(opened.volume, opened.role, opened.regions, facts=said, head=subject)
    return layers


def _move(bar: Any, done: float) -> None:
    bar.update(int(100 * done) - bar.n)
