"""What the program writes: reconstructions and the built-in head, as NIfTI with sidecars."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_qsm.errors import FileError
from napari_qsm.io.atomic import staged_folder, write_text
from napari_qsm.io.label_table import write_itksnap
from napari_qsm.io.nifti import write_volume
from napari_qsm.io.sidecar import write_sidecar
from napari_qsm.volume import Volume

if TYPE_CHECKING:
    from napari_qsm.phantom import Head
    from napari_qsm.recon.pipeline import Result

#: File stem of each result.
RESULT_NAMES: Mapping[str, str] = {
    "phase": "phase",
    "mask": "mask",
    "unwrapped": "unwrapped",
    "total_field_ppm": "total_field",
    "noise_ppm": "field_noise",
    "local_field_ppm": "local_field",
    "local_mask": "local_mask",
    "chi_ppm": "chi",
    "r2star_per_s": "r2star",
    "t2star_s": "t2star",
}
#: The scaled phase is an input in other words; it is not written again.
_NOT_WRITTEN = {"phase"}


def result_files(result: Result) -> dict[str, str]:
    """Name of the file for each image of a result."""
    return {name: RESULT_NAMES[name] for name in result.images() if name not in _NOT_WRITTEN}


def check_free(folder: Path, *, overwrite: bool) -> None:
    """Refuse, before any work is done, a folder that already holds results.

    Raises
    ------
    FileError
        If a result would be replaced without leave.
    """
    if folder.exists() and not folder.is_dir():
        raise FileError(f"'{folder}' is a file; a folder name is needed.")
    if overwrite:
        return
    taken = [f"{stem}.nii.gz" for stem in RESULT_NAMES.values()] + ["provenance.json"]
    for name in taken:
        if (folder / name).exists():
            raise FileError(
                f"'{folder}' already holds '{name}'; choose another folder or add --overwrite."
            )


def write_result(result: Result, folder: Path, *, overwrite: bool = False) -> None:
    """Write every intermediate, ``provenance.json`` and ``methods.txt`` into a folder, together.

    Images lie on the grid, orientation and affine of the file they came from.
    """
    with staged_folder(folder, overwrite=overwrite) as staging:
        for name, stem in result_files(result).items():
            path = staging / f"{stem}.nii.gz"
            write_volume(result.volume(name), path)
            write_sidecar(path, sidecar_of(result, name))
        write_provenance(result, staging)


def sidecar_of(result: Result, name: str) -> dict[str, Any]:
    """Unit and meaning of one result, in BIDS terms."""
    unit = result.volume(name).unit
    said: dict[str, Any] = {"Description": name.replace("_", " ")}
    if unit:
        said["Units"] = unit
    provenance = result.provenance
    if name == "unwrapped":
        times = provenance["echo_times_s"]
        said["EchoTime"] = times[0] if len(times) == 1 else times
    if provenance["field_strength_t"]:
        said["MagneticFieldStrength"] = provenance["field_strength_t"]
    return said


def write_provenance(result: Result, folder: Path) -> None:
    """Write ``provenance.json`` and ``methods.txt``."""
    text = json.dumps(result.provenance, indent=2, ensure_ascii=False)
    write_text(folder / "provenance.json", text + "\n")
    write_text(folder / "methods.txt", result.methods + "\n")


def write_head(head: Head, folder: Path, *, overwrite: bool = False) -> None:
    """Write the built-in head: measured images, truth, labels with their table.

    Files are ``phase`` (rad), ``magnitude``, ``mask``, ``chi`` (ppm), ``local_field`` and
    ``total_field`` (ppm) and ``labels``, each ``.nii.gz`` with a sidecar, and ``labels.txt``
    in ITK-SNAP's format. Several echoes make 4-D files.
    """
    scan = head.scan
    times = list(scan.echo_times_s)
    acquisition = {
        "EchoTime": times[0] if len(times) == 1 else times,
        "MagneticFieldStrength": scan.field_strength_t,
    }
    images: list[tuple[str, Volume, dict[str, Any]]] = [
        ("phase", _echoes(scan.phase), {"Units": "rad", **acquisition}),
        ("magnitude", _echoes(scan.magnitude), {"Units": "arbitrary", **acquisition}),
        ("mask", head.mask, {}),
        ("chi", head.chi, {"Units": "ppm"}),
        ("local_field", head.local_field, {"Units": "ppm"}),
        ("total_field", head.total_field, {"Units": "ppm"}),
        ("labels", head.labels, {}),
    ]
    with staged_folder(folder, overwrite=overwrite) as staging:
        for name, volume, sidecar in images:
            path = staging / f"{name}.nii.gz"
            write_volume(volume, path)
            write_sidecar(path, sidecar)
        write_itksnap(staging / "labels.txt", head.label_names)


def _echoes(volumes: tuple[Volume, ...]) -> Volume:
    if len(volumes) == 1:
        return volumes[0]
    first = volumes[0]
    return first.with_data(np.stack([v.data for v in volumes], axis=-1), name=first.name)
