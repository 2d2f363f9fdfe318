"""Pictures of a stage: axial, coronal and sagittal slices with letters, scale and unit."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_qsm.arrays import Array, bounding_box, margin_voxels
from napari_qsm.volume import Volume

if TYPE_CHECKING:
    from PIL import Image

_WIDTH = 900  # of a whole montage, pixels
_LETTER = 24  # room for the letters beside a slice
_BAR = 104  # room for the colour bar
_CAPTION = 24
_MARGIN_MM = 8.0
_TINT = (255, 140, 0)  # of a mask over a picture

_PLANES = (
    # name, axis left out, letters left, right, top, bottom: the patient's right on the left
    ("axial", 2, "RLAP"),
    ("coronal", 1, "RLSI"),
    ("sagittal", 0, "APSI"),
)


@dataclass(frozen=True)
class Cut:
    """Where the three slices lie, and which part of them is drawn.

    Attributes
    ----------
    centre : three int
        Voxel index of the slices.
    box : three slices
        What is drawn.
    """

    centre: tuple[int, int, int]
    box: tuple[slice, ...]


def cut_through(mask: Array, voxel_size_mm: tuple[float, float, float]) -> Cut:
    """Slices through the middle of a mask, with some room round it."""
    box = bounding_box(mask)
    middle = [(s.start + s.stop - 1) // 2 for s in box]
    wide = bounding_box(mask, margin_voxels(_MARGIN_MM, voxel_size_mm))
    return Cut((middle[0], middle[1], middle[2]), wide)


def montage(
    volume: Volume,
    cut: Cut,
    window: tuple[float, float],
    *,
    unit: str = "",
    over: Array | None = None,
    bar: bool = True,
) -> bytes:
    """A PNG of three slices at one scale in mm, radiological, on black.

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
        A mask to tint.
    bar : bool
        Whether to draw the colour bar.

    Returns
    -------
    bytes
        The same bytes for the same input.
    """
    from PIL import Image, ImageDraw, ImageFont

    sizes = volume.voxel_size_mm
    extents = [(s.stop - s.start) * size for s, size in zip(cut.box, sizes, strict=True)]
    wide_mm = extents[0] * 2 + extents[1]
    scale = (_WIDTH - _BAR - 6 * _LETTER) / wide_mm  # pixels per mm
    heights = [extents[1] * scale, extents[2] * scale, extents[2] * scale]
    inner = round(max(heights))
    canvas = Image.new(
        "L" if over is None else "RGB", (_WIDTH, inner + 2 * _LETTER + _CAPTION), "black"
    )
    draw = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(size=18)
    left = 0
    for name, axis, letters in _PLANES:
        picture = _slice_picture(volume.data, cut, axis, window, over)
        across, up = [a for a in range(3) if a != axis]
        size = (max(round(extents[across] * scale), 1), max(round(extents[up] * scale), 1))
        picture = picture.resize(size, Image.Resampling.BILINEAR)
        top = _LETTER + (inner - size[1]) // 2
        canvas.paste(picture, (left + _LETTER, top))
        x, y = left + _LETTER + size[0] / 2, top + size[1] / 2
        shown = letters if volume.orientation_known else "????"
        places = (
            (left + _LETTER / 2, y),
            (left + 1.5 * _LETTER + size[0], y),
            (x, top - _LETTER / 2),
            (x, top + size[1] + _LETTER / 2),
        )
        for letter, place in zip(shown, places, strict=True):
            draw.text(place, letter, fill="white", font=font, anchor="mm")
        draw.text(
            (x, inner + 2 * _LETTER + _CAPTION / 2),
            f"{name}, {_position(volume, cut, axis)}",
            fill="white",
            font=font,
            anchor="mm",
        )
        left += size[0] + 2 * _LETTER
    if bar:
        _draw_bar(canvas, draw, font, window, unit, inner)
    buffer = io.BytesIO()
    canvas.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _slice_picture(
    data: Array, cut: Cut, axis: int, window: tuple[float, float], over: Array | None
) -> Image.Image:
    """One slice as grey levels, first axis to the left, second upwards."""
    from PIL import Image

    index: list[Any] = list(cut.box)
    index[axis] = cut.centre[axis]

    def drawn(a: Array) -> Array:
        return a[tuple(index)][::-1].T[::-1]

    low, high = window
    values = np.nan_to_num(drawn(data).astype(np.float64), nan=low, posinf=high, neginf=low)
    grey = np.clip((values - low) / (high - low), 0, 1)
    levels = np.rint(grey * 255).astype(np.uint8)
    if over is None:
        return Image.fromarray(np.ascontiguousarray(levels))
    colour = np.repeat(levels[..., None], 3, axis=-1).astype(np.float64)
    tinted = drawn(over)
    colour[tinted] = 0.6 * colour[tinted] + 0.4 * np.array(_TINT)
    return Image.fromarray(np.rint(colour).astype(np.uint8))


def _position(volume: Volume, cut: Cut, axis: int) -> str:
    """Where a slice lies: world mm along the axis it leaves out, or its number."""
    if not volume.orientation_known:
        return f"slice {cut.centre[axis] + 1}"
    place = float(volume.voxel_to_world(cut.centre)[axis])
    letter = ("RL", "AP", "SI")[axis][0 if place >= 0 else 1]
    return f"{letter} {abs(place):.0f} mm"


def _draw_bar(
    canvas: Image.Image, draw: Any, font: Any, window: tuple[float, float], unit: str, inner: int
) -> None:
    from PIL import Image

    top, height = _LETTER, inner
    ramp = np.repeat(np.linspace(255, 0, height).astype(np.uint8)[:, None], 14, axis=1)
    x = _WIDTH - _BAR + 12
    canvas.paste(Image.fromarray(ramp).convert(canvas.mode), (x, top))
    draw.rectangle((x - 1, top - 1, x + 14, top + height), outline="grey")
    low, high = window
    ticks = [(high, top + 5), ((low + high) / 2, top + height / 2), (low, top + height - 6)]
    for value, y in ticks:
        draw.text((x + 20, y), _tick(value), fill="white", font=font, anchor="lm")
    draw.text((x + 7, top + height + 14), unit, fill="white", font=font, anchor="mm")


def _tick(value: float) -> str:
    """At most seven characters, which is what fits beside the bar."""
    if abs(value) >= 100:
        return f"{value:.0f}" if abs(value) < 1e5 else f"{value:.1e}"
    return f"{value:.3g}" if value == 0 or abs(value) >= 1e-3 else f"{value:.1e}"
