"""Veins: dural sinuses, deep veins, veins over the cortex and in the white matter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_qsm.phantom.shapes import Point
from napari_qsm.phantom.subjects import Subject

_GOLDEN = (1 + 5**0.5) / 2


@dataclass(frozen=True)
class Vein:
    """A tapered tube: points and radii in mm, susceptibility in ppm."""

    points: tuple[Point, ...]
    radii: tuple[float, ...]
    chi_ppm: float


def _along_midline(angle_deg: float, lift: float) -> Point:
    """A point over the brain's midline; 0 degrees is the front, 90 the top."""
    a = np.deg2rad(angle_deg)
    return 0.0, float(-15.5 + (81.5 + lift) * np.cos(a)), float(10 + (64 + lift) * np.sin(a))


def sinuses() -> list[Vein]:
    """The large sinuses of the dura."""
    torcula = (0.0, -93.5, -12.0)
    sagittal = tuple(_along_midline(a, 0.5) for a in range(25, 195, 10))
    inferior = tuple(
        (0.0, float(-7 + 41 * np.cos(a)), float(4 + 29 * np.sin(a)))
        for a in np.linspace(1.2, 2.9, 8)
    )
    veins = [
        Vein((*sagittal, torcula), tuple(np.linspace(1.4, 3.6, len(sagittal) + 1)), 0.30),
        Vein(((0, -42, 7), (0, -55, 1), (0, -75, -6), torcula), (2.0, 1.8, 2.0, 2.6), 0.30),
        Vein((*inferior, (0, -46, 7)), (0.6,) * 5 + (0.8,) * 4, 0.28),
    ]
    for side in (-1, 1):
        course = [
            torcula,
            (side * 22, -90, -16),
            (side * 42, -74, -19),
            (side * 53, -55, -22),
            (side * 50, -44, -34),
            (side * 40, -40, -48),
            (side * 34, -34, -62),
            (side * 36, -30, -110),
        ]
        radius = 3.0 if side > 0 else 2.4
        veins.append(Vein(tuple(course), (radius,) * len(course), 0.30))
    return veins


def deep_veins() -> list[Vein]:
    """Internal cerebral, thalamostriate, septal and basal veins."""
    veins = [Vein(((0, -37, 9), (0, -41, 11), (0, -43, 7)), (1.4, 1.8, 2.0), 0.32)]
    for s in (-1, 1):
        veins += [
            Vein(((s * 2.2, 0, 11), (s * 2.4, -14, 13), (s * 2.2, -28, 12), (0, -38, 9.5)), (0.7, 0.9, 1.1, 1.4), 0.34),
            Vein(((s * 2.2, 0, 11), (s * 8, 1, 13), (s * 13, -3, 16), (s * 16.5, -12, 18), (s * 18, -20, 17)), (0.7, 0.65, 0.6, 0.55, 0.4), 0.34),
            Vein(((s * 2.2, 0, 11), (s * 2.0, 10, 9), (s * 2.5, 20, 6), (s * 7, 25, 5)), (0.65, 0.6, 0.5, 0.35), 0.34),
            Vein(((s * 22, 3, -16), (s * 13, -8, -16), (s * 18.5, -21, -12), (s * 14, -34, -3), (0, -40, 6)), (0.5, 0.7, 0.8, 0.9, 1.2), 0.30),
        ]  # fmt: skip
    return veins


def medullary_veins(subject: Subject) -> list[Vein]:
    """Fine veins that run from the white matter to the wall of the lateral ventricles."""
    veins = []
    for s in (-1, 1):
        for i in range(11):
            y = 26 - 5.8 * i + 0.8 * np.sin(2.4 * i + s + subject.fold_phase)
            root_x = 10 + 0.0062 * (y - 10) ** 2
            root_z = 15 + 9 * np.exp(-(((y + 12) / 26) ** 2))
            lean = 0.28 * np.sin(1.7 * i + subject.fold_phase + 0.6 * s)
            length = 17 + 5 * np.sin(2.1 * i + s)
            points, radii = [], []
            for t in np.linspace(0, 1, 4):
                points.append(
                    (
                        float(s * (root_x + length * t)),
                        float(y + length * t * lean + 1.2 * np.sin(4 * t + i)),
                        float(root_z + length * t * (0.35 + 0.25 * np.sin(i * 1.3))),
                    )
                )
                radii.append(float(0.5 - 0.22 * t))
            veins.append(Vein(tuple(points), tuple(radii), 0.30))
    return veins


def cortical_veins(subject: Subject) -> list[Vein]:
    """Veins over the surface of the brain, draining towards the midline or the base."""
    veins = []
    for s in (-1, 1):
        for i in range(10):
            angle = 42 + 12.5 * i + 3 * np.sin(1.9 * i + s + subject.fold_phase)
            _, top_y, top_z = _along_midline(angle, 1.5)
            points: list[Point] = [(s * 1.5, top_y, top_z)]
            reach = 48 + 22 * ((i * _GOLDEN + 0.3 * s) % 1)
            for t in np.linspace(0.2, 1, 6):
                tilt = np.deg2rad(reach * t)
                wobble = np.deg2rad(angle) + 0.10 * np.sin(5 * t + i) + 0.12 * t * np.cos(1.1 * i)
                egg = 1 - 0.08 * np.tanh(81 * np.cos(tilt) * np.cos(wobble) / 40)
                points.append(
                    (
                        float(s * 66.6 * egg * np.sin(tilt)),
                        float(-15.5 + 82.1 * np.cos(tilt) * np.cos(wobble)),
                        float(10 + 64.6 * np.cos(tilt) * np.sin(wobble)),
                    )
                )
            veins.append(Vein(tuple(points), tuple(np.linspace(1.3, 0.55, 7)), 0.30))
    return veins


def all_veins(subject: Subject) -> list[Vein]:
    """Every vein, the finest first, so that the larger ones lie on top."""
    return [
        *medullary_veins(subject),
        *cortical_veins(subject),
        *deep_veins(),
        *sinuses(),
    ]
