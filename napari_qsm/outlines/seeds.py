"""Balls to start from in nuclei that the atlas lacks."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy import ndimage

from napari_qsm.arrays import Array
from napari_qsm.outlines.bending import BentAtlas
from napari_qsm.registration.images import coarser
from napari_qsm.rois.region import Region
from napari_qsm.volume import Volume

SIDES = ("left", "right")
#: What the atlas lacks and gets a ball to start from: name, colours, and its middle on the right, mm in the
#: atlas's world.
SEEDS: tuple[tuple[str, str, str, str, tuple[float, float, float]], ...] = (
    ("Thalamus", "Tha", "#d9c762", "#9a8c28", (10.5, -18.0, 7.5)),
    ("Pulvinar", "Pul", "#9df1b1", "#61b377", (14.5, -28.0, 5.5)),
    ("Dentate nucleus", "DN", "#9cc168", "#618631", (15.5, -57.0, -34.5)),
)
SEED_RADIUS_MM = 2.5
#: How far the brightest place is looked for, mm, what a place at that distance is dimmed by, the
#: width of the mean that is looked at, mm, and between which values; ppm.
_SEED_REACH_MM, _SEED_COST_PPM, _SEED_BLUR_MM = 6.0, 0.04, 4.0
_SEED_LIMITS_PPM = (-0.05, 0.12)
#: How the name of a region says that it is a ball to start from.
SEED_MARK = "seed"


def draw_seeds(
    bent: BentAtlas,
    chi: Volume,
    inside: Array,
    out: Array,
    rows: Iterable[Region],
    without: dict[str, str],
) -> list[Region]:
    """Draw balls to start from where nothing is outlined.

    Parameters
    ----------
    bent : BentAtlas
        Of this map.
    chi : Volume
        ppm.
    inside : (x, y, z) bool ndarray
        The brain.
    out : (x, y, z) ndarray
        Labels; the balls are drawn into it.
    rows : iterable of Region
        Among them those of the balls.
    without : dict of str to str
        Gets the regions whose place is not seen, and why.

    Returns
    -------
    list of Region
        What was drawn.
    """
    regions = {region.name: region for region in rows}
    ppm = np.clip(np.nan_to_num(np.asarray(chi.data, np.float32)), *_SEED_LIMITS_PPM)
    bright = coarser(chi.with_data(np.where(inside, ppm, 0)), _SEED_BLUR_MM)
    made = []
    for name, _, _, _, middle in SEEDS:
        for side in SIDES:
            region = regions[f"{name} {SEED_MARK} {side[0].upper()}"]
            at = np.array(middle) * ((-1 if side == "left" else 1), 1, 1)
            ball = _ball(_brightest(bent.to_map(at[None])[0], bright), chi)
            free = out[ball] == 0
            ball = tuple(index[free] for index in ball)
            if len(ball[0]) < 2 or not inside[ball].all():
                without[region.name] = "its place lies outside of what is seen"
                continue
            out[ball] = region.index
            made.append(region)
    return made


def _brightest(place_mm: Array, bright: Volume) -> Array:
    """The place near one that is brightest, less so the further it is; world mm."""
    steps = np.arange(-_SEED_REACH_MM, _SEED_REACH_MM + 0.1, 1.0)
    offsets = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(-1, 3)
    offsets = offsets[np.linalg.norm(offsets, axis=1) <= _SEED_REACH_MM]
    at = bright.world_to_voxel(place_mm + offsets).T
    seen = ndimage.map_coordinates(bright.data, at, order=1, mode="nearest")
    cost = _SEED_COST_PPM * (np.linalg.norm(offsets, axis=1) / _SEED_REACH_MM) ** 2
    return np.asarray(place_mm + offsets[int((seen - cost).argmax())])


def _ball(centre_mm: Array, grid: Volume) -> tuple[Array, ...]:
    """Indices of the voxels whose middle lies within the radius of a seed."""
    reach = np.ceil(SEED_RADIUS_MM / np.array(grid.voxel_size_mm)).astype(int)
    middle = np.round(grid.world_to_voxel(centre_mm)).astype(int)
    near = np.argwhere(np.ones(2 * reach + 1, bool)) - reach + middle
    near = near[np.all((near >= 0) & (near < grid.shape), axis=1)]
    apart = np.linalg.norm(grid.voxel_to_world(near) - centre_mm, axis=1)
    return tuple(near[apart <= SEED_RADIUS_MM].T)
