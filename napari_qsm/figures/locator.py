"""Where the slices of a figure lie: a small slice across them, with a line for each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

import numpy as np
from pydantic import Field

from napari_qsm.anatomy import DEPTH_AXIS, DRAWN_AXES, DisplayFrame, Plane, across_sign
from napari_qsm.arrays import Array
from napari_qsm.errors import QsmError
from napari_qsm.figures.frame import Frame
from napari_qsm.figures.gather import Loaded
from napari_qsm.figures.kinds import BasePanel, Drawing, PanelPlan, Setting, panel_kind, plan_of
from napari_qsm.figures.lettering import Rect
from napari_qsm.figures.page import Page
from napari_qsm.figures.panels import ImagePanel, MosaicPanel
from napari_qsm.figures.parts import Display, HeadCrop
from napari_qsm.figures.slices import Slice, View, mosaic_slices, raster, slice_of, view_of
from napari_qsm.volume import same_grid

_GAP_MM = 1.2
#: Shows on black, grey and white alike with its dark edge.
LINE_COLOUR = "#ffd43b"


@panel_kind
class LocatorPanel(BasePanel):
    """Where the figure's slices of maps lie, a small picture for each map.

    Attributes
    ----------
    maps : tuple of str
        Keys of maps; the slices of all the figure's panels of them in other planes are drawn.
    images : tuple of str
        What is drawn in their stead, such as the magnitudes; the maps unless given.
    plane : {"sagittal", "coronal", "axial"}
        Of the small pictures, through the middle of the head.
    """

    noun: ClassVar[str] = "places of the slices"
    is_wide: ClassVar[bool] = False
    is_beside: ClassVar[bool] = True

    kind: Literal["locator"] = "locator"
    maps: tuple[str, ...] = Field(min_length=1, max_length=12)
    images: tuple[str, ...] = ()
    plane: Plane = "sagittal"

    def sources(self) -> Iterator[tuple[str, str]]:
        """Maps, and what is drawn in their stead."""
        yield from ((key, "map") for key in self.maps)
        yield from ((key, "image") for key in self.images)

    def renamed(self, keys: Mapping[str, str]) -> Self:
        """The same with its sources under other keys."""
        maps, images = (tuple(keys[key] for key in old) for old in (self.maps, self.images))
        return self.model_copy(update={"maps": maps, "images": images})


@dataclass(frozen=True, eq=False)
class _Small:
    """One small picture: a map, what is drawn, and the slices whose places are marked."""

    map: Loaded
    image: Loaded
    where: Slice
    view: View
    slices: tuple[Slice, ...]


@plan_of(LocatorPanel)
@dataclass(frozen=True, eq=False)
class LocatorPlan(PanelPlan):
    """Small pictures with lines."""

    yields: ClassVar[bool] = True

    panel: LocatorPanel
    pictures: tuple[_Small, ...]

    @classmethod
    def of(cls, panel: LocatorPanel, who: str, setting: Setting) -> Self:
        """Find the slices of the figure's other panels.

        Raises
        ------
        QsmError
            If there are as many images as maps, or no slice to mark.
        """
        if panel.images and len(panel.images) != len(panel.maps):
            raise QsmError(f"{who}: give one of its 'images' for each of its 'maps', or none.")
        found = []
        for number, key in enumerate(panel.maps):
            map_ = setting.sources[key]
            image = setting.sources[panel.images[number]] if panel.images else map_
            slices = dict.fromkeys(_slices_of(panel, key, map_, setting))
            if not slices:
                raise QsmError(
                    f"{who}: the figure shows no slice of '{map_.name}' that crosses a "
                    f"{panel.plane} one."
                )
            middle = np.mean(map_.filled, axis=1)
            through = map_.volume.voxel_to_world(np.rint(middle))
            x, y, z = (float(v) for v in through)
            asked = ImagePanel(
                map=key, plane=panel.plane, through_mm=(x, y, z), crop=HeadCrop(margin_mm=3)
            )
            where = slice_of(asked, image, who)
            view = view_of(asked, map_ if same_grid(image.volume, map_.volume) else image, {}, who)
            found.append(_Small(map_, image, where, view, tuple(slices)))
        size = np.max([one.view.size for one in found], axis=0)
        both = (float(size[0]), float(size[1]))
        alike = [_Small(o.map, o.image, o.where, o.view.resized(both), o.slices) for o in found]
        return cls(who, panel, tuple(alike))

    def height(self, page: Page, width_mm: float) -> float:
        """That of its pictures, with names above if there are several."""
        across, up = self.pictures[0].view.size
        return self._named_mm(page) + self._tile_mm(width_mm) * up / across

    def _named_mm(self, page: Page) -> float:
        return page.line_height(page.small_pt) if len(self.pictures) > 1 else 0.0

    def _tile_mm(self, width_mm: float) -> float:
        count = len(self.pictures)
        return (width_mm - (count - 1) * _GAP_MM) / count

    def draw(self, page: Page, rect: Rect, drawing: Drawing) -> list[str]:
        """Draw them side by side."""
        named, width = self._named_mm(page), self._tile_mm(rect.width)
        across, up = self.pictures[0].view.size
        height = min(width * up / across, rect.height - named)
        for number, one in enumerate(self.pictures):
            tile = Rect(rect.left + number * (width + _GAP_MM), rect.top + named, width, height)
            if named:
                name, fit = page.fitted(one.map.name, width, page.small_pt)
                page.text(tile.left + width / 2, rect.top, name, size_pt=fit, across="center")
            _draw_small(page, tile, one, drawing)
        return []

    def sentence(self) -> str:
        """What its lines are."""
        return f"Lines in the small {self.panel.plane} pictures: where the slices lie."


def _slices_of(panel: LocatorPanel, key: str, map_: Loaded, setting: Setting) -> Iterator[Slice]:
    for number, other in enumerate(setting.spec.panels, 1):
        if not isinstance(other, ImagePanel | MosaicPanel):
            continue
        if other.map != key or other.plane == panel.plane:
            continue
        who = f"Panel {other.letter or number}"
        if isinstance(other, ImagePanel):
            yield slice_of(other, map_, who)
        else:
            yield from mosaic_slices(other, map_, who)


def _draw_small(page: Page, tile: Rect, one: _Small, drawing: Drawing) -> None:
    plane = one.where.plane
    scale = min(tile.width / one.view.size[0], tile.height / one.view.size[1])
    view = one.view.resized((tile.width / scale, tile.height / scale))
    sign = across_sign(plane, drawing.radiological)
    frame = Frame(page, tile, view, plane, sign)
    page.fill(tile, "#000000", zorder=1)
    window = one.image.grey_window if one.image is not one.map else (-0.1, 0.2)
    in_ppb = one.image.volume.unit == "ppb"
    display = Display(window=window)
    if one.image is not one.map and in_ppb:
        display = Display(window=(window[0] / 1e3, window[1] / 1e3))
    picture = raster(
        one.image, one.where, view, display, radiological=drawing.radiological
    )  # fmt: skip
    if picture is not None:
        left, bottom = frame.place(picture.left, picture.bottom)
        right, top = frame.place(picture.right, picture.top)
        edges = (float(left), float(right), float(bottom), float(top))
        page.image(picture.rgb, edges, tile, smooth=True)
    for where in one.slices:
        line = slice_line(frame, one.map, one.image, where)
        page.lines([line], "#000000", 1.1, clip=tile, alpha=0.7, zorder=4)
        page.lines([line], LINE_COLOUR, 0.5, clip=tile, zorder=4.1)


def slice_line(frame: Frame, map_: Loaded, image: Loaded, where: Slice) -> Array:
    """Where a slice of a map cuts the slice of an image that a frame shows; page mm, (2, 2)."""
    volume = map_.volume
    (free,) = {0, 1, 2} - {DEPTH_AXIS[where.plane], DEPTH_AXIS[frame.plane]}
    layout = DisplayFrame(image.volume)
    ends = []
    for end in (-0.5, volume.shape[free] - 0.5):
        voxel = (np.array(volume.shape) - 1) / 2
        voxel[DEPTH_AXIS[where.plane]], voxel[free] = where.index, end
        ends.append(layout.world_to_display(volume.voxel_to_world(voxel)))
    across, up = DRAWN_AXES[frame.plane]
    points = np.array(ends)
    return np.stack(frame.place(points[:, across], points[:, up]), axis=1)
