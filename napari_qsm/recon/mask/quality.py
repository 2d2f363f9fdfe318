"""How far the phase of each voxel can be trusted."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from napari_qsm.arrays import Array
from napari_qsm.errors import GeometryError
from napari_qsm.recon.stages import Progress, no_progress


def phase_quality(
    phase: Array,
    magnitude: Array | None = None,
    mask: Array | None = None,
    *,
    progress: Progress = no_progress,
) -> Array:
    """Local coherence of the phase: 1 where it is smooth, 0 where it is noise.

    For every voxel, the cosines of the second differences of the phase along the three axes
    are averaged over a neighbourhood of 3 x 3 x 3 voxels. Cosines need no unwrapping, and
    second differences ignore any constant or linear phase (offsets, shims, the far field of
    the sinuses), so that only noise and fields too curved for the grid lower the quality.

    Parameters
    ----------
    phase : (x, y, z) or (E, x, y, z) ndarray
        Phase, rad, wrapped or not. Voxels that are not finite get quality 0.
    magnitude : ndarray of the same shape, or None
        Where given, echoes weigh by their squared magnitude in each voxel, so that a late
        echo that has decayed does not spoil a good early one. A single magnitude image for
        several echoes cannot do this and is ignored.
    mask : (x, y, z) bool ndarray or None
        Voxels outside get quality 0, and do not count for their neighbours inside.
    progress : callable
        Told the fraction done.

    Returns
    -------
    (x, y, z) float32 ndarray
        Quality from 0 to 1.

    Raises
    ------
    GeometryError
        If shapes do not fit.

    Notes
    -----
    Independent phase noise of standard deviation s gives a second difference of variance
    6 s², and the mean cosine exp(-3 s²): quality 0.5 stands for s = 0.48 rad, a magnitude SNR
    of about 2. Voxels that the reconstruction interpolated look smoother than they are.
    Phase coherence for weighing voxels follows ROMEO [1]_, which uses first differences;
    second differences as a measure of reliability are from [2]_.

    References
    ----------
    .. [1] Dymerska 2021, Magn Reson Med 85:2294, doi:10.1002/mrm.28563
    .. [2] Abdul-Rahman 2007, Appl Opt 46:6623, doi:10.1364/AO.46.006623

    Examples
    --------
    >>> import numpy as np
    >>> x = np.linspace(0, 40, 16)
    >>> ramp = np.angle(np.exp(1j * x))[:, None, None] * np.ones((16, 8, 8))
    >>> float(phase_quality(ramp).min()) > 0.999
    True
    """
    phase = np.asarray(phase)
    if phase.ndim == 3:
        phase = phase[None]
    if phase.ndim != 4 or phase.size == 0:
        raise GeometryError(
            f"A 3-D phase or a stack of echoes is needed, not an array of shape {phase.shape}."
        )
    shape = phase.shape[1:]
    if mask is not None and mask.shape != shape:
        raise GeometryError(f"The mask has shape {mask.shape} but the phase has {shape}.")
    weights = _echo_weights(phase, magnitude)
    total = np.zeros(shape, dtype=np.float32)
    for echo, echo_phase in enumerate(phase):
        weight = None if weights is None else weights[echo]
        total += _coherence(echo_phase, mask) * (1 / len(phase) if weight is None else weight)
        progress((echo + 1) / len(phase))
    np.clip(total, 0, 1, out=total)
    if mask is not None:
        total[~mask] = 0
    return total


def _echo_weights(phase: Array, magnitude: Array | None) -> Array | None:
    """Share of each echo in each voxel by squared magnitude; None where that is unknown."""
    if magnitude is None or len(phase) == 1:
        return None
    magnitude = np.asarray(magnitude)
    if magnitude.ndim == 3 or len(magnitude) == 1:
        magnitude = magnitude.reshape(1, *magnitude.shape[-3:])
    if magnitude.shape[1:] != phase.shape[1:]:
        raise GeometryError(
            f"The magnitude has shape {magnitude.shape[1:]} but the phase has {phase.shape[1:]}."
        )
    if len(magnitude) != len(phase):
        return None
    squared = np.square(np.nan_to_num(magnitude, nan=0, posinf=0, neginf=0), dtype=np.float32)
    total = squared.sum(axis=0)
    dark = total <= 0
    squared[:, dark] = 1
    total[dark] = len(phase)
    squared /= total
    return squared


def _coherence(phase: Array, mask: Array | None) -> Array:
    """Mean cosine of the second differences in a 3 x 3 x 3 neighbourhood of one echo."""
    phase = np.asarray(phase, dtype=np.float32)
    good = np.isfinite(phase)
    if mask is not None:
        good &= mask
    everywhere = bool(good.all())
    if not everywhere:
        phase = np.where(good, phase, np.float32(0))
    cosines = np.zeros(phase.shape, dtype=np.float32)
    counts: Array | None = None if everywhere else np.zeros(phase.shape, dtype=np.float32)
    axes = [axis for axis in range(3) if phase.shape[axis] >= 3]
    for axis in axes:
        lower, middle, upper = (_part(phase, axis, i) for i in range(3))
        second = lower + upper
        second -= 2 * middle
        np.cos(second, out=second)
        if counts is not None:
            valid = _part(good, axis, 0) & _part(good, axis, 1) & _part(good, axis, 2)
            second *= valid
            _part(counts, axis, 1)[...] += valid
        _part(cosines, axis, 1)[...] += second
    if counts is None:
        # Along an axis, all but its first and last voxel have both neighbours.
        counts = np.zeros(phase.shape, dtype=np.float32)
        for axis in axes:
            _part(counts, axis, 1)[...] += 1
    _sum_of_neighbours(cosines)
    _sum_of_neighbours(counts)
    # Box sums of whole numbers are exact up to rounding: below a half is none.
    np.divide(cosines, counts, out=cosines, where=counts > 0.5)
    cosines[(counts <= 0.5) | ~good] = 0
    return cosines


def _part(a: Array, axis: int, start: int) -> Array:
    """View without two voxels of an axis, ``start`` of them from the beginning."""
    index = [slice(None)] * 3
    index[axis] = slice(start, a.shape[axis] - 2 + start)
    return a[tuple(index)]


def _sum_of_neighbours(a: Array) -> None:
    """3 x 3 x 3 box sums in place, zero beyond the edges."""
    for axis in range(3):
        if a.shape[axis] > 1:
            ndimage.convolve1d(a, np.ones(3, np.float32), axis, output=a, mode="constant")
