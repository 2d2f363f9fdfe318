"""How volumes lie in plain napari: turned round, because it draws rows downwards and columns rightwards.

All three axes of the canonical array are reversed. Drawn as napari draws without being told
otherwise, a head is then upright in every plane, the patient's right is on the left of the screen,
and nothing is mirrored in 3-D. Napari's (z, y, x) are mm to the feet, to the back and to the left:
the negative of the display frame of :mod:`napari_qsm.anatomy`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from napari_qsm.anatomy import ENDS, DisplayFrame, Letters, Vector, letters_3d
from napari_qsm.arrays import Array
from napari_qsm.session.frames import napari_order
from napari_qsm.volume import Volume

UNKNOWN = Letters("?", "?", "?", "?")


def turned_round(canonical: Array) -> Array:
    """A canonical (x, y, z) array as plain napari is to have it: (z, y, x) reversed, no copy."""
    return canonical.transpose(2, 1, 0)[::-1, ::-1, ::-1]


def turned_back(shown: Array) -> Array:
    """The canonical (x, y, z) array behind what :func:`turned_round` made, no copy."""
    return shown[::-1, ::-1, ::-1].transpose(2, 1, 0)


def turned_place(volume: Volume) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Scale and translation, both (z, y, x) in mm, of a canonical volume that is turned round."""
    frame = DisplayFrame(volume)
    last = frame.origin_mm + (np.array(volume.shape) - 1) * frame.size_mm
    return napari_order(frame.size_mm), napari_order(-last)


def letters_2d(displayed: Sequence[int], vertical: str, horizontal: str) -> Letters:
    """The letters round a slice of what is turned round.

    Parameters
    ----------
    displayed : (int, int)
        Which of (z, y, x) run down the rows and along the columns.
    vertical, horizontal : str
        Where napari draws growing coordinates: ``"down"`` or ``"up"``, ``"right"`` or ``"left"``.
    """
    (low_v, high_v), (low_h, high_h) = (ENDS[2 - axis] for axis in displayed)
    top, bottom = (high_v, low_v) if vertical == "down" else (low_v, high_v)
    left, right = (high_h, low_h) if horizontal == "right" else (low_h, high_h)
    return Letters(left, right, top, bottom)


def letters_of_volume(
    view: Vector, up: Vector, displayed: Sequence[int], *, mirrored: bool = False
) -> Letters:
    """The letters round a 3-D picture of what is turned round.

    Parameters
    ----------
    view, up : three float
        Directions of napari's camera, into the screen and to its top, along the axes displayed.
    displayed : three int
        Which of (z, y, x) those axes are.
    mirrored : bool
        Whether napari's axes are left-handed, which mirrors the picture.
    """
    right = np.cross(view, up) * (-1 if mirrored else 1)
    axes = [2 - axis for axis in displayed]
    across, top = np.zeros(3), np.zeros(3)
    across[axes], top[axes] = -right, -np.asarray(up, dtype=float)
    return letters_3d(across, top)


def is_plain(steps: npt.ArrayLike, scale: Sequence[float]) -> bool:
    """Whether a layer's axes are napari's own, neither turned nor mirrored by anybody.

    Parameters
    ----------
    steps : (3, 3) array
        From voxel to voxel along each axis, in napari's world.
    scale : three float
        The layer's own scale.
    """
    return bool(np.allclose(steps, np.diag(scale)) and min(scale) > 0)
