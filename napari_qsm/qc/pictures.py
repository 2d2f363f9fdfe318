"""The pictures of the report, drawn as figures are: each stage in a fixed window, to compare."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_qsm.anatomy import DRAWN_AXES, PLANES
from napari_qsm.arrays import Array, bounding_box
from napari_qsm.figures.draw import Cache, Rendered, render
from napari_qsm.figures.gather import Given
from napari_qsm.figures.panels import ImagePanel
from napari_qsm.figures.parts import BoxCrop, Cell, Display, Regions
from napari_qsm.figures.spec import ColourBar, FigureSpec, Style
from napari_qsm.qc.field import residual_field
from napari_qsm.volume import Volume

if TYPE_CHECKING:
    from napari_qsm.recon.pipeline import Result

#: Quantity, title, window, unit and what to look for, in the order of the work.
_PICTURES: tuple[tuple[str, str, tuple[float, float], str, str], ...] = (
    (
        "phase",
        "Wrapped phase",
        (-math.pi, math.pi),
        "rad",
        "As measured, first echo. Smooth with sharp bands is right; snow inside the brain is "
        "noise.",
    ),
    (
        "unwrapped",
        "Unwrapped phase",
        (-15, 15),
        "rad",
        "First echo. No bands or islands with sharp borders should be left.",
    ),
    (
        "total_field_ppm",
        "Total field",
        (-0.5, 0.5),
        "ppm",
        "Mostly the field of air, bone and shim: smooth and strong above the sinuses.",
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
        (-0.05, 0.05),
        "ppm",
        "The field of the tissue. Broad shadows at the rim or above the sinuses are leftover "
        "background.",
    ),
    (
        "chi_ppm",
        "Susceptibility map",
        (-0.1, 0.2),
        "ppm",
        "Deep nuclei and veins are bright, calcifications dark. Fans and stripes are streaks.",
    ),
    (
        "chi_noise_ppm",
        "Noise of the map",
        (0, 0.02),
        "ppm",
        "Standard deviation of susceptibility by the scan's noise alone.",
    ),
)
_RESIDUAL_WINDOW = (-0.02, 0.02)
_MARGIN_MM = 8.0
#: Columns of the grid that the three slices share in proportion to their breadth.
_COLUMNS = 20
_MASK_COLOUR = "#ff8c00"
#: A page of 900 pixels, which a screen shows one to one.
_STYLE = Style(width_mm=160, dpi=143, size_pt=7.5, ground="dark", gap_mm=0)


@dataclass(frozen=True)
class Picture:
    """A figure of the page: PNG bytes, its title, and what to look for."""

    png: bytes
    title: str
    meaning: str


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


def cut_through(mask: Volume) -> Cut:
    """Slices through the middle of a mask, with some room round it."""
    box = bounding_box(np.asarray(mask.data, dtype=bool))
    ends = np.array([(s.start, s.stop - 1) for s in box])
    sizes = (ends[:, 1] - ends[:, 0] + 1) * np.array(mask.voxel_size_mm) + 2 * _MARGIN_MM
    centre = mask.voxel_to_world(ends.sum(axis=1) // 2)
    middle = mask.voxel_to_world(ends.mean(axis=1))
    return Cut(_triple(centre), _triple(middle), _triple(sizes))


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
    over : (x, y, z) bool ndarray, optional
        A mask to tint; the colour bar is left out then.
    cache : Cache, optional
        As for :func:`napari_qsm.figures.draw.render`.
    """
    extents = [(cut.size_mm[DRAWN_AXES[p][0]], cut.size_mm[DRAWN_AXES[p][1]]) for p in PLANES]
    # Breadths in whole columns, so that a millimetre is equally long in all three.
    column_mm = sum(across for across, _ in extents) / (_COLUMNS - 3)
    spans = [math.ceil(across / column_mm) for across, _ in extents]
    height = max(up for _, up in extents)
    regions = None if over is None else Regions(
        labels="mask", style="both", own_colours={1: _MASK_COLOUR}, opacity=0.35
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


def stage_pictures(result: Result, magnitude: Array | None) -> Iterator[Picture]:
    """Every stage of a result, in the order of the work.

    Parameters
    ----------
    result : Result
        With a susceptibility map.
    magnitude : (x, y, z) or (E, x, y, z) ndarray or None
        On the same grid.
    """
    have, grid = result.arrays, result.grid
    chi = have["chi_ppm"]
    valid = have.get("local_mask")
    if valid is None:
        valid = np.isfinite(chi) & (chi != 0)
    outer = valid if have.get("mask") is None else have["mask"]
    cut = cut_through(grid.with_data(outer))
    image, window = _underlay(result, magnitude, outer)
    if magnitude is not None:
        yield _picture(
            grid.with_data(image), cut, window, "", "Magnitude",
            "First echo; the window ends at the brightest 1 % of the mask.",
        )  # fmt: skip
    yield _picture(
        grid.with_data(image), cut, window, "", "Mask",
        "Tinted: where the phase is trusted. It should hold the whole brain and nothing else.",
        over=outer,
    )  # fmt: skip
    for name, title, window, unit, meaning in _PICTURES:
        data = have.get(name)
        if isinstance(data, np.ndarray):
            image = data[0] if data.ndim == 4 else data
            if name == "noise_ppm":  # outside the mask it holds a placeholder
                image = np.where(outer, image, 0)
            yield _picture(grid.with_data(image), cut, window, unit, title, meaning)
    local = have.get("local_field_ppm")
    if local is not None and valid.any():
        residual = residual_field(
            local,
            chi,
            valid,
            grid.voxel_size_mm,
            grid.b0_direction,
            reference_ppm=float(have.get("reference_ppm") or 0),
        )
        yield _picture(
            grid.with_data(residual), cut, _RESIDUAL_WINDOW, "ppm", "Field left unexplained",
            "The local field less the field of the map. It should look like noise.",
        )  # fmt: skip


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
    return Picture(_png(three_slices(volume, cut, window, unit=unit, over=over)), title, meaning)


def _png(drawn: Rendered) -> bytes:
    """A small PNG, quickly made: grey where nothing is coloured."""
    from PIL import Image

    rgb = drawn.pixels()[..., :3]
    is_grey = bool((rgb == rgb[..., :1]).all())
    out = io.BytesIO()
    Image.fromarray(rgb[..., 0] if is_grey else rgb).save(out, "PNG")
    return out.getvalue()
