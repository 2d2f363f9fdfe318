"""What the methods that combine echoes have in common: checks, weights, consistent turns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from napari_qsm.arrays import Array, bounding_box
from napari_qsm.errors import GeometryError, QsmError
from napari_qsm.recon.echoes.noise import calibrated
from napari_qsm.recon.echoes.offsets import turns_between_echoes
from napari_qsm.recon.fourier import field_ppm_per_rad
from napari_qsm.recon.stages import Progress
from napari_qsm.scan import check_echo_times, check_field_strength

#: Magnitudes count as at least this fraction of the typical one, so that no voxel of the mask
#: is without weight and no noise infinite.
_LEAST_MAGNITUDE = 1e-3

#: Phase and unwrapped phase that agree to this many rad, up to whole turns, are "exact".
_EXACT_RAD = 0.01

Field = tuple[Array, Array | None]


class EchoData(NamedTuple):
    """Echoes cut to the box of the mask, brought into line with one another.

    Attributes
    ----------
    unwrapped : (E, x, y, z) ndarray
        rad; 0 outside the mask.
    weights : (E, x, y, z) ndarray or None
        Squared magnitudes over their typical value, positive: inverse variance of the phase.
    mask : (x, y, z) bool ndarray
    times_s : tuple of float
    field_strength_t : float
    box : tuple of slice
        Where the cut lies.
    shape : tuple of int
        Shape of the whole grid.
    exact : bool
        False where the phases are known to be, or may be, off by other than whole turns.
    """

    unwrapped: Array
    weights: Array | None
    mask: Array
    times_s: tuple[float, ...]
    field_strength_t: float
    box: tuple[slice, ...]
    shape: tuple[int, ...]
    exact: bool


def prepare(
    unwrapped: Array,
    mask: Array,
    magnitude: Array | None,
    echo_times_s: Sequence[float],
    magnitude_echo_times_s: Sequence[float],
    field_strength_t: float,
    phase: Array | None,
) -> EchoData:
    """Check and cut the inputs of a method; see :func:`napari_qsm.recon.echoes.weighted`.

    Raises
    ------
    GeometryError
        If shapes or numbers of echoes do not fit.
    MetadataError
        If echo times or field strength are missing or odd.
    QsmError
        If the mask is empty, or the phase not finite inside it.
    """
    unwrapped, mask = np.asarray(unwrapped), np.asarray(mask, dtype=bool)
    if unwrapped.ndim != 4 or unwrapped.shape[1:] != mask.shape:
        raise GeometryError(
            f"The unwrapped phase has shape {unwrapped.shape} but the mask {mask.shape}; "
            "(echo, x, y, z) and (x, y, z) are needed."
        )
    times = check_echo_times(echo_times_s)
    if len(times) != len(unwrapped):
        raise GeometryError(
            f"There are {len(unwrapped)} unwrapped echoes but {len(times)} echo times."
        )
    strength = check_field_strength(field_strength_t)
    if not mask.any():
        raise QsmError("The mask is empty, so there is no field to compute.")
    box = bounding_box(mask)
    inside = mask[box]
    cut = (slice(None), *box)
    echoes = np.where(inside, unwrapped[cut], unwrapped.dtype.type(0))
    bad = echoes.size - int(np.isfinite(echoes).sum())
    if bad:
        raise QsmError(
            f"{bad} voxels of the unwrapped phase inside the mask are not finite; leave them out "
            "of the mask."
        )
    exact = phase is not None and all(
        is_exact(u, p, inside) for u, p in zip(echoes, np.asarray(phase)[cut], strict=True)
    )
    if len(times) > 1:
        _bring_into_line(echoes, exact, inside, times)
    weights = None
    if magnitude is not None:
        magnitude = np.asarray(magnitude)
        if magnitude.ndim != 4 or magnitude.shape[1:] != mask.shape:
            raise GeometryError(
                f"The magnitude has shape {magnitude.shape} but the mask {mask.shape}; "
                "(echo, x, y, z) and (x, y, z) are needed."
            )
        weights = _weights(
            magnitude[cut].astype(echoes.dtype, copy=False), inside, times, magnitude_echo_times_s
        )
    return EchoData(echoes, weights, inside, times, strength, box, mask.shape, exact)


def is_exact(unwrapped: Array, phase: Array, mask: Array) -> bool:
    """Whether unwrapped and wrapped phase differ by whole turns only, inside the mask."""
    apart = (np.asarray(unwrapped) - phase)[..., mask] / (2 * np.pi)
    # The bulk decides: a few voxels may have been edited by hand.
    off = np.abs(apart - np.rint(apart)) * 2 * np.pi
    return bool(np.mean(off < _EXACT_RAD) > 0.99)


def _bring_into_line(unwrapped: Array, exact: bool, mask: Array, times: tuple[float, ...]) -> None:
    """Make the constants of the echoes consistent with a line over echo time, in place."""
    if not exact:
        for echo in unwrapped:
            echo[mask] -= echo.dtype.type(np.mean(echo[mask], dtype=np.float64))
        return
    first, second = unwrapped[0][mask], unwrapped[1][mask]
    turns = turns_between_echoes(first, second - first, unwrapped[2:, mask], times)
    second += second.dtype.type(2 * np.pi * turns)
    unwrapped[1][mask] = second
    rate = (second - first) / second.dtype.type(times[1] - times[0])
    for echo in range(2, len(times)):
        expected = first + rate * unwrapped.dtype.type(times[echo] - times[0])
        off = np.rint(np.median(unwrapped[echo][mask] - expected) / (2 * np.pi))
        unwrapped[echo][mask] -= unwrapped.dtype.type(2 * np.pi * off)


def _weights(
    magnitude: Array,
    mask: Array,
    times: tuple[float, ...],
    magnitude_times: Sequence[float],
) -> Array:
    """Inverse variance of the phase of each echo, positive and near 1 in typical voxels."""
    count, echoes = len(magnitude), len(times)
    strength = np.where(np.isfinite(magnitude), np.abs(magnitude), magnitude.dtype.type(0))
    typical = float(np.median(strength[0][mask]))
    if typical == 0:
        positive = strength[0][mask & (strength[0] > 0)]
        typical = float(np.median(positive)) if positive.size else 1.0
    squared = np.maximum(strength / strength.dtype.type(typical), _LEAST_MAGNITUDE) ** 2
    if count == echoes:
        return squared
    if count == 1:
        return np.broadcast_to(squared, (echoes, *mask.shape))
    if echoes == 1:
        own = [i for i, t in enumerate(magnitude_times) if abs(t - times[0]) < 1e-6]
        if own:
            return squared[own[0]][None]
        # A phase difference: the variances of the two phases add up.
        return 1 / (1 / squared[:1] + 1 / squared[-1:])
    raise GeometryError(
        f"There are {echoes} phase echoes but {count} magnitudes; one for each, or one for all, "
        "is needed."
    )


def paste(values: Array, data: EchoData, *, outside: str = "zero") -> Array:
    """Values from the box of the mask back on the whole grid; zero or their largest outside."""
    fill = values[data.mask].max() if outside == "largest" else 0
    out = np.full(data.shape, fill, dtype=values.dtype)
    out[data.box] = np.where(data.mask, values, values.dtype.type(fill))
    return out


def finish(data: EchoData, phase: Array, noise: Array, time_s: float, progress: Progress) -> Field:
    """Phase gained in a time, and its relative noise, to field and noise in ppm."""
    ppm = phase.dtype.type(field_ppm_per_rad(time_s, data.field_strength_t))
    field = np.where(data.mask, phase * ppm, phase.dtype.type(0))
    noise_ppm = None
    if data.weights is not None:
        noise_ppm = paste(calibrated(noise, field, data.mask), data, outside="largest")
    progress(1.0)
    return paste(field, data), noise_ppm
