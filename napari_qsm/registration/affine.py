"""Affine registration of a template to an image, near a place where it starts."""

from __future__ import annotations

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.registration.images import coarser, points_of, smoothed, turn_matrix, values_at
from napari_qsm.volume import Volume

#: Unit of the linear part: a point so far from the middle moves by one mm, mm.
_ARM_MM = 50.0
_STEPS, _SETTLED_MM = 30, 0.02


def fit_affine(
    template: Volume,
    where: Array,
    moving: Volume,
    matrix: Array,
    *,
    smooth_mm: float,
    voxel_mm: float,
    spread_mm: float | None,
) -> tuple[Array, float]:
    """Bring a template onto an image, both low-passed, by Gauss-Newton.

    Parameters
    ----------
    template : Volume
        3-D.
    where : (x, y, z) bool ndarray
        Voxels of the template that count.
    moving : Volume
        The image.
    matrix : (4, 4) ndarray
        Where to start: world mm of the template to that of the image.
    smooth_mm, voxel_mm : float
        Width of the Gaussian that both are smoothed by, and voxels of the template then.
    spread_mm : float or None
        How far points usually lie from where they start: the standard deviation of a prior, which
        keeps a template that explains little from shrinking into what it explains best; contrast
        then is free (gain and offset). None for values that are to be equal, as masks are.

    Returns
    -------
    (4, 4) ndarray, float
        The transform, and the correlation it reaches.
    """
    image = coarser(template.with_data(smoothed(template, smooth_mm)), voxel_mm)
    inside = coarser(template.with_data(where), voxel_mm).data > 0.5
    other = moving.with_data(smoothed(moving, smooth_mm))
    points = points_of(image, inside)
    values = image.data[inside].astype(np.float64)
    centre = points.mean(axis=0)
    slopes = _slopes(image, inside, (points - centre) / _ARM_MM)
    # Neighbours that were smoothed together are one observation.
    shared = (2.5 * smooth_mm / voxel_mm) ** 3
    start = matrix
    for _ in range(_STEPS):
        seen, ok = values_at(other, points @ matrix[:3, :3].T + matrix[:3, 3])
        if len(seen) < 100:
            return matrix, -1.0
        rest, rows = seen - values[ok], slopes[ok]
        prior = 1e-4 * float((rows**2).sum()) / 12
        if spread_mm is not None:
            columns = np.column_stack([values[ok], np.ones(len(seen))])
            gain, offset = np.linalg.lstsq(columns, seen, rcond=None)[0]
            gain = max(float(gain), 0.2)
            rest = (seen - offset) / gain - values[ok]
            prior = float((rest**2).mean()) * shared / spread_mm**2
        away = _parameters(np.linalg.inv(start) @ matrix, centre)
        change = np.linalg.solve(rows.T @ rows + prior * np.eye(12), rows.T @ rest + prior * away)
        linear = np.eye(3) + change[:9].reshape(3, 3) / _ARM_MM
        matrix = matrix @ np.linalg.inv(turn_matrix(linear, centre, centre + change[9:]))
        if np.abs(change).max() < _SETTLED_MM:
            break
    seen, ok = values_at(other, points @ matrix[:3, :3].T + matrix[:3, 3])
    if len(seen) < 100 or np.ptp(seen) == 0:
        return matrix, -1.0
    return matrix, float(np.corrcoef(seen, values[ok])[0, 1])


def _slopes(image: Volume, inside: Array, arms: Array) -> Array:
    """How the template changes with each of the 12 parameters."""
    data = image.data.astype(np.float64)
    steps = np.stack([np.gradient(data, axis=axis)[inside] for axis in range(3)], axis=-1)
    world = steps @ np.linalg.inv(image.affine[:3, :3])
    linear = (world[:, :, None] * arms[:, None, :]).reshape(-1, 9)
    return np.hstack([linear, world])


def _parameters(matrix: Array, centre: Array) -> Array:
    linear = (matrix[:3, :3] - np.eye(3)) * _ARM_MM
    return np.append(linear.ravel(), matrix[:3, :3] @ centre + matrix[:3, 3] - centre)
