"""Lists of regions to start from: small YAML files that can be copied and edited.

    name: My nuclei, left and right
    note: What the user should know about it.
    regions:
      - {name: Putamen, abbreviation: Put, sides: [left, right], colors: ["#ff6b6b", "#d63a3a"]}
      - {name: Pons, colors: ["#63d297"]}

``sides`` makes a region for each side, "Putamen L" and "Putamen R". Colours may be left out.
``label`` may fix a region's number; otherwise regions are numbered from 1 in their order.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from napari_qsm.errors import FileError
from napari_qsm.io.atomic import write_text
from napari_qsm.io.label_table import Region, default_color, read_label_table, side_of
from napari_qsm.io.plain_data import PlainDataError, parse_yaml

_TOP = {"name", "note", "regions"}
_ROW = {"name", "abbreviation", "sides", "colors", "label"}
_LETTER = {"left": " L", "right": " R"}
_COLOR = re.compile(r"#[0-9a-fA-F]{6}")
_HIGHEST = 65535


@dataclass(frozen=True)
class RegionPreset:
    """A list of regions with a title.

    Attributes
    ----------
    name : str
        For the menu.
    note : str
        What the user should know; may be empty.
    regions : tuple of Region
        In the order of their numbers.
    """

    name: str
    note: str
    regions: tuple[Region, ...]


def built_in_presets() -> list[RegionPreset]:
    """The lists that come with the program, the shortest first."""
    folder = resources.files("napari_qsm.rois") / "presets"
    files = [f for f in folder.iterdir() if f.name.endswith(".yaml")]
    found = [parse_preset(f.read_text("utf-8"), f"'{f.name}'") for f in files]
    return sorted(found, key=lambda preset: (len(preset.regions), preset.name))


def presets_in(folder: Path) -> tuple[list[RegionPreset], list[str]]:
    """The user's own lists in a folder, and a sentence for each file that is damaged."""
    found, problems = [], []
    for path in sorted(folder.glob("*.yaml")) if folder.is_dir() else []:
        try:
            found.append(read_preset(path))
        except FileError as error:
            problems.append(str(error))
    return found, problems


def read_preset(path: Path | str) -> RegionPreset:
    """Read a list of regions: a YAML file as above, or a label table of any known kind.

    Raises
    ------
    FileError
        If the file cannot be read or is no such list; the message names the row.
    """
    path = Path(path)
    if path.suffix.lower() not in (".yaml", ".yml"):
        return RegionPreset(path.stem, "", read_label_table(path))
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(f"Cannot read '{path}'.") from error
    return parse_preset(text, f"'{path.name}'")


def parse_preset(text: str, who: str) -> RegionPreset:
    """Read the text of such a YAML file; ``who`` names it in errors.

    Raises
    ------
    FileError
        If it is no such list.
    """
    try:
        whole = parse_yaml(text)
    except PlainDataError as error:
        raise FileError(f"{who} {error}.") from error
    if not isinstance(whole, dict) or not isinstance(whole.get("regions"), list):
        raise FileError(f"{who} is no list of regions: 'name' and 'regions' are needed.")
    unknown = set(map(str, whole)) - _TOP
    if unknown:
        raise FileError(f"{who}: '{sorted(unknown)[0]}' is not known there.")
    regions: list[Region] = []
    for number, row in enumerate(whole["regions"], start=1):
        regions += _regions(row, len(regions) + 1, f"{who}, region {number}")
    if not regions:
        raise FileError(f"{who} names no region.")
    indices = [region.index for region in regions]
    if len(set(indices)) < len(indices):
        raise FileError(f"{who} gives a label twice.")
    regions.sort(key=lambda region: region.index)
    return RegionPreset(
        str(whole.get("name") or who.strip("'")), str(whole.get("note") or ""), tuple(regions)
    )


def _regions(row: Any, first: int, where: str) -> list[Region]:
    """The regions of one row, numbered from ``first``."""
    if isinstance(row, str):
        row = {"name": row}
    if not isinstance(row, dict) or not str(row.get("name") or "").strip():
        raise FileError(f"{where}: a name is needed.")
    unknown = set(map(str, row)) - _ROW
    if unknown:
        raise FileError(f"{where}: '{sorted(unknown)[0]}' is not known there.")
    name = " ".join(str(row["name"]).split())
    sides = row.get("sides") or [""]
    colors = row.get("colors") or []
    if not isinstance(sides, list) or any(side not in ("", "left", "right") for side in sides):
        raise FileError(f"{where}: sides are a list of left and right.")
    if not isinstance(colors, list) or not all(_COLOR.fullmatch(str(c)) for c in colors):
        raise FileError(f"{where}: colours are a list of '#rrggbb' in quotes.")
    label = row.get("label", first)
    if not isinstance(label, int) or not 1 <= label <= _HIGHEST - len(sides):
        raise FileError(f"{where}: a label is a whole number from 1 to {_HIGHEST}.")
    made = []
    for offset, side in enumerate(sides):
        index = label + offset
        made.append(
            Region(
                index=index,
                name=name + _LETTER.get(side, ""),
                side=side or side_of(name),
                color=str(colors[offset]).lower() if offset < len(colors) else default_color(index),
                abbreviation=str(row.get("abbreviation") or ""),
            )
        )
    return made


def write_preset(path: Path | str, name: str, regions: Iterable[Region], note: str = "") -> None:
    """Write a list of regions, one row each, so that :func:`read_preset` gives it back.

    Raises
    ------
    FileError
        If nothing can be written there.
    """
    rows: list[dict[str, Any]] = []
    for region in sorted(regions, key=lambda r: r.index):
        row: dict[str, Any] = {"name": region.name, "label": region.index}
        if region.side and side_of(region.name) != region.side:
            # The name alone would not tell the side: its letter is written behind it.
            row["sides"] = [region.side]
            row["name"] = region.name.removesuffix(_LETTER[region.side])
        if region.abbreviation:
            row["abbreviation"] = region.abbreviation
        row["colors"] = [region.color]
        rows.append(row)
    head = "# Region list. Copy this file to change it.\n"
    whole = {"name": name, **({"note": note} if note else {}), "regions": rows}
    text = yaml.safe_dump(whole, sort_keys=False, allow_unicode=True, default_flow_style=None)
    write_text(path, head + text)


@lru_cache(maxsize=1)
def _abbreviations() -> dict[str, str]:
    rows = [region for preset in built_in_presets() for region in preset.regions]
    known = {re.sub(r" [LR]$", "", row.name).lower(): row.abbreviation for row in rows}
    return {**known, "lateral ventricle": "LV"}


def with_abbreviation(region: Region) -> Region:
    """A region with the abbreviation that lists have for its name, if it has none of its own.

    Label tables of other programs have no room for one.

    Examples
    --------
    >>> from napari_qsm.rois.region import Region
    >>> with_abbreviation(Region(1, "Substantia nigra R", "right", "#000000")).abbreviation
    'SN'
    """
    if region.abbreviation:
        return region
    name = re.sub(r"(?i)(^(left|right)[ _-]|[ _-](l|r|left|right)$)", "", region.name)
    found = _abbreviations().get(name.replace("_", " ").lower(), "")
    return replace(region, abbreviation=found) if found else region
