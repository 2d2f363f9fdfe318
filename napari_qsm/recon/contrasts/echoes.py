"""Magnitudes and their echo times, checked once for all maps that are made from them."""

from __future__ import annotations

from collections.abc import Sequence

from napari_qsm.arrays import Array
from napari_qsm.errors import MetadataError


def magnitudes_with_times(
    magnitude: Array | None, times_s: Sequence[float], what: str, *, least: int = 1
) -> tuple[Array, tuple[float, ...]]:
    """Magnitudes (M, x, y, z) and M echo times in s.

    Raises
    ------
    MetadataError
        If there are none, or fewer than ``least``, or their times are not known.
    """
    if magnitude is None or not len(magnitude):
        raise MetadataError(f"{what} needs the magnitude images, which were not given.")
    if len(times_s) != len(magnitude):
        raise MetadataError(f"{what} needs the echo times of the magnitudes, which are not known.")
    if len(magnitude) < least:
        have = "there is one" if len(magnitude) == 1 else f"there are {len(magnitude)}"
        raise MetadataError(f"{what} needs magnitudes at {_WORDS[least]} echo times, but {have}.")
    return magnitude, tuple(float(t) for t in times_s)


_WORDS = {1: "one", 2: "two", 3: "three"}
