"""Slabs: some slices of a volume with the margin that a stage's methods need round them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_qsm.errors import MetadataError
from napari_qsm.recon.recipe import Choice

#: Stages that can run on a slab, and how far beyond it they look, mm. The others need the whole
#: head (a brain mask, a reference) or take no time (scaling).
_REACH_MM: Mapping[str, float] = {
    "unwrap": 20.0,
    "echoes": 4.0,
    "background": 20.0,  # at least; more where a setting says how far
    "inversion": 30.0,
    "reference": 0.0,
}
#: A ball looks one radius far, its deconvolution about as far again.
_RADIUS_FACTOR = 2.0
#: Stages at which a slab may start.
SLAB_STAGES = ("unwrap", "echoes", "background", "inversion")


@dataclass(frozen=True)
class Slab:
    """A range of slices.

    Attributes
    ----------
    axis : int
        0, 1 or 2 of the closest-canonical RAS grid.
    start, stop : int
        First slice, and the one after the last.
    """

    axis: int
    start: int
    stop: int


def check_slab(slab: Slab, shape: tuple[int, ...]) -> None:
    """Refuse a slab that does not lie within the image.

    Raises
    ------
    MetadataError
        Naming the slab and the image.
    """
    if slab.axis not in (0, 1, 2) or not 0 <= slab.start < slab.stop <= shape[slab.axis]:
        raise MetadataError(
            f"Slices {slab.start} to {slab.stop} along axis {slab.axis} do not lie within the "
            f"image of {' x '.join(map(str, shape))} voxels."
        )


def reach_mm(steps: Sequence[tuple[str, Choice]]) -> float:
    """How far beyond a slab the given stages look, mm: the widest of them."""
    reach = 0.0
    for stage, choice in steps:
        radii = [
            float(value)
            for name, value in choice.settings.items()
            if "radius" in name and choice.method.settings[name].param.unit == "mm"
        ]
        reach = max(reach, _REACH_MM.get(stage, 0.0), _RADIUS_FACTOR * max(radii, default=0.0))
    return reach


def box_of(
    slab: Slab | None,
    steps: Sequence[tuple[str, Choice]],
    voxel_size_mm: Sequence[float],
    shape: tuple[int, ...],
) -> tuple[slice, ...]:
    """The slab with its margin, as far as the image goes."""
    box = [slice(0, n) for n in shape]
    if slab is not None:
        margin = int(np.ceil(reach_mm(steps) / voxel_size_mm[slab.axis]))
        low, high = max(slab.start - margin, 0), slab.stop + margin
        box[slab.axis] = slice(low, min(high, shape[slab.axis]))
    return tuple(box)


def cropped(value: Any, box: tuple[slice, ...], shape: tuple[int, ...]) -> Any:
    """The part of an image inside a box (view); anything else as it is."""
    if isinstance(value, np.ndarray) and value.ndim >= 3 and value.shape[-3:] == shape:
        index: tuple[Any, ...] = (Ellipsis, *box)
        return value[index]
    return value


def put_back(value: Any, box: tuple[slice, ...], slab: Slab | None, shape: tuple[int, ...]) -> Any:
    """On the whole grid, zero outside the slab: the margin is not for looking at."""
    if slab is None or not (isinstance(value, np.ndarray) and value.ndim >= 3):
        return value
    out = np.zeros((*value.shape[:-3], *shape), dtype=value.dtype)
    keep = [slice(None)] * 3
    start = box[slab.axis].start
    keep[slab.axis] = slice(slab.start - start, slab.stop - start)
    target = [slice(None)] * 3
    target[slab.axis] = slice(slab.start, slab.stop)
    lead: tuple[Any, ...] = (Ellipsis,)
    out[lead + tuple(target)] = value[lead + tuple(keep)]
    return out
