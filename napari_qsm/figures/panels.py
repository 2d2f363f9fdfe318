"""The panels of a figure: slices, mosaics, tables, charts, words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from napari_qsm.figures.annotations import Annotation, Millimetres, Plane, Point
from napari_qsm.figures.kinds import BasePanel, panel_kind
from napari_qsm.figures.parts import (
    Crop,
    Finite,
    HeadCrop,
    Model,
    Regions,
    RegionsCrop,
    ShapeMark,
    Window,
    ordered_window,
)
from napari_qsm.rois.statistics import exported_statistics

#: Columns of tables besides single statistics.
#: Statistics that a figure can measure by itself beside those of every file.
_ALSO = ("p25", "p75", "inner_mean", "edge_difference", "difference")
TABLE_COLUMNS = ("subject", "region", "side", "voxels", "volume", "mean_sd", "range")


class Picture(BasePanel):
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

    def sources(self) -> Iterator[tuple[str, str]]:
        """Its map, the image below, and the labels of regions and crop."""
        yield self.map, "map"
        if self.over:
            yield self.over, "image below the map"
        if self.regions is not None:
            yield self.regions.labels, "regions"
        if isinstance(self.crop, RegionsCrop):
            yield self.crop.labels, "regions"

    def renamed(self, keys: Mapping[str, str]) -> Self:
        """The same with its sources under other keys."""
        fields: dict[str, object] = {"map": keys[self.map]}
        if self.over:
            fields["over"] = keys[self.over]
        if self.regions is not None:
            labels = keys[self.regions.labels]
            fields["regions"] = self.regions.model_copy(update={"labels": labels})
        if isinstance(self.crop, RegionsCrop):
            fields["crop"] = self.crop.model_copy(update={"labels": keys[self.crop.labels]})
        return self.model_copy(update=fields)


@panel_kind
class ImagePanel(Picture):
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
    shapes : tuple of ShapeMark
        Fixed shapes; those that the slice does not meet are not drawn.
    """

    is_wide: ClassVar[bool] = False

    kind: Literal["image"] = "image"
    slice_mm: Finite | None = None
    slice_index: int | None = None
    through_mm: Point | None = None
    annotations: tuple[Annotation, ...] = ()
    shapes: tuple[ShapeMark, ...] = ()

    @model_validator(mode="after")
    def _one_slice(self) -> ImagePanel:
        given = [self.slice_mm, self.slice_index, self.through_mm]
        if sum(value is not None for value in given) != 1:
            raise ValueError("give one of 'slice_mm', 'slice_index' and 'through_mm'")
        return self

    def renamed(self, keys: Mapping[str, str]) -> Self:
        """The same under other keys, its marks numbered anew."""
        marks = tuple(
            mark.model_copy(update={"id": f"mark-{number}"})
            for number, mark in enumerate(self.annotations, 1)
        )
        return super().renamed(keys).model_copy(update={"annotations": marks})


@panel_kind
class MosaicPanel(Picture):
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
        Slices in a row; fewer where their positions could not be written.
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


class Numbers(BasePanel):
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

    def sources(self) -> Iterator[tuple[str, str]]:
        """Maps, and the labels they are measured under."""
        for one in self.measured:
            yield one.map, "map"
            yield one.labels, "regions"

    def renamed(self, keys: Mapping[str, str]) -> Self:
        """The same with its sources under other keys."""
        measured = tuple(
            one.model_copy(update={"map": keys[one.map], "labels": keys[one.labels]})
            for one in self.measured
        )
        return self.model_copy(update={"measured": measured})


@panel_kind
class TablePanel(Numbers):
    """Numbers of regions as a table.

    Attributes
    ----------
    columns : tuple of str
        In their order: :data:`TABLE_COLUMNS` and the statistics of
        :mod:`napari_qsm.rois.measures`. ``difference`` is that from the first subject, with the
        95 % interval that repeating the scans leaves it.
    sdw_ppb : float or None
        Within-subject SD of a region's mean for that interval; that of the literature unless
        given.
    """

    noun: ClassVar[str] = "table of regions"

    kind: Literal["table"] = "table"
    columns: tuple[str, ...] = Field(
        default=("subject", "region", "voxels", "volume", "mean_sd"), min_length=1
    )
    sdw_ppb: float | None = Field(default=None, gt=0, le=1000)

    @field_validator("columns")
    @classmethod
    def _known(cls, columns: tuple[str, ...]) -> tuple[str, ...]:
        known = (*TABLE_COLUMNS, *(each.name for each in exported_statistics(_ALSO)))
        for column in columns:
            if column not in known:
                raise ValueError(f"there is no column '{column}'; there are {', '.join(known)}")
        return columns


@panel_kind
class ChartPanel(Numbers):
    """Regions side by side, one colour for each subject.

    Attributes
    ----------
    chart : {"bars", "boxes"}
        Mean with SD, or median, quartiles and the 5th and 95th percentile.
    """

    noun: ClassVar[str] = "chart of regions"

    kind: Literal["chart"] = "chart"
    chart: Literal["bars", "boxes"] = "bars"


@panel_kind
class TextPanel(BasePanel):
    """Words, wrapped to the panel.

    Attributes
    ----------
    text : str
        Written as it is; empty lines part paragraphs.
    methods_of : str
        Key of a map whose methods paragraph is written below the text.
    """

    noun: ClassVar[str] = "words"

    kind: Literal["text"] = "text"
    text: str = ""
    methods_of: str = ""

    def sources(self) -> Iterator[tuple[str, str]]:
        """The map whose methods are told."""
        if self.methods_of:
            yield self.methods_of, "map"

    def renamed(self, keys: Mapping[str, str]) -> Self:
        """The same with its source under another key."""
        methods_of = keys[self.methods_of] if self.methods_of else ""
        return self.model_copy(update={"methods_of": methods_of})
