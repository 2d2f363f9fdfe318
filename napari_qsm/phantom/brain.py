"""Cortex, white matter, cerebellum and brain stem, and the outlines of brain, skull and skin.

Where one tissue of the brain ends and the next begins comes from the template
(:mod:`napari_qsm.phantom.template`); what they are worth, and all that lies outside the brain, is
made here. Distances are in mm and positive inside; see :mod:`napari_qsm.phantom.shapes`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.phantom import template
from napari_qsm.phantom.shapes import (
    blend,
    coverage,
    ellipsoid,
    ellipsoid_of_scaled,
    smoothstep,
    tube,
)
from napari_qsm.phantom.subjects import Subject
from napari_qsm.phantom.tissue import CSF, GREY, STEM, WHITE, lay_at

#: Millimetres over which the template goes from one tissue to the next.
_EDGE_MM = 1.6
#: Fluid between the brain's hull and the skull, mm.
_FLUID_MM = 2.5


def _egg(y: Array) -> Array:
    """Width of the head along the front-back axis: narrower in front."""
    return 1 - 0.08 * np.tanh((y + 15) * (1 / 40))


def _vault(x: Array, y: Array, z: Array, semi: tuple[float, float, float]) -> Array:
    """The egg-shaped ellipsoid that the scalp is made of."""
    u = x / (_egg(y) * semi[0])
    return ellipsoid_of_scaled(u, (y + 15.5) / semi[1], (z - 10) / semi[2], semi)


def intracranial(x: Array, y: Array, z: Array, subject: Subject) -> Array:
    """Distance into the space inside the skull."""
    return intracranial_of(
        template.hull().at(*template.to_template(x, y, z, subject)) * template.MEAN_SCALE, x, y, z
    )


def intracranial_of(hull: Array, x: Array, y: Array, z: Array) -> Array:
    """Distance into the space inside the skull, of that into the brain's hull."""
    inner = hull + _FLUID_MM
    if z.min() > -20:  # what lies below is out of reach
        return np.asarray(inner)
    canal = tube(
        x, y, z, [(0, -34, -52), (0, -42, -75), (0, -46, -95), (0, -50, -260)], [10, 9, 9, 9]
    )
    return blend(inner, canal, 6)


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


def brain_tissue(
    points: tuple[Array, Array, Array],
    there: tuple[Array, Array, Array],
    hull: Array,
    cell_mm: float,
    subject: Subject,
) -> BrainPoints:
    """Tissues of the brain at points (1-D arrays) inside the skull.

    Parameters
    ----------
    points, there : tuple of ndarray
        The points in world mm of the head and in mm of the template.
    hull : ndarray
        Distance into the brain's hull, mm.
    cell_mm : float
        Size of the cells that the points are the middles of.
    subject : Subject
        Whose brain it is.
    """
    x, y, z = points
    chi = np.zeros_like(x)
    signal = np.full_like(x, CSF.signal)
    r2star = np.full_like(x, CSF.r2star)
    maps = (chi, signal, r2star)
    near = np.flatnonzero(hull > -1)
    xs, ys, zs = x[near], y[near], z[near]
    kind = template.tissue(cell_mm).at(*(c[near] for c in there))
    # The template blurs a boundary over more than small cells are wide.
    sharp = max(_EDGE_MM / max(cell_mm, 0.7), 1.0)
    # Wider sulci take from the cortex what its outer surface gives way.
    pia = kind - 0.5 - (subject.sulcus_mm - 0.75) / _EDGE_MM
    grey = coverage(pia * sharp, 1.0)
    white = coverage((kind - 1.5) * sharp, 1.0)
    lay_at(maps, near, grey, GREY, grey_chi(xs, ys, zs))
    lay_at(maps, near, white, WHITE, white_chi(xs, ys, zs))
    inside = hull > 0
    low = np.flatnonzero(z < 2)
    depth = brain_stem(x[low], y[low], z[low])
    cord = (z[low] < -62) & (depth > 0)
    inside[low] |= cord
    # Of the brain stem what the template shows as tissue, and the cord below where it ends.
    solid = np.zeros_like(x)
    solid[near] = grey
    below = smoothstep((depth + 2) * (1 / 4)) * smoothstep((-3 - z[low]) * (1 / 12))
    stem = np.where(cord, coverage(depth, cell_mm), solid[low] * below)
    tracts = STEM.chi_ppm + 0.002 * np.cos(x[low] * 0.25) * np.cos(z[low] * 0.2)
    lay_at(maps, low, stem, STEM, tracts)
    return BrainPoints(chi, signal, r2star, inside)


def brain_stem(x: Array, y: Array, z: Array) -> Array:
    """Distance into midbrain, pons, medulla and cord, roughly."""
    midbrain = ellipsoid(x, y, z, (0, -21.5, -10), (17, 14, 13))
    pons = ellipsoid(x, y, z, (0, -25, -30), (18, 14, 14))
    cord = tube(
        x, y, z, [(0, -30, -38), (0, -38, -60), (0, -46, -95), (0, -50, -260)], [10, 7, 6, 5]
    )
    return blend(blend(midbrain, pons, 5), cord, 5)


def grey_chi(x: Array, y: Array, z: Array) -> Array:
    """Susceptibility of the cortex: more iron in primary motor and visual cortex."""
    motor = np.exp(-(((y + 22 + 0.35 * np.abs(x) - 8) / 9) ** 2)) * smoothstep((z - 25) * (1 / 20))
    visual = smoothstep((-y - 66) * (1 / 12)) * np.exp(-((x / 22) ** 2))
    return GREY.chi_ppm + 0.012 * (motor + 0.7 * visual) + 0.003 * np.sin(0.08 * y + 0.06 * x)


def white_chi(x: Array, y: Array, z: Array) -> Array:
    """Susceptibility of white matter: more negative where fibres are dense."""
    side = np.abs(x)
    radiation = np.exp(-(((side - 29 - 0.004 * (y + 50) ** 2) / 3.5) ** 2))
    radiation = (
        radiation
        * smoothstep((-18 - y) * (1 / 14))
        * smoothstep((y + 78) * (1 / 20))
        * np.exp(-(((z - 5) / 13) ** 2))
    )
    capsule = np.exp(-(((side - 20 - 0.12 * (z - 5)) / 3.5) ** 2))
    capsule = capsule * np.exp(-(((y + 8) / 15) ** 2)) * smoothstep((z + 5) * (1 / 12))
    callosum = np.exp(-((x / 13) ** 2)) * np.exp(-(((z - 20) / 7) ** 2))
    smooth = np.sin(0.055 * x + 1) * np.sin(0.06 * y) + np.sin(0.07 * z + 0.04 * y)
    return WHITE.chi_ppm - 0.011 * radiation - 0.010 * capsule - 0.006 * callosum + 0.004 * smooth
