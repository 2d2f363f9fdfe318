"""Deep nuclei, ventricles and lesions: where they lie and what shape they have.

Nuclei that the CIT168 atlas has are the atlas's own on each side. Thalamus, pulvinar, claustrum and
dentate nucleus, which it lacks, are made by formula in mm of the template (``u, v, w``), given for
the right side; the left is its near mirror image.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.phantom import template
from napari_qsm.phantom.shapes import (
    Point,
    blend,
    carve,
    ellipsoid,
    ellipsoid_of_scaled,
    smoothstep,
)
from napari_qsm.phantom.subjects import LEFT, RIGHT, Subject

Distance = Callable[[Array, Array, Array], Array]

#: Labels in the atlas, on the left, of what it has.
_IN_ATLAS = {
    "Caudate": (3,),
    "Putamen": (1,),
    "Globus pallidus": (9, 11),
    "Red nucleus": (15,),
    "Substantia nigra": (13, 17),
    "Nucleus accumbens": (5,),
    "Ventral pallidum": (23,),
    "Ventral tegmentum": (19, 21),
    "Hypothalamus": (27,),
    "Mammillary body": (29,),
    "Habenula": (25,),
    "Subthalamic nucleus": (31,),
}
#: Parts of the pallidum in the atlas: external and internal.
_EXTERNAL, _INTERNAL = (9,), (11,)


@dataclass(frozen=True)
class Shape:
    """A structure in the head.

    Attributes
    ----------
    low, high : tuple of float
        Corners of a box that holds it with room to spare, world mm.
    distance : callable
        Distance into it in mm at world x, y, z.
    """

    low: Point
    high: Point
    distance: Distance


def _thalamus(u: Array, v: Array, w: Array) -> Array:
    du, dv = u - 10.8, v + 17.5
    long = 0.42 * du - 0.9075 * dv
    across = 0.9075 * du + 0.42 * dv
    # Broader behind, where the pulvinar begins, and flat where it rests on the midbrain.
    broad = 7.6 * (1 + 0.2 * np.tanh(long * (1 / 9)))
    body = ellipsoid_of_scaled(across / broad, long / 15.5, (w - 7.0) / 9.5, (7.6, 15.5, 9.5))
    return carve(body, w + 1.5 - 0.12 * long, 4)


def _pulvinar(u: Array, v: Array, w: Array) -> Array:
    back = ellipsoid(u, v, w, (14.6, -28.5, 6.5), (7.2, 6.0, 6.6))
    return blend(back, ellipsoid(u, v, w, (18.0, -25.5, 3.0), (4.5, 4.5, 4.0)), 3)


def _dentate(u: Array, v: Array, w: Array) -> Array:
    du, dv, dw = u - 15.5, v + 57.5, w + 34.5
    lean = dw + 0.25 * dv
    around = np.arctan2(lean, du * 1.1)
    # A crumpled bag: ridges that run from its mouth over its back.
    ridges = 0.75 * np.sin(7 * around + 0.35 * dv) + 0.45 * np.sin(0.75 * dv + 3 * around + 0.5)
    bag = ellipsoid_of_scaled(du / 7.6, dv / 11.0, lean / 7.4, (7.6, 11.0, 7.4)) + ridges
    sheet = 1.25 - np.abs(bag - 1.5)
    mouth = 0.75 * du - 0.66 * dv + 5.2  # open inwards and forwards, to the fourth ventricle
    return np.minimum(sheet, mouth * 0.9 if mouth.shape == sheet.shape else mouth * 0.9 + 0 * sheet)


#: Made by formula, with a box each, mm of the template.
_BY_FORMULA: dict[str, tuple[Point, Point, Distance]] = {
    "Thalamus": ((-1, -36, -6), (25, 2, 20), _thalamus),
    "Pulvinar": ((4, -38, -5), (26, -18, 16), _pulvinar),
    "Dentate nucleus": ((3, -73, -47), (28, -42, -22), _dentate),
}

#: Labelled nuclei in the order in which they are laid over each other.
NUCLEI = (
    "Thalamus",
    "Pulvinar",
    "Caudate",
    "Putamen",
    "Globus pallidus",
    "Red nucleus",
    "Substantia nigra",
    "Dentate nucleus",
)


def nucleus(name: str, side: str, subject: Subject) -> Shape:
    """A nucleus of a subject: one of :data:`NUCLEI`, or another that the atlas has."""
    if name in _IN_ATLAS:
        return _placed(template.nucleus(_IN_ATLAS[name], side), subject)
    low, high, distance = _BY_FORMULA[name]
    if side == LEFT:
        low, high = (-high[0], low[1], low[2]), (-low[0], high[1], high[2])
    inner = _mirrored(distance, side)
    if name in ("Thalamus", "Pulvinar"):
        fluid = template.ventricle(side)

        def clear(u: Array, v: Array, w: Array) -> Array:
            return np.minimum(inner(u, v, w), -0.3 - fluid.at(u, v, w))

        return _in_head(low, high, clear, subject)
    return _in_head(low, high, inner, subject)


def _mirrored(distance: Distance, side: str) -> Distance:
    """Left and right differ by a little in place, as in everybody."""
    if side == RIGHT:
        return distance
    return lambda u, v, w: distance(0.35 - u, v + 0.6, w - 0.25)


def _placed(levels: template.Levels, subject: Subject, more_mm: float = 0.0) -> Shape:
    low, high = levels.corners
    room = 3.5  # of what the levels reach beyond the structure
    inner = (low[0] + room, low[1] + room, low[2] + room)
    outer = (high[0] - room, high[1] - room, high[2] - room)
    return _in_head(inner, outer, lambda u, v, w: levels.at(u, v, w) + more_mm, subject)


def _in_head(low: Point, high: Point, distance: Distance, subject: Subject) -> Shape:
    def at(x: Array, y: Array, z: Array) -> Array:
        there = distance(*template.to_template(x, y, z, subject))
        return there * np.float32(template.MEAN_SCALE)

    return Shape(*template.box_in_head(low, high), at)


def ventricle(side: str, subject: Subject) -> Shape:
    """One lateral ventricle with its horns."""
    return _placed(template.ventricle(side), subject, 7.0 * (subject.ventricle_scale - 1))


def claustrum(side: str, subject: Subject) -> Shape:
    """The sheet of grey matter between putamen and insula."""
    putamen = template.nucleus(_IN_ATLAS["Putamen"], side)
    s = -1.0 if side == LEFT else 1.0

    def sheet(u: Array, v: Array, w: Array) -> Array:
        beyond = -putamen.at(u, v, w)
        leaf = 0.65 - np.abs(beyond - 2.3 - 0.02 * np.abs(v - 2))
        lateral = putamen_frame(s * u, v, w)[0] - 3.0
        inside = np.minimum(lateral, 12.5 - np.abs(w - 0.5))
        return np.minimum(leaf, np.minimum(inside, 17.0 - np.abs(v - 1)))

    low, high = putamen.corners
    return _in_head(low, high, sheet, subject)


def putamen_frame(u: Array, v: Array, w: Array) -> tuple[Array, Array, Array]:
    """Coordinates in mm across, along and up the right putamen, which is bent round the pallidum."""
    along = v - 1
    across = u - (26.6 - 0.26 * along - 0.0105 * along * along + 0.10 * w)
    return across, along, w - 1 + 0.08 * along


def painted_first(side: str, subject: Subject, x: Array, y: Array, z: Array) -> Array:
    """How soon a reader paints a voxel of the putamen: middle slices first, edges last."""
    u, v, w = template.to_template(x, y, z, subject)
    depth = template.nucleus(_IN_ATLAS["Putamen"], side).at(u, v, w)
    up = w - 2.0 + 0.08 * v
    return depth - 0.9 * np.maximum(np.abs(up) - 3.2, 0)


#: A haemorrhage in the white matter of the right hemisphere, 8 mm across its short axes.
BLEED = Shape(
    (19, -31, 23), (37, -11, 41), lambda x, y, z: ellipsoid(x, y, z, (28, -21, 32), (4, 5.5, 4))
)

#: Calcium in the pineal gland and in the choroid plexus of both atria.
CALCIFICATIONS = tuple(
    Shape(
        (center[0] - 9, center[1] - 9, center[2] - 9),
        (center[0] + 9, center[1] + 9, center[2] + 9),
        lambda x, y, z, center=center, semi=semi: ellipsoid(x, y, z, center, semi),  # type: ignore[misc]
    )
    for center, semi in (
        ((0, -27, 2), (2.6, 3, 2.6)),
        ((23, -38, 8), (1.8, 2.6, 1.8)),
        ((-23, -38.5, 8), (1.8, 2.6, 1.8)),
    )
)


def pattern(name: str, side: str, subject: Subject, x: Array, y: Array, z: Array) -> Array:
    """Smooth variation of iron within a nucleus, of order one, at world x, y, z."""
    s = -1.0 if side == LEFT else 1.0
    u, v, w = template.to_template(x, y, z, subject)
    u = u * s
    if name == "Putamen":
        # More iron behind and below, as ageing lays it down.
        return np.sin(-0.075 * v + 0.4) + 0.45 * np.sin(0.22 * u + 0.15 * w + 0.6 * s)
    if name == "Globus pallidus":
        spot = ((u - 19 - 0.2 * s) / 9) ** 2 + ((v + 2.0) / 11) ** 2 + ((w + 1.5) / 8) ** 2
        # A lamina of fibres parts the external from the internal segment.
        outer, inner = (template.nucleus(part, side) for part in (_EXTERNAL, _INTERNAL))
        between = outer.at(s * u, v, w) - inner.at(s * u, v, w)
        return np.exp(-0.7 * spot) * (1 - 0.28 * np.exp(-((between / 1.0) ** 2)))
    if name == "Substantia nigra":
        return 0.6 * np.sin(0.35 * w - 0.5) + 0.3 * np.sin(0.3 * v)
    if name == "Thalamus":
        return np.sin(0.30 * u) * np.cos(0.22 * v) + 0.8 * smoothstep((-20 - v) * (1 / 8))
    if name == "Caudate":
        return 0.8 * np.tanh((v - 5) * (1 / 12)) + 0.2 * np.sin(0.4 * u + 0.3 * w)
    return 0.5 * np.sin(0.35 * u + 0.2 * v) + 0.4 * np.sin(0.3 * w + 0.2 * v)
