"""Parts of a figure's description: volumes, colours, regions, crops, places."""

from __future__ import annotations

import unicodedata
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from napari_qsm.colormaps import Colouring
from napari_qsm.figures.annotations import Millimetres, Point, check_colour
from napari_qsm.rois.shapes import FixedShape

Finite = Annotated[float, Field(allow_inf_nan=False)]
Window = tuple[Finite, Finite]


#: Letters that a text can have, and entries that a list can have; a figure is one page.
_LONGEST_TEXT, _LONGEST_LINE = 20_000, 1_000
_MOST_PANELS, _MOST_ENTRIES = 200, 5_000
#: Texts that may be longer than a line.
_LONG = ("caption", "text", "path", "table")


class Model(BaseModel):
    """Refuses unknown keys, and wrong values also when they are set later."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True, allow_inf_nan=False)

    @field_validator("*", mode="after")
    @classmethod
    def _is_drawable(cls, value: Any, info: ValidationInfo) -> Any:
        """Texts and lists of any length are no figure, and control characters no text."""
        name = info.field_name
        longest = _LONGEST_TEXT if name in _LONG else _LONGEST_LINE
        _check_drawable(value, longest, _MOST_PANELS if name == "panels" else _MOST_ENTRIES)
        return value


def _check_drawable(value: object, longest: int, most: int) -> None:
    if isinstance(value, str):
        if len(value) > longest:
            raise ValueError(f"It has {len(value)} letters; at most {longest} can be drawn")
        if any(unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t" for c in value):
            raise ValueError("It holds control characters, which cannot be drawn")
    elif isinstance(value, dict | list | tuple):
        if len(value) > most:
            raise ValueError(f"It has {len(value)} entries; at most {most} can be drawn")
        for entry in value:
            _check_drawable(entry, longest, _MOST_ENTRIES)


def ordered_window(window: Window) -> Window:
    """The window, if it goes up.

    Raises
    ------
    ValueError
        If it doesn't.
    """
    if not window[1] > window[0]:
        raise ValueError(f"the window runs from {window[0]:g} to {window[1]:g}; it must go up")
    return window


#: Maps beside χ.
Quantity = Literal["r2star", "swi", "tswi", "mip", "chi_positive", "chi_negative"]


class Source(Model):
    """A volume that panels refer to by its key.

    Attributes
    ----------
    path : str
        NIfTI file, relative to the spec's folder; empty for a volume that the window holds.
    role : {"map", "magnitude", "labels", "other"}
        What its values are.
    name : str
        What the figure and its caption call it, for example ``"Control"``; never a patient's
        name.
    unit : str
        Unit of the values, where neither the file beside it nor the role says it.
    echo : int
        Which part of a 4-D file, from 0.
    table : str
        Label table of a label map; found beside it unless given.
    quantity : str
        Which map beside χ it is: ``"r2star"``, ``"swi"``, ``"tswi"``, ``"mip"``,
        ``"chi_positive"``, ``"chi_negative"``; empty for any other volume.
    """

    path: str = ""
    role: Literal["map", "magnitude", "labels", "other"] = "map"
    name: str = ""
    unit: str = ""
    echo: int = Field(default=0, ge=0)
    table: str = ""
    quantity: Quantity | Literal[""] = ""


class Display(Model):
    """How values become colours; panels that share one share its window and colour bar.

    Attributes
    ----------
    colouring : {"grey", "inverted", "colour", "both sides"}
        As in the window.
    colormap : str
        Colormap of ``"colour"``.
    window : (low, high)
        Values at the ends of the ramp: in ppm for susceptibilities, also where the file holds
        ppb; in the map's own unit for other quantities. So are thresholds.
    threshold_low, threshold_high : float or None
        Values beyond which the map is transparent; absolute ones with ``"both sides"``.
    smallest_cluster_mm3 : float
        Clusters of what thresholds leave are transparent below this volume: speckle. Voxels of one
        cluster share faces, in three dimensions; the caption tells the size.
    opacity : float
        Of the map over what lies below.
    interpolation : {"nearest", "linear"}
        ``"nearest"`` draws voxels as they are; anything else is said in the caption.
    """

    colouring: Colouring = "grey"
    colormap: str = "viridis"
    window: Window = (-0.1, 0.2)
    threshold_low: Finite | None = None
    threshold_high: Finite | None = None
    smallest_cluster_mm3: float = Field(default=0.0, ge=0, le=100_000)
    opacity: float = Field(default=1.0, ge=0, le=1)
    interpolation: Literal["nearest", "linear"] = "nearest"

    @field_validator("window")
    @classmethod
    def _ordered(cls, window: Window) -> Window:
        return ordered_window(window)


class Regions(Model):
    """Regions of a label map drawn on a slice.

    Attributes
    ----------
    labels : str
        Key of the label map.
    which : tuple of int
        Labels drawn; all if empty.
    style : {"outline", "fill", "both"}
        How.
    colours : {"side", "table"}
        Right and left in two colours that colour-blind readers tell apart, or the colours of
        the label table.
    own_colours : dict
        Label to ``"#rrggbb"``; goes before ``colours``.
    width_pt : float
        Of the outline.
    opacity : float
        Of the fill.
    names : {"none", "short", "full"}
        What is written beside each region.
    """

    labels: str
    which: tuple[int, ...] = ()
    style: Literal["outline", "fill", "both"] = "outline"
    colours: Literal["side", "table"] = "side"
    own_colours: dict[int, str] = Field(default_factory=dict)
    width_pt: float = Field(default=0.8, gt=0, le=10)
    opacity: float = Field(default=0.45, ge=0, le=1)
    names: Literal["none", "short", "full"] = "none"

    @field_validator("own_colours")
    @classmethod
    def _colours(cls, colours: dict[int, str]) -> dict[int, str]:
        return {label: check_colour(colour) for label, colour in colours.items()}


class ShapeMark(Model):
    """A fixed shape on the slice of a map, drawn along the borders of its voxels.

    Attributes
    ----------
    shape : FixedShape
        In RAS mm of the map.
    carried : bool
        Drawn broken: it was carried from another visit, not placed on this map.
    colour : str
        ``"#rrggbb"``; by the side of its region unless given.
    """

    shape: FixedShape
    carried: bool = False
    colour: str = ""

    @field_validator("colour")
    @classmethod
    def _colour(cls, colour: str) -> str:
        return check_colour(colour) if colour else ""


class BoxCrop(Model):
    """A rectangle of the slice: centre in RAS mm and size along the drawn axes."""

    kind: Literal["box"] = "box"
    centre_mm: Point
    size_mm: tuple[Millimetres, Millimetres]


class RegionsCrop(Model):
    """The rectangle around regions, with a margin; all labels if ``which`` is empty."""

    kind: Literal["regions"] = "regions"
    labels: str
    which: tuple[int, ...] = ()
    margin_mm: float = Field(default=12.0, ge=0, le=500)


class HeadCrop(Model):
    """The rectangle around all values of the map that are not zero, over all slices."""

    kind: Literal["head"] = "head"
    margin_mm: float = Field(default=4.0, ge=0, le=500)


class WholeCrop(Model):
    """All of the slice."""

    kind: Literal["whole"] = "whole"


Crop = Annotated[BoxCrop | RegionsCrop | HeadCrop | WholeCrop, Field(discriminator="kind")]


class Cell(Model):
    """A place in the grid of panels, counted from 0."""

    row: int = Field(ge=0, le=99)
    column: int = Field(ge=0, le=99)
    rows: int = Field(default=1, ge=1, le=100)
    columns: int = Field(default=1, ge=1, le=100)


class Box(Model):
    """A free place in the figure: millimetres from its left and upper edge."""

    left_mm: float = Field(ge=0)
    top_mm: float = Field(ge=0)
    width_mm: Millimetres
    height_mm: Millimetres
