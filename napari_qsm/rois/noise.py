"""The standard error of a region's mean by the scan's noise, from the noise map of its reconstruction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import nan, sqrt
from pathlib import Path
from typing import Any

import numpy as np

from napari_qsm.errors import FileError
from napari_qsm.io.maps import read_map
from napari_qsm.io.sidecar import read_json, sidecar_path
from napari_qsm.rois.measures import Measures
from napari_qsm.units import factor
from napari_qsm.volume import Volume

#: Entry of a noise map's sidecar that says how noise averages out.
SIDECAR_KEY = "NoiseOfMeans"


@dataclass(frozen=True, eq=False)
class NoiseMap:
    """What a scan's noise does to a map, see :mod:`napari_qsm.recon.uncertainty`.

    Attributes
    ----------
    sd : Volume
        Standard deviation of each voxel, ppm or ppb.
    volumes_mm3 : tuple of float
        Volumes of compact regions, ascending, from that of one voxel.
    parts : tuple of float
        What part of its voxels' noise is left in the mean of such a region.
    """

    sd: Volume
    volumes_mm3: tuple[float, ...]
    parts: tuple[float, ...]

    def part(self, volume_mm3: float) -> float:
        """What is left in the mean over a volume; beyond the largest one as in that, which is too much."""
        at = np.interp(np.log(volume_mm3), np.log(self.volumes_mm3), np.log(self.parts))
        return float(np.exp(at))

    def with_noise(self, measures: Measures, noise: Measures, unit: str) -> Measures:
        """Numbers of a region with the standard error of its mean.

        Parameters
        ----------
        measures : Measures
            On the map.
        noise : Measures
            Of the same voxels on :attr:`sd`.
        unit : str
            Of the map.
        """
        count = noise.numbers
        error = nan
        if count and measures.numbers:
            scatter = noise.sd**2 * (count - 1) / count if count > 1 else 0.0
            size = sqrt(noise.mean**2 + scatter) * factor(self.sd.unit, unit)
            error = size * self.part(measures.numbers * self.sd.voxel_volume_mm3)
        return measures.with_external({"se": error})


def noise_map(sd: Volume, of_means: Mapping[str, Any], where: str) -> NoiseMap:
    """A noise map with what its sidecar, or its provenance, says of means.

    Parameters
    ----------
    sd : Volume
        The map.
    of_means : mapping
        ``volumes_mm3`` and ``parts``.
    where : str
        Who says that, for the message.

    Raises
    ------
    FileError
        If that is not what the program writes.
    """
    volumes, parts = (of_means.get(key) for key in ("volumes_mm3", "parts"))
    fits = all(
        isinstance(each, list | tuple) and each and all(isinstance(v, int | float) for v in each)
        for each in (volumes, parts)
    )
    if fits and volumes is not None and parts is not None and len(volumes) == len(parts):
        known = NoiseMap(sd, tuple(map(float, volumes)), tuple(map(float, parts)))
        if min(np.diff(known.volumes_mm3), default=1) > 0 and min(*volumes, *parts) > 0:
            return known
    raise FileError(
        f"{where} does not say how noise averages out over regions ({SIDECAR_KEY}); give the noise map "
        "that 'reconstruct --uncertainty' wrote, with the .json file beside it."
    )


def read_noise(path: Path) -> NoiseMap:
    """A noise map from a file, with the sidecar beside it.

    Raises
    ------
    FileError
        If the file cannot be read or is no noise map of this program.
    MetadataError
        If its values cannot be in its unit.
    """
    sd = read_map(path)
    beside = sidecar_path(path)
    said = read_json(beside).get(SIDECAR_KEY) if beside.is_file() else None
    where = (
        f"'{beside.name}'"
        if beside.is_file()
        else f"There is no '{beside.name}', and so '{path.name}'"
    )
    return noise_map(sd, said if isinstance(said, dict) else {}, where)
