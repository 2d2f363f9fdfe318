"""The brain's outline, its folded cortex, white matter, cerebellum and brain stem.

Distances are in mm and positive inside; see :mod:`napari_qsm.phantom.shapes`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.phantom.shapes import (
    blend,
    carve,
    coverage,
    ellipsoid,
    ellipsoid_of_scaled,
    smoothstep,
    tube,
)
from napari_qsm.phantom.subjects import Subject
from napari_qsm.phantom.tissue import CSF, GREY, STEM, WHITE, lay_at

CORTEX_MM = 2.6
_GOLDEN = (1 + 5**0.5) / 2


def _egg(y: Array) -> Array:
    """Width of the head along the front-back axis: narrower in front."""
    return 1 - 0.08 * np.tanh((y + 15) * (1 / 40))


def _vault(x: Array, y: Array, z: Array, semi: tuple[float, float, float]) -> Array:
    """The egg-shaped ellipsoid that brain, skull and scalp are layers of."""
    u = x / (_egg(y) * semi[0])
    return ellipsoid_of_scaled(u, (y + 15.5) / semi[1], (z - 10) / semi[2], semi)


def _floor(x: Array, y: Array) -> Array:
    """Height of the lower face of the cerebrum: orbital in front, tentorial behind."""
    orbital = -21 + 0.006 * x * x
    tentorium = -4 + 0.16 * (y + 60) - 0.006 * x * x
    height = tentorium + smoothstep((y + 46) * (1 / 18)) * (-16 - tentorium)
    return height + smoothstep((y - 2) * (1 / 16)) * (orbital - height)


def _temporal(x: Array, y: Array, z: Array, extra: float = 0.0) -> Array:
    """The temporal lobes, both at once."""
    semi = (19.5 + extra, 43.0 + extra, 20.0 + extra)
    u = (np.abs(x) - 43 + 0.12 * (y + 12)) / semi[0]
    w = (z + 17 + 0.2 * (y + 12)) / semi[2]
    return ellipsoid_of_scaled(u, (y + 12) / semi[1], w, semi)


def intracranial(x: Array, y: Array, z: Array) -> Array:
    """Distance into the space inside the skull."""
    vault = _vault(x, y, z, (68.5, 84.0, 66.5))
    if z.min() > 20:  # what lies below is out of reach
        return vault
    upper = carve(vault, (z - _floor(x, y)) * 0.9 + 3, 6)
    fossa = ellipsoid(x, y, z, (0, -55, -32), (55, 38, 31))
    cistern = ellipsoid(x, y, z, (0, -12, -18), (24, 24, 16))
    canal = tube(
        x, y, z, [(0, -24, -20), (0, -36, -58), (0, -46, -95), (0, -50, -260)], [21, 12, 9, 9]
    )
    lower = blend(blend(_temporal(x, y, z, 2.5), fossa, 8), blend(cistern, canal, 6), 6)
    return blend(upper, lower, 6)


def head_surface(x: Array, y: Array, z: Array) -> Array:
    """Distance into the head, neck and shoulders."""
    vault = _vault(x, y, z, (79.0, 96.0, 79.0))
    if z.min() > 32:  # what lies below is out of reach
        return vault
    face = ellipsoid(x, y, z, (0, 36, -52), (60, 50, 58))
    jaw = ellipsoid(x, y, z, (0, 20, -95), (50, 55, 40))
    neck = tube(x, y, z, [(0, -38, -40), (0, -42, -120), (0, -48, -190)], [60, 56, 62])
    trunk = ellipsoid(x, y, z, (0, -45, -290), (205, 100, 120))
    nose = tube(x, y, z, [(0, 78, -18), (0, 98, -48)], [6, 11])
    return blend(blend(blend(vault, face, 20), blend(jaw, neck, 15), 15), blend(trunk, nose, 8), 25)


@dataclass(frozen=True, eq=False)
class BrainPoints:
    """The tissues of the brain at some points.

    Attributes
    ----------
    chi, signal, r2star : ndarray
        As in :class:`~napari_qsm.phantom.tissue.Maps`.
    inside : ndarray of bool
        Within the brain's hull, sulci included.
    """

    chi: Array
    signal: Array
    r2star: Array
    inside: Array


def brain_tissue(x: Array, y: Array, z: Array, cell_mm: float, subject: Subject) -> BrainPoints:
    """Tissues of the brain at points (1-D arrays) inside the skull."""
    stem = _below(12, brain_stem, x, y, z)
    hull, open_depth = cerebrum(x, y, z, stem)
    bellum = _below(4, cerebellum, x, y, z)
    chi = np.zeros_like(x)
    signal = np.full_like(x, CSF.signal)
    r2star = np.full_like(x, CSF.r2star)

    near = np.flatnonzero(hull > -1)
    xs, ys, zs, ds = x[near], y[near], z[near], hull[near]
    pia = cortical_depth(xs, ys, zs, ds, open_depth[near], subject)
    grey = coverage(pia, cell_mm)
    white = coverage(pia - _cortex_thickness(xs, ys, zs), cell_mm)
    maps = (chi, signal, r2star)
    lay_at(maps, near, grey, GREY, grey_chi(xs, ys, zs))
    lay_at(maps, near, white, WHITE, white_chi(xs, ys, zs))
    _lay_cerebellum(x, y, z, bellum, cell_mm, maps)
    near = np.flatnonzero(stem > -1)
    tracts = STEM.chi_ppm + 0.004 * np.sin(x[near] * 0.9) * np.cos(z[near] * 0.35)
    lay_at(maps, near, coverage(stem[near], cell_mm), STEM, tracts)
    inside = np.maximum(np.maximum(hull, bellum), stem) > 0
    return BrainPoints(chi, signal, r2star, inside)


def _below(
    top_mm: float, distance: Callable[[Array, Array, Array], Array], x: Array, y: Array, z: Array
) -> Array:
    """A distance at points below a height; above it, where it matters to nothing, -50."""
    out = np.full_like(z, -50)
    low = np.flatnonzero(z < top_mm)
    out[low] = distance(x[low], y[low], z[low])
    return out


def cerebrum(x: Array, y: Array, z: Array, stem: Array) -> tuple[Array, Array]:
    """Distance into the smooth hull of both hemispheres, free of the lower brain stem.

    Returns
    -------
    hull : ndarray
        Distance below the hull.
    open_depth : ndarray
        The same, where the lower face counts for less: sulci go in from the sides.
    """
    vault = _vault(x, y, z, (66.0, 81.5, 64.0))
    temporal = _temporal(x, y, z)
    above = (z - _floor(x, y)) * 0.9
    hull = blend(carve(vault, above, 8), temporal, 6)
    cistern = -stem - 2.0 + 3 * np.maximum(z + 7, 0)
    sella = -ellipsoid(x, y, z, (0, 4, -20), (11, 13, 11))
    open_depth = np.minimum(np.maximum(vault, temporal), 1.5 * np.maximum(above, 0) + 14)
    return np.minimum(np.minimum(hull, cistern), sella), open_depth


def brain_stem(x: Array, y: Array, z: Array) -> Array:
    """Distance into midbrain, pons, medulla and cord."""
    midbrain = ellipsoid(x, y, z, (0, -21.5, -10), (17, 14, 13))
    pons = ellipsoid(x, y, z, (0, -25, -30), (18, 14, 14))
    cord = tube(
        x, y, z, [(0, -30, -38), (0, -38, -60), (0, -46, -95), (0, -50, -260)], [10, 7, 6, 5]
    )
    return blend(blend(midbrain, pons, 5), cord, 5)


def cerebellum(x: Array, y: Array, z: Array) -> Array:
    """Distance into the cerebellum."""
    u = (np.abs(x) - 23) / 26
    hemispheres = ellipsoid_of_scaled(u, (y + 61) / 27, (z + 33) / 26, (26, 27, 26))
    vermis = ellipsoid(x, y, z, (0, -60, -25), (14, 22, 25))
    fourth = -ellipsoid(x, y, z, (0, -41, -33), (7, 7, 10))
    under = _floor(x, y) - 1.5 - z
    return np.minimum(carve(blend(hemispheres, vermis, 6), under, 3), fourth)


def _lay_cerebellum(
    x: Array, y: Array, z: Array, bellum: Array, cell_mm: float, maps: tuple[Array, Array, Array]
) -> None:
    near = np.flatnonzero(bellum > -1)
    xs, ys, zs, ds = x[near], y[near], z[near], bellum[near]
    # Folia: sheets wrapped round the fourth ventricle, deeper where a fissure runs.
    reach = np.sqrt((0.55 * xs) ** 2 + (ys + 44) ** 2 + (1.15 * (zs + 31)) ** 2)
    phase = reach * 1.35 + 1.2 * np.sin(xs * 0.11) + 0.9 * np.sin(zs * 0.2 + 1)
    folium = np.cos(phase) + 0.35 * np.cos(0.5 * phase + 1)
    fissure = coverage((folium - 1.0) * 1.4, cell_mm) * smoothstep((12 - ds) * (1 / 6))
    white_core = ds - 8.5 + 2.2 * folium
    grey = coverage(ds, cell_mm)
    white = coverage(white_core, cell_mm)
    lay_at(maps, near, grey, GREY, 0.014)
    lay_at(maps, near, white, WHITE, -0.025)
    lay_at(maps, near, fissure * (1 - white) * (0.7 * grey), CSF, 0.0)


def _cortex_thickness(x: Array, y: Array, z: Array) -> Array:
    return CORTEX_MM + 0.4 * np.sin(x * 0.09 + 1) * np.sin(y * 0.07 + z * 0.08)


def cortical_depth(
    x: Array, y: Array, z: Array, hull: Array, open_depth: Array, subject: Subject
) -> Array:
    """Distance below the pial surface, with all fissures and sulci cut in."""
    middle, under_callosum, sylvian = fissures(x, y, z)
    width = 0.9 * subject.sulcus_mm / 0.75
    depth = np.minimum(hull, np.minimum(middle, sylvian) - width)
    # Sulci also go in from the medial wall, less deep, and not through the corpus callosum.
    entry = np.minimum(open_depth, middle + 11 + 4 * under_callosum)
    shallow = np.flatnonzero((entry < 30) & (depth > 0))
    xs, ys, zs, ds = x[shallow], y[shallow], z[shallow], entry[shallow]
    reach = 18 + 6 * np.sin(xs * 0.055 + 0.5 + subject.fold_phase) * np.sin(ys * 0.06 + zs * 0.05)
    sheet = fold_distance(xs, ys, zs, ds, subject)
    below = np.maximum(ds - reach, 0)
    half = subject.sulcus_mm * (1.1 - 0.6 * np.clip(ds / reach, 0, 1))
    blade = np.sqrt(sheet * sheet + below * below) - half
    depth[shallow] = np.minimum(depth[shallow], blade)
    return depth


def fissures(x: Array, y: Array, z: Array) -> tuple[Array, Array, Array]:
    """Distances to fissures.

    Returns
    -------
    middle : ndarray
        To the fissure between the hemispheres.
    under_callosum : ndarray
        How far below the upper face of the corpus callosum.
    sylvian : ndarray
        To the Sylvian fissures and the cisterns over the insulae.
    """
    # Between the hemispheres: a sheet that ends on the corpus callosum.
    reach_y = 40 - 18 * smoothstep((4 - z) * (1 / 16))
    v = (y + 7) / reach_y
    w = np.where(z > 4, (z - 4) * (1 / 25.0), 0)
    outside = (np.sqrt(v * v + w * w) - 1) * 27
    bow = 0.6 * np.sin(y * 0.045 + 0.4) * np.sin(z * 0.05)
    across = np.abs(x - bow)
    under = np.maximum(-outside, 0)
    middle = np.sqrt(across * across + under * under)
    # Sylvian fissure: a sheet from the side inwards, and the cistern over the insula.
    side = np.abs(x)
    height = z - (-3 - 0.42 * (y - 2)) - 2.2 * np.sin(y * 0.13 + 0.16 * side + 0.05 * x)
    inner = 37.5 - 0.007 * y * y
    end = np.maximum(np.maximum(inner - side, -40 - y), y - 32)
    end = np.maximum(end, 0)
    level = np.sqrt(0.84 * height * height + end * end)
    wall = side - inner
    end = np.maximum(np.maximum(np.abs(height) - 13, -30 - y), y - 20)
    end = np.maximum(end, 0)
    insula = np.sqrt(wall * wall + end * end)
    return middle, under, np.minimum(level, insula)


def _waves(phase: float) -> list[tuple[float, float, float, float]]:
    """Wave vectors (rad/mm) spread evenly over all directions, with a phase each."""
    count = 7
    waves = []
    for i in range(count):
        z = (i + 0.5) / count
        turn = 2 * np.pi * i / _GOLDEN
        flat = np.sqrt(1 - z * z)
        k = 2 * np.pi / (21.0 + 7.0 * ((i * 0.618) % 1))
        waves.append(
            (
                float(k * flat * np.cos(turn)),
                float(k * flat * np.sin(turn)),
                float(k * z),
                float((phase + 2.399 * i * i) % (2 * np.pi)),
            )
        )
    return waves


def fold_distance(x: Array, y: Array, z: Array, depth: Array, subject: Subject) -> Array:
    """Distance to the nearest sulcal sheet.

    Each point is first thrown radially onto an ellipsoid about its hemisphere, so that the
    sheets stand on the surface; there they are the zeros of a sum of plane waves, whose lines
    meander at an even spacing as gyri do.
    """
    side = np.where(x < 0, np.float32(-1), np.float32(1))
    px, py, pz = x - 16 * side, y + 15.5, z - 8
    u, v, w = px * (1 / 50), py * (1 / 81), pz * (1 / 62)
    scale = np.maximum(np.sqrt(u * u + v * v + w * w), 0.15)
    ux, uy, uz = px / scale, py / scale, pz / scale
    # The sheets bend on their way in, and their lines wander.
    sway = 3.0 * np.sin(0.22 * depth + 0.06 * (uy + uz))
    ux = ux + 5 * np.sin(uy * (1 / 15) + side)
    uy = uy + 5 * np.sin(uz * (1 / 16) - 0.5 * side) + sway
    uz = uz + 4 * np.sin(ux * (1 / 14) + 0.3) - sway
    total = np.zeros_like(x)
    gx, gy, gz = np.zeros_like(x), np.zeros_like(x), np.zeros_like(x)
    # Sides share the waves but not the phases: mirror-like, never mirrored.
    for kx, ky, kz, phase in _waves(subject.fold_phase):
        angle = (kx * side) * ux + ky * uy + kz * uz + (phase + 0.35 * side)
        total += np.sin(angle)
        slope = np.cos(angle)
        gx += kx * side * slope
        gy += ky * slope
        gz += kz * slope
    length2 = np.maximum(px * px + py * py + pz * pz, 1)
    along = px * gx + py * gy + pz * gz
    slope2 = np.maximum(gx * gx + gy * gy + gz * gz - along * along / length2, 0.02)
    # Towards the middle of the hemisphere, where all sheets would meet, there are none.
    return np.abs(total) / np.sqrt(slope2) * scale + 25 * np.maximum(0.55 - scale, 0)


def grey_chi(x: Array, y: Array, z: Array) -> Array:
    """Susceptibility of the cortex: more iron in primary motor and visual cortex."""
    motor = np.exp(-(((y + 22 + 0.35 * np.abs(x) - 8) / 9) ** 2)) * smoothstep((z - 25) * (1 / 20))
    visual = smoothstep((-y - 66) * (1 / 12)) * np.exp(-((x / 22) ** 2))
    return GREY.chi_ppm + 0.012 * (motor + 0.7 * visual) + 0.003 * np.sin(0.08 * y + 0.06 * x)


def white_chi(x: Array, y: Array, z: Array) -> Array:
    """Susceptibility of white matter: more negative where fibres are dense."""
    side = np.abs(x)
    radiation = np.exp(-(((side - 29 - 0.004 * (y + 50) ** 2) / 3.5) ** 2))
    radiation = radiation * smoothstep((-18 - y) * (1 / 14)) * np.exp(-(((z - 5) / 13) ** 2))
    capsule = np.exp(-(((side - 21 - 0.12 * (z - 5)) / 3.5) ** 2))
    capsule = capsule * np.exp(-(((y + 8) / 15) ** 2)) * smoothstep((z + 5) * (1 / 12))
    callosum = np.exp(-((x / 13) ** 2)) * np.exp(-(((z - 24) / 7) ** 2))
    smooth = np.sin(0.055 * x + 1) * np.sin(0.06 * y) + np.sin(0.07 * z + 0.04 * y)
    return WHITE.chi_ppm - 0.016 * radiation - 0.010 * capsule - 0.006 * callosum + 0.004 * smooth
