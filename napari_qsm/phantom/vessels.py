"""Veins: dural sinuses, deep veins, veins over the cortex, in the sulci and in the white matter.

Courses are given in mm of the template and drawn as smooth curves that taper. Veins over the cortex
follow the brain's surface and send branches down the sulci, whichever way these run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.phantom import template
from napari_qsm.phantom.shapes import Point
from napari_qsm.phantom.subjects import LEFT, RIGHT, Subject, get_subject

#: Middle of the brain, from where its surface is looked for, mm of the template.
_MIDDLE = np.array([0.0, -18.0, 10.0])
#: Size of cells below which fine veins are worth drawing, mm.
_FINE_MM = 1.3


@dataclass(frozen=True)
class Vein:
    """A tapered tube: points in mm (of template or head), radii in mm, susceptibility in ppm."""

    points: tuple[Point, ...]
    radii: tuple[float, ...]
    chi_ppm: float


def all_veins(subject: Subject, cell_mm: float) -> tuple[Vein, ...]:
    """Every vein in mm of the head, the finest first, so that the larger ones lie on top.

    On coarse cells the finest are left out, and curves have fewer points.
    """
    return _veins(subject.name, cell_mm < _FINE_MM)


@lru_cache(maxsize=4)
def _veins(name: str, fine: bool) -> tuple[Vein, ...]:
    subject = get_subject(name)
    random = np.random.Generator(np.random.Philox(key=[71, int(subject.fold_phase * 1000)]))
    cortical, sources = cortical_veins(random)
    veins = [*cortical, *deep_veins(), *sinuses()]
    if fine:
        veins = [*medullary_veins(random), *sulcal_veins(sources), *veins]
    pieces = 4 if fine else 1
    courses = [smooth_course(vein.points, vein.radii, pieces) for vein in veins]
    there = template.to_head([point for points, _ in courses for point in points], subject)
    placed, first = [], 0
    for vein, (points, radii) in zip(veins, courses, strict=True):
        own = tuple(there[first : first + len(points)])
        placed.append(replace(vein, points=own, radii=radii))
        first += len(points)
    return tuple(placed)


def smooth_course(
    points: Sequence[Point], radii: Sequence[float], pieces: int
) -> tuple[list[Point], tuple[float, ...]]:
    """A curve through points (Catmull-Rom), so many straight pieces between two of them."""
    if pieces == 1 or len(points) < 3:
        return list(points), tuple(radii)
    line = np.column_stack([np.asarray(points, dtype=np.float64), radii])
    line = np.vstack([2 * line[0] - line[1], line, 2 * line[-1] - line[-2]])
    a, b, c, d = line[:-3, None], line[1:-2, None], line[2:-1, None], line[3:, None]
    t = (np.arange(pieces) / pieces)[None, :, None]
    curve = 0.5 * (
        2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3
    )
    curve = np.vstack([curve.reshape(-1, 4), line[-2]])
    low = float(min(radii))
    return [_point(p) for p in curve], tuple(float(max(r, low)) for r in curve[:, 3])


def _point(p: Array) -> Point:
    return float(p[0]), float(p[1]), float(p[2])


def _on_surface(directions: Array, inside_mm: float) -> Array:
    """Points so deep in the brain's hull, seen from its middle; (n, 3) in and out."""
    unit = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    near, far = np.full(len(unit), 25.0), np.full(len(unit), 115.0)
    for _ in range(14):
        reach = (near + far) / 2
        at = _MIDDLE + unit * reach[:, None]
        deeper = template.hull().at(*at.T) > inside_mm
        near, far = np.where(deeper, reach, near), np.where(deeper, far, reach)
    return np.asarray(_MIDDLE + unit * near[:, None])


def _direction(elevation_deg: Array, tilt_deg: Array) -> Array:
    """Directions from the middle: 0 degrees is the front, 90 the top; tilted to the right."""
    a, t = np.deg2rad(elevation_deg), np.deg2rad(tilt_deg)
    return np.stack([np.sin(t) + 0 * a, np.cos(t) * np.cos(a), np.cos(t) * np.sin(a)], axis=-1)


def sinuses() -> list[Vein]:
    """The large sinuses of the dura."""
    torcula: Point = (0.0, -103.0, -13.0)
    angles = np.arange(22.0, 192.0, 9.0)
    top = _on_surface(_direction(angles, np.zeros_like(angles)), -1.6)
    sagittal = (*(_point(p) for p in top), torcula)
    inferior = tuple(
        (0.0, float(-7 + 44 * np.cos(a)), float(5 + 31 * np.sin(a)))
        for a in np.linspace(1.2, 2.9, 8)
    )
    veins = [
        Vein(sagittal, tuple(np.linspace(1.4, 3.4, len(sagittal))), 0.30),
        Vein(((0, -44, 9), (0, -58, 3), (0, -80, -6), torcula), (1.7, 1.5, 1.7, 2.4), 0.30),
        Vein((*inferior, (0, -44, 9)), (0.35,) * 3 + (0.5,) * 3 + (0.7,) * 3, 0.28),
    ]
    for side, radius in ((-1, 2.3), (1, 2.9)):
        course = np.array(
            [
                (side * 24, -97, -18), (side * 45, -80, -22), (side * 57, -60, -27),
                (side * 54, -47, -40), (side * 43, -42, -54),
            ]
        )  # fmt: skip
        outside = [_point(p) for p in _on_surface(course - _MIDDLE, -2.2)]
        jugular: list[Point] = [(side * 36, -38, -68), (side * 38, -32, -118)]
        points = (torcula, *outside, *jugular)
        veins.append(Vein(points, (radius,) * len(points), 0.30))
    return veins


def deep_veins() -> list[Vein]:
    """Internal cerebral, thalamostriate, septal, atrial and basal veins."""
    veins = [Vein(((0, -38, 11), (0, -42, 12), (0, -44, 9)), (1.2, 1.5, 1.6), 0.32)]
    for s in (-1, 1):
        joint: Point = (s * 2.2, -1, 9.5)
        veins += [
            Vein((joint, (s * 2.2, -14, 13.5), (s * 2.1, -28, 13), (0, -39, 11)), (0.55, 0.75, 0.9, 1.1), 0.34),
            Vein(((s * 20, -27, 24), (s * 18.2, -18, 20.5), (s * 15.2, -9, 16.5), (s * 9, -1.5, 12), joint), (0.2, 0.4, 0.5, 0.55, 0.6), 0.34),
            Vein(((s * 9, 27, 6), (s * 3, 21, 7), (s * 2, 11, 10), joint), (0.2, 0.35, 0.45, 0.5), 0.34),
            Vein(((s * 26, -52, 12), (s * 19, -46, 14), (s * 9, -41, 13), (0, -41, 12)), (0.2, 0.4, 0.55, 0.7), 0.32),
            Vein(((s * 25, 4, -16), (s * 15, -7, -17), (s * 18.5, -20, -14), (s * 15, -33, -6), (s * 6, -41, 4), (0, -43, 9)), (0.35, 0.5, 0.65, 0.75, 0.85, 0.95), 0.30),
        ]  # fmt: skip
    return veins


def medullary_veins(random: np.random.Generator) -> list[Vein]:
    """Fine veins that gather from the white matter at the wall of the lateral ventricles."""
    veins = []
    for side, s in ((LEFT, -1.0), (RIGHT, 1.0)):
        for v in np.arange(24.0, -44.0, -5.2):
            root = _corner(side, v + random.uniform(-1.5, 1.5))
            if root is None:
                continue
            length = random.uniform(13, 24)
            rise, lean = random.uniform(0.3, 1.0), random.uniform(-0.35, 0.35)
            curve = random.uniform(-0.018, 0.018)
            t = np.linspace(0, 1, 5)
            course = root + np.column_stack(
                [s * length * t, length * lean * t + curve * (length * t) ** 2, rise * length * t]
            )
            veins.append(_tapering(course, 0.40, 0.10))
            if random.uniform() < 0.6:
                fork = course[1 + int(random.uniform() < 0.5)]
                away = np.array([s * 0.55, random.uniform(-0.6, 0.6), rise + 0.5]) * length * 0.45
                bent = fork + t[:4, None] / t[3] * away + [0, curve * 60, 0] * (t[:4, None] ** 2)
                veins.append(_tapering(bent, 0.26, 0.08))
    return veins


def _corner(side: str, v: float) -> Array | None:
    """The upper outer corner of a lateral ventricle in one coronal plane."""
    levels = template.ventricle(side)
    row = round((v - levels.first[1]) / levels.step[1])
    if not 0 <= row < levels.data.shape[1]:
        return None
    inside = np.argwhere(levels.data[:, row] > 0)
    if len(inside) < 8:
        return None
    u = levels.first[0] + inside[:, 0] * levels.step[0]
    w = levels.first[2] + inside[:, 1] * levels.step[2]
    best = int(np.argmax(np.abs(u) + 0.8 * w))
    return np.array([u[best], levels.first[1] + row * levels.step[1], w[best]])


def _tapering(course: Array, first: float, last: float, chi_ppm: float = 0.30) -> Vein:
    radii = first + (last - first) * np.linspace(0, 1, len(course)) ** 0.8
    return Vein(tuple(_point(p) for p in course), tuple(float(r) for r in radii), chi_ppm)


def cortical_veins(random: np.random.Generator) -> tuple[list[Vein], Array]:
    """Veins over the surface of the brain with their branches, and where finer ones reach them."""
    directions, sizes = [], []
    for s in (-1.0, 1.0):
        for elevation in np.arange(38.0, 172.0, 15.0):
            angle = elevation + random.uniform(-4, 4)
            reach = random.uniform(34, 66)
            # Bridging veins enter the sinus against its stream: they run backwards to the top.
            drift, wave = random.uniform(-16, 4), random.uniform(0, 6)
            t = np.linspace(0, 1, 8)
            along = angle + drift * t + 3.5 * np.sin(5 * t + wave)
            directions.append(_direction(along, s * (1.5 + reach * t)))
            sizes.append((1.05, 0.40))
            for k in (2, 4, 6):
                turn = (1 if random.uniform() < 0.5 else -1) * random.uniform(9, 17)
                u = np.linspace(0, 1, 5)
                tilt = s * (1.5 + reach * (t[k] + 0.22 * u * random.uniform(0.5, 1.2)))
                bend = turn * u**1.3 + 1.5 * (np.sin(4 * u + wave) - np.sin(wave))
                directions.append(_direction(along[k] + bend, tilt))
                sizes.append((0.62, 0.22))
    surface = _on_surface(np.concatenate(directions), 0.4)
    ends = np.cumsum([len(d) for d in directions])[:-1]
    courses = np.split(surface, ends)
    veins = [_tapering(c, *size) for c, size in zip(courses, sizes, strict=True)]
    return veins, np.concatenate([course[2::2] for course in courses])


def sulcal_veins(sources: Array, steps: int = 9, step_mm: float = 1.7) -> list[Vein]:
    """From places on the surface inwards, each step to where most fluid is near."""
    kinds = template.tissue(1.0)
    spread = np.array([(a, b, c) for a in (-1, 0, 1) for b in (-1, 0, 1) for c in (-1, 0, 1)])
    here = _lowest(kinds, sources, spread * 2.5)
    paths = [here]
    for _ in range(steps):
        inwards = _MIDDLE - here
        inwards /= np.linalg.norm(inwards, axis=1, keepdims=True)
        here = _lowest(kinds, here + inwards * step_mm, spread * 0.9)
        paths.append(here)
    courses = np.stack(paths, axis=1)
    veins = []
    for course in courses:
        level = kinds.at(*course.T)
        # As far as it stays out of the white matter.
        blocked = np.flatnonzero(level > 1.25)
        end = int(blocked[0]) if blocked.size else len(course)
        if end >= 3:
            veins.append(_tapering(course[:end], 0.42, 0.16))
    return veins


def _lowest(kinds: template.Levels, points: Array, moves: Array) -> Array:
    """Of the places round each point, that with the most fluid; the nearest of equals."""
    options = points[:, None] + moves
    flat = options.reshape(-1, 3)
    cost = kinds.at(*flat.T).reshape(options.shape[:2])
    cost = cost + 0.02 * np.linalg.norm(moves, axis=1)
    # Beyond the hull there is fluid everywhere; stay within.
    cost += 2.0 * (template.hull().at(*flat.T).reshape(options.shape[:2]) < 0)
    return np.asarray(options[np.arange(len(points)), np.argmin(np.round(cost, 4), axis=1)])
