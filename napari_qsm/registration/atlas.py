"""The CIT168 atlas of deep nuclei (Pauli 2018, Sci Data 5:180063; CC BY 4.0).

Its files and their notice lie in ``cit168``. Its world is that of ICBM 152 nonlinear 2009c, RAS mm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import as_file, files

import numpy as np
from scipy import ndimage

from napari_qsm.arrays import Array
from napari_qsm.io.nifti import read_volume
from napari_qsm.rois.shapes import Side
from napari_qsm.volume import Volume

#: Nuclei of the atlas by the names that the program's lists use: labels on the left; the right
#: one's is the next number.
NUCLEI: Mapping[str, tuple[int, ...]] = {
    "Putamen": (1,),
    "Caudate": (3,),
    "Nucleus accumbens": (5,),
    "Globus pallidus": (9, 11),
    "Globus pallidus externus": (9,),
    "Globus pallidus internus": (11,),
    "Substantia nigra": (13, 17),
    "Red nucleus": (15,),
    "Subthalamic nucleus": (31,),
}
#: Susceptibility that a nucleus begins with, ppm, by its labels on the left.
TYPICAL_PPM: Mapping[int, float] = {
    1: 0.05, 3: 0.05, 5: 0.04, 9: 0.13, 11: 0.13, 13: 0.12, 15: 0.10, 17: 0.12, 31: 0.09,
}  # fmt: skip
#: Voxels of room round the atlas's labels, and how wide the shift of a nucleus is felt, mm.
MARGIN, _REACH_MM = 14, 6.0
CITATION = "CIT168 (Pauli et al. 2018, doi:10.1038/sdata.2018.63, CC BY 4.0)"


@dataclass(frozen=True, eq=False)
class Atlas:
    """The atlas as read from its files.

    Attributes
    ----------
    labels : Volume
        uint8, 1 mm; odd on the left.
    brain : Volume
        Mask of the brain, 2 mm.
    """

    labels: Volume
    brain: Volume

    def inside(self, name: str, side: Side) -> Array:
        """Voxels of a nucleus on one side, by a name of :data:`NUCLEI`; bool on ``labels``."""
        step = 0 if side == "left" else 1
        return np.isin(self.labels.data, [label + step for label in NUCLEI[name]])

    def typical(self) -> Array:
        """Susceptibility of the nuclei in an average head, ppm on ``labels``; zero elsewhere."""
        values = np.zeros(256, np.float32)
        for label, ppm in TYPICAL_PPM.items():
            values[[label, label + 1]] = ppm
        return values[np.asarray(self.labels.data)]


@lru_cache(maxsize=1)
def load_atlas() -> Atlas:
    """The atlas that comes with the program."""
    folder = files("napari_qsm.registration") / "cit168"
    found = []
    for name in ("labels.nii.gz", "brain.nii.gz"):
        with as_file(folder / name) as path:
            found.append(read_volume(path).to_canonical())
    return Atlas(*found)


def padded(volume: Volume, margin: int) -> Volume:
    """A volume with so many empty voxels round it."""
    affine = volume.affine.copy()
    affine[:3, 3] = volume.voxel_to_world([-margin] * 3)
    return Volume(np.pad(volume.data, margin), affine)


def near(inside: Array, sizes: tuple[float, float, float], mm: float) -> Array:
    """Voxels within so many mm of others."""
    return ndimage.distance_transform_edt(~inside, sampling=sizes) <= mm


def spread_shifts(shifts: Mapping[int, Sequence[float] | Array]) -> tuple[Volume, Array]:
    """Shifts of the nuclei spread over the space between them: the grid, and (3, x, y, z) in mm."""
    labels = padded(load_atlas().labels, MARGIN)
    table = np.zeros((256, 4), np.float32)
    for label, shift in shifts.items():
        table[label] = [*shift, 1]
    spread = np.stack(
        [ndimage.gaussian_filter(column[np.asarray(labels.data)], _REACH_MM) for column in table.T]
    )
    return labels, spread[:3] / (spread[3] + 1e-3)


def shift_at(bend: tuple[Volume, Array], points: Array) -> Array:
    """What :func:`spread_shifts` gives at places of the atlas, mm; (n, 3) in and out."""
    grid, field = bend
    index = grid.world_to_voxel(points).T
    parts = [ndimage.map_coordinates(f, index, order=1, mode="nearest") for f in field]
    return np.stack(parts, axis=-1)
