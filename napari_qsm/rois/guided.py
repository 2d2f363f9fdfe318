"""Guided placement: a list of regions, each with the shape that it gets, worked through in turn.

The lists are small YAML files that can be copied and edited:

    name: Basal ganglia, left and right
    note: What the user should know about it.
    regions:
      - {name: Putamen, sides: [left, right], kind: ellipse, size_mm: [16, 5], slices: 3,
         rotation_deg: 60}

``sides`` makes a step for each side, named "Putamen L" and "Putamen R"; without it the region
is one step under its own name. ``rotation_deg`` is that of the patient's right and is mirrored
for the left, unless the plane is sagittal. ``plane`` is axial unless given.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from napari_qsm.errors import FileError
from napari_qsm.io.plain_data import PlainDataError, parse_yaml
from napari_qsm.rois.shapes import FixedShape, Side

_TOP = ("name", "note", "regions")
_ROW = ("name", "sides", "kind", "size_mm", "slices", "plane", "rotation_deg")
_LETTER: dict[Side, str] = {"left": " L", "right": " R", "": ""}


@dataclass(frozen=True)
class Step:
    """One thing to place.

    Attributes
    ----------
    region_name : str
        With its side: "Caudate L".
    side : {"left", "right", ""}
        The patient's side.
    shape : FixedShape
        What to place, without a centre yet.
    """

    region_name: str
    side: Side
    shape: FixedShape

    @property
    def words(self) -> str:
        """The step for people: "left caudate, circle 6 mm, 3 slices"."""
        plain = self.region_name.removesuffix(_LETTER[self.side]) if self.side else ""
        where = f"{self.side} {plain[:1].lower()}{plain[1:]}" if plain else self.region_name
        return f"{where}, {self.shape.words}"


@dataclass(frozen=True)
class GuidedPreset:
    """A list of steps with a name and a note for the user."""

    name: str
    note: str
    steps: tuple[Step, ...]

    def missing(self, shapes: Iterable[FixedShape]) -> list[Step]:
        """Steps for whose region there is no shape yet."""
        placed = {shape.region_name for shape in shapes}
        return [step for step in self.steps if step.region_name not in placed]


def guided_presets() -> dict[str, str]:
    """Lists that come with the program: file name to the name the user sees."""
    folder = resources.files("napari_qsm.rois") / "guided_presets"
    files = sorted(f.name for f in folder.iterdir() if f.name.endswith(".yaml"))
    return {
        name.removesuffix(".yaml"): load_guided(name.removesuffix(".yaml")).name for name in files
    }


def guided_text(name: str) -> str:
    """The text of a list that comes with the program, for the user to copy and edit."""
    return (resources.files("napari_qsm.rois") / "guided_presets" / f"{name}.yaml").read_text(
        "utf-8"
    )


def load_guided(source: str | Path) -> GuidedPreset:
    """A list that comes with the program, by its name, or one from a YAML file.

    Raises
    ------
    FileError
        If the file cannot be read or says something impossible; the message names the region.
    """
    path = Path(source)
    shipped = resources.files("napari_qsm.rois") / "guided_presets" / f"{source}.yaml"
    if path.suffix not in (".yaml", ".yml") and shipped.is_file():
        text = shipped.read_text("utf-8")
    else:
        try:
            text = path.read_text("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not a text file"
            raise FileError(f"Cannot read '{path}': {reason}.") from error
    try:
        whole = parse_yaml(text)
    except PlainDataError as error:
        raise FileError(f"'{path.name}' {error}.") from error
    return _preset(whole, path.name)


def _preset(whole: Any, who: str) -> GuidedPreset:
    if not isinstance(whole, dict):
        raise FileError(f"'{who}' is no list of regions: it needs 'name' and 'regions'.")
    _only(whole, _TOP, f"'{who}'")
    steps = steps_of(whole.get("regions"), who)
    return GuidedPreset(str(whole.get("name") or who), str(whole.get("note") or ""), steps)


def steps_of(rows: Any, who: str) -> tuple[Step, ...]:
    """Steps from the rows of a list of regions.

    Parameters
    ----------
    rows : list of dict
        As under ``regions``.
    who : str
        The file, for messages.

    Raises
    ------
    FileError
        If there are none, one is impossible, or two have one name.
    """
    if not isinstance(rows, list | tuple) or not rows:
        raise FileError(f"'{who}' names no regions.")
    steps: list[Step] = []
    for row in rows:
        steps += _steps(row, who)
    names = [step.region_name for step in steps]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise FileError(f"'{who}' names {', '.join(twice)} twice.")
    return tuple(steps)


def _steps(row: Any, who: str) -> list[Step]:
    if not isinstance(row, dict) or not row.get("name"):
        raise FileError(f"A region in '{who}' has no name.")
    name = str(row["name"])
    where = f"'{name}' in '{who}'"
    _only(row, _ROW, where)
    sides = row.get("sides", [])
    if not isinstance(sides, list) or any(side not in ("left", "right") for side in sides):
        raise FileError(f"{where}: sides must be a list of left and right.")
    size = row.get("size_mm")
    fields = {key: row[key] for key in ("kind", "slices", "plane", "rotation_deg") if key in row}
    fields["size_mm"] = tuple(size) if isinstance(size, list) else (size,)
    made: list[Step] = []
    for side in sides or [""]:
        called = name + _LETTER[side]
        try:
            shape = FixedShape.model_validate({**fields, "side": side, "region_name": called})
            if side == "left" and shape.plane != "sagittal" and shape.rotation_deg not in (0, 90):
                shape = shape.but(rotation_deg=-shape.rotation_deg)
        except ValidationError as error:
            first = error.errors()[0]
            entry = ".".join(str(part) for part in first["loc"][:1])
            reason = first["msg"].removeprefix("Value error, ")
            raise FileError(f"{where}: {entry + ': ' if entry else ''}{reason}.") from error
        made.append(Step(called, side, shape))
    return made


def _only(mapping: dict[Any, Any], known: tuple[str, ...], where: str) -> None:
    unknown = sorted(str(key) for key in mapping if key not in known)
    if unknown:
        raise FileError(f"{where} has unknown entries: {', '.join(unknown)}.")
