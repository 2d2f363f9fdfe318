"""The two subjects of the built-in head, their regions, and the numbers they must reproduce.

The putamen of both subjects, and the maxima of the patient's globus pallidus, are those of
Ghaderi et al. 2023, Front Neurosci 17:1229082, doi:10.3389/fnins.2023.1229082. Everything
else is chosen within what is plausible at 3 T.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from napari_qsm.errors import QsmError
from napari_qsm.io.label_table import Region

LEFT, RIGHT = "left", "right"

#: Volume of one voxel of the case report, 0.625 x 0.625 x 2 mm.
CASE_REPORT_VOXEL_MM3 = 0.625 * 0.625 * 2.0


@dataclass(frozen=True)
class Measured:
    """One row of the case report's table: a region as the neurologist painted it.

    Attributes
    ----------
    voxels : int
        Number of voxels of 0.625 x 0.625 x 2 mm.
    mean_ppm, sd_ppm : float
        Mean and standard deviation (n-1) of the susceptibility.
    """

    voxels: int
    mean_ppm: float
    sd_ppm: float

    @property
    def volume_mm3(self) -> float:
        """Volume of the painted region."""
        return self.voxels * CASE_REPORT_VOXEL_MM3


#: Table 1 of the case report: (subject, side) to what was measured in the putamen.
TABLE_1: Mapping[tuple[str, str], Measured] = MappingProxyType(
    {
        ("control", LEFT): Measured(1518, 0.034, 0.005),
        ("control", RIGHT): Measured(1682, 0.041, 0.005),
        ("patient", LEFT): Measured(1448, 0.068, 0.008),
        ("patient", RIGHT): Measured(1318, 0.062, 0.007),
    }
)


_PAIRS = (
    ("Caudate", "Cau", "#ff99e9", "#c05eac"),
    ("Putamen", "Put", "#49c39b", "#008763"),
    ("Globus pallidus", "GP", "#e080fc", "#a144bd"),
    ("Thalamus", "Tha", "#d9c762", "#9a8c28"),
    ("Pulvinar", "Pul", "#9df1b1", "#61b377"),
    ("Red nucleus", "RN", "#9d9cff", "#5f64c0"),
    ("Substantia nigra", "SN", "#f9a36a", "#b76934"),
    ("Dentate nucleus", "DN", "#9cc168", "#618631"),
    ("Lateral ventricle", "LV", "#c4c091", "#89865a"),
)

BLEED_INDEX = 2 * len(_PAIRS) + 1
CALCIFICATION_INDEX = BLEED_INDEX + 1


def region_index(name: str, side: str) -> int:
    """Label of one half of a pair: odd on the left, even on the right."""
    row = [pair[0] for pair in _PAIRS].index(name)
    return 2 * row + (1 if side == LEFT else 2)


def regions(*, bleed: bool = False, calcification: bool = False) -> tuple[Region, ...]:
    """The label table in the order of its indices."""
    table = []
    for name, short, left, right in _PAIRS:
        table.append(Region(region_index(name, LEFT), f"{name} L", LEFT, left, f"{short} L"))
        table.append(Region(region_index(name, RIGHT), f"{name} R", RIGHT, right, f"{short} R"))
    if bleed:
        table.append(Region(BLEED_INDEX, "Bleed", RIGHT, "#c92a2a", "Bleed"))
    if calcification:
        table.append(Region(CALCIFICATION_INDEX, "Calcification", "", "#f1f3f5", "Calc"))
    return tuple(table)


@dataclass(frozen=True)
class Subject:
    """What makes one head differ from the other.

    Attributes
    ----------
    name : str
        ``"control"`` or ``"patient"``.
    chi_ppm : mapping of str to (left, right)
        Middle susceptibility of each nucleus against the whole brain, in ppm. That of the
        putamen comes from :data:`TABLE_1`; that of the globus pallidus is its maximum.
    ventricle_scale : float
        Widening of the lateral ventricles.
    sulcus_mm : float
        Half width of the sulci at the surface.
    fold_phase : float
        Moves the folds, so that the two do not share a cortex.
    """

    name: str
    chi_ppm: Mapping[str, tuple[float, float]]
    ventricle_scale: float
    sulcus_mm: float
    fold_phase: float

    def chi(self, name: str, side: str) -> float:
        """Susceptibility of one nucleus in ppm."""
        return self.chi_ppm[name][0 if side == LEFT else 1]

    def putamen(self, side: str) -> Measured:
        """The row of :data:`TABLE_1`."""
        return TABLE_1[self.name, side]


_SUBJECTS = {
    "control": Subject(
        "control",
        MappingProxyType(
            {
                "Caudate": (0.032, 0.035),
                "Globus pallidus": (0.077, 0.074),
                "Thalamus": (0.004, 0.004),
                "Pulvinar": (0.030, 0.031),
                "Red nucleus": (0.058, 0.061),
                "Substantia nigra": (0.069, 0.072),
                "Dentate nucleus": (0.062, 0.060),
            }
        ),
        ventricle_scale=1.0,
        sulcus_mm=0.75,
        fold_phase=0.0,
    ),
    "patient": Subject(
        "patient",
        MappingProxyType(
            {
                "Caudate": (0.046, 0.044),
                "Globus pallidus": (0.086, 0.079),
                "Thalamus": (0.006, 0.005),
                "Pulvinar": (0.037, 0.035),
                "Red nucleus": (0.066, 0.064),
                "Substantia nigra": (0.078, 0.080),
                "Dentate nucleus": (0.066, 0.067),
            }
        ),
        ventricle_scale=1.15,
        sulcus_mm=1.0,
        fold_phase=1.7,
    ),
}

SUBJECTS = tuple(_SUBJECTS)


def get_subject(name: str) -> Subject:
    """The subject of that name.

    Raises
    ------
    QsmError
        Naming the subjects there are.
    """
    if name not in _SUBJECTS:
        raise QsmError(
            f"There is no subject '{name}'; the built-in head is one of {', '.join(SUBJECTS)}."
        )
    return _SUBJECTS[name]
