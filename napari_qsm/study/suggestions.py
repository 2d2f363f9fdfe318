"""Suggested places of fixed shapes: somewhere to start from, never a reading.

``..._desc-suggested_shapes.json`` beside a map::

    {
      "format": "napari-qsm suggestions", "version": 1,
      "meaning": "places to start from; these are no readings",
      "source": "atlas",                         # or "carried from ses-t0: atlas"
      "shapes": [{"kind": "circle", ..., "voxels": 87}],
      "raters": {"AA": {"source": "carried from ses-t0: reading of AA", "shapes": [...]}},
      "without": {"Thalamus L": "not in the atlas"},
      "notes": ["..."],
      "map_sha256": "...",
      "atlas": {"matrix": [...], "shifts_mm": {...}, ...}
    }

What comes from a rater's own readings stands under the rater and is for nobody else: raters who
start from each other's places agree by construction.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from napari_qsm.errors import FileError
from napari_qsm.io.atomic import write_text
from napari_qsm.io.plain_data import PlainDataError, parse_json
from napari_qsm.io.text import read_text
from napari_qsm.rois.shapes import FixedShape, indices_of
from napari_qsm.study.study_scan import StudyScan
from napari_qsm.volume import Volume

FORMAT, VERSION = "napari-qsm suggestions", 1
_MEANING = "places to start from; these are no readings"


@dataclass(frozen=True)
class Places:
    """Suggested shapes and where they come from."""

    source: str = ""
    shapes: tuple[FixedShape, ...] = ()


@dataclass(frozen=True)
class Suggestions:
    """Everything that is suggested for one scan.

    Attributes
    ----------
    common : Places
        For every rater.
    raters : dict of str to Places
        From a rater's own readings, for that rater.
    without : dict of str to str
        Regions of the protocol that have no suggestion, and why.
    notes : tuple of str
        Such as turns of shapes.
    map_sha256 : str
        Checksum of the map's file.
    atlas : dict
        :meth:`~napari_qsm.registration.nuclei.AtlasFit.to_dict`; empty for later visits.
    """

    common: Places = field(default_factory=Places)
    raters: Mapping[str, Places] = field(default_factory=dict)
    without: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    map_sha256: str = ""
    atlas: Mapping[str, Any] = field(default_factory=dict)

    def of(self, rater: str = "") -> Places:
        """What one rater may start from: own places, and the common ones for other regions."""
        own = self.raters.get(rater, Places())
        placed = {shape.region_name for shape in own.shapes}
        rest = tuple(shape for shape in self.common.shapes if shape.region_name not in placed)
        source = "; ".join(
            each for each in (own.source, self.common.source if rest else "") if each
        )
        return Places(source, own.shapes + rest)


def write_suggestions(scan: StudyScan, suggestions: Suggestions, grid: Volume) -> None:
    """Write what is suggested for a scan, atomically; ``grid`` is its map's."""
    write_text(scan.suggestion(), suggestions_text(suggestions, grid))


def suggestions_text(suggestions: Suggestions, grid: Volume) -> str:
    """The text of its file."""
    whole = {
        "format": FORMAT,
        "version": VERSION,
        "meaning": _MEANING,
        "source": suggestions.common.source,
        "shapes": _rows(suggestions.common.shapes, grid),
        "raters": {
            rater: {"source": places.source, "shapes": _rows(places.shapes, grid)}
            for rater, places in sorted(suggestions.raters.items())
        },
        "without": dict(suggestions.without),
        "notes": list(suggestions.notes),
        "map_sha256": suggestions.map_sha256,
        "atlas": dict(suggestions.atlas),
    }
    return json.dumps(whole, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _rows(shapes: Iterable[FixedShape], grid: Volume) -> list[dict[str, Any]]:
    return [
        {**shape.model_dump(mode="json"), "voxels": len(indices_of(shape, grid))}
        for shape in shapes
    ]


def read_suggestions(path: Path) -> Suggestions:
    """Read what is suggested for a scan; nothing where there is no file.

    Raises
    ------
    FileError
        If the file is damaged or something else.
    """
    if not path.is_file():
        return Suggestions()
    try:
        said = parse_json(read_text(path, "suggestion"))
        if not isinstance(said, dict) or said.get("format") != FORMAT:
            raise FileError(f"'{path}' holds no suggestions of napari-qsm.")
        if said.get("version") != VERSION:
            raise FileError(f"'{path}' is of another version ({said.get('version')!r}).")
        return Suggestions(
            common=_places(said),
            raters={str(rater): _places(own) for rater, own in said["raters"].items()},
            without={str(k): str(v) for k, v in said["without"].items()},
            notes=tuple(str(note) for note in said["notes"]),
            map_sha256=str(said["map_sha256"]),
            atlas=dict(said["atlas"]),
        )
    except PlainDataError as error:
        raise FileError(f"'{path}' {error}.") from None
    except (KeyError, TypeError, ValueError, AttributeError, ValidationError) as error:
        if isinstance(error, FileError):
            raise
        raise FileError(f"'{path}' is damaged; write it anew with 'study suggest'.") from None


def _places(said: Mapping[str, Any]) -> Places:
    rows = [{k: v for k, v in row.items() if k != "voxels"} for row in said["shapes"]]
    return Places(str(said["source"]), tuple(FixedShape.model_validate(row) for row in rows))
