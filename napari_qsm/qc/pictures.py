"""The pictures of the report, drawn as figures are: each stage in a fixed window, to compare."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_qsm.anatomy import DRAWN_AXES, PLANES
from napari_qsm.arrays import Array, bounding_box
from napari_qsm.figures.draw import Cache, Rendered, render
from napari_qsm.figures.gather import Given
from napari_qsm.figures.panels import ImagePanel
from napari_qsm.figures.parts import BoxCrop, Cell, Display, Regions
from napari_qsm.figures.spec import ColourBar, FigureSpec, Style
from napari_qsm.qc.judge import evidence_of
from napari_qsm.qc.thumbnail import WINDOW_PPM, known, middle_voxel
from napari_qsm.qc.tiles import Tile, tiles_of
from napari_qsm.volume import Volume

if TYPE_CHECKING:
    from napari_qsm.recon.pipeline import Result

#: Fields of tissue share a window: what is left unexplained is seen at its true size beside it.
_FIELD_WINDOW = (-0.05, 0.05)
#: Quantity, title, window, unit and what to look for, in the order of the work.
_PICTURES: tuple[tuple[str, str, tuple[float, float], str, str], ...] = (
    (
        "phase",
        "Wrapped phase",
        (-math.pi, math.pi),
        "rad",
        "As measured, first echo: smooth between sharp bands, without snow inside the brain.",
    ),
    (
        "unwrapped",
        "Unwrapped phase",
        (-15, 15),
        "rad",
        "First echo: no bands or islands with sharp borders are left.",
    ),
    (
        "total_field_ppm",
        "Total field",
        (-0.5, 0.5),
        "ppm",
        "Mostly the field of air, bone and shim: smooth, and strong above the sinuses.",
    ),
    (
        "noise_ppm",
        "Noise of the field",
        (0, 0.02),
        "ppm",
        "Bright where the field is uncertain.",
    ),
    (
        "local_field_ppm",
        "Local field",
        _FIELD_WINDOW,
        "ppm",
        "The field of the tissue, without broad shadows at the rim or above the sinuses.",
    ),
    (
        "chi_ppm",
        "Susceptibility map",
        WINDOW_PPM,
        "ppm",
        "Deep nuclei and veins are bright, calcifications dark, and no fans or stripes cross them.",
    ),
    (
        "chi_noise_ppm",
        "Noise of the map",
        (0, 0.02),
        "ppm",
        "Standard deviation of susceptibility by the scan's noise alone.",
    ),
)
_MARGIN_MM = 3.0
#: Columns of the grid that the three slices share in proportion to their breadth.
_COLUMNS = 20
#: Of the mask where the map was lost at its edge, and where the map is.
_MASK_COLOURS = {1: "#ff8c00", 2: "#2f9fd0"}
#: A page of 900 pixels, which a screen shows one to one.
_STYLE = Style(width_mm=160, dpi=143, size_pt=7.5, ground="dark", gap_mm=0)


@dataclass(frozen=True)
class Picture:
    """A row of slices on the page: axial, coronal and sagittal, and a colour bar or none."""

    tiles: tuple[Tile, ...]
    title: str
    meaning: str

    @property
    def slices(self) -> tuple[tuple[str, Tile], ...]:
        """The three slices and what they are."""
        return tuple(zip(PLANES, self.tiles, strict=False))

    @property
    def bar(self) -> Tile | None:
        """The colour bar."""
        return self.tiles[3] if len(self.tiles) > 3 else None


@dataclass(frozen=True)
class Cut:
    """Where the three slices cross, and the box that is drawn; RAS mm and mm.

    Attributes
    ----------
    centre_mm : (x, y, z)
        Of the voxel that the slices go through.
    middle_mm, size_mm : (x, y, z)
        Of the box, along the axes of the volume.
    """

    centre_mm: tuple[float, float, float]
    middle_mm: tuple[float, float, float]
    size_mm: tuple[float, float, float]


def cut_through(mask: Volume, valid: Array | None = None) -> Cut:
    """Slices through the middle of a map, with little room round the brain.

    Parameters
    ----------
    mask : Volume
        Its largest piece is drawn whole; specks apart from it do not make the pictures wider.
    valid : (x, y, z) bool ndarray, optional
        Where the map is known: the slices go through its middle, as those of
        :func:`~napari_qsm.qc.thumbnail.thumbnail` do. The mask's, unless given.
    """
    inside = np.asarray(mask.data, dtype=bool)
    box = bounding_box(_largest_piece(inside))
    ends = np.array([(s.start, s.stop - 1) for s in box])
    sizes = (ends[:, 1] - ends[:, 0] + 1) * np.array(mask.voxel_size_mm) + 2 * _MARGIN_MM
    centre = mask.voxel_to_world(middle_voxel(inside if valid is None else valid))
    middle = mask.voxel_to_world(ends.mean(axis=1))
    return Cut(_triple(centre), _triple(middle), _triple(sizes))


def _largest_piece(mask: Array) -> Array:
    pieces, count = ndimage.label(mask)
    if count < 2:
        return mask
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    largest: Array = pieces == sizes.argmax()
    return largest


def _triple(values: Array) -> tuple[float, float, float]:
    return float(values[0]), float(values[1]), float(values[2])


def three_slices(
    volume: Volume,
    cut: Cut,
    window: tuple[float, float],
    *,
    unit: str = "",
    over: Array | None = None,
    cache: Cache | None = None,
) -> Rendered:
    """Axial, coronal and sagittal slice at one scale in mm, radiological, on black.

    Parameters
    ----------
    volume : Volume
        3-D, closest-canonical RAS.
    cut : Cut
        From :func:`cut_through` on the same grid.
    window : (low, high)
        Values drawn black and white.
    unit : str
        Written at the colour bar.
    over : (x, y, z) bool or uint8 ndarray, optional
        A mask to tint, of 1 and 2 in two colours; the colour bar is left out then.
    cache : Cache, optional
        As for :func:`napari_qsm.figures.draw.render`.
    """
    extents = [(cut.size_mm[DRAWN_AXES[p][0]], cut.size_mm[DRAWN_AXES[p][1]]) for p in PLANES]
    # Breadths in whole columns, so that a millimetre is equally long in all three.
    column_mm = sum(across for across, _ in extents) / (_COLUMNS - 3)
    spans = [math.ceil(across / column_mm) for across, _ in extents]
    height = max(up for _, up in extents)
    regions = None if over is None else Regions(
        labels="mask", style="both", own_colours=_MASK_COLOURS, opacity=0.35
    )  # fmt: skip
    panels = []
    for number, plane in enumerate(PLANES):
        size = (min(spans[number] * column_mm, 1000.0), min(height, 1000.0))
        panels.append(
            ImagePanel(
                map="map",
                plane=plane,
                through_mm=cut.centre_mm,
                crop=BoxCrop(centre_mm=cut.middle_mm, size_mm=size),
                cell=Cell(row=0, column=sum(spans[:number]), columns=spans[number]),
                regions=regions,
                scale_bar=number == len(PLANES) - 1,
            )
        )
    bar = ColourBar(display="grey", title=unit or " ")
    spec = FigureSpec(
        panels=tuple(panels),
        columns=sum(spans),
        displays={"grey": Display(window=window, interpolation="linear")},
        colour_bars=() if over is not None else (bar,),
        style=_STYLE,
        same_scale=False,
    )
    given = {"map": Given(volume)}
    if over is not None:
        given["mask"] = Given(volume.with_data(over.astype(np.uint8), unit="", name="mask"))
    return render(spec, given, cache=cache)


def stage_pictures(
    result: Result,
    magnitude: Array | None,
    residual: Array | None = None,
    alive: Callable[[], None] = lambda: None,
) -> Iterator[Picture]:
    """Every stage of a result, in the order of the work, in the same three slices.

    Parameters
    ----------
    result : Result
        With a susceptibility map.
    magnitude : (x, y, z) or (E, x, y, z) ndarray or None
        On the same grid.
    residual : (x, y, z) ndarray, optional
        What the map leaves unexplained of the field, if known already, ppm.
    alive : callable
        Called before every picture; may raise to stop.
    """
    alive()
    have, grid = result.arrays, result.grid
    outer, valid = masks_of(result)
    cut = cut_through(grid.with_data(outer), valid)
    image, window = _underlay(result, magnitude, outer)
    if magnitude is not None:
        yield _picture(
            grid.with_data(image), cut, window, "", "Magnitude",
            "First echo; the window ends at the brightest 1 % of the mask.",
        )  # fmt: skip
    alive()
    kept = outer.astype(np.uint8) + (outer & valid)
    yield _picture(
        grid.with_data(image), cut, window, "", "Mask",
        "Blue: what the map covers; orange: the rest of the mask, lost where the background was "
        "removed.",
        over=kept,
    )  # fmt: skip
    for name, title, window, unit, meaning in _PICTURES:
        data = have.get(name)
        if isinstance(data, np.ndarray):
            image = data[0] if data.ndim == 4 else data
            if name == "noise_ppm":  # outside the mask it holds a placeholder
                image = np.where(outer, image, 0)
            alive()
            yield _picture(grid.with_data(image), cut, window, unit, title, meaning)
    alive()
    if residual is None:
        residual = evidence_of(result).residual_map
    if residual is not None:
        yield _picture(
            grid.with_data(residual), cut, _FIELD_WINDOW, "ppm", "Field left unexplained",
            "The local field less the field of the map, in the window of the local field: noise, "
            "without the form of tissue.",
        )  # fmt: skip


def masks_of(result: Result) -> tuple[Array, Array]:
    """The mask, and where the map is known; where there is none, both are the latter."""
    have = result.arrays
    valid = have.get("local_mask")
    if valid is None:
        valid = known(have["chi_ppm"])
    return (valid if have.get("mask") is None else have["mask"]), valid


def _underlay(
    result: Result, magnitude: Array | None, mask: Array
) -> tuple[Array, tuple[float, float]]:
    """What the mask is drawn over: the magnitude, or the earliest result there is."""
    if magnitude is not None:
        image = magnitude if magnitude.ndim == 3 else magnitude[0]
        inside = image[mask]
        inside = inside[np.isfinite(inside)]
        high = float(np.percentile(inside, 99)) if inside.size else 1.0
        return image, (0.0, high if high > 0 else 1.0)
    for name, _, window, _, _ in _PICTURES:
        data = result.arrays.get(name)
        if isinstance(data, np.ndarray) and name != "noise_ppm":
            return (data[0] if data.ndim == 4 else data), window
    return result.arrays["chi_ppm"], (-0.1, 0.2)


def _picture(
    volume: Volume,
    cut: Cut,
    window: tuple[float, float],
    unit: str,
    title: str,
    meaning: str,
    *,
    over: Array | None = None,
) -> Picture:
    drawn = three_slices(volume, cut, window, unit=unit, over=over)
    return Picture(tiles_of(drawn), title, meaning)
