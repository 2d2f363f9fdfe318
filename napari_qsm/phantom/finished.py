"""The built-in heads, reconstructed beforehand: what the demonstration opens on at once.

The files lie beside this module; ``python docs/make_demonstration.py`` makes them anew. Each
volume is whole numbers of a fixed step, packed with lzma: 1 ppb for susceptibilities, which is the
last decimal that is written anywhere, and for magnitudes about the noise. The scan itself is not
among them; making it takes most of the time that they save.
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.errors import FileError
from napari_qsm.phantom.head import Head
from napari_qsm.phantom.subjects import Region, regions
from napari_qsm.volume import StoredGrid, Volume

FOLDER = Path(__file__).parent / "finished"
#: Name of each volume: type of its numbers, step, unit.
_KINDS = {
    "chi": ("<i2", 0.001, "ppm"),
    "magnitude": ("u1", 10.0, ""),
    "labels": ("u1", 1.0, ""),
}
#: Magnitudes below so many steps are air, whose noise is not worth its room.
_AIR_STEPS = 4


@dataclass(frozen=True, eq=False)
class FinishedHead:
    """A head with the map that the case report's recipe made of its scan.

    Attributes
    ----------
    subject : str
        ``"control"`` or ``"patient"``.
    magnitude, chi, labels : Volume
        On one grid; χ in ppm.
    label_names : tuple of Region
        What the labels mean.
    provenance : dict
        How χ was made.
    """

    subject: str
    magnitude: Volume
    chi: Volume
    labels: Volume
    label_names: tuple[Region, ...]
    provenance: Mapping[str, Any]


def write_finished(
    folder: Path, head: Head, chi: Volume, provenance: Mapping[str, Any]
) -> list[Path]:
    """Write what :func:`read_finished` reads; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    volumes = {"chi": chi, "magnitude": head.scan.magnitude[0], "labels": head.labels}
    about = {
        "shape": list(chi.shape),
        "affine": chi.affine.tolist(),
        "provenance": json.loads(json.dumps(provenance, default=str)),
    }
    written = [folder / f"{head.subject}.json"]
    written[0].write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8", newline="\n")
    for name, volume in volumes.items():
        kind, step, _ = _KINDS[name]
        whole = np.round(np.asarray(volume.data, dtype=np.float64) / step)
        if name == "magnitude":
            whole[whole < _AIR_STEPS] = 0
        limits = np.iinfo(kind)
        packed = whole.clip(limits.min, limits.max).astype(kind)
        path = folder / f"{head.subject}-{name}.xz"
        path.write_bytes(
            lzma.compress(packed.tobytes(order="F"), lzma.FORMAT_XZ, filters=_filters(kind))
        )
        written.append(path)
    return written


def read_finished(subject: str, folder: Path = FOLDER) -> FinishedHead:
    """Read a head that was reconstructed beforehand.

    Raises
    ------
    FileError
        If the files did not come with the program, or are damaged.
    """
    try:
        about = json.loads((folder / f"{subject}.json").read_text(encoding="utf-8"))
        shape, affine = tuple(about["shape"]), np.array(about["affine"], dtype=float)
        made = {name: _unpacked(folder / f"{subject}-{name}.xz", name, shape) for name in _KINDS}
        provenance = dict(about["provenance"])
    except (OSError, ValueError, KeyError, TypeError, lzma.LZMAError) as error:
        raise FileError(
            f"The finished {subject}'s head did not come with this installation."
        ) from error
    volumes = {
        name: Volume(
            data, affine, _KINDS[name][2], f"{name} {subject}", stored=StoredGrid(shape, affine)
        )
        for name, data in made.items()
    }
    return FinishedHead(
        subject,
        volumes["magnitude"],
        volumes["chi"],
        volumes["labels"],
        regions(),
        provenance,
    )


def _unpacked(path: Path, name: str, shape: tuple[int, ...]) -> Array:
    kind, step, _ = _KINDS[name]
    whole = np.frombuffer(lzma.decompress(path.read_bytes()), dtype=kind)
    whole = whole.reshape(shape, order="F")
    return np.array(whole) if step == 1.0 else whole * np.float32(step)


def _filters(kind: str) -> list[dict[str, int]]:
    size = np.dtype(kind).itemsize
    return [
        {"id": lzma.FILTER_DELTA, "dist": size},
        {"id": lzma.FILTER_LZMA2, "preset": 6, "lc": size - 1, "lp": size - 1, "pb": size - 1},
    ]
