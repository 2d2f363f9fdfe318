"""What a figure shows, as data: a small JSON file from which it can be drawn again.

Lengths are millimetres, positions RAS mm in the head, values in the unit of their map.
Drawing is in :mod:`napari_qsm.figures.draw`; reading and writing in
:mod:`napari_qsm.figures.spec_files`.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from napari_qsm.figures import panels as _panels  # noqa: F401  registers the kinds
from napari_qsm.figures.kinds import Panel
from napari_qsm.figures.parts import Display, Model, Source
from napari_qsm.units import SusceptibilityUnit

#: Version of the format that this program writes; older ones are read.
SPEC_VERSION = 1
#: Widths of journals: one column, one and a half, two.
WIDTHS_MM = (85.0, 114.0, 174.0)


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
        Name of an installed font; DejaVu Sans comes with the program.
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
    font: str = "DejaVu Sans"
    size_pt: float = Field(default=7.0, ge=5, le=36)
    ground: Literal["light", "dark"] = "light"
    gap_mm: float = Field(default=1.2, ge=0, le=50)


def standard_displays() -> dict[str, Display]:
    """The three ways of the case report: grey, colour over the magnitude, inverted."""
    return {
        "grey": Display(),
        "colour": Display(
            colouring="colour", colormap="inferno", window=(0.0, 0.12), threshold_low=0.02
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
    caption: str = ""
