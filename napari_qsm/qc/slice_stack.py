"""All axial slices of a map as one picture: a montage on paper, a stack to leaf through on screens."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import as_file, files

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from napari_qsm.anatomy import letters
from napari_qsm.arrays import Array, bounding_box
from napari_qsm.qc.thumbnail import WINDOW_PPM
from napari_qsm.units import fixed
from napari_qsm.volume import Volume

_MARGIN_MM = 4.0
#: Dots of a slice's longer side, and how many slices are shown at most.
_SIDE_PX = 288
_MOST = 80
#: Height of a montage over its breadth, at most: it has to go on one sheet of paper.
_TALL = 1.15
_QUALITY = 72


@dataclass(frozen=True)
class Stack:
    """The slices, side by side in rows, from the feet to the head.

    Attributes
    ----------
    jpeg : bytes
        The montage, grey.
    columns : int
        Slices in a row.
    width, height : int
        Dots of one slice.
    places : tuple of str
        Where each slice lies, for example ``"S 12.0 mm"``.
    first : int
        Which is shown first, from 0.
    step : int
        Every which slice of the map is shown.
    """

    jpeg: bytes
    columns: int
    width: int
    height: int
    places: tuple[str, ...]
    first: int
    step: int


def slice_stack(chi: Volume, valid: Array, first_mm: tuple[float, float, float]) -> Stack:
    """Every axial slice of a map, or of thick stacks every n-th, radiological, in proportions of mm.

    Parameters
    ----------
    chi : Volume
        Susceptibility, ppm; closest-canonical.
    valid : (x, y, z) bool ndarray
        Where the map holds values.
    first_mm : (x, y, z)
        World RAS mm of a place whose slice is to be shown first.
    """
    sizes = chi.voxel_size_mm
    box = bounding_box(valid)
    across, up = (
        slice(max(s.start - math.ceil(_MARGIN_MM / mm), 0), s.stop + math.ceil(_MARGIN_MM / mm))
        for s, mm in zip(box[:2], sizes[:2], strict=True)
    )
    step = math.ceil((box[2].stop - box[2].start) / _MOST)
    levels = range(box[2].start, box[2].stop, step)
    low, high = WINDOW_PPM
    part = np.nan_to_num(np.asarray(chi.data[across, up, box[2]][..., ::step], np.float32), nan=low)
    grey = (np.clip((part - low) / (high - low), 0, 1) * 255).astype(np.uint8)
    size_mm = grey.shape[0] * sizes[0], grey.shape[1] * sizes[1]
    scale = _SIDE_PX / max(size_mm)
    width, height = (max(round(mm * scale), 24) for mm in size_mm)
    columns = max(math.ceil(math.sqrt(len(levels) * height / width / _TALL)), 1)
    sheet = Image.new("L", (columns * width, math.ceil(len(levels) / columns) * height))
    places = tuple(_place(chi, across, up, level) for level in levels)
    for number, place in enumerate(places):
        # Columns run from the patient's right to the left, rows from front to back.
        tile = Image.fromarray(np.ascontiguousarray(grey[::-1, ::-1, number].T))
        tile = tile.resize((width, height), Image.Resampling.BICUBIC)
        _letter(tile, place, chi.orientation_known)
        sheet.paste(tile, ((number % columns) * width, (number // columns) * height))
    wanted = round(float(chi.world_to_voxel(first_mm)[2]))
    first = min(range(len(levels)), key=lambda i: abs(levels[i] - wanted))
    out = io.BytesIO()
    sheet.save(out, "JPEG", quality=_QUALITY)
    return Stack(out.getvalue(), columns, width, height, places, first, step)


def _place(chi: Volume, across: slice, up: slice, level: int) -> str:
    """Height of the middle of a slice, as the other pictures write it."""
    middle = ((across.start + across.stop - 1) / 2, (up.start + up.stop - 1) / 2, level)
    mm = float(chi.voxel_to_world(middle)[2])
    return f"{'S' if mm >= 0 else 'I'} {fixed(abs(mm), 1)} mm"


def _letter(tile: Image.Image, place: str, known: bool) -> None:
    """Sides and height, white on black, so that a slice needs nothing beside it."""
    pen, font = ImageDraw.Draw(tile), _font()
    said = letters("axial", known=known)
    wide, high = tile.size
    for text, at, anchor in (
        (said.left, (4, high / 2), "lm"),
        (said.right, (wide - 4, high / 2), "rm"),
        (place, (4, high - 4), "lb"),
    ):
        pen.text(at, text, fill=255, font=font, anchor=anchor, stroke_width=2, stroke_fill=0)


@lru_cache(maxsize=1)
def _font() -> ImageFont.FreeTypeFont:
    """The face of the figures."""
    with as_file(files("napari_qsm.figures") / "fonts" / "Arimo-Regular.ttf") as path:
        return ImageFont.truetype(str(path), 14)
