"""The offset of pi that some GE scans carry in every second slice.

Such data come from a Fourier transform along the slices that was not shifted by half a
grid, which multiplies slice k by (-1)^k. An offset that alternates is the same as a ramp of pi
per slice, so it shows as neighbouring slices that disagree by about pi throughout the head.
"""

from __future__ import annotations

import numpy as np

from napari_qsm.arrays import Array

#: Agreement of neighbouring slices (1 all alike, 0 noise, -1 all opposite) below which they
#: count as alternating, and the agreement the other axes must exceed meanwhile. (Planes along an
#: alternating axis are incoherent throughout, so only noise is left to tell of the others.)
_OPPOSITE = -0.4
_NOT_OPPOSITE = -0.1
#: Fewer slices cannot tell an alternation from a strong gradient.
_FEWEST_SLICES = 4
#: Slices looked at, spread over the volume, at most.
_SAMPLED_SLICES = 16


def slice_agreement(phase: Array, axis: int, magnitude: Array | None = None) -> float:
    """How far neighbouring slices agree in phase: 1 alike, 0 unrelated, -1 opposite.

    Parameters
    ----------
    phase : (x, y, z) ndarray
        Phase, rad.
    axis : int
        The slice axis.
    magnitude : (x, y, z) ndarray, optional
        Weights. Air counts little without it too: voxels weigh by the coherence of their
        phase with their neighbours in the slice, which noise has not.

    Returns
    -------
    float
        0 where there is only one slice.
    """
    planes = np.moveaxis(phase, axis, 0)
    pairs = np.arange(len(planes) - 1)
    step = max(1, len(pairs) // _SAMPLED_SLICES)
    agreed = total = 0.0
    for k in pairs[step // 2 :: step]:
        between = np.cos(planes[k + 1] - planes[k])
        weight = _coherence_in_plane(planes[k]) * _coherence_in_plane(planes[k + 1])
        if magnitude is not None:
            strength = np.moveaxis(magnitude, axis, 0)[k]
            weight *= np.where(np.isfinite(strength), strength, 0)
        agreed += float(np.sum(weight * between, dtype=np.float64))
        total += float(np.sum(weight * np.abs(between), dtype=np.float64))
    return agreed / total if total > 0 else 0.0


def _coherence_in_plane(plane: Array) -> Array:
    """Product of the positive cosines of the forward differences along both axes of a plane."""
    weight = np.ones(plane.shape, plane.dtype)
    for axis in (0, 1):
        if plane.shape[axis] > 1:
            last = np.take(plane, [-1], axis=axis)
            weight *= np.maximum(np.cos(np.diff(plane, axis=axis, append=last)), 0)
    return weight


def find_alternate_slices(phase: Array, magnitude: Array | None = None) -> int | None:
    """The axis along which every second slice is offset by pi, or None.

    Parameters
    ----------
    phase : (x, y, z) ndarray
        Phase of the echo with the shortest echo time (gradients grow with it), rad.
    magnitude : (x, y, z) ndarray, optional
        Weights of the voxels.
    """
    agreement = [
        slice_agreement(phase, axis, magnitude) if phase.shape[axis] >= _FEWEST_SLICES else 1.0
        for axis in range(3)
    ]
    opposite = [axis for axis in range(3) if agreement[axis] < _OPPOSITE]
    others_not = sum(a > _NOT_OPPOSITE for a in agreement) == 2
    return opposite[0] if opposite and others_not else None


def flip_alternate_slices(data: Array, axis: int) -> Array:
    """Undo the alternation: a copy with the second, fourth, ... slice turned by pi.

    Parameters
    ----------
    data : (..., x, y, z) ndarray
        Phase in rad wrapped to [-pi, pi) where real; complex data are multiplied by -1.
        Real and imaginary images are turned into complex ones or phase first.
    axis : int
        0, 1 or 2: the slice axis among the last three.
    """
    flipped = data.copy()
    every_second = np.moveaxis(flipped, data.ndim - 3 + axis, 0)[1::2]  # a view
    if np.iscomplexobj(data):
        every_second *= -1
    else:
        every_second += np.where(every_second < 0, np.pi, -np.pi).astype(data.dtype)
    return flipped
