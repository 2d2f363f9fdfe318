"""Shapes by formula: signed distances in mm, positive inside.

All functions take world coordinates as three float32 arrays that broadcast against each
other, so an upright grid costs no more than its axes until they must be combined. The
distances are first-order near the surface, which is where they are used.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_qsm.arrays import Array

Point = tuple[float, float, float]


def ellipsoid(x: Array, y: Array, z: Array, center: Point, semi: Point) -> Array:
    """Distance into an ellipsoid with semi-axes along the world axes."""
    u = (x - center[0]) / semi[0]
    v = (y - center[1]) / semi[1]
    w = (z - center[2]) / semi[2]
    return ellipsoid_of_scaled(u, v, w, semi)


def ellipsoid_of_scaled(u: Array, v: Array, w: Array, semi: Point) -> Array:
    """Distance into an ellipsoid, of coordinates already divided by its semi-axes.

    For bent and sheared ellipsoids: bend the coordinates first.
    """
    u2, v2, w2 = u * u + 1e-6, v * v, w * w  # keeps the very middle from 0 / 0
    radius = np.sqrt(u2 + v2 + w2)
    slope = np.sqrt(u2 * (1 / semi[0] ** 2) + v2 * (1 / semi[1] ** 2) + w2 * (1 / semi[2] ** 2))
    return radius * (1 - radius) / slope


def tube(x: Array, y: Array, z: Array, points: Sequence[Point], radii: Sequence[float]) -> Array:
    """Distance into a chain of tapered rods through ``points`` with a radius at each."""
    best: Array | None = None
    for a, b, ra, rb in zip(points[:-1], points[1:], radii[:-1], radii[1:], strict=True):
        ab = np.subtract(b, a)
        length2 = float(ab @ ab)
        dx, dy, dz = x - a[0], y - a[1], z - a[2]
        t = np.clip((dx * float(ab[0]) + dy * float(ab[1]) + dz * float(ab[2])) / length2, 0, 1)
        px, py, pz = dx - t * float(ab[0]), dy - t * float(ab[1]), dz - t * float(ab[2])
        rod = (ra + t * (rb - ra)) - np.sqrt(px * px + py * py + pz * pz)
        best = rod if best is None else np.maximum(best, rod)
    assert best is not None
    return best


def blend(a: Array, b: Array, width_mm: float) -> Array:
    """Union of two shapes whose seam is rounded over ``width_mm``."""
    h = np.maximum(width_mm - np.abs(a - b), 0) / width_mm
    return np.maximum(a, b) + h * h * (width_mm / 4)


def carve(a: Array, b: Array, width_mm: float) -> Array:
    """Intersection of two shapes whose edge is rounded over ``width_mm``."""
    h = np.maximum(width_mm - np.abs(a - b), 0) / width_mm
    return np.minimum(a, b) - h * h * (width_mm / 4)


def smoothstep(t: Array) -> Array:
    """0 below 0, 1 above 1, smooth between."""
    t = np.clip(t, 0, 1)
    return t * t * (3 - 2 * t)


def coverage(distance: Array, width_mm: float) -> Array:
    """How much of a small cell lies inside a shape whose surface is ``distance`` mm away."""
    return np.clip(distance * (1 / width_mm) + 0.5, 0, 1)
