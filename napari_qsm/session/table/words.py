"""Numbers of the table as text: units, decimals, and what stands where there is no number."""

from __future__ import annotations

from math import isfinite

from napari_qsm.rois.measures import Measures
from napari_qsm.units import rounded

NOTHING = "–"
HIDDEN = "hidden until locked"
#: Decimals that values of a unit honestly carry.
_PLACES = {"ppm": 3, "ppb": 1, "1/s": 1, "rad": 3, "s": 4, "ms": 1}
_TITLES = {
    "mean_sd": "mean ± SD",
    "mean": "mean",
    "sd": "SD",
    "median": "median",
    "min": "min",
    "max": "max",
    "p05": "5 %",
    "p25": "25 %",
    "p75": "75 %",
    "p95": "95 %",
    "skewness": "skewness",
    "missing": "no number",
    "voxels": "voxels",
    "volume": "volume (mm³)",
}


def title(column: str, unit: str = "") -> str:
    """A column's name as a reader writes it: ``"mean ± SD (ppm)"``."""
    if column in ("skewness", "missing", "voxels", "volume"):
        return _TITLES[column]
    return f"{_TITLES[column]} ({unit or 'unit?'})"


def places_for(unit: str, scale: float) -> int:
    """Decimals for values of a unit; for others by the size of the values.

    Parameters
    ----------
    unit : str
        As written in the table.
    scale : float
        Size of a typical value.
    """
    if unit in _PLACES:
        return _PLACES[unit]
    if not isfinite(scale) or scale <= 0:
        return 2
    return 1 if scale >= 10 else 2 if scale >= 1 else 4


def needs_scale(unit: str) -> bool:
    """Whether decimals of a unit hang on the size of its values."""
    return unit not in _PLACES


def number(value: float, places: int) -> str:
    """A number with so many decimals; a dash where there is none.

    Thousands are not set apart, so that spreadsheets read a pasted cell as a number.
    """
    return _minus(rounded(value, places)) if isfinite(value) else NOTHING


def mean_sd(measures: Measures, factor: float, places: int) -> str:
    """``"0.034 ± 0.005"``; only the mean where one voxel has no spread."""
    if not isfinite(measures.mean):
        return NOTHING
    mean = number(measures.mean * factor, places)
    if not isfinite(measures.sd):
        return mean
    return f"{mean} ± {number(measures.sd * factor, places)}"


def cell(measures: Measures | None, column: str, factor: float, places: int, mm3: float) -> str:
    """One cell of a row."""
    if measures is None:
        return NOTHING
    if column == "voxels":
        return str(measures.voxels)
    if column == "volume":
        return number(measures.voxels * mm3, 1)
    if column == "missing":
        return str(measures.missing)
    if column == "mean_sd":
        return mean_sd(measures, factor, places)
    if column == "skewness":
        return number(measures.skewness, 2)
    return number(measures.value(column) * factor, places)


def percent(value: float) -> str:
    """A fraction in percent, with its sign."""
    if not isfinite(value):
        return NOTHING
    return _minus(f"{100 * value:+.1f} %")


def _minus(text: str) -> str:
    plain = text.replace("-", "−")
    return plain.lstrip("−") if not plain.strip("−0.") else plain
