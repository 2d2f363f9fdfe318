"""Everything round the brain: scalp, bone, air-filled sinuses, eyes and fluid."""

from __future__ import annotations

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.phantom import template
from napari_qsm.phantom.brain import brain_tissue, head_surface, intracranial, intracranial_of
from napari_qsm.phantom.grid import Box
from napari_qsm.phantom.shapes import blend, coverage, ellipsoid, smoothstep, tube
from napari_qsm.phantom.subjects import Subject, get_subject
from napari_qsm.phantom.tissue import AIR, BONE, CSF, EYE, FAT, MARROW, MUSCLE, Maps, Tissue

_SKULL_MM = 6.5


def lay_head(
    x: Array, y: Array, z: Array, cell_mm: float, subject: Subject, maps: Maps, box: Box
) -> None:
    """Fill one box of the maps with air, head and brain."""
    full = tuple(s.stop - s.start for s in box)
    surface = np.broadcast_to(head_surface(x, y, z), full)
    for values, value in zip(
        (maps.chi, maps.signal, maps.r2star), (AIR.chi_ppm, 0.0, 0.0), strict=True
    ):
        values[box] = value
    within = np.nonzero(surface > -cell_mm)
    if within[0].size == 0:
        return
    px, py, pz = (np.broadcast_to(c, full)[within] for c in (x, y, z))
    u, v, w = (np.broadcast_to(c, full)[within] for c in template.to_template(x, y, z, subject))
    hull = template.hull().at(u, v, w) * np.float32(template.MEAN_SCALE)
    inner = intracranial_of(hull, px, py, pz)
    outer = _Points(px, py, pz, surface[within], inner, cell_mm)
    outer.lay_outside()
    inside = np.flatnonzero(outer.inner > -cell_mm)
    here = px[inside], py[inside], pz[inside]
    there = u[inside], v[inside], w[inside]
    tissue = brain_tissue(here, there, hull[inside], cell_mm, subject)
    weight = coverage(outer.inner[inside], cell_mm)
    for values, new in (
        (outer.chi, tissue.chi),
        (outer.signal, tissue.signal),
        (outer.r2star, tissue.r2star),
    ):
        values[inside] += weight * (new - values[inside])
    maps.chi[box][within] = outer.chi
    maps.signal[box][within] = outer.signal
    maps.r2star[box][within] = outer.r2star
    brain = np.zeros(outer.chi.shape, bool)
    brain[inside] = tissue.inside & (outer.inner[inside] > cell_mm)
    maps.brain[box][within] = brain


class _Points:
    """The points of a box that lie in the head, with what they are made of."""

    def __init__(
        self, x: Array, y: Array, z: Array, surface: Array, inner: Array, cell_mm: float
    ) -> None:
        self.x, self.y, self.z = x, y, z
        self.surface, self.inner, self.cell_mm = surface, inner, cell_mm
        self.chi = np.full(x.shape, AIR.chi_ppm, np.float32)
        self.signal = np.zeros(x.shape, np.float32)
        self.r2star = np.zeros(x.shape, np.float32)

    def lay(self, distance: Array, tissue: Tissue, where: Array | None = None) -> None:
        weight = coverage(distance, self.cell_mm)
        for values, new in (
            (self.chi, tissue.chi_ppm),
            (self.signal, tissue.signal),
            (self.r2star, tissue.r2star),
        ):
            if where is None:
                values += weight * (new - values)
            else:
                values[where] += weight * (new - values[where])

    def near(self, low: tuple[float, float, float], high: tuple[float, float, float]) -> Array:
        """Points within a box in the world and outside the brain."""
        return np.flatnonzero(
            (self.inner < self.cell_mm)
            & (self.x > low[0]) & (self.x < high[0])
            & (self.y > low[1]) & (self.y < high[1])
            & (self.z > low[2]) & (self.z < high[2])
        )  # fmt: skip

    def lay_outside(self) -> None:
        """Scalp, muscle, bone, sinuses, eyes and fluid, from the outside in."""
        outside = np.flatnonzero(self.inner < self.cell_mm)
        x, y, z = self.x[outside], self.y[outside], self.z[outside]
        depth, inner = self.surface[outside], self.inner[outside]
        self.lay(depth, MUSCLE, outside)
        fat = np.minimum(depth - 1.5, 4.5 + 1.2 * np.sin(0.05 * y + 0.06 * z) - depth)
        self.lay(fat, FAT, outside)
        bone = np.minimum(inner + _SKULL_MM + 0.8 * np.sin(0.06 * y) * np.cos(0.07 * x), depth - 4)
        self.lay(bone, BONE, outside)
        # Marrow between the tables of the vault.
        marrow = 1.2 - np.abs(inner + 3.4) + 3 * np.minimum(z - 5, 0)
        self.lay(marrow, MARROW, outside)
        self._lay_eyes()
        self._lay_sinuses()
        self.lay(inner, CSF, outside)

    def _lay_eyes(self) -> None:
        here = self.near((-56, 28, -52), (56, 90, -8))
        if here.size == 0:
            return
        x, y, z = np.abs(self.x[here]), self.y[here], self.z[here]
        roof = -self.inner[here] - 2.5  # the bone between orbit and brain
        orbit = tube(x, y, z, [(31, 58, -31), (20, 26, -27)], [15, 5])
        self.lay(np.minimum(orbit, roof), FAT, here)
        muscles = 1.6 - np.abs(tube(x, y, z, [(31, 52, -31), (20, 26, -27)], [10.5, 3.5]))
        self.lay(np.minimum(muscles, roof), MUSCLE, here)
        eye = ellipsoid(x, y, z, (31, 60, -31), (12, 12, 12))
        self.lay(np.minimum(eye, roof), EYE, here)

    def _lay_sinuses(self) -> None:
        here = self.near((-75, -70, -110), (75, 84, 25))
        if here.size == 0:
            return
        x, y, z = self.x[here], self.y[here], self.z[here]
        air = air_spaces(x, y, z)
        skin = np.minimum(self.surface[here] - 3, -self.inner[here] - 1.5)
        self.lay(np.minimum(air + 1.5, self.surface[here] - 3), BONE, here)
        self.lay(np.minimum(air, skin), AIR, here)
        canal = tube(np.abs(x), y, z, [(95, -22, -36), (56, -22, -36)], [3.5, 3.5])
        self.lay(np.minimum(canal, -self.inner[here] - 0.8), AIR, here)


def air_spaces(x: Array, y: Array, z: Array) -> Array:
    """Distance into the paranasal sinuses, the nose, the throat and the mastoid cells."""
    side = np.abs(x)
    frontal = ellipsoid(side, y, z, (9, 72.5, 2), (9, 3.6, 9))
    ethmoid = ellipsoid(x, y, z, (0, 44, -37), (12, 17, 9))
    cells = 1.6 - 2.2 * np.cos(x * 0.9) * np.cos(y * 0.62 + 1) * np.cos(z * 0.7)
    ethmoid = np.minimum(ethmoid, 2.2 * cells)
    sphenoid = np.minimum(ellipsoid(x, y, z, (0, 17, -37), (12, 10, 8)), np.abs(x - 2) - 0.7)
    maxillary = ellipsoid(side, y, z, (28, 40, -60), (13, 15, 16))
    nose = np.minimum(ellipsoid(x, y, z, (0, 52, -56), (11, 28, 14)), side - 1.2)
    throat = tube(x, y, z, [(0, 20, -60), (0, 2, -80), (0, -2, -120), (0, -10, -240)], [9, 9, 8, 8])
    mastoid = ellipsoid(side, y, z, (55, -36, -46), (8, 11, 13))
    honeycomb = 1.1 - 2 * np.cos(x * 1.1) * np.cos(y * 0.95) * np.cos(z * 1.0)
    mastoid = np.minimum(mastoid, 1.4 * honeycomb)
    spaces = np.maximum(np.maximum(frontal, ethmoid), np.maximum(sphenoid, maxillary))
    return np.maximum(spaces, np.maximum(blend(nose, throat, 4), mastoid))


def lay_simple(x: Array, y: Array, z: Array, cell_mm: float) -> Array:
    """Susceptibility of the head in a few strokes, for the parts outside the field of view."""
    surface = coverage(head_surface(x, y, z), cell_mm)
    inner = intracranial(x, y, z, get_subject("control"))
    bone = coverage(inner + _SKULL_MM, cell_mm) * (1 - coverage(inner, cell_mm))
    air = coverage(air_spaces(x, y, z), cell_mm) * (1 - coverage(inner, cell_mm))
    lung = coverage(ellipsoid(np.abs(x), y, z, (80, -30, -330), (60, 65, 110)), cell_mm)
    chi = AIR.chi_ppm * (1 - surface)
    chi = chi + bone * surface * (BONE.chi_ppm - chi)
    return chi + np.maximum(air, lung) * smoothstep(surface) * (AIR.chi_ppm - chi)
