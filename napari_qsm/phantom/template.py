"""Where tissues end in the average head of the CIT168 atlas, and how the built-in head lies in it.

The files in ``template`` are made by ``docs/make_head_tissue.py`` (CC BY 4.0; see their notice), the
nuclei are those of :mod:`napari_qsm.registration.atlas`. Only boundaries come from them.

Two frames occur: ``x, y, z`` are world mm of the built-in head, ``u, v, w`` mm of the template (ICBM
152 nonlinear 2009c, RAS), which is a larger head. A smooth bend of some mm, different in each
subject, lies between.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
from scipy import ndimage
from scipy.special import ndtri

from napari_qsm.arrays import Array, bounding_box
from napari_qsm.io.nifti import read_volume
from napari_qsm.phantom.shapes import Point
from napari_qsm.phantom.subjects import LEFT, Subject
from napari_qsm.registration.atlas import load_atlas
from napari_qsm.volume import Volume

FOLDER = Path(__file__).parent / "template"
#: What one step of the stored numbers is worth: of the distance into the hull in mm, and of the
#: tissue, which is 0 in fluid, 1 in grey and 2 in white matter.
HULL_STEP_MM, TISSUE_STEP = 0.4, 0.2
#: Size of the built-in head against the template, along x, y and z.
SCALE = (0.935, 0.905, 0.915)
#: Millimetres of the head in one of the template, where it does not matter which way.
MEAN_SCALE = float(np.mean(SCALE))
#: By how much at most the bend moves a point, mm.
_BEND_MM = 4.5
#: Voxels of room round a structure, and how far its labels are smoothed.
_MARGIN, _SMOOTHING_MM = 6, 1.0


@dataclass(frozen=True, eq=False)
class Levels:
    """Numbers on an upright grid of the template, taken linearly in between.

    Attributes
    ----------
    data : ndarray, shape (x, y, z), float32
        The numbers.
    first, step : tuple of float
        Where the first voxel lies, and its edges, mm of the template.
    outside : float or None
        What holds beyond the grid; None for the nearest number in it.
    """

    data: Array
    first: Point
    step: Point
    outside: float | None = None

    def at(self, u: Array, v: Array, w: Array) -> Array:
        """The numbers at points of the template, float32."""
        index = np.empty((3, *np.broadcast_shapes(u.shape, v.shape, w.shape)), np.float32)
        for row, value, first, step in zip(index, (u, v, w), self.first, self.step, strict=True):
            np.multiply(value - np.float32(first), np.float32(1 / step), out=row)
        mode, fill = ("nearest", 0.0) if self.outside is None else ("constant", self.outside)
        return np.asarray(
            ndimage.map_coordinates(
                self.data, index, np.float32, order=1, mode=mode, cval=fill, prefilter=False
            )
        )

    @property
    def corners(self) -> tuple[Point, Point]:
        """The middles of the first and the last voxel, mm of the template."""
        a, b, c = (
            first + step * (n - 1)
            for first, step, n in zip(self.first, self.step, self.data.shape, strict=True)
        )
        return self.first, (a, b, c)


def to_template(x: Array, y: Array, z: Array, subject: Subject) -> tuple[Array, Array, Array]:
    """Where points of a subject's head lie in the template, mm."""
    p = subject.fold_phase
    # Long waves make a head wider or longer; short ones let no two cortices lie alike.
    wide = 1 + 0.02 * np.sin(y * (1 / 19) + p) * np.cos(z * (1 / 23) - p)
    bow = 0.5 * np.sin(y * (1 / 25) + z * (1 / 31) + 2 * p)
    aside = 1.7 * np.sin(x * (1 / 9)) * np.sin(y * (1 / 8.5) + 2 * p)
    forward = 1.0 * np.sin(z * (1 / 17) + 1.3 * p) * np.cos(x * (1 / 27))
    forward = forward + 1.8 * np.sin(z * (1 / 9) + 2.1 * p) * np.cos(x * (1 / 10))
    up = 1.0 * np.sin(y * (1 / 21) + 0.7 * p + 1) * np.cos(x * (1 / 31))
    up = up + 1.8 * np.sin(y * (1 / 9) + 1.7 * p + 0.5) * np.cos(x * (1 / 9.5))
    return (
        x * (1 / SCALE[0]) * wide + bow + aside,
        y * (1 / SCALE[1]) + forward,
        z * (1 / SCALE[2]) + up,
    )


def to_head(points: Sequence[Point], subject: Subject) -> list[Point]:
    """Where points of the template lie in a subject's head: :func:`to_template` undone."""
    aim = np.asarray(points, dtype=np.float64)
    here = aim * SCALE
    for _ in range(16):  # a gentle bend: each step leaves less than half of the error
        x, y, z = here.T
        there = np.stack(to_template(x, y, z, subject), axis=-1)
        here = here + (aim - there) * SCALE
    return [(float(x), float(y), float(z)) for x, y, z in here]


def box_in_head(low: Point, high: Point) -> tuple[Point, Point]:
    """Corners of a box in any subject's head that holds a box of the template."""
    a, b, c = (
        min(end * s, end * s * (0.98 if end > 0 else 1.02)) - _BEND_MM
        for end, s in zip(low, SCALE, strict=True)
    )
    d, e, f = (
        max(end * s, end * s * (1.02 if end > 0 else 0.98)) + _BEND_MM
        for end, s in zip(high, SCALE, strict=True)
    )
    return (a, b, c), (d, e, f)


def _stored(name: str) -> Volume:
    with as_file(files("napari_qsm.phantom") / "template" / f"{name}.nii.gz") as path:
        return read_volume(path).to_canonical()


def _levels(data: Array, affine: Array, outside: float | None) -> Levels:
    first, step = affine[:3, 3], np.diag(affine)
    return Levels(
        np.ascontiguousarray(data, np.float32),
        (float(first[0]), float(first[1]), float(first[2])),
        (float(step[0]), float(step[1]), float(step[2])),
        outside,
    )


@lru_cache(maxsize=1)
def hull() -> Levels:
    """Distance into the brain with its sulci closed, mm of the template; -20 to 20."""
    stored = _stored("hull")
    return _levels(stored.data * np.float32(HULL_STEP_MM), stored.affine, None)


@lru_cache(maxsize=1)
def _tissues() -> tuple[Levels, ...]:
    """The tissue at 1, 2 and 4 mm."""
    stored = _stored("tissue")
    data = np.maximum(np.asarray(stored.data).astype(np.float32) - 1, 0) * np.float32(TISSUE_STEP)
    steps = []
    affine = stored.affine
    for _ in range(3):
        steps.append(_levels(data, affine, 0.0))
        a, b, c = (n // 2 * 2 for n in data.shape)
        data = data[:a, :b, :c].reshape(a // 2, 2, b // 2, 2, c // 2, 2).mean(axis=(1, 3, 5))
        affine = affine.copy()
        affine[:3, 3] += affine[:3, :3].sum(axis=1) / 2
        affine[:3, :3] *= 2
    return tuple(steps)


def tissue(cell_mm: float) -> Levels:
    """The tissue for cells of a size: 0 in fluid, 1 in grey and 2 in white matter."""
    return _tissues()[0 if cell_mm < 1.5 else 1 if cell_mm < 3.0 else 2]


@lru_cache(maxsize=64)
def nucleus(labels: tuple[int, ...], side: str) -> Levels:
    """Distance into a structure of the atlas, mm of the template.

    Parameters
    ----------
    labels : tuple of int
        Its labels on the left, which are joined.
    side : {"left", "right"}
        Which half.
    """
    step = 0 if side == LEFT else 1
    return _distances(load_atlas().labels, [label + step for label in labels])


@lru_cache(maxsize=2)
def ventricle(side: str) -> Levels:
    """Distance into a lateral ventricle, mm of the template."""
    return _distances(_stored("ventricles"), [1 if side == LEFT else 2])


def _distances(labels: Volume, wanted: Sequence[int]) -> Levels:
    """Smooth signed distance into labels of 1 mm, positive inside, true to some 3 mm.

    The labels are smoothed, and how much of them is left says how far the surface is, which is
    exact where it is flat. What is thin or bent loses by that, so the surface is put where it
    holds as many voxels as the label has.
    """
    inside = np.isin(labels.data, wanted)
    box = bounding_box(inside)
    inside = np.pad(inside[box], _MARGIN)
    left = ndimage.gaussian_filter(inside.astype(np.float64), _SMOOTHING_MM, truncate=4.5)
    kept = int(inside.sum())
    around = np.partition(left.ravel(), (-kept - 1, -kept))
    middle = ndtri((around[-kept - 1] + around[-kept]) / 2)
    signed = (ndtri(np.clip(left, 1e-4, 1 - 1e-4)) - middle) * _SMOOTHING_MM
    affine = labels.affine.copy()
    affine[:3, 3] = labels.voxel_to_world([s.start - _MARGIN for s in box])
    return _levels(signed, affine, None)
