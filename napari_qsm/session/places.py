"""Where the voxels of a map or of a scan's image are kept, and how they come back from there.

A volume that its own file still holds is referred to (``reference``), any other is copied into
the folder (``file``). Label maps and masks that are being drawn lie in slabs of slices, each
packed in a file of its own that is never changed (``store``): a stroke costs its slabs, and a
crash at any moment leaves a whole state behind.
"""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np

from napari_qsm.errors import QsmError
from napari_qsm.io.nifti import read_volume
from napari_qsm.session.grids import volume_on
from napari_qsm.session.records import Record
from napari_qsm.session.references import find, own_volume, read_reference, stamp_of
from napari_qsm.volume import Volume

#: Voxels that are packed at a time; a few milliseconds of work.
_SLAB_VOXELS = 2**19


def slab_depth(shape: tuple[int, ...]) -> int:
    """How many slices are packed together."""
    return max(1, _SLAB_VOXELS // (shape[0] * shape[1]))


def volume_at(
    place: Record, folder: Path, *, unit: str, name: str
) -> tuple[Volume | None, list[str]]:
    """Read a volume from where a record says it is kept.

    Parameters
    ----------
    place : dict
        Of one kind: ``reference``, ``store`` or ``file``; or ``origin``, of a map that had not
        been kept yet.
    folder : Path
        That holds the record.
    unit, name : str
        Of the volume.

    Returns
    -------
    volume : Volume or None
        None where it is not there.
    problems : list of str
        Sentences about what is odd; none about a file that stayed elsewhere and is gone.
    """
    problems: list[str] = []
    try:
        if place.get("reference"):
            return _referred(place["reference"], folder, unit=unit, name=name)
        if "store" in place:
            return _unpacked(place["store"], folder, problems, unit=unit, name=name), problems
        if place.get("file"):
            return _copied(place["file"], folder, unit=unit, name=name)
        if place.get("origin"):
            volume = read_volume(folder / place["origin"], unit=unit, name=name)
            problems.append(f"'{name}' was read from its file again; check its values and unit.")
            return volume, problems
    except (QsmError, OSError) as error:
        return None, [*problems, str(error)]
    return None, [f"'{name}' had not been kept yet; open it again."]


def _referred(
    reference: Record, folder: Path, *, unit: str, name: str
) -> tuple[Volume | None, list[str]]:
    found = find(reference, folder)
    if found.path is None:
        return None, []
    volume = read_reference(found.path, reference, unit=unit, name=name)
    if not found.changed:
        return volume, []
    return volume, [
        f"'{found.path.name}' has changed since the session was saved; '{name}' shows it "
        "as it is now, and numbers may differ."
    ]


def _copied(file: Record, folder: Path, *, unit: str, name: str) -> tuple[Volume, list[str]]:
    path = folder / Path(file["name"]).name
    volume = own_volume(path, unit=unit, name=name)
    if "sha256" not in file or stamp_of(path).sha256 == file["sha256"]:
        return volume, []
    return volume, [
        f"'{path.name}' was changed by another program since the session was saved; it is shown "
        "as it is now."
    ]


def _unpacked(store: Record, folder: Path, problems: list[str], *, unit: str, name: str) -> Volume:
    shape = tuple(int(n) for n in store["shape"])
    kind = np.dtype(store["dtype"])
    if kind not in (np.uint8, np.uint16) or len(shape) != 3 or not 0 < np.prod(shape) < 2**33:
        raise ValueError("no label map")
    values = np.zeros(shape, dtype=kind, order="F")
    depth = int(store["depth"])
    for key, (file, crc) in store["slabs"].items():
        first = int(key) * depth
        part = values[:, :, first : first + depth]
        try:
            packed = (folder / Path(file).name).read_bytes()
            if zlib.crc32(packed) != crc:
                raise ValueError
            raw = np.frombuffer(zlib.decompress(packed), dtype=values.dtype)
            part[...] = raw.reshape(part.shape, order="F")
        except (OSError, ValueError, zlib.error):
            problems.append(
                f"Slices {first + 1} to {first + part.shape[2]} of '{name}' are damaged "
                "and come back empty."
            )
    return volume_on(store, values, unit=unit, name=name)
