"""Ventricles, deep nuclei and lesions: where they lie and what shape they have.

Positions are in world mm with the anterior commissure as origin, given for the right side;
the left is its near mirror image.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.phantom.shapes import Point, blend, ellipsoid, ellipsoid_of_scaled, smoothstep, tube
from napari_qsm.phantom.subjects import LEFT, RIGHT

Distance = Callable[[Array, Array, Array], Array]


@dataclass(frozen=True)
class Shape:
    """A structure in the right half of the head.

    Attributes
    ----------
    low, high : tuple of float
        Corners of a box that holds it with room to spare, mm.
    distance : callable
        Distance into it at x (towards its own side), y, z.
    """

    low: Point
    high: Point
    distance: Distance

    def on(self, side: str) -> Shape:
        """The structure in the left or right half.

        Left and right differ by a little in place, as in everybody.
        """
        if side == RIGHT:
            return self
        shift_x, shift_y, shift_z = 0.35, -0.6, 0.25
        inner = self.distance

        def mirrored(x: Array, y: Array, z: Array) -> Array:
            return inner(-x + shift_x, y - shift_y, z - shift_z)

        low = (-self.high[0] - 1, self.low[1] - 1, self.low[2] - 1)
        high = (-self.low[0] + 1, self.high[1] + 1, self.high[2] + 1)
        return Shape(low, high, mirrored)


def _caudate(x: Array, y: Array, z: Array) -> Array:
    points: list[Point] = [
        (12.0, 20, 0), (13.2, 14, 5), (14.6, 7, 11), (15.8, -3, 17.5), (18, -15, 21),
        (22, -27, 19), (27.5, -35, 12), (31, -36, 3), (32.5, -28, -6),
    ]  # fmt: skip
    radii = [4.6, 5.4, 4.6, 3.5, 2.8, 2.1, 1.7, 1.4, 1.2]
    return tube(x, y, z, points, radii)


def putamen_frame(x: Array, y: Array, z: Array) -> tuple[Array, Array, Array]:
    """Coordinates in mm across, along and up the putamen, which is bent round the pallidum."""
    along = y - 1
    across = x - (26.6 - 0.26 * along - 0.0105 * along * along + 0.10 * z)
    return across / 1.08, along, z - 1 + 0.08 * along


def _putamen(x: Array, y: Array, z: Array) -> Array:
    semi = (4.4, 16.5, 11.0)
    across, along, up = putamen_frame(x, y, z)
    # Fuller in front than behind.
    thickness = semi[0] * (1 + 0.16 * np.tanh(along * (1 / 10)))
    return ellipsoid_of_scaled(across / thickness, along / semi[1], up / semi[2], semi)


def _painted_putamen(x: Array, y: Array, z: Array) -> Array:
    """How soon a reader paints a voxel of the putamen: middle slices first, edges last."""
    across, along, up = putamen_frame(x, y, z)
    thickness = 3.9 * (1 + 0.16 * np.tanh(along * (1 / 10)))
    return -((across / thickness) ** 2 + (along / 14.5) ** 2 + (up / 5.6) ** 2)


def _pallidum(x: Array, y: Array, z: Array) -> Array:
    along = y + 2.5
    across = x - (17.2 - 0.34 * along + 0.10 * (z + 1))
    # A wedge: the further inwards, the shorter.
    reach = 10.5 + 0.75 * across
    return ellipsoid_of_scaled(
        across / 4.0, along / np.maximum(reach, 3), (z + 1) / 6.4, (4.0, 10.5, 6.4)
    )


def _thalamus(x: Array, y: Array, z: Array) -> Array:
    dx, dy = x - 10.6, y + 17.0
    long = 0.42 * dx - 0.9075 * dy
    across = 0.9075 * dx + 0.42 * dy
    return ellipsoid_of_scaled(across / 7.0, long / 13.5, (z - 6.5) / 8.0, (7.0, 13.5, 8.0))


def _pulvinar(x: Array, y: Array, z: Array) -> Array:
    return ellipsoid(x, y, z, (14.2, -28.0, 6.0), (6.4, 5.4, 5.8))


def _red_nucleus(x: Array, y: Array, z: Array) -> Array:
    return ellipsoid(x, y, z, (5.0, -19.5, -9.0), (3.5, 3.8, 4.6))


def _nigra(x: Array, y: Array, z: Array) -> Array:
    dx, dy, dz = x - 10.0, y + 17.0, z + 13.5
    long = 0.50 * dx - 0.866 * dy
    across = 0.866 * dx + 0.50 * dy - 0.30 * dz
    bend = across - 0.025 * long * long + 0.4
    return ellipsoid_of_scaled(bend / 2.2, long / 7.2, dz / 5.8, (2.2, 7.2, 5.8))


def _subthalamic(x: Array, y: Array, z: Array) -> Array:
    dx, dy, dz = x - 11.0, y + 12.6, z + 7.4
    across = 0.80 * dx + 0.35 * dy - 0.45 * dz
    long = 0.45 * dx - 0.85 * dy
    return ellipsoid_of_scaled(across / 1.6, long / 4.0, dz / 2.6, (1.6, 4.0, 2.6))


def _dentate(x: Array, y: Array, z: Array) -> Array:
    dx, dy, dz = x - 15.5, y + 57.0, z + 35.0
    around = np.arctan2(dy, dx - 2)
    crease = 0.55 * np.sin(9 * around + 0.8 * dz) + 0.35 * np.sin(1.5 * dz + 2 * around)
    bag = ellipsoid_of_scaled(dx / 6.8, dy / 9.0, dz / 6.2, (6.8, 9.0, 6.2)) + crease
    sheet = 1.15 - np.abs(bag - 1.2)
    hilum = dx + 0.55 * dy + 4.5  # open towards the fourth ventricle
    return np.minimum(sheet, hilum + 0 * sheet)


def ventricle(scale: float) -> Shape:
    """One lateral ventricle with its horns."""

    def distance(x: Array, y: Array, z: Array) -> Array:
        lean = x - (5.2 + 0.36 * (z - 4) - 0.02 * (y - 20))
        horn = ellipsoid_of_scaled(
            lean / (3.3 * scale), (y - 18) / 15, (z - 6) / 9.0, (3.3 * scale, 15, 9.0)
        )
        body = tube(
            x, y, z,
            [(8, 10, 13), (9.5, -5, 18.5), (12.5, -20, 20), (18.5, -33, 15.5), (24, -41, 7)],
            [4.2 * scale, 4.4 * scale, 4.2 * scale, 4.6 * scale, 5.2 * scale],
        )  # fmt: skip
        occipital = tube(
            x, y, z, [(24, -41, 7), (25, -55, 5), (23, -70, 3)], [5.2 * scale, 3.2 * scale, 1.2]
        )
        temporal = tube(
            x, y, z,
            [(24, -41, 7), (28.5, -36, -4), (33, -24, -12.5), (31.5, -10, -19)],
            [4.6 * scale, 2.6 * scale, 2.0 * scale, 1.2],
        )  # fmt: skip
        return blend(blend(horn, body, 4), np.maximum(occipital, temporal), 2)

    return Shape((-1, -76, -24), (42, 36, 30), distance)


def third_ventricle(x: Array, y: Array, z: Array) -> Array:
    """Distance into the third ventricle and the aqueduct."""
    slit = ellipsoid(x, y, z, (0, -11, -2), (2.1, 14, 9.5))
    aqueduct = tube(x, y, z, [(0, -24, -3), (0, -32, -12), (0, -38, -22)], [1.4, 0.9, 1.4])
    return np.maximum(slit, aqueduct)


def fourth_ventricle(x: Array, y: Array, z: Array) -> Array:
    """Distance into the fourth ventricle."""
    return ellipsoid(x, y, z, (0, -41, -32), (6.0, 4.5, 10.0))


#: Deep nuclei in the order in which they are laid over each other.
NUCLEI = {
    "Thalamus": Shape((-1, -38, -6), (24, 2, 20), _thalamus),
    "Pulvinar": Shape((5, -37, -3), (24, -19, 15), _pulvinar),
    "Caudate": Shape((5, -42, -12), (37, 28, 27), _caudate),
    "Putamen": Shape((13, -22, -15), (37, 23, 17), _putamen),
    "Globus pallidus": Shape((8, -18, -11), (29, 12, 9), _pallidum),
    "Red nucleus": Shape((0, -26, -16), (11, -13, -2), _red_nucleus),
    "Substantia nigra": Shape((2, -27, -21), (19, -7, -5), _nigra),
    "Dentate nucleus": Shape((3, -70, -45), (27, -43, -25), _dentate),
}

#: Not a distance but a ranking of the voxels of the putamen.
PAINTED_PUTAMEN = Shape(NUCLEI["Putamen"].low, NUCLEI["Putamen"].high, _painted_putamen)

#: Laid but not labelled.
SUBTHALAMIC = Shape((5, -20, -12), (18, -6, -2), _subthalamic)

#: A haemorrhage in the white matter of the right hemisphere, 8 mm across its short axes.
BLEED = Shape(
    (19, -31, 23), (37, -11, 41), lambda x, y, z: ellipsoid(x, y, z, (28, -21, 32), (4, 5.5, 4))
)

#: Calcium in the pineal gland and in the choroid plexus of both atria.
CALCIFICATIONS = (
    Shape((-8, -38, -5), (8, -20, 11), lambda x, y, z: ellipsoid(x, y, z, (0, -29, 2), (2.6, 3, 2.6))),
    Shape((15, -47, 0), (33, -31, 18), lambda x, y, z: ellipsoid(x, y, z, (24, -39, 8), (1.8, 2.6, 1.8))),
)  # fmt: skip


def pattern(name: str, side: str, x: Array, y: Array, z: Array) -> Array:
    """Smooth variation of iron within a nucleus, of order one."""
    s = -1.0 if side == LEFT else 1.0
    x = x * s
    if name == "Putamen":
        # More iron behind and below, as ageing lays it down.
        return np.sin(-0.075 * y + 0.4) + 0.45 * np.sin(0.22 * x + 0.15 * z + 0.6 * s)
    if name == "Globus pallidus":
        spot = ((x - 18.2 - 0.2 * s) / 7) ** 2 + ((y + 3.5) / 9) ** 2 + ((z + 1.5) / 7) ** 2
        lamina = np.exp(-(((x - 16.6 + 0.34 * (y + 2.5)) / 0.7) ** 2))
        return np.exp(-0.8 * spot) * (1 - 0.16 * lamina)
    if name == "Substantia nigra":
        return 0.6 * np.sin(0.35 * z - 0.5) + 0.3 * np.sin(0.3 * y)
    if name == "Thalamus":
        return np.sin(0.30 * x) * np.cos(0.22 * y) + 0.8 * smoothstep((-20 - y) * (1 / 8))
    if name == "Caudate":
        return 0.8 * np.tanh((y - 5) * (1 / 12)) + 0.2 * np.sin(0.4 * x + 0.3 * z)
    return 0.5 * np.sin(0.35 * x + 0.2 * y) + 0.4 * np.sin(0.3 * z + 0.2 * y)
