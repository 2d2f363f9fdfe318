"""The pictures of the report: each stage in a fixed window, so that reports can be compared."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator
from html import escape

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.qc.field import residual_field
from napari_qsm.qc.montage import Cut, cut_through, montage
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
)
_RESIDUAL_WINDOW = (-0.02, 0.02)


def stage_pictures(result: Result, magnitude: Array | None) -> Iterator[str]:
    """Every stage of a result as a figure of the page, in the order of the work.

    Parameters
    ----------
    result : Result
        With a susceptibility map.
    magnitude : (x, y, z) or (E, x, y, z) ndarray or None
        On the same grid.

    Yields
    ------
    str
        HTML with the picture inside.
    """
    have = result.arrays
    chi = have["chi_ppm"]
    valid = have.get("local_mask")
    valid = np.isfinite(chi) & (chi != 0) if valid is None else valid
    mask = have.get("mask")
    outer = valid if mask is None else mask
    cut = cut_through(outer, result.grid.voxel_size_mm)
    under, low_high = _underlay(result, magnitude, outer)
    if magnitude is not None:
        yield _picture(
            result, under, cut, low_high, "", "Magnitude",
            "First echo; the window ends at the brightest 1 % of the mask.",
        )  # fmt: skip
    yield _picture(
        result, under, cut, low_high, "", "Mask",
        "Tinted: where the phase is trusted. It should hold the whole brain and nothing else.",
        over=outer,
    )  # fmt: skip
    for name, title, window, unit, meaning in _PICTURES:
        data = have.get(name)
        if isinstance(data, np.ndarray):
            image = data[0] if data.ndim == 4 else data
            if name == "noise_ppm":  # outside the mask it holds a placeholder
                image = np.where(outer, image, 0)
            yield _picture(result, image, cut, window, unit, title, meaning)
    local = have.get("local_field_ppm")
    if local is not None and valid.any():
        residual = residual_field(
            local,
            chi,
            valid,
            result.grid.voxel_size_mm,
            result.grid.b0_direction,
            reference_ppm=float(have.get("reference_ppm") or 0),
        )
        yield _picture(
            result, residual, cut, _RESIDUAL_WINDOW, "ppm", "Field left unexplained",
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
    result: Result,
    data: Array,
    cut: Cut,
    window: tuple[float, float],
    unit: str,
    title: str,
    meaning: str,
    *,
    over: Array | None = None,
) -> str:
    volume = result.grid.with_data(data)
    png = montage(volume, cut, window, unit=unit, over=over, bar=over is None)
    encoded = base64.b64encode(png).decode("ascii")
    return (
        f'<figure><figcaption><b>{escape(title)}.</b> {escape(meaning)}</figcaption><div class="wide"><img alt="'
        f'{escape(title)}: axial, coronal and sagittal slice" '
        f'src="data:image/png;base64,{encoded}"></div></figure>'
    )
