"""How far the phase difference of two neighbouring voxels can be trusted.

:mod:`napari_qsm.recon.region_growing_numba` holds the compiled twin.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_qsm.recon.fourier import WORKERS

Array = npt.NDArray[Any]

#: Weights lie in 1..WEIGHT_MAX; 0 marks a pair of voxels that is not an edge. Fine steps keep
#: ties rare, so that flipping the axes does not change the tree.
WEIGHT_MAX = 65535


def compiled() -> ModuleType | None:
    """The compiled kernels, or None where numba is not installed."""
    try:
        return importlib.import_module("napari_qsm.recon.region_growing_numba")
    except ImportError:
        return None


def by_slab(planes: int, work: Callable[[int, int], Any]) -> list[Any]:
    """Run compiled work on slabs side by side, in threads of our own, so that two may call."""
    ends = np.linspace(0, planes, min(4 * WORKERS, planes) + 1).astype(int)
    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(work, ends[:-1], ends[1:]))


def edge_weights(
    phase: Array,
    mask: Array,
    later_phase: Array | None = None,
    time_ratio: float = 0.0,
) -> Array:
    """Trust in the phase difference between each voxel and the next one along each axis.

    Parameters
    ----------
    phase : (x, y, z) ndarray
        Wrapped phase of the template echo, rad.
    mask : (x, y, z) bool ndarray
        Only pairs with both voxels inside are edges.
    later_phase : (x, y, z) ndarray, optional
        Wrapped phase of a later echo, rad, to compare gradients with.
    time_ratio : float
        Echo time of the template over that of the later echo.

    Returns
    -------
    (3, x, y, z) uint16 ndarray
        1 to :data:`WEIGHT_MAX`; 0 where there is no edge.

    Notes
    -----
    A product of factors ``0.1 + 0.9 w`` as in ROMEO [1]_: spatial coherence
    ``w = 1 - |difference|/pi``, twice; linearity, the mean of ``1 - |second difference|/pi``
    over the two second differences along the edge; the same over all three axes for either voxel, as
    in [2]_; and gradient coherence over time
    ``max(0, 1 - |difference - later difference TE1/TE2|)``. Coherence twice and the
    reliability of the voxels left fewest voxels a turn off over a range of SNR and gradients;
    magnitude coherence, which ROMEO has, left more, as the phase itself shows where it is
    noise.

    References
    ----------
    .. [1] Dymerska 2021, Magn Reson Med 85:2294, doi:10.1002/mrm.28563.
    .. [2] Abdul-Rahman 2007, Appl Opt 46:6623, doi:10.1364/AO.46.006623.
    """
    phase = np.ascontiguousarray(phase, dtype=np.float32)
    mask = np.ascontiguousarray(mask)
    later = None if later_phase is None else np.ascontiguousarray(later_phase, np.float32)
    ratio = np.float32(time_ratio)
    fast = compiled()
    out = np.zeros((3, *phase.shape), np.uint16)
    if fast is None:
        reliable = _reliability(phase, mask)
        for axis in range(3):
            _weights_along(axis, out[axis], phase, mask, reliable, later, ratio)
        return out
    reliable = np.zeros(phase.shape, np.float32)
    nothing = np.zeros((1, 1, 1), np.float32)
    by_slab(len(phase), lambda *ends: fast.reliability(reliable, phase, mask, *ends))
    by_slab(
        len(phase),
        lambda *ends: fast.weights(
            out,
            phase,
            mask,
            reliable,
            nothing if later is None else later,
            ratio,
            later is not None,
            *ends,
        ),
    )
    return out


def _reliability(phase: Array, mask: Array) -> Array:
    """Mean of ``1 - |second difference|/pi`` over the axes, 0.5 where there is none."""
    total, count = np.zeros_like(phase), np.zeros(phase.shape, np.int64)
    for axis in range(3):
        if phase.shape[axis] < 3:
            continue
        step = _wrapped(np.diff(phase, axis=axis))
        bend = np.abs(_wrapped(np.diff(step, axis=axis))) * np.float32(1 / np.pi)
        before = (slice(None),) * axis
        inside = mask[(*before, slice(None, -2))] & mask[(*before, slice(2, None))]
        centre = (*before, slice(1, -1))
        inside &= mask[centre]
        total[centre] += np.where(inside, np.float32(1) - bend, np.float32(0))
        count[centre] += inside
    return np.where(count > 0, total / np.maximum(count, 1).astype(np.float32), np.float32(0.5))


def _weights_along(
    axis: int,
    out: Array,
    phase: Array,
    mask: Array,
    reliable: Array,
    later: Array | None,
    ratio: np.float32,
) -> None:
    if phase.shape[axis] < 2:
        return
    f = np.float32
    before = (slice(None),) * axis
    tails, heads = (*before, slice(None, -1)), (*before, slice(1, None))
    step = _wrapped(np.diff(phase, axis=axis))
    inside = mask[tails] & mask[heads]
    # Second differences centred on the tail and on the head; pairs at the rim have one or none.
    bend = np.abs(_wrapped(np.diff(step, axis=axis))) * f(1 / np.pi)
    bend_inside = inside[tails] & inside[heads]
    bend = np.where(bend_inside, f(1) - bend, f(0))
    total, count = np.zeros_like(step), np.zeros(step.shape, np.int64)
    for part in (heads, tails):
        total[part] += bend
        count[part] += bend_inside
    linear = np.where(count > 0, total / np.maximum(count, 1).astype(f), f(0.5))
    coherent = f(0.1) + f(0.9) * (f(1) - np.abs(step) * f(1 / np.pi))
    weight = coherent * coherent * (f(0.1) + f(0.9) * linear)
    trust = f(0.1) + f(0.9) * reliable
    weight *= trust[tails] * trust[heads]
    if later is not None:
        later_step = _wrapped(np.diff(later, axis=axis))
        weight *= f(0.1) + f(0.9) * np.maximum(f(0), f(1) - np.abs(step - later_step * ratio))
    quantised = (f(1) + weight * f(WEIGHT_MAX - 1)).astype(np.uint16)
    out[tails] = np.where(inside, quantised, 0)


def _wrapped(step: Array) -> Array:
    """Differences within (-2 pi, 2 pi) wrapped to [-pi, pi)."""
    pi, turn = step.dtype.type(np.pi), step.dtype.type(2 * np.pi)
    return step + np.where(step >= pi, -turn, np.where(step < -pi, turn, step.dtype.type(0)))
