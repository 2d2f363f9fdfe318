"""The panels of a figure: slices, mosaics, tables, charts, words."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from napari_qsm.figures.annotations import Annotation, Millimetres, Plane, Point
from napari_qsm.figures.parts import (
    Box,
    Cell,
    Crop,
    Finite,
    HeadCrop,
    Model,
    Regions,
    Window,
    ordered_window,
)
from napari_qsm.rois.statistics import exported_statistics

#: Columns of tables besides single statistics.
TABLE_COLUMNS = ("subject", "region", "side", "voxels", "volume", "mean_sd", "range")


class _Panel(Model):
    """What all panels have.

    Attributes
    ----------
    letter : str
        A, B, C in the corner; empty for none.
    title : str
        Above the panel.
    cell, box : Cell or Box, optional
        Where it lies. Panels with neither fill the grid row by row.
    """

    letter: str = Field(default="", max_length=4)
    title: str = ""
    cell: Cell | None = None
    box: Box | None = None

    @model_validator(mode="after")
    def _one_place(self) -> _Panel:
        if self.cell is not None and self.box is not None:
            raise ValueError("a panel has either a 'cell' or a 'box', not both")
        return self


class _Picture(_Panel):
    """What panels with slices have.

    Attributes
    ----------
    map : str
        Key of the map.
    display : str
        Name of one of the figure's displays.
    unlocked_window : (low, high) or None
        A window of this panel alone; the caption then says so.
    over : str
        Key of an image, for example the magnitude, drawn in grey below the map.
    over_window : (low, high) or None
        Its window; chosen from its values unless given.
    crop : BoxCrop, RegionsCrop, HeadCrop or WholeCrop
        What part of the slice.
    regions : Regions or None
        Regions drawn.
    orientation_letters, slice_position, scale_bar : bool
        What is written in the panel.
    """

    map: str
    plane: Plane = "axial"
    display: str = "grey"
    unlocked_window: Window | None = None
    over: str = ""
    over_window: Window | None = None
    crop: Crop = Field(default_factory=HeadCrop)
    regions: Regions | None = None
    orientation_letters: bool = True
    slice_position: bool = True
    scale_bar: bool = False

    @field_validator("unlocked_window", "over_window")
    @classmethod
    def _ordered(cls, window: Window | None) -> Window | None:
        return None if window is None else ordered_window(window)


class ImagePanel(_Picture):
    """One slice of a map.

    Attributes
    ----------
    slice_mm : float or None
        Position along the plane's axis in RAS mm, at the middle of the slice.
    slice_index : int or None
        Or its number, from 1, counted to the right, front or top as the window does.
    through_mm : (x, y, z) or None
        Or a point in RAS mm that the slice goes through.
    annotations : tuple of Annotation
        Marks; those of other planes or slices are refused.
    """

    kind: Literal["image"] = "image"
    slice_mm: Finite | None = None
    slice_index: int | None = None
    through_mm: Point | None = None
    annotations: tuple[Annotation, ...] = ()

    @model_validator(mode="after")
    def _one_slice(self) -> ImagePanel:
        given = [self.slice_mm, self.slice_index, self.through_mm]
        if sum(value is not None for value in given) != 1:
            raise ValueError("give one of 'slice_mm', 'slice_index' and 'through_mm'")
        return self


class MosaicPanel(_Picture):
    """Many slices of a map in one panel, from ``first_mm`` to ``last_mm``.

    Attributes
    ----------
    first_mm, last_mm : float or None
        RAS mm along the plane's axis; the whole map if not given.
    step_mm : float or None
        Distance of the slices; or
    count : int or None
        their number.
    columns : int
        Slices in a row.
    """

    kind: Literal["mosaic"] = "mosaic"
    first_mm: Finite | None = None
    last_mm: Finite | None = None
    step_mm: Millimetres | None = None
    count: int | None = Field(default=None, ge=1, le=400)
    columns: int = Field(default=6, ge=1, le=40)

    @model_validator(mode="after")
    def _one_spacing(self) -> MosaicPanel:
        if (self.step_mm is None) == (self.count is None):
            raise ValueError("give either 'step_mm' or 'count'")
        return self


class Measured(Model):
    """A map measured in the regions of a label map.

    Attributes
    ----------
    map, labels : str
        Keys of sources.
    subject : str
        What the table calls it; the map's name unless given.
    """

    map: str
    labels: str
    subject: str = ""


class _Numbers(_Panel):
    """What panels with numbers of regions have.

    Attributes
    ----------
    measured : tuple of Measured
        Subjects in their order.
    which : tuple of int
        Labels; all if empty.
    """

    measured: tuple[Measured, ...] = Field(min_length=1)
    which: tuple[int, ...] = ()


class TablePanel(_Numbers):
    """Numbers of regions as a table.

    Attributes
    ----------
    columns : tuple of str
        In their order: :data:`TABLE_COLUMNS` and the statistics of
        :mod:`napari_qsm.rois.measures`.
    """

    kind: Literal["table"] = "table"
    columns: tuple[str, ...] = Field(
        default=("subject", "region", "voxels", "volume", "mean_sd"), min_length=1
    )

    @field_validator("columns")
    @classmethod
    def _known(cls, columns: tuple[str, ...]) -> tuple[str, ...]:
        known = (*TABLE_COLUMNS, *(each.name for each in exported_statistics()))
        for column in columns:
            if column not in known:
                raise ValueError(f"there is no column '{column}'; there are {', '.join(known)}")
        return columns


class ChartPanel(_Numbers):
    """Regions side by side, one colour for each subject.

    Attributes
    ----------
    chart : {"bars", "boxes"}
        Mean with SD, or median, quartiles and the 5th and 95th percentile.
    """

    kind: Literal["chart"] = "chart"
    chart: Literal["bars", "boxes"] = "bars"


class TextPanel(_Panel):
    """Words, wrapped to the panel.

    Attributes
    ----------
    text : str
        Written as it is; empty lines part paragraphs.
    methods_of : str
        Key of a map whose methods paragraph is written below the text.
    """

    kind: Literal["text"] = "text"
    text: str = ""
    methods_of: str = ""


Panel = Annotated[
    ImagePanel | MosaicPanel | TablePanel | ChartPanel | TextPanel, Field(discriminator="kind")
]
