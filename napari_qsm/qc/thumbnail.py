"""A map as a small picture, by which one of many is told from the others."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from napari_qsm.arrays import Array, bounding_box
from napari_qsm.volume import Volume

#: Longest side, pixels, and the values drawn black and white, ppm.
SIDE_PX = 200
WINDOW_PPM = (-0.1, 0.2)
_QUALITY = 80


def known(chi_ppm: Array) -> Array:
    """Where a map holds values: neither zero nor what is no number."""
    return np.isfinite(chi_ppm) & (chi_ppm != 0)


def middle_voxel(inside: Array) -> Array:
    """The voxel that pictures of a map go through: the middle of the box round where it is known."""
    return np.array([(part.start + part.stop - 1) // 2 for part in bounding_box(inside)])


def thumbnail(chi: Volume) -> bytes:
    """The axial slice through the middle of a map, right on the left, as a JPEG.

    Parameters
    ----------
    chi : Volume
        Susceptibility in ppm, zero where not known.

    Returns
    -------
    bytes
        Of a grey picture whose longest side has 200 pixels, in proportions of mm.
    """
    volume = chi.to_canonical()
    data = np.nan_to_num(np.asarray(volume.data, dtype=np.float32))
    inside = known(volume.data)
    if not inside.any():
        inside = np.ones(data.shape, bool)
    box, level = bounding_box(inside), middle_voxel(inside)[2]
    plane = data[box[0], box[1], level]
    low, high = WINDOW_PPM
    grey = np.clip((plane - low) / (high - low), 0, 1) * 255
    # Columns run from the patient's right to the left, rows from front to back.
    picture = Image.fromarray(grey[::-1, ::-1].T.astype(np.uint8))
    width, height = (
        n * size for n, size in zip(plane.shape, volume.voxel_size_mm[:2], strict=True)
    )
    scale = SIDE_PX / max(width, height)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    out = io.BytesIO()
    picture.resize(size, Image.Resampling.BICUBIC).save(out, "JPEG", quality=_QUALITY)
    return out.getvalue()
