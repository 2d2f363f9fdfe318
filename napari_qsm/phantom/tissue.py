"""Tissues: what each is worth in susceptibility, signal and decay; and maps made of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.phantom.grid import Box

#: Repetition time and flip angle of the case report's sequence, which set the contrast.
REPETITION_TIME_S = 0.041
FLIP_ANGLE_DEG = 15.0

#: Susceptibility of air against the brain, ppm.
AIR_PPM = 9.4


@dataclass(frozen=True)
class Tissue:
    """One kind of tissue.

    Attributes
    ----------
    chi_ppm : float
        Susceptibility against the mean of the whole brain.
    density : float
        Proton density against water.
    t1_s : float
        Longitudinal relaxation time at 3 T.
    r2star : float
        Decay rate at 3 T in 1/s, without what the field's own variation adds.
    """

    chi_ppm: float
    density: float
    t1_s: float
    r2star: float

    @property
    def signal(self) -> float:
        """Steady-state signal of a spoiled gradient echo at echo time zero."""
        flip = np.deg2rad(FLIP_ANGLE_DEG)
        e1 = np.exp(-REPETITION_TIME_S / self.t1_s)
        return float(self.density * np.sin(flip) * (1 - e1) / (1 - np.cos(flip) * e1))


CSF = Tissue(0.008, 1.0, 4.0, 1.5)
GREY = Tissue(0.018, 0.83, 1.35, 15.0)
WHITE = Tissue(-0.024, 0.70, 0.90, 19.0)
STEM = Tissue(-0.004, 0.76, 1.10, 18.0)
DEEP_GREY = Tissue(0.0, 0.80, 1.20, 16.0)
BLOOD = Tissue(0.30, 0.80, 1.60, 45.0)
BONE = Tissue(-2.0, 0.06, 0.60, 300.0)
MARROW = Tissue(-0.6, 0.35, 0.45, 110.0)
MUSCLE = Tissue(0.0, 0.75, 1.40, 32.0)
FAT = Tissue(0.6, 0.70, 0.38, 40.0)
EYE = Tissue(0.0, 1.0, 3.5, 2.0)
AIR = Tissue(AIR_PPM, 0.0, 1.0, 0.0)

#: How much iron adds to the decay rate, 1/s per ppm of susceptibility.
R2STAR_PER_PPM = 250.0


@dataclass(frozen=True, eq=False)
class Maps:
    """The head on a grid, three float32 arrays of one shape.

    Attributes
    ----------
    chi : ndarray
        Susceptibility against the mean of the whole brain, ppm.
    signal : ndarray
        Signal at echo time zero.
    r2star : ndarray
        Decay rate, 1/s.
    brain : ndarray of bool
        Inside the brain's hull, sulci included.
    """

    chi: Array
    signal: Array
    r2star: Array
    brain: Array

    def paint(self, box: Box, weight: Array, tissue: Tissue, chi_ppm: Array | float) -> None:
        """Lay a tissue over what is there, as far as ``weight`` says."""
        mix(self.chi[box], weight, chi_ppm)
        mix(self.signal[box], weight, tissue.signal)
        mix(self.r2star[box], weight, tissue.r2star)


def lay_at(
    maps: tuple[Array, Array, Array],
    where: Array,
    weight: Array,
    tissue: Tissue,
    chi_ppm: Array | float,
) -> None:
    """Lay a tissue at some points of the arrays of susceptibility, signal and decay rate."""
    new: tuple[Array | float, ...] = (chi_ppm, tissue.signal, tissue.r2star)
    for values, value in zip(maps, new, strict=True):
        old = values[where]
        old += weight * (value - old)
        values[where] = old


def mix(values: Array, weight: Array, new: Array | float) -> None:
    """Move values towards new ones by a weight, in place."""
    values += weight * (new - values)
