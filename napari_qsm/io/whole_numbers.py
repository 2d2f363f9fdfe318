"""Masks and labels as whole numbers, read as they were meant.

Programs that compute in floating point save labels with a scale in the header, or as
0.99998; programs that think in bytes save masks of 0 and 255; masked maps hold NaN outside.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.errors import FileError
from napari_qsm.io.region import MAX_INDEX
from napari_qsm.volume import Volume

Warn = Callable[[str], None]

#: What says "inside" in a mask beside 1: all bits of a whole number (-1 is 255 in signed bytes).
_INSIDE = frozenset((0, 1, 127, 255, 32767, 65535))
#: How far from a whole number a value may lie that was stored without a scale.
_DUST = 1e-3
#: A scale this near to 1 is the rounding of a program, not part of the values.
_NEARLY_ONE = 2e-3
#: The widest steps of a scale from which whole numbers can still be told.
_WIDEST_STEP = 0.25


def as_mask(volume: Volume, what: str = "mask", *, warn: Warn | None = None) -> Array:
    """The volume as booleans.

    Parameters
    ----------
    volume : Volume
        0 outside and one value inside: 1, perhaps with the rounding of a scale, or 255 and its
        like; NaN is outside.
    what : str
        For the message.
    warn : callable, optional
        Told in a sentence if inside was anything but 1, or NaN was met.

    Returns
    -------
    (x, y, z) ndarray of bool

    Raises
    ------
    FileError
        If it is not 3-D, or holds several values beside 0.
    """
    who = f"The {what} {_who(volume)}"
    if volume.data.ndim != 3:
        raise FileError(f"{who} is 4-D; one 3-D {what} is needed.")
    if volume.data.dtype == bool:
        return volume.data
    data, missing = _whole(volume)
    if data is None:
        odd = _fractions(volume)
        raise FileError(
            f"{who} holds the value {odd:g}; a {what} must hold only 0 and 1 "
            "(save one region as a mask of its own)."
        )
    low, high = data.min(), data.max()
    inside = high if high > 0 else low
    known = inside in _INSIDE or (inside == -1 and data.dtype == np.int8)
    if not (known and ((data == 0) | (data == inside)).all()):
        odd = data[(data != 0) & (data != 1)].flat[0]
        raise FileError(
            f"{who} holds the value {odd:g}; a {what} must hold only 0 and 1, or 0 and 255 "
            "(save one region as a mask of its own)."
        )
    if inside == 0 and missing:
        raise FileError(f"{who} holds only 0 and NaN, so it does not tell inside from outside.")
    if warn is not None and missing:
        warn(f"{who} holds {missing} voxels without a number (NaN); they were taken for outside.")
    if warn is not None and inside not in (0, 1):
        warn(f"{who} holds 0 and {inside:g}; {inside:g} was taken for inside.")
    return np.asarray(data != 0)


def as_labels(volume: Volume, *, warn: Warn | None = None) -> Array:
    """The volume as uint8 or uint16 labels.

    Parameters
    ----------
    volume : Volume
        Whole numbers, or numbers that the scale of a header or single precision has moved a
        little off them; NaN is no region.
    warn : callable, optional
        Told in a sentence if values were rounded or NaN was met.

    Raises
    ------
    FileError
        If it holds fractions, negative values, infinity or values over 65535, or is not 3-D.
    """
    who = f"The label map {_who(volume)}"
    data = volume.data
    if data.ndim != 3:
        raise FileError(f"{who} is 4-D; one 3-D label map is needed.")
    whole, missing = _whole(volume)
    if whole is None:
        raise FileError(
            f"{who} holds the value {_fractions(volume):g}; labels must be whole numbers "
            "(was it resampled with smoothing?)."
        )
    low, high = whole.min(), whole.max()
    if low < 0 or high > MAX_INDEX:
        raise FileError(
            f"{who} holds values from {low:g} to {high:g}; labels must lie within 0-{MAX_INDEX}."
        )
    if warn is not None and data.dtype.kind == "f":
        if missing:
            warn(f"{who} holds {missing} voxels without a number (NaN); they were left out.")
        if (whole != np.nan_to_num(data, nan=0.0)).any():
            warn(f"{who} holds rounded numbers; the nearest whole number was taken as the label.")
    return whole.astype(np.uint8 if high <= 255 else np.uint16, copy=False)


def is_whole(volume: Volume) -> bool:
    """Whether the values can be read as labels: whole numbers, but for rounding, and NaN."""
    return _whole(volume)[0] is not None


def step_of(volume: Volume) -> tuple[float, float]:
    """Scale and offset with which whole numbers are stored in the file; 1 and 0 without."""
    header = volume.stored.header if volume.stored is not None else None
    try:
        if header is None or np.dtype(header.get_data_dtype()).kind not in "iu":
            return 1.0, 0.0
        slope, offset = float(header["scl_slope"]), float(header["scl_inter"])
    except (AttributeError, KeyError, ValueError):
        return 1.0, 0.0
    if not np.isfinite(slope) or slope == 0:
        return 1.0, 0.0
    return slope, offset if np.isfinite(offset) else 0.0


def _whole(volume: Volume) -> tuple[Array | None, int]:
    """Whole numbers with 0 for NaN, and how many NaN; None where there are fractions."""
    data = volume.data
    if data.dtype.kind != "f":
        return data, 0
    missing = int(np.isnan(data).sum())
    if missing:
        data = np.nan_to_num(data, nan=0.0, posinf=np.inf, neginf=-np.inf)
    if not np.isfinite(data).all():
        return None, missing
    slope, offset = step_of(volume)
    if slope != 1.0 and abs(slope - 1) <= _NEARLY_ONE and abs(offset) <= 0.01:
        data = (data - data.dtype.type(offset)) / data.dtype.type(slope)
        slope = 1.0
    # Single precision holds large labels with a rounding of their own size.
    dust = _DUST + (abs(slope) / 2 if slope != 1.0 and abs(slope) <= _WIDEST_STEP else 0.0)
    nearest = np.rint(data)
    return (nearest if (np.abs(data - nearest) <= dust).all() else None), missing


def _fractions(volume: Volume) -> Any:
    """The first value that is no whole number, for the message."""
    data = volume.data
    with np.errstate(invalid="ignore"):
        odd = data[~(np.abs(data - np.rint(data)) <= _DUST) & ~np.isnan(data)]
    return odd.flat[0] if odd.size else data.flat[0]


def _who(volume: Volume) -> str:
    return f"'{volume.origin.name if volume.origin else volume.name}'"
