"""Marks drawn on slices: arrows, circles, ellipses, lines and words, in RAS millimetres.

A mark belongs to a place in the head, not to a figure: the window keeps marks with the
session, and panels of a figure carry copies.
"""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from napari_qsm.anatomy import Plane

AnnotationKind = Literal["arrow", "circle", "ellipse", "line", "text"]
#: RAS mm.
Point = tuple[
    Annotated[float, Field(allow_inf_nan=False)],
    Annotated[float, Field(allow_inf_nan=False)],
    Annotated[float, Field(allow_inf_nan=False)],
]
Millimetres = Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)]

#: White with a thin dark edge shows on every ground.
DEFAULT_COLOUR = "#ffffff"


def check_colour(value: str) -> str:
    """A colour as ``"#rrggbb"`` in small letters.

    Raises
    ------
    ValueError
        If it is anything else.
    """
    digits = value[1:]
    if not (
        len(value) == 7
        and value[0] == "#"
        and all(letter in "0123456789abcdefABCDEF" for letter in digits)
    ):
        raise ValueError(f"'{value}' is no colour; write it as #rrggbb")
    return value.lower()


class Annotation(BaseModel):
    """One mark on one slice.

    Attributes
    ----------
    kind : {"arrow", "circle", "ellipse", "line", "text"}
        What is drawn.
    plane : {"axial", "coronal", "sagittal"}
        The plane it was drawn in; it shows on slices of this plane through ``at_mm``.
    at_mm : (x, y, z)
        RAS mm: the arrow's tip, the circle's or ellipse's centre, the line's first end, the
        middle of the text.
    to_mm : (x, y, z) or None
        The arrow's tail or the line's other end; needed for these two only.
    radii_mm : (across, up) or None
        Half axes of a circle or ellipse along the drawn axes, in mm.
    text : str
        The words of a text; a label beside any other mark.
    meaning : str
        What it points at, for the caption alone.
    length : bool
        Write a line's length in mm beside it.
    colour : str
        ``"#rrggbb"``.
    width_pt : float
        Line width in points.
    size_pt : float or None
        Size of letters in points; the figure's own unless given.
    id : str
        Stays the same when the mark is moved or restyled.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    kind: AnnotationKind
    plane: Plane
    at_mm: Point
    to_mm: Point | None = None
    radii_mm: tuple[Millimetres, Millimetres] | None = None
    text: str = Field(default="", max_length=200)
    meaning: str = Field(default="", max_length=200)
    length: bool = True
    colour: str = DEFAULT_COLOUR
    width_pt: float = Field(default=1.0, gt=0, le=10)
    size_pt: float | None = Field(default=None, ge=3, le=72)
    id: str = Field(default_factory=lambda: uuid4().hex, min_length=1)

    _colour = field_validator("colour")(check_colour)

    @model_validator(mode="before")
    @classmethod
    def _without_group(cls, data: object) -> object:
        """Version 0.1 wrote whose head it lies in; the panel's map, or the case, tells that."""
        if isinstance(data, dict) and "group" in data:
            return {key: value for key, value in data.items() if key != "group"}
        return data

    @model_validator(mode="after")
    def _complete(self) -> Annotation:
        if self.kind in ("arrow", "line"):
            if self.to_mm is None:
                raise ValueError(f"this {self.kind} needs 'to_mm', its other end")
            if self.to_mm == self.at_mm:
                raise ValueError(f"both ends of this {self.kind} are one point")
        elif self.to_mm is not None:
            raise ValueError(f"'to_mm' belongs to arrows and lines, not to this {self.kind}")
        if self.kind in ("circle", "ellipse"):
            if self.radii_mm is None:
                raise ValueError(f"this {self.kind} needs 'radii_mm'")
            if self.kind == "circle" and self.radii_mm[0] != self.radii_mm[1]:
                raise ValueError("a circle has two equal radii; an ellipse may have two others")
        elif self.radii_mm is not None:
            raise ValueError(f"'radii_mm' belongs to circles and ellipses, not to this {self.kind}")
        if self.kind == "text" and not self.text.strip():
            raise ValueError("this text has no words")
        return self

    @property
    def length_mm(self) -> float | None:
        """Distance between the two ends of an arrow or a line; None for other marks."""
        if self.to_mm is None:
            return None
        squares = ((a - b) ** 2 for a, b in zip(self.at_mm, self.to_mm, strict=True))
        return float(sum(squares) ** 0.5)

    def moved(self, by_mm: Point) -> Annotation:
        """The same mark, moved."""
        change: dict[str, Point] = {"at_mm": _sum(self.at_mm, by_mm)}
        if self.to_mm is not None:
            change["to_mm"] = _sum(self.to_mm, by_mm)
        return self.model_copy(update=change)

    def restyled(self, **changes: object) -> Annotation:
        """The same mark with other fields, checked again."""
        return Annotation.model_validate({**self.model_dump(), **changes})


def _sum(a: Point, b: Point) -> Point:
    return a[0] + b[0], a[1] + b[1], a[2] + b[2]
