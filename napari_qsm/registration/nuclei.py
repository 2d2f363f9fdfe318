"""Where the deep nuclei of the atlas lie in a susceptibility map.

Three steps. The atlas's brain is brought onto the brain mask (affine). The nuclei, filled with
what is usual for them, are brought onto the map (affine, with a prior). Then groups of nuclei, and
after them each nucleus, look for where the map round them resembles them most, within a few mm;
their shifts, spread smoothly, bend the space between them. A match of shapes by correlation needs
no values that are right, and a search of all places within reach gets stuck nowhere; a nucleus's
value is taken from the map once it is found.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from scipy import ndimage

from napari_qsm.arrays import Array, bounding_box
from napari_qsm.errors import QsmError
from napari_qsm.recon.stages import Progress, no_progress
from napari_qsm.registration.affine import fit_affine
from napari_qsm.registration.atlas import (
    MARGIN,
    TYPICAL_PPM,
    Atlas,
    load_atlas,
    near,
    padded,
    shift_at,
    spread_shifts,
)
from napari_qsm.registration.images import (
    coarser,
    on_grid,
    points_of,
    smoothed,
    turn_matrix,
    values_at,
)
from napari_qsm.rois.shapes import Side
from napari_qsm.volume import Volume

_NEAR_MM = 10.0
#: How far nuclei usually lie from where the brain's form puts them, mm.
_USUAL_MM = 4.0
#: Bleeds, calcifications and veins would outweigh everything, ppm.
_LIMITS_PPM = (-0.05, 0.2)
_STRIATUM, _MIDBRAIN = (1, 3, 5, 9, 11), (13, 15, 17, 31)


def _right(labels: Sequence[int]) -> tuple[int, ...]:
    return tuple(label + 1 for label in labels)


@dataclass(frozen=True)
class _Search:
    """What is moved together, how far, by which steps, on which smoothness; mm."""

    groups: tuple[tuple[int, ...], ...]
    range_mm: float
    step_mm: float
    smooth_mm: float
    margin_mm: float
    spread_mm: float


_PUTAMEN = (1, 5, 9, 11)
_SEARCHES = (
    _Search((_STRIATUM, _right(_STRIATUM), _MIDBRAIN + _right(_MIDBRAIN)), 10, 2, 3, 6, 6),
    _Search(((3,), (4,), _PUTAMEN, _right(_PUTAMEN), _MIDBRAIN, _right(_MIDBRAIN)), 5, 1, 2, 6, 4),
    _Search(
        (
            *((3,), (4,), (1,), (2,), (9, 11), (10, 12), (5,), (6,)),
            *((13, 17), (14, 18), (15,), (16,), (31,), (32,)),
        ),
        3,
        1,
        1.5,
        5,
        2,
    ),
)
#: What a shift by its usual spread costs, in units of correlation.
_COST = 0.025
#: Parts of the usual value between which that of a nucleus is taken from the map.
_VALUE_LIMITS = (0.5, 2.0)
#: Below these a fit is refused: match of the brain, mean match of the nuclei.
LOWEST_BRAIN, LOWEST_MATCH = 0.6, 0.4
#: By how much a flipped head must fit better to be believed.
_FLIPPED_BETTER = 0.05


@dataclass(frozen=True, eq=False)
class AtlasFit:
    """Where the atlas lies in a map.

    Attributes
    ----------
    matrix : (4, 4) ndarray
        World mm of the atlas to that of the map, before the shifts.
    shifts : dict of int to (x, y, z)
        Shift of each nucleus in mm of the atlas, by its label.
    brain : float
        Correlation of the brain masks, smoothed.
    matches : dict of int to float
        Correlation of each nucleus and what lies round it with the map.
    flipped : str
        The axis along which the head seems to be stored the wrong way round; empty if none.
    middles : dict of str to (x, y, z)
        Middles of nuclei that were outlined in the map, world RAS mm, by name and side
        (``"Putamen left"``).
    """

    matrix: Array
    shifts: Mapping[int, tuple[float, float, float]]
    brain: float
    matches: Mapping[int, float]
    flipped: str = ""
    middles: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)

    @property
    def match(self) -> float:
        """Mean correlation over the nuclei."""
        return float(np.mean(list(self.matches.values()))) if self.matches else 0.0

    @property
    def problem(self) -> str:
        """Why it must not be used, in a sentence; empty if it may be."""
        if self.flipped:
            return (
                f"the head fits better with {self.flipped} swapped: the header seems to tell the "
                "wrong orientation"
            )
        if self.brain < LOWEST_BRAIN:
            return f"the brain mask does not fit an atlas's brain ({self.brain:.2f})"
        if self.match < LOWEST_MATCH:
            return (
                f"the deep nuclei of the map don't resemble those of the atlas ({self.match:.2f}; at "
                f"least {LOWEST_MATCH:g} is needed)"
            )
        return ""

    @cached_property
    def _bend(self) -> tuple[Volume, Array]:
        return spread_shifts(self.shifts)

    def shift(self, points_mm: Array) -> Array:
        """By how much the shifts of the nuclei move places of the atlas, mm; (n, 3) in and out."""
        return shift_at(self._bend, points_mm)

    def to_map(self, points_mm: Array) -> Array:
        """Places of the atlas in the map; world mm, (n, 3) in and out."""
        bent = points_mm + self.shift(points_mm)
        return bent @ self.matrix[:3, :3].T + self.matrix[:3, 3]

    def to_atlas(self, points_mm: Array) -> Array:
        """Places of the map in the atlas; world mm, (n, 3) in and out."""
        inverse = np.linalg.inv(self.matrix)
        straight = points_mm @ inverse[:3, :3].T + inverse[:3, 3]
        points = straight
        for _ in range(8):  # shifts change by far less than 1 mm a mm
            points = straight - self.shift(points)
        return points

    def centre(self, name: str, side: Side) -> tuple[float, float, float]:
        """Middle of a nucleus in the map, world RAS mm; see :data:`~.atlas.NUCLEI` for names."""
        known = self.middles.get(f"{name} {side}")
        if known is not None:
            return known
        atlas = load_atlas()
        middle = self.to_map(points_of(atlas.labels, atlas.inside(name, side))).mean(axis=0)
        return float(middle[0]), float(middle[1]), float(middle[2])

    def labels_on(self, grid: Volume) -> Array:
        """The atlas's labels on the grid of a map, uint8."""
        labels = load_atlas().labels
        box = padded(labels, 4)
        corners = self.to_map(points_of(box, near(box.data > 0, box.voxel_size_mm, 2.0)))
        index = grid.world_to_voxel(corners)
        low = np.clip(np.floor(index.min(axis=0)).astype(int), 0, grid.shape)
        high = np.clip(np.ceil(index.max(axis=0)).astype(int) + 1, 0, grid.shape)
        out = np.zeros(grid.shape, np.uint8)
        parts = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        voxels = np.argwhere(np.ones(tuple(high - low), bool)) + low
        if not len(voxels):
            return out
        at = labels.world_to_voxel(self.to_atlas(grid.voxel_to_world(voxels))).T
        found = ndimage.map_coordinates(labels.data, at, order=0, mode="constant")
        out[parts] = found.reshape(out[parts].shape)
        return out

    def to_dict(self) -> dict[str, Any]:
        """Plain data, from which :meth:`from_dict` makes it again."""
        return {
            "matrix": [[round(float(v), 6) for v in row] for row in self.matrix],
            "shifts_mm": {str(k): [round(float(v), 3) for v in s] for k, s in self.shifts.items()},
            "brain": round(self.brain, 4),
            "matches": {str(k): round(v, 4) for k, v in self.matches.items()},
            "middles_mm": {k: [round(float(v), 3) for v in at] for k, at in self.middles.items()},
        }

    @classmethod
    def from_dict(cls, said: Mapping[str, Any]) -> AtlasFit:
        """From what :meth:`to_dict` gave.

        Raises
        ------
        QsmError
            If it is something else.
        """
        try:
            matrix = np.array(said["matrix"], dtype=np.float64)
            shifts = {int(k): tuple(float(v) for v in s) for k, s in said["shifts_mm"].items()}
            matches = {int(k): float(v) for k, v in said["matches"].items()}
            brain = float(said["brain"])
            middles = {
                str(k): tuple(float(v) for v in at) for k, at in said.get("middles_mm", {}).items()
            }
        except (KeyError, TypeError, ValueError, AttributeError):
            raise QsmError("These are no places of the atlas.") from None
        if matrix.shape != (4, 4) or any(
            len(place) != 3 for place in (*shifts.values(), *middles.values())
        ):
            raise QsmError("These are no places of the atlas.")
        return cls(
            matrix,
            {k: (s[0], s[1], s[2]) for k, s in shifts.items()},
            brain,
            matches,
            middles={k: (m[0], m[1], m[2]) for k, m in middles.items()},
        )


def fit_atlas(chi: Volume, mask: Volume, *, progress: Progress = no_progress) -> AtlasFit:
    """Find the deep nuclei of the atlas in a susceptibility map.

    Parameters
    ----------
    chi : Volume
        ppm; what counts as zero does not matter.
    mask : Volume
        The brain, in the world of the map; part of it may lie outside the view.
    progress : callable
        Called with the fraction done; may raise to stop.

    Returns
    -------
    AtlasFit
        Look at ``problem`` before using it.

    Raises
    ------
    QsmError
        If the mask is empty.

    Notes
    -----
    Left and right are those of the header: a head is too symmetric to tell them. Front and back,
    top and bottom are told from the content as well.
    """
    atlas = load_atlas()
    inside = on_grid(mask.with_data(np.asarray(mask.data, np.float32)), chi)[0] > 0.5
    if inside.sum() < 1000:
        raise QsmError("The brain mask of the map is empty.")
    # Canonical axes, and no more of the image than the brain.
    ppm = np.clip(np.nan_to_num(np.asarray(chi.data, np.float32)), *_LIMITS_PPM)
    values = chi.with_data(np.where(inside, ppm, 0).astype(np.float32))
    image, brain = (coarser(v, 1.2) for v in (values, chi.with_data(inside)))
    template = padded(Volume(atlas.typical(), atlas.labels.affine), MARGIN)
    region = near(template.data > 0, template.voxel_size_mm, _NEAR_MM)
    matrix, brain_match, here = _brought(atlas, template, region, image, brain)
    progress(0.3)
    flipped = ""
    for axes, flip in (("front and back", (1, -1, 1)), ("top and bottom", (1, 1, -1))):
        _, match, other = _brought(atlas, template, region, image, brain, flip)
        if match > LOWEST_BRAIN and other > here + _FLIPPED_BETTER:
            flipped = axes
        progress(0.4 if flip[1] < 0 else 0.5)
    if flipped:
        return AtlasFit(matrix, {}, brain_match, {}, flipped)
    matrix, _ = fit_affine(
        template, region, image, matrix, smooth_mm=2.5, voxel_mm=2.0, spread_mm=_USUAL_MM
    )
    shifts, matches = _matched(atlas, image, matrix, progress)
    return AtlasFit(matrix, shifts, brain_match, matches, flipped)


def _brought(
    atlas: Atlas,
    template: Volume,
    region: Array,
    image: Volume,
    brain: Volume,
    flip: tuple[int, int, int] = (1, 1, 1),
) -> tuple[Array, float, float]:
    """Brain onto brain, then nuclei roughly onto the map: transform, and how well each fits."""
    whole = padded(atlas.brain, 8)
    own, its = points_of(atlas.brain, atlas.brain.data > 0), points_of(brain, brain.data > 0.5)
    middle = own.mean(axis=0)
    size = np.clip(its.std(axis=0) / own.std(axis=0), 0.8, 1.25) * np.array(flip)
    matrix = turn_matrix(np.diag(size), middle, its.mean(axis=0))
    match = 0.0
    for smooth_mm, voxel_mm in ((8.0, 6.0), (4.0, 4.0)):
        soft = smoothed(whole, smooth_mm)
        rim = (soft > 0.02) & (soft < 0.98)
        matrix, match = fit_affine(
            whole, rim, brain, matrix, smooth_mm=smooth_mm, voxel_mm=voxel_mm, spread_mm=None
        )
    matrix, rough = fit_affine(
        template, region, image, matrix, smooth_mm=4.0, voxel_mm=3.0, spread_mm=_USUAL_MM
    )
    return matrix, match, rough


def _matched(
    atlas: Atlas, image: Volume, matrix: Array, progress: Progress
) -> tuple[dict[int, tuple[float, float, float]], dict[int, float]]:
    """Shift of each nucleus in mm of the atlas, and its correlation with the map."""
    labels = padded(atlas.labels, MARGIN)
    values = np.zeros(256, np.float32)
    for label, ppm in TYPICAL_PPM.items():
        values[[label, label + 1]] = ppm
    usual = values.copy()
    shifts = {int(label): np.zeros(3) for label in np.flatnonzero(usual)}
    matches: dict[int, float] = {}
    for number, search in enumerate(_SEARCHES):
        smooth = image.with_data(smoothed(image, search.smooth_mm))
        template = ndimage.gaussian_filter(values[np.asarray(labels.data)], search.smooth_mm)
        bend = spread_shifts(shifts)
        found = {}
        for group in search.groups:
            shift, match = _looked_for(labels, template, smooth, matrix, bend, group, search)
            for label in group:
                found[label], matches[label] = shift, match
        for label, shift in found.items():
            shifts[label] = shifts[label] + shift
        bend = spread_shifts(shifts)
        for label in shifts:
            points = points_of(labels, labels.data == label)
            bent = points + shift_at(bend, points)
            seen, _ = values_at(image, bent @ matrix[:3, :3].T + matrix[:3, 3])
            if len(seen):
                low, high = np.array(_VALUE_LIMITS) * usual[label]
                values[label] = np.clip(np.percentile(seen, 70), low, high)
        progress(0.5 + 0.5 * (number + 1) / len(_SEARCHES))
    return {k: (float(s[0]), float(s[1]), float(s[2])) for k, s in shifts.items()}, matches


def _looked_for(
    labels: Volume,
    template: Array,
    image: Volume,
    matrix: Array,
    bend: tuple[Volume, Array],
    group: Sequence[int],
    search: _Search,
) -> tuple[Array, float]:
    """By how much a group of nuclei is to be shifted to look most like the map, and how much it does."""
    inside = np.isin(labels.data, group)
    box = bounding_box(inside, int(search.margin_mm) + 1)
    patch = np.argwhere(near(inside[box], labels.voxel_size_mm, search.margin_mm))
    if len(patch) > 4000:
        patch = patch[np.all(patch % 2 == 0, axis=1)]
    patch = patch + [part.start for part in box]
    wanted = template[tuple(patch.T)].astype(np.float64)
    wanted = (wanted - wanted.mean()) / max(float(np.std(wanted)) * np.sqrt(len(wanted)), 1e-12)
    points = labels.voxel_to_world(patch)
    points = points + shift_at(bend, points)
    to_index = np.linalg.inv(image.affine) @ matrix
    start = points @ to_index[:3, :3].T + to_index[:3, 3]
    reach = np.arange(-search.range_mm, search.range_mm + 1e-6, search.step_mm)
    tried = np.stack(np.meshgrid(reach, reach, reach, indexing="ij"), axis=-1)
    scores = np.full(tried.shape[:3], -np.inf)
    plain = np.zeros(tried.shape[:3])
    length = np.linalg.norm(tried, axis=-1)
    for place in np.argwhere(length <= search.range_mm + 1e-6):
        at = tuple(place)
        index = start + tried[at] @ to_index[:3, :3].T
        seen = ndimage.map_coordinates(image.data, index.T, order=1, mode="nearest")
        seen = seen - seen.mean()
        plain[at] = wanted @ seen / max(float(np.linalg.norm(seen)), 1e-12)
        scores[at] = plain[at] - _COST * (length[at] / search.spread_mm) ** 2
    best = np.unravel_index(int(scores.argmax()), scores.shape)
    shift = tried[best].copy()
    for axis in range(3):  # between the steps: the top of a parabola
        low, high = (
            scores[tuple(b + (d if a == axis else 0) for a, b in enumerate(best))]
            if 0 <= best[axis] + d < len(reach)
            else -np.inf
            for d in (-1, 1)
        )
        bow = low - 2 * scores[best] + high
        if np.isfinite(bow) and bow < 0:
            shift[axis] += search.step_mm * float(np.clip(0.5 * (low - high) / bow, -0.5, 0.5))
    return shift, float(plain[best])
