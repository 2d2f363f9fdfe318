"""The atlas bent onto a map: what is left after its nuclei were moved as wholes.

A picture of the atlas, each nucleus with the value that the map has in it and blurred as maps are, over the map's own
background, is drawn towards the map voxel by voxel (Thirion 1998, Med Image Anal 2:243, with the
gradient of both images); shifts are smoothed at every step, so that nuclei bend and stay whole.
Values and background are taken anew from the map as the picture moves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from napari_qsm.arrays import Array, bounding_box
from napari_qsm.recon.stages import Progress, no_progress
from napari_qsm.registration.atlas import TYPICAL_PPM, load_atlas, near, padded
from napari_qsm.registration.images import coarser, points_of, smoothed
from napari_qsm.registration.nuclei import AtlasFit
from napari_qsm.volume import Volume

#: Labels of the atlas that are outlined, left ones first.
LABELS = tuple(sorted(label + side for label in TYPICAL_PPM for side in (0, 1)))
#: Bleeds, calcifications and veins would outweigh everything, ppm.
_LIMITS_PPM = (-0.06, 0.25)
#: Room round the nuclei, and how far from them the map is looked at, mm: fully, and not at all.
_ROOM_MM, _FULL_MM, _NONE_MM = 9, 5.0, 8.0
#: Blur of a map beside that of its smoothing, mm; width of the mean that is its background, mm.
_BLUR_MM, _BACKGROUND_MM = 0.8, 2.5
#: The part of a nucleus's own values that its value is taken from: thin ones are pale at the rim.
_VALUE_PERCENT = 75
#: Parts of the usual value, above the background, between which that of a nucleus may lie.
_VALUE_LIMITS = (0.15, 2.0)
#: A difference of so much says nothing more of where an edge is, ppm.
_SURPRISE_PPM = 0.08
_LONGEST_STEP_MM = 0.6


@dataclass(frozen=True)
class _Level:
    """Smoothing of the map, spacing of the grid and width that shifts are smoothed by, mm."""

    smooth_mm: float
    step: int
    stiff_mm: float
    rounds: int


_LEVELS = (
    _Level(2.5, 2, 2.5, 30),
    _Level(1.2, 2, 1.75, 25),
    _Level(0.9, 1, 1.2, 20),
    _Level(0.5, 1, 0.9, 20),
)


@dataclass(frozen=True, eq=False)
class BentAtlas:
    """The atlas in a map, bent.

    Attributes
    ----------
    fit : AtlasFit
        Where its nuclei lie as wholes.
    grid : Volume
        The part of the atlas that is bent, 1 mm; its data are the atlas's labels.
    shifts : (3, x, y, z) ndarray
        By how much each place is moved beside that, mm of the atlas.
    """

    fit: AtlasFit
    grid: Volume
    shifts: Array

    def _shift(self, points_mm: Array) -> Array:
        at = self.grid.world_to_voxel(points_mm).T
        parts = [ndimage.map_coordinates(s, at, order=1, mode="nearest") for s in self.shifts]
        return self.fit.shift(points_mm) + np.stack(parts, axis=-1)

    def to_map(self, points_mm: Array) -> Array:
        """Places of the atlas in the map; world mm, (n, 3) in and out."""
        matrix = self.fit.matrix
        return (points_mm + self._shift(points_mm)) @ matrix[:3, :3].T + matrix[:3, 3]

    def to_atlas(self, points_mm: Array) -> Array:
        """Places of the map in the atlas; world mm, (n, 3) in and out."""
        inverse = np.linalg.inv(self.fit.matrix)
        straight = points_mm @ inverse[:3, :3].T + inverse[:3, 3]
        points = straight
        for _ in range(10):
            points = points + 0.8 * (straight - self._shift(points) - points)
        return points

    def labels_on(self, grid: Volume) -> Array:
        """The labels on the grid of a map, uint8: each voxel's largest share, if more than half."""
        labels = load_atlas().labels
        room = padded(labels, 4)
        around = near(np.isin(room.data, LABELS), room.voxel_size_mm, 3.0)
        index = np.round(grid.world_to_voxel(self.to_map(points_of(room, around)))).astype(int)
        index = index[np.all((index >= 0) & (index < grid.shape), axis=1)]
        out = np.zeros(grid.shape, np.uint8)
        if not len(index):
            return out
        marked = np.zeros(grid.shape, bool)
        marked[tuple(index.T)] = True
        # The atlas's points are 1 mm apart, or a little more: what lies between them counts too.
        gap = np.ceil(1.0 / np.array(grid.voxel_size_mm)).astype(int)
        box = bounding_box(marked, [int(n) for n in gap])
        marked[box] = ndimage.maximum_filter(marked[box], size=2 * gap + 1)
        voxels = np.argwhere(marked[box]) + [part.start for part in box]
        at = labels.world_to_voxel(self.to_atlas(grid.voxel_to_world(voxels))).T
        best = np.zeros(len(voxels), np.float32)
        found = np.zeros(len(voxels), np.uint8)
        total = np.zeros(len(voxels), np.float32)
        for label in LABELS:
            soft = _blurred((np.asarray(labels.data) == label).astype(np.float32), 0.6)
            share = ndimage.map_coordinates(soft, at, order=1)
            total += share
            found[share > best] = label
            np.maximum(best, share, out=best)
        found[total <= 0.5] = 0
        out[tuple(voxels.T)] = found
        return out


def bend_atlas(
    fit: AtlasFit, chi: Volume, mask: Array, *, progress: Progress = no_progress
) -> BentAtlas:
    """Bend the atlas onto a map from where its nuclei lie as wholes.

    Parameters
    ----------
    fit : AtlasFit
        Of this map.
    chi : Volume
        ppm; what counts as zero does not matter.
    mask : (x, y, z) bool ndarray
        The brain, on the map's grid.
    progress : callable
        Called with the fraction done; may raise to stop.
    """
    whole = padded(load_atlas().labels, _ROOM_MM)
    box = bounding_box(np.isin(whole.data, LABELS), _ROOM_MM)
    affine = whole.affine.copy()
    affine[:3, 3] = whole.voxel_to_world([part.start for part in box])
    grid = Volume(np.ascontiguousarray(whole.data[box]), affine)
    nuclei = np.isin(grid.data, LABELS)
    points = points_of(grid, np.ones(grid.shape, bool))
    places = points + fit.shift(points)
    start = np.moveaxis(places.reshape(*grid.shape, 3), -1, 0).astype(np.float32)
    away = ndimage.distance_transform_edt(~nuclei)
    weight = np.clip((_NONE_MM - away) / (_NONE_MM - _FULL_MM), 0, 1).astype(np.float32)
    ppm = np.clip(np.nan_to_num(np.asarray(chi.data, np.float32)), *_LIMITS_PPM)
    image = coarser(chi.with_data(np.where(mask, ppm, 0).astype(np.float32)), 1.0)
    to_index = (np.linalg.inv(image.affine) @ fit.matrix).astype(np.float32)
    shifts = np.zeros((3, *grid.shape), np.float32)
    for number, level in enumerate(_LEVELS):
        smooth = image.with_data(smoothed(image, level.smooth_mm))
        thin = (slice(None, None, level.step),) * 3
        picture = _Picture(np.asarray(grid.data), nuclei, level)
        own = np.ascontiguousarray(shifts[(slice(None), *thin)])
        own = _drawn(picture, smooth, to_index, start[(slice(None), *thin)], own, weight[thin])
        if level.step > 1:
            fine = np.indices(grid.shape, dtype=np.float32) / level.step
            own = np.stack([ndimage.map_coordinates(s, fine, order=1, mode="nearest") for s in own])
        shifts = own
        progress((number + 1) / len(_LEVELS))
    return BentAtlas(fit, grid, shifts)


class _Picture:
    """What the atlas looks like on one level, with values taken from a map."""

    def __init__(self, labels: Array, nuclei: Array, level: _Level) -> None:
        thin = (slice(None, None, level.step),) * 3
        blur = float(np.hypot(_BLUR_MM, level.smooth_mm))
        self.level = level
        self.shares = {k: _blurred((labels == k).astype(np.float32), blur)[thin] for k in LABELS}
        # What is near a nucleus is not background: it is blurred.
        self.clear = (ndimage.distance_transform_edt(~nuclei) > 1.0).astype(np.float32)[thin]
        self.rest = np.clip(1 - sum(self.shares.values()), 0, 1)
        self.cores = {k: s > min(0.9, 0.8 * float(s.max())) for k, s in self.shares.items()}

    def painted(self, seen: Array) -> Array:
        """The picture with the values that the map has where it lies now."""
        width = _BACKGROUND_MM / self.level.step
        known = np.maximum(_blurred(self.clear, width), 1e-2)
        background = _blurred(seen * self.clear, width) / known
        picture = self.rest * background
        for label, share in self.shares.items():
            core = self.cores[label]
            round_it = float(np.median(background[core]))
            usual = TYPICAL_PPM[label - (label % 2 == 0)]
            low, high = (round_it + part * usual for part in _VALUE_LIMITS)
            picture += share * np.clip(np.percentile(seen[core], _VALUE_PERCENT), low, high)
        return picture.astype(np.float32)


def _drawn(
    picture: _Picture, image: Volume, to_index: Array, start: Array, shifts: Array, weight: Array
) -> Array:
    """Shifts after the rounds of a level."""
    level = picture.level
    template, slopes = weight, shifts
    for count in range(level.rounds):
        places = start + shifts
        at = np.tensordot(to_index[:3, :3], places, 1) + to_index[:3, 3, None, None, None]
        seen = ndimage.map_coordinates(image.data, at, order=1, mode="nearest")
        if count % 5 == 0:
            template = picture.painted(seen)
            slopes = _slopes(template) / level.step
        rest = template - seen
        slope = 0.5 * (slopes + _slopes(seen) / level.step)
        credit = weight / (1 + (rest / _SURPRISE_PPM) ** 2)
        step = rest * credit * slope / ((slope**2).sum(axis=0) + 0.5 * rest**2 + 1e-5)
        length = np.sqrt((step**2).sum(axis=0))
        step *= np.minimum(1, _LONGEST_STEP_MM / np.maximum(length, 1e-6))
        moved = [s + _blurred(d, 1 / level.step) for s, d in zip(shifts, step, strict=True)]
        shifts = np.stack([_blurred(s, level.stiff_mm / level.step) for s in moved])
    return shifts


def _slopes(values: Array) -> Array:
    return np.stack([np.gradient(values, axis=axis) for axis in range(3)])


def _blurred(values: Array, sigma: float) -> Array:
    return ndimage.gaussian_filter(values, sigma, mode="nearest", truncate=3)
