"""The grid of a volume as JSON, exact to the bit."""

from __future__ import annotations

from typing import Any

import nibabel as nib
import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.io.nifti import GEOMETRY_FIELDS
from napari_qsm.volume import SCANNER_Z, StoredGrid, Volume


def grid_record(volume: Volume) -> dict[str, Any]:
    """Where a volume's voxels lie, and how its file holds them.

    Of the file's header only numbers that place voxels are kept, no text.
    """
    record: dict[str, Any] = {
        "affine": volume.affine.tolist(),
        "orientation_known": volume.orientation_known,
        "b0_world": list(volume.b0_world),
        "stored": None,
    }
    stored = volume.stored
    if stored is not None:
        record["stored"] = {
            "shape": [int(n) for n in stored.shape],
            "affine": np.asarray(stored.affine, dtype=float).tolist(),
            "header": _header_record(stored.header),
        }
    return record


def volume_on(record: dict[str, Any], data: Array, *, unit: str, name: str) -> Volume:
    """A volume of these values on a grid from :func:`grid_record`."""
    stored = record["stored"]
    x, y, z = record.get("b0_world", SCANNER_Z)
    return Volume(
        data,
        np.array(record["affine"], dtype=np.float64),
        unit=unit,
        name=name,
        stored=None
        if stored is None
        else StoredGrid(
            tuple(stored["shape"]),
            np.array(stored["affine"], dtype=np.float64),
            _header(stored["header"]),
        ),
        orientation_known=bool(record["orientation_known"]),
        b0_world=(float(x), float(y), float(z)),
    )


def _header_record(header: Any) -> dict[str, Any] | None:
    if not isinstance(header, nib.Nifti1Header):
        return None
    fields = {name: np.asarray(header[name]).tolist() for name in GEOMETRY_FIELDS}
    return {
        "second": isinstance(header, nib.Nifti2Header),
        "pixdim": np.asarray(header["pixdim"]).tolist(),
        "fields": fields,
    }


def _header(record: dict[str, Any] | None) -> Any:
    if record is None:
        return None
    header = nib.Nifti2Header() if record["second"] else nib.Nifti1Header()
    header["pixdim"] = record["pixdim"]
    for name in GEOMETRY_FIELDS:
        header[name] = record["fields"][name]
    return header
