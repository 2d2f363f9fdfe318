"""How far the phase difference of two neighbouring voxels can be trusted."""

from __future__ import annotations

import numba
import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.recon.parallel import by_slab

#: Weights lie in 1..WEIGHT_MAX; 0 marks a pair of voxels that is not an edge. Fine steps keep
#: ties rare, so that flipping the axes does not change the tree.
WEIGHT_MAX = 65535


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
    out = np.zeros((3, *phase.shape), np.uint16)
    reliable = np.zeros(phase.shape, np.float32)
    nothing = np.zeros((1, 1, 1), np.float32)
    by_slab(len(phase), lambda *ends: _reliability(reliable, phase, mask, *ends))
    by_slab(
        len(phase),
        lambda *ends: _weights(
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


@numba.njit(cache=True, inline="always")
def wrap_step(step):  # type: ignore[no-untyped-def]
    """A difference within (-2 pi, 2 pi) wrapped to [-pi, pi), float32."""
    if step >= np.float32(np.pi):
        return step - np.float32(2 * np.pi)
    if step < -np.float32(np.pi):
        return step + np.float32(2 * np.pi)
    return step


@numba.njit(cache=True, nogil=True)
def _reliability(out, phase, mask, start, stop):  # type: ignore[no-untyped-def]
    """Fill planes start..stop: mean smoothness of the phase along the three axes."""
    shape = phase.shape
    strides = (shape[1] * shape[2], shape[2], 1)
    p = phase.ravel()
    inside = mask.ravel()
    target = out.ravel()
    per_pi = np.float32(1 / np.pi)
    for i in range(start, stop):
        for j in range(shape[1]):
            for k in range(shape[2]):
                v = (i * shape[1] + j) * shape[2] + k
                if not inside[v]:
                    continue
                total = np.float32(0)
                count = 0
                for axis in range(3):
                    at = i if axis == 0 else (j if axis == 1 else k)
                    stride = strides[axis]
                    if at == 0 or at + 1 >= shape[axis]:
                        continue
                    if not inside[v - stride] or not inside[v + stride]:
                        continue
                    bend = wrap_step(
                        wrap_step(p[v + stride] - p[v]) - wrap_step(p[v] - p[v - stride])
                    )
                    total += np.float32(1) - abs(bend) * per_pi
                    count += 1
                target[v] = total / np.float32(count) if count > 0 else np.float32(0.5)


@numba.njit(cache=True, nogil=True)
def _weights(  # type: ignore[no-untyped-def]
    out, phase, mask, reliable, later, ratio, has_later, start, stop
):
    """Fill planes start..stop of the weights of all three axes."""
    shape = phase.shape
    strides = (shape[1] * shape[2], shape[2], 1)
    p = phase.ravel()
    inside = mask.ravel()
    q = later.ravel()
    r = reliable.ravel()
    one = np.float32(1)
    low = np.float32(0.1)
    gain = np.float32(0.9)
    per_pi = np.float32(1 / np.pi)
    for axis in range(3):
        stride = strides[axis]
        length = shape[axis]
        target = out[axis].ravel()
        for i in range(start, stop):
            for j in range(shape[1]):
                a = (i * shape[1] + j) * shape[2]
                for k in range(shape[2]):
                    t = a + k
                    h = t + stride
                    at = i if axis == 0 else (j if axis == 1 else k)
                    if at + 1 >= length or not inside[t] or not inside[h]:
                        continue
                    step = wrap_step(p[h] - p[t])
                    coherent = low + gain * (one - abs(step) * per_pi)
                    total = np.float32(0)
                    count = 0
                    if at > 0 and inside[t - stride]:
                        bend = wrap_step(step - wrap_step(p[t] - p[t - stride]))
                        total += one - abs(bend) * per_pi
                        count += 1
                    if at + 2 < length and inside[h + stride]:
                        bend = wrap_step(wrap_step(p[h + stride] - p[h]) - step)
                        total += one - abs(bend) * per_pi
                        count += 1
                    linear = total / np.float32(count) if count > 0 else np.float32(0.5)
                    weight = coherent * coherent * (low + gain * linear)
                    weight *= (low + gain * r[t]) * (low + gain * r[h])
                    if has_later:
                        later_step = wrap_step(q[h] - q[t])
                        alike = one - abs(step - later_step * ratio)
                        weight *= low + gain * max(np.float32(0), alike)
                    target[t] = np.uint16(one + weight * np.float32(WEIGHT_MAX - 1))
