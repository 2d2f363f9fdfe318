"""Rigid registration: where a head lay at one visit, seen from another.

Gauss-Newton on the squared difference of two magnitudes, each divided by its local mean, from
coarse to fine. Rows that fit badly count less (Geman & McClure 1987), so that vessels, noise and
what only one visit shows don't pull; voxels outside the other's view are left out. Gradients
are those of the fixed image (inverse compositional: Baker & Matthews 2004, Int J Comput Vis
56:221), so that a step costs one interpolation.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage
from scipy.spatial.transform import Rotation

from napari_qsm.arrays import Array
from napari_qsm.errors import GeometryError
from napari_qsm.recon.stages import Progress, no_progress
from napari_qsm.registration.images import (
    LOCAL_MM,
    coarser,
    evened,
    on_grid,
    points_of,
    smoothed,
    turn_matrix,
    values_at,
)
from napari_qsm.volume import Volume

#: Below this the images have nothing to do with each other, or the search got lost.
LOWEST_CORRELATION = 0.5
#: Below these, details of the brain don't agree as those of one person do: refused, and doubted.
LOWEST_DETAIL, DOUBTED_DETAIL = 0.2, 0.62
#: The part of the first head that the second must show.
LOWEST_OVERLAP = 0.4
#: Voxels of the levels, mm, and how many steps each may take.
_LEVELS = ((3.0, 25), (1.5, 20))
#: The search for a start is done on images that keep more of the head's form.
_SEARCH_MM, _SEARCH_LOCAL_MM, _TURN_DEG = 12.0, 36.0, 25.0
_KEPT_STARTS = 3
#: The finest details that are compared, and the width of the blocks they are compared in, mm.
_DETAIL_MM, _BLOCK_MM = 3.0, 14.0
#: A step shorter than this, at the rim of a head, is the last, mm.
_SETTLED_MM = 0.01
_RIM_MM = 70.0


@dataclass(frozen=True, eq=False)
class RigidFit:
    """A rigid transform between two visits, and how good it is.

    Attributes
    ----------
    matrix : (4, 4) ndarray
        World RAS mm in the fixed head to world RAS mm in the moving one.
    correlation : float
        Of the evened magnitudes over the head, at 1.5 mm.
    detail : float
        Correlation of details of 3 to 6 mm in blocks of the brain, noise taken off: what a tenth
        of the blocks fall short of. Scans of one digital head have 0.68 to 0.95, those of two
        that share all but their folds at most 0.56.
    overlap : float
        Part of the fixed head that lies within the moving image.
    settled : bool
        Whether the last step was below 0.05 mm.
    shift_mm, turn_deg : float
        How far the middle of the head moved, and by what angle it turned.
    """

    matrix: Array
    correlation: float
    detail: float
    overlap: float
    settled: bool
    shift_mm: float
    turn_deg: float

    @property
    def problem(self) -> str:
        """Why it must not be used, in a sentence; empty if it may be."""
        if self.overlap < LOWEST_OVERLAP:
            return f"only {self.overlap:.0%} of the head lies in both views"
        if self.correlation < LOWEST_CORRELATION:
            return (
                f"the images don't fit (correlation {self.correlation:.2f}, at least "
                f"{LOWEST_CORRELATION:g} is needed)"
            )
        if self.detail < LOWEST_DETAIL:
            return f"details of the brain don't agree ({self.detail:.2f}): another person's head?"
        if not self.settled:
            return "the search did not settle"
        return ""

    @property
    def doubt(self) -> str:
        """What should be looked at before it is used, in a sentence; empty if nothing."""
        if self.problem or self.detail >= DOUBTED_DETAIL:
            return ""
        return (
            f"details of the brain agree less than those of one person usually do "
            f"({self.detail:.2f}; usual is above {DOUBTED_DETAIL:g}): look at the checkerboard; it may "
            "be another person's head, or a scan with much motion"
        )


@dataclass(frozen=True, eq=False)
class _Level:
    """Both images at one resolution, with what the steps need.

    Attributes
    ----------
    points : (n, 3) ndarray
        World mm of the fixed image's voxels in the head.
    values : (n,) ndarray
        The fixed image there.
    slopes : (n, 6) ndarray
        How it changes with a small turn (rad) about ``centre`` and a small shift (mm).
    moving : Volume
    centre : (3,) ndarray
    """

    points: Array
    values: Array
    slopes: Array
    moving: Volume
    centre: Array


@dataclass(frozen=True, eq=False)
class _State:
    matrix: Array
    correlation: float = -1.0
    overlap: float = 0.0
    step_mm: float = np.inf

    @property
    def score(self) -> float:
        """Correlation, less where little of the head is in view."""
        return self.correlation * min(1.0, self.overlap / 0.6)


def register_rigid(
    fixed: Volume,
    moving: Volume,
    *,
    brain: Array | None = None,
    progress: Progress = no_progress,
) -> RigidFit:
    """Find where the head of one magnitude lies in another.

    Parameters
    ----------
    fixed, moving : Volume
        3-D magnitudes of one person; grids, axis orders and contrast may differ, and so may the
        shading of the coils.
    brain : (x, y, z) bool ndarray, optional
        The brain on the grid of ``fixed``, within which details are compared; the head's inside
        unless given.
    progress : callable
        Called with the fraction done; may raise to stop.

    Returns
    -------
    RigidFit
        Look at ``problem`` and ``doubt`` before using it.

    Raises
    ------
    GeometryError
        If an image is not 3-D, or empty.

    Notes
    -----
    Starts are the header's own place, the middles of both heads brought together, and that
    with turns of 25 degrees about each axis; the best three of them go on. On a digital head
    with turns up to 25 degrees, coil shading fixed to the scanner, slices cut off and another
    grid, nuclei are found to 0.03-0.15 mm.
    """
    for volume in (fixed, moving):
        if volume.data.ndim != 3:
            raise GeometryError(
                f"'{volume.name or 'The image'}' has several images; registration takes one."
            )
        if not np.isfinite(volume.data).all() or np.ptp(volume.data) == 0:
            raise GeometryError(f"'{volume.name or 'The image'}' is constant or has no numbers.")
    fine = [coarser(volume, _LEVELS[-1][0]) for volume in (fixed, moving)]
    progress(0.15)
    state = _searched(fine[0], fine[1])
    progress(0.45)
    evens = [evened(volume) for volume in fine]
    for number, (mm, steps) in enumerate(_LEVELS):
        state = _descend(_level(evens[0], evens[1], mm), state, steps, _SETTLED_MM)
        progress(0.65 + 0.2 * number)
    matrix = state.matrix
    inside = evens[0][1] if brain is None else _thinned(fixed.with_data(brain), fine[0])
    middle = points_of(fine[0], inside).mean(axis=0)
    turn = Rotation.from_matrix(matrix[:3, :3]).magnitude()
    return RigidFit(
        matrix=matrix,
        correlation=state.correlation,
        detail=_detail(fine[0], fine[1], matrix, inside),
        overlap=state.overlap,
        settled=state.step_mm < 0.05,
        shift_mm=float(np.linalg.norm(matrix[:3, :3] @ middle + matrix[:3, 3] - middle)),
        turn_deg=float(np.degrees(turn)),
    )


def _thinned(mask: Volume, grid: Volume) -> Array:
    return on_grid(mask, grid)[0] > 0.5


def _searched(fixed: Volume, moving: Volume) -> _State:
    """The best start, brought to 6 mm."""
    rough = [coarser(volume, LOCAL_MM / 4) for volume in (fixed, moving)]
    forms = [evened(volume, _SEARCH_LOCAL_MM) for volume in rough]
    level = _level(forms[0], forms[1], _SEARCH_MM)
    middles = [points_of(volume, head).mean(axis=0) for volume, head in forms]
    starts = [np.eye(4), turn_matrix(np.eye(3), *middles)]
    for axis in np.eye(3):
        for angle in (-_TURN_DEG, _TURN_DEG):
            turn = Rotation.from_rotvec(np.radians(angle) * axis).as_matrix()
            starts.append(turn_matrix(turn, *middles))
    found = sorted(
        (_descend(level, _State(start), 30, 0.2) for start in starts),
        key=lambda state: state.score,
        reverse=True,
    )
    level = _level(evened(rough[0]), evened(rough[1]), 6.0)
    best = [_descend(level, state, 30, 0.05) for state in found[:_KEPT_STARTS]]
    return max(best, key=lambda state: state.score)


def _level(fixed: tuple[Volume, Array], moving: tuple[Volume, Array], mm: float) -> _Level:
    image = coarser(fixed[0], mm)
    head = coarser(fixed[0].with_data(fixed[1]), mm).data > 0.5
    points = points_of(image, head)
    centre = points.mean(axis=0)
    slopes_of = [np.gradient(image.data.astype(np.float64), axis=axis) for axis in range(3)]
    gradient = np.stack(slopes_of, axis=-1)[head]
    world = gradient @ np.linalg.inv(image.affine[:3, :3])
    slopes = np.hstack([np.cross(points - centre, world), world])
    values = image.data[head].astype(np.float64)
    return _Level(points, values, slopes, coarser(moving[0], mm), centre)


def _descend(level: _Level, start: _State, steps: int, settled_mm: float) -> _State:
    """Gauss-Newton from a start; the state before if the heads no longer overlap."""
    state = start
    for _ in range(steps):
        seen = _seen(level, state.matrix)
        if seen is None:
            return replace(start, correlation=-1.0, overlap=0.0)
        values, inside = seen
        target, slopes = level.values[inside], level.slopes[inside]
        rest, weights = _residual(values, target)
        weighted = slopes * weights[:, None]
        normal = weighted.T @ slopes
        normal[np.diag_indices(6)] *= 1 + 1e-6
        change = np.linalg.lstsq(normal, weighted.T @ rest, rcond=None)[0]
        turn = Rotation.from_rotvec(change[:3]).as_matrix()
        small = turn_matrix(turn, level.centre, level.centre + change[3:])
        step = float(np.linalg.norm(change[3:]) + _RIM_MM * np.linalg.norm(change[:3]))
        state = replace(state, matrix=state.matrix @ np.linalg.inv(small), step_mm=step)
        if step < settled_mm:
            break
    seen = _seen(level, state.matrix)
    if seen is None:
        return replace(start, correlation=-1.0, overlap=0.0)
    values, inside = seen
    correlation = np.corrcoef(values, level.values[inside])[0, 1]
    return replace(state, correlation=float(correlation), overlap=float(inside.mean()))


def _seen(level: _Level, matrix: Array) -> tuple[Array, Array] | None:
    """The moving image at the fixed one's voxels; None if hardly any lie within it."""
    values, inside = values_at(level.moving, level.points @ matrix[:3, :3].T + matrix[:3, 3])
    if len(values) < max(100, 0.1 * len(inside)) or np.ptp(values) == 0:
        return None
    return values, inside


def _residual(values: Array, target: Array) -> tuple[Array, Array]:
    """What is left after the best gain and offset, and the weight of each voxel."""
    weights = np.ones(len(values))
    rest = target
    for _ in range(2):
        columns = np.column_stack([values, np.ones(len(values))])
        weighted = columns * weights[:, None]
        gain, offset = np.linalg.lstsq(weighted.T @ columns, weighted.T @ target, rcond=None)[0]
        rest = gain * values + offset - target
        spread = 1.4826 * np.median(np.abs(rest)) + 1e-9
        weights = 1 / (1 + (rest / (2 * spread)) ** 2) ** 2
    return rest, weights


def _lowpassed(volume: Volume, mm: float) -> Volume:
    """As :func:`coarser`, on voxels of 3 mm at most."""
    extra = 0.5 * np.sqrt(max(mm**2 - _DETAIL_MM**2, 0.0))
    smooth = volume.with_data(smoothed(volume, extra)) if extra else volume
    return coarser(smooth, _DETAIL_MM)


def _detail(fixed: Volume, moving: Volume, matrix: Array, inside: Array) -> float:
    """How well details agree, block by block: what a tenth of the brain falls short of.

    Details are what is left of an image of 3 mm less its mean over 6 mm; coarser where voxels
    are. Noise, which is the same everywhere, is known from the blocks that agree best.
    """
    mm = max(_DETAIL_MM, 1.25 * max(*fixed.voxel_size_mm, *moving.voxel_size_mm))
    one = _lowpassed(fixed, mm)
    other, seen = on_grid(_lowpassed(moving, mm), one, matrix)
    known = (coarser(fixed.with_data(inside), _DETAIL_MM).data > 0.5) & seen
    if known.sum() < 100:
        return 0.0
    sizes = np.array(one.voxel_size_mm)

    def mean(values: Array, mm: float) -> Array:
        total = ndimage.gaussian_filter(np.where(known, values, 0).astype(np.float32), mm / sizes)
        return total / np.maximum(
            ndimage.gaussian_filter(known.astype(np.float32), mm / sizes), 1e-3
        )

    pair = []
    for image in (one.data, other):
        quotient = image / np.maximum(mean(image, 2 * mm), 1e-12) - 1
        pair.append(np.clip(quotient, -0.5, 0.5))  # vessels would decide it all
    a, b = pair
    block = _BLOCK_MM / 2.355
    ma, mb = mean(a, block), mean(b, block)
    both = (mean(a * b, block) - ma * mb)[known]
    each = (mean(a * a, block) - ma**2) * (mean(b * b, block) - mb**2)
    strength = np.sqrt(np.maximum(each, 0))[known]
    noise = max(float(np.percentile(strength - both, 10)), 0.0)
    told = strength > 1.5 * noise
    if told.sum() < 100:
        return 0.0
    return float(np.percentile(both[told] / np.maximum(strength[told] - noise, 1e-9), 10))
