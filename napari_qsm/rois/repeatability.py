"""By how much the mean of a region differs when the same person is scanned again.

The SD of voxels is the spread within a region; it is not the uncertainty of the region's mean.
That comes from repeated scans: the within-subject standard deviation SDw.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from napari_qsm.rois.pairs import base_name, place_of

#: 97.5th percentile of the normal distribution.
_Z = 1.959963984540054
VOXEL_SD_SENTENCE = (
    "The SD of voxels is the spread within a region, not the uncertainty of its mean."
)


@dataclass(frozen=True)
class Repeatability:
    """Within-subject standard deviation of a region's mean.

    Attributes
    ----------
    sdw_ppb : float
        For regions that ``by_region`` does not name, ppb.
    source : str
        Where it comes from, for tables and captions.
    by_region : mapping of str to float
        By the name of the region without its side, lower case.
    """

    sdw_ppb: float
    source: str
    by_region: Mapping[str, float] = field(default_factory=dict)

    def of(self, name: str) -> float:
        """SDw of a region in ppb.

        Examples
        --------
        >>> Repeatability(2.4, "a study", {"red nucleus": 9.0}).of("Red nucleus L")
        9.0
        """
        return self.by_region.get(base_name(name).casefold(), self.sdw_ppb)

    def half_width(self, name: str) -> float:
        """Half the 95 % interval of a difference of two means, ppb: 1.96 sqrt(2) SDw."""
        return _Z * math.sqrt(2) * self.of(name)

    @property
    def sentence(self) -> str:
        """What stands behind ± of a difference, and what does not."""
        return (
            f"Differences are ± 1.96 √2 SDw, with SDw from {self.source}. {VOXEL_SD_SENTENCE} "
            "Nor does ± tell how much healthy people differ from each other."
        )


#: Mean SDw of seven deep nuclei in 24 people who were scanned twice at each of three sites.
LITERATURE = Repeatability(
    2.36,
    "24 healthy people scanned twice at 3 T: 2.36 ppb on average over seven deep nuclei (Naji et "
    "al., NMR Biomed 2022;35:e4788, doi:10.1002/nbm.4788)",
)


class Measured(NamedTuple):
    """A region of the person: its name and side, voxels, and mean in ppb."""

    name: str
    side: str
    voxels: int
    mean_ppb: float


def differences_between(
    first: Sequence[Measured], second: Sequence[Measured], repeatability: Repeatability
) -> list[dict[str, float]]:
    """Each region of one map less the same region of another, in ppb, with its uncertainty.

    Parameters
    ----------
    first, second : sequence of Measured
        Of two people, or of one at two visits; matched by name and side.
    repeatability : Repeatability
        Within-subject SD of a region's mean.
    """
    others = {place_of(region.name, region.side): region.mean_ppb for region in second}
    out = []
    for region in first:
        other = others.get(place_of(region.name, region.side), math.nan)
        apart = region.mean_ppb - other
        half = repeatability.half_width(region.name) if math.isfinite(apart) else math.nan
        out.append({"other_mean": other, "difference": apart, "difference_95": half})
    return out
