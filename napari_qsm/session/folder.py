"""A session as a folder: one NIfTI per map and a JSON file that ties them together."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from napari_qsm.errors import FileError
from napari_qsm.io.atomic import staged_folder, write_text
from napari_qsm.io.label_table import Region, default_color
from napari_qsm.io.nifti import write_volume
from napari_qsm.rois.statistics import region_name, region_side
from napari_qsm.session.entries import MapEntry
from napari_qsm.session.model import Session

SESSION_FILE = "session.json"
_FORMAT = 1
_SAVED_FIELDS = (
    "crosshair_mm",
    "crosshair_visible",
    "unit",
    "radiological",
    "views_linked",
    "windows_linked",
    "large_plane",
)


def save_session(session: Session, folder: Path | str) -> Path:
    """Write a session into a folder; all of it appears together or not at all.

    Parameters
    ----------
    session : Session
        Every map is written on the grid and with the affine of the file it came from.
    folder : Path or str
        Made if missing; an earlier session there is replaced.

    Returns
    -------
    Path
        The session's JSON file.
    """
    folder = Path(folder)
    maps: list[dict[str, Any]] = []
    taken: set[str] = set()
    with staged_folder(folder, overwrite=True) as staging:
        for entry in session:
            file = _file_name(entry, taken)
            write_volume(entry.volume, staging / file)
            maps.append(
                {
                    "file": file,
                    "name": entry.name,
                    "role": entry.role,
                    "unit": entry.volume.unit,
                    "group": entry.group,
                    "linked": entry.linked,
                    "display": entry.display.model_dump(),
                    "regions": [
                        {
                            "index": key,
                            "name": region_name(region),
                            "side": region_side(region),
                            "color": str(getattr(region, "color", "") or default_color(key)),
                        }
                        for key, region in entry.regions.items()
                    ],
                }
            )
        fields = {name: getattr(session, name) for name in _SAVED_FIELDS}
        text = json.dumps({"format": _FORMAT, "settings": fields, "maps": maps}, indent=1)
        write_text(staging / SESSION_FILE, text + "\n")
    return folder / SESSION_FILE


def _file_name(entry: MapEntry, taken: set[str]) -> str:
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", entry.name.replace("χ", "chi")).strip("_.") or "map"
    name, number = plain, 2
    while name in taken:
        name, number = f"{plain}_{number}", number + 1
    taken.add(name)
    return f"{name}.nii.gz"


def read_session(folder: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Settings and maps of a saved session; the maps' files are not read yet.

    Raises
    ------
    FileError
        If the file is damaged or of a newer format.
    """
    path = folder / SESSION_FILE
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
        if saved["format"] != _FORMAT:
            raise FileError(
                f"'{path}' was saved by another version of this program; update to open it."
            )
        maps = []
        for item in saved["maps"]:
            regions = {row["index"]: Region(**row) for row in item["regions"]}
            maps.append({**item, "path": folder / Path(item["file"]).name, "regions": regions})
        settings = {name: saved["settings"][name] for name in _SAVED_FIELDS}
    except (OSError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, FileError):
            raise
        raise FileError(f"'{path}' is not a readable session.") from error
    return settings, maps
