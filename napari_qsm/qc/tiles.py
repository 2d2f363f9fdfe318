"""Drawn slices cut apart, so that a page can put them beside or below each other."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.figures.draw import Rendered


@dataclass(frozen=True)
class Tile:
    """One slice, or a colour bar, as a PNG of so many dots."""

    png: bytes
    width: int
    height: int


def tiles_of(drawn: Rendered) -> tuple[Tile, ...]:
    """The panels of a figure of one row, from the left; last its colour bar, if it has one."""
    pixels = drawn.pixels()[..., :3]
    per_mm = pixels.shape[1] / drawn.page.rect.width
    starts = [round(rect.left * per_mm) for rect in drawn.panels]
    last = round(drawn.panels[-1].right * per_mm)
    ends = [*starts[1:], last]
    top = round(min(rect.top for rect in drawn.panels) * per_mm)
    bottom = round(max(rect.bottom for rect in drawn.panels) * per_mm)
    # What is narrower than a letter is the page's rim, not a bar.
    if pixels.shape[1] - last > 3 * per_mm:
        starts, ends = [*starts, last], [*ends, pixels.shape[1]]
        top, bottom = 0, len(pixels)  # its unit stands above the slices
    return tuple(_tile(pixels[top:bottom, a:b]) for a, b in zip(starts, ends, strict=True) if b > a)


def _tile(rgb: Array) -> Tile:
    """A small PNG, quickly made: grey where nothing is coloured."""
    from PIL import Image

    is_grey = bool((rgb == rgb[..., :1]).all())
    out = io.BytesIO()
    image = Image.fromarray(np.ascontiguousarray(rgb[..., 0] if is_grey else rgb))
    image.save(out, "PNG")
    return Tile(out.getvalue(), *image.size)
