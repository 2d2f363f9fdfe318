"""The high part of a region: voxels above a limit (two-region analysis)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

from napari_qsm.errors import MetadataError
from napari_qsm.rois.live import HighFrom
from napari_qsm.rois.pairs import place_of
from napari_qsm.rois.region import Region, name_of, region_side
from napari_qsm.typed import number
from napari_qsm.units import SusceptibilityUnit, factor, with_unit

#: Limits beyond it are no susceptibility of tissue, ppm.
_MOST_PPM = 10.0


@dataclass(frozen=True)
class HighLimits:
    """Values above which voxels are the high part of their region.

    Attributes
    ----------
    ppm : tuple of (str, float)
        Names of regions, with or without their side, and limits in ppm; an empty name stands
        for all others.
    """

    ppm: tuple[tuple[str, float], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.ppm)

    def of(self, name: str, side: str = "") -> float | None:
        """The limit of a region in ppm: of its side, else without a side, else of all."""
        known = {place_of(each): value for each, value in self.ppm}
        base, side = place_of(name, side)
        tried = ((base, side), (base, ""), ("", ""))
        return next((known[place] for place in tried if place in known), None)

    def in_map(self, regions: Mapping[int, Region], labels: Iterable[int], unit: str) -> HighFrom:
        """The limits of a label map's regions, in the unit of the map (ppm or ppb)."""
        scale = factor("ppm", unit)
        found = {
            label: self.of(name_of(regions, label), region_side(regions.get(label)))
            for label in labels
        }
        rest = self.of("")
        return HighFrom(
            None if rest is None else rest * scale,
            {n: v * scale for n, v in found.items() if v is not None and v != rest},
        )

    def words(self, unit: SusceptibilityUnit) -> str:
        """``"above 0.100 ppm"``, region by region where they differ."""
        return "; ".join(
            f"{name + ' ' if name else ''}above {with_unit(value * factor('ppm', unit), unit)}"
            for name, value in self.ppm
        )


#: No voxel is called high.
NO_LIMITS = HighLimits()


def high_limits(texts: Sequence[str], unit: SusceptibilityUnit) -> HighLimits:
    """Limits as people type them.

    Parameters
    ----------
    texts : sequence of str
        ``"100"`` for all regions, ``"Putamen=80"`` for one; a later one replaces an earlier one.
    unit : {"ppm", "ppb"}
        In which they are typed.

    Raises
    ------
    MetadataError
        For what is no number, or no limit that tissue could have.

    Examples
    --------
    >>> high_limits(["100", "Red nucleus=0,15e3"], "ppb").ppm
    (('', 0.1), ('Red nucleus', 0.15))
    """
    found: dict[str, float] = {}
    for text in texts:
        name, divider, value = text.rpartition("=")
        if divider and not name.strip():
            raise MetadataError(f"'{text}' names no region before '='.")
        ppm = number(value, "the limit of the high part") * factor(unit, "ppm")
        if not isfinite(ppm) or abs(ppm) > _MOST_PPM:
            raise MetadataError(
                f"A limit of {value.strip()} {unit} lies beyond any tissue; is its unit {unit}?"
            )
        found[name.strip()] = float(f"{ppm:.12g}")
    return HighLimits(tuple(found.items()))
