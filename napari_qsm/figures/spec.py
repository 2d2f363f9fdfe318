"""What a figure shows, as data: a small JSON file from which it can be drawn again.

Lengths are millimetres, positions RAS mm in the head, values in the unit of their map.
Drawing is in :mod:`napari_qsm.figures.draw`; reading and writing in
:mod:`napari_qsm.figures.spec`.
"""

from __future__ import annotations

import difflib
import json
import os
import re
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError

from napari_qsm.errors import FileError
from napari_qsm.figures import parts
from napari_qsm.figures.annotations import Annotation
from napari_qsm.figures.kinds import PANELS, Panel
from napari_qsm.figures.lettering import FONT
from napari_qsm.figures.panels import Measured
from napari_qsm.figures.parts import Display, Model, Source
from napari_qsm.io.atomic import write_text
from napari_qsm.io.plain_data import PlainDataError, parse_json
from napari_qsm.units import SusceptibilityUnit

#: Version of the format that this program writes; older ones are read.
SPEC_VERSION = 1
#: Widths of journals: one column, one and a half, two.
WIDTHS_MM = (85.0, 114.0, 174.0)
#: Clusters below this are speckle of noise in the overlays of templates.
SPECKLE_MM3 = 50.0
#: What journals ask for of figures without pictures: charts, tables, diagrams.
LINE_ART_DPI = 600


class ColourBar(Model):
    """A colour bar for all panels of one display.

    Attributes
    ----------
    display : str
        Name of the display.
    where : {"right", "bottom"}
        Beside the rows or below the columns.
    first, last : int or None
        Rows (columns, at the bottom) that it spans, from 0; those that use the display
        unless given.
    title : str
        Quantity and unit, ``"χ (ppm)"`` unless given.
    """

    display: str
    where: Literal["right", "bottom"] = "right"
    first: int | None = Field(default=None, ge=0)
    last: int | None = Field(default=None, ge=0)
    title: str = ""


class Style(Model):
    """Size and look of the whole figure.

    Attributes
    ----------
    width_mm : float
        85, 114 or 174 in most journals.
    height_mm : float or None
        As much as the panels need unless given; pictures then keep their shape and get
        smaller.
    dpi : int
        Of PNG and TIFF, and of pictures within PDF and SVG.
    font : str
        Name of an installed font; Arimo (with the widths of Arial) and DejaVu Sans come with the
        program.
    size_pt : float
        Size of letters; small notes are one point smaller.
    ground : {"light", "dark"}
        White or black paper.
    gap_mm : float
        Between panels.
    """

    width_mm: float = Field(default=174.0, ge=20, le=1200)
    height_mm: float | None = Field(default=None, ge=10, le=1200)
    dpi: int = Field(default=300, ge=30, le=1200)
    font: str = FONT
    size_pt: float = Field(default=7.0, ge=5, le=36)
    ground: Literal["light", "dark"] = "light"
    gap_mm: float = Field(default=1.2, ge=0, le=50)


def standard_displays() -> dict[str, Display]:
    """The three ways of the case report: grey, colour over the magnitude, inverted."""
    return {
        "grey": Display(),
        "colour": Display(
            colouring="colour",
            colormap="inferno",
            window=(0.0, 0.12),
            threshold_low=0.02,
            smallest_cluster_mm3=SPECKLE_MM3,
        ),
        "inverted": Display(colouring="inverted", window=(-0.1, 0.15)),
    }


class FigureSpec(Model):
    """A whole figure.

    Attributes
    ----------
    version : int
        Of this format.
    sources : dict
        Key to volume.
    displays : dict
        Name to display.
    panels : tuple of panels
        In reading order.
    columns : int
        Of the grid.
    row_titles, column_titles : tuple of str
        At the left and upper edge of the grid.
    colour_bars : tuple of ColourBar
        Those drawn.
    style : Style
        Size and look.
    radiological : bool
        True where the patient's right is drawn on the left.
    same_scale : bool
        Pictures of one plane and one crop show equally many mm.
    unit : {"ppm", "ppb"}
        In which susceptibilities are written.
    called : dict
        Region, without its side, to the words of figure, table and caption where its name would
        say too much: ``{"Putamen": "putamen core"}`` for an outline that covers only a part.
    caption : str
        Your own caption; a draft is made where it is empty. Sides, where no panel has letters,
        and windows of single panels are added to it.
    """

    version: int = Field(default=SPEC_VERSION, ge=1, le=SPEC_VERSION)
    sources: dict[str, Source] = Field(default_factory=dict)
    displays: dict[str, Display] = Field(default_factory=standard_displays)
    panels: tuple[Panel, ...] = ()
    columns: int = Field(default=2, ge=1, le=40)
    row_titles: tuple[str, ...] = ()
    column_titles: tuple[str, ...] = ()
    colour_bars: tuple[ColourBar, ...] = ()
    style: Style = Field(default_factory=Style)
    radiological: bool = True
    same_scale: bool = True
    unit: SusceptibilityUnit = "ppm"
    called: dict[str, str] = Field(default_factory=dict)
    caption: str = ""


_BELONGS = {
    "greater_than": "too small",
    "greater_than_equal": "too small",
    "less_than": "too large",
    "less_than_equal": "too large",
}


def read_spec(path: Path | str) -> FigureSpec:
    """Read a figure's JSON file.

    Raises
    ------
    FileError
        If it is missing, no JSON, from a newer version of the program, or says something
        that is not understood; the sentence names the place in the file.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise FileError(f"There is no file '{path}'.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(f"'{path.name}' cannot be read as a figure's JSON file.") from error
    return parse_spec(text, where=f"'{path.name}'")


def is_spec(path: Path) -> bool:
    """Whether a file holds a figure."""
    try:
        read_spec(path)
    except FileError:
        return False
    return True


def parse_spec(text: str, *, where: str = "The figure") -> FigureSpec:
    """A spec from JSON text.

    Raises
    ------
    FileError
        As for :func:`read_spec`.
    """
    try:
        said = parse_json(text)
    except PlainDataError as error:
        raise FileError(f"{where} {error}.") from error
    if not isinstance(said, dict):
        raise FileError(f"{where} does not describe a figure.")
    version = said.get("version", SPEC_VERSION)
    if isinstance(version, int) and version > SPEC_VERSION:
        raise FileError(
            f"{where} was made by a newer napari-qsm (format {version}, this program knows "
            f"{SPEC_VERSION}); update the program to draw it."
        )
    try:
        return FigureSpec.model_validate(said)
    except ValidationError as error:
        raise FileError(f"{where}: {plain(error)}") from None


def plain(error: ValidationError) -> str:
    """The first thing that is wrong with a spec, in a sentence."""
    # An unknown key goes first: it often is why another one is missing.
    faults = sorted(error.errors(), key=lambda fault: fault["type"] != "extra_forbidden")
    fault = faults[0]
    place = _place(fault["loc"])
    if fault["type"] == "extra_forbidden":
        key = str(fault["loc"][-1])
        close = difflib.get_close_matches(key, _all_keys(), n=1)
        hint = f" Did you mean '{close[0]}'?" if close else ""
        return f"the key {place} is not known.{hint}"
    if fault["type"] == "missing":
        return f"{place} is missing."
    if fault["type"] == "union_tag_not_found":
        return f"{place} does not say its 'kind'."
    if fault["type"] == "union_tag_invalid":
        return f"{place} has an unknown 'kind'; there are {fault['ctx']['expected_tags']}."
    if fault["type"] in _BELONGS:
        return f"{place} is {_BELONGS[fault['type']]}: {_shown(fault['input'])}."
    message = str(fault["msg"]).removeprefix("Value error, ")
    said = "" if fault["type"] == "value_error" else f" ({_shown(fault['input'])})"
    return f"{place}{said}: {message[0].lower() + message[1:]}." if place else f"{message}."


def _place(loc: tuple[int | str, ...]) -> str:
    """``panels[2].display`` from pydantic's location, without its names of alternatives."""
    words = ""
    previous: int | str = ""
    for index, part in enumerate(loc):
        if isinstance(part, int):
            words += f"[{part}]"
        elif not (isinstance(previous, int) or previous == "crop") or part not in _CROPS | set(
            PANELS
        ):
            words += f".{part}" if index else part
        previous = part
    return f"'{words}'" if words else ""


#: A list of numbers over several lines (no text in JSON has line breaks).
_NUMBERS = re.compile(r"(?<=\[)\n\s+[-+.\deE]+(?:,\n\s+[-+.\deE]+)*\n\s+(?=\])")
_CROPS = {"box", "regions", "head", "whole"}


def _shown(value: Any) -> str:
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 40 else text[:39] + "…"


def _all_keys() -> list[str]:
    models: list[type[BaseModel]] = [FigureSpec, Style, ColourBar, Annotation]
    models += [*PANELS.values(), Measured]
    models += [each for each in vars(parts).values() if _is_model(each)]
    return sorted({key for model in models for key in model.model_fields})


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel) and kind is not BaseModel


def write_spec(spec: FigureSpec, path: Path | str, *, base: Path | str | None = None) -> None:
    """Write a figure's JSON file, atomically.

    Parameters
    ----------
    spec : FigureSpec
        Its paths are relative to ``base``.
    path : Path or str
        The file.
    base : Path or str, optional
        The folder that the paths in ``spec`` start from; the file's own unless given.

    Raises
    ------
    FileError
        If nothing can be written there.
    """
    path = Path(path)
    write_text(path, spec_text(spec, folder=path.parent, base=base))


def spec_text(spec: FigureSpec, *, folder: Path, base: Path | str | None = None) -> str:
    """The JSON text of a spec for a file in ``folder``."""
    # Defaults are written out, so that a figure stays as it is when they change.
    said = spec.model_dump(mode="json", exclude_none=True)
    for source in said["sources"].values():
        if not source["quantity"]:  # most have none, and earlier versions do not know of any
            del source["quantity"]
        for key in ("path", "table"):
            if source[key]:
                source[key] = moved_path(source[key], base or folder, folder)
    text = json.dumps(said, indent=2, ensure_ascii=False)
    return _NUMBERS.sub(lambda list_: re.sub(r"\s+", " ", list_[0]).strip(), text) + "\n"


def resolved(path: str, base: Path | str) -> Path:
    """The file that a path in a spec means."""
    if not PureWindowsPath(path).is_absolute():  # a path written on Windows works elsewhere
        path = path.replace("\\", "/")
    return Path(base) / path


def moved_path(path: str, old: Path | str, new: Path | str) -> str:
    """A path relative to one folder as a path relative to another, with forward slashes."""
    full = resolved(path, old).absolute()
    try:
        relative = os.path.relpath(full, Path(new).absolute())
    except ValueError:  # another drive of a Windows computer
        return full.as_posix()
    return str(PurePosixPath(*Path(relative).parts))
