"""Unwrapping that is exact to whole turns, in space and over echoes: what the exact methods share."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.errors import QsmError
from napari_qsm.recon.echoes.offsets import phase_offset, turns_between_echoes
from napari_qsm.recon.phase.scale import wrap_phase
from napari_qsm.recon.stages import Progress, no_progress
from napari_qsm.recon.unwrap import spanning_tree as region_growing
from napari_qsm.recon.unwrap.edge_weights import edge_weights
from napari_qsm.recon.unwrap.extrapolation import extrapolated

#: Smoothing of the phase offset between echoes, mm.
_OFFSET_SIGMA_MM = 5.0


def unwrap_exactly(
    phase: Array,
    mask: Array,
    box: tuple[slice, ...],
    magnitude: Array | None,
    echo_times_s: Sequence[float],
    voxel_size_mm: Sequence[float],
    *,
    correct: bool = True,
    guess: Callable[[Array], Array] | None = None,
    progress: Progress = no_progress,
) -> Array:
    """Unwrap checked phases; see :func:`napari_qsm.recon.unwrap.quality_guided`.

    Parameters
    ----------
    phase, mask
        As the checks of unwrapping gives them.
    box : tuple of slice
        What is looked at; holds the mask.
    guess : callable, optional
        From a wrapped phase on the box an estimate of the unwrapped one, rad. Only what it leaves
        to the wrapped phase is then unwrapped.
    """
    echoes = len(phase)
    if echoes > 1 and len(echo_times_s) != echoes:
        raise QsmError(
            f"There are {echoes} phase echoes but {len(echo_times_s)} echo times; unwrapping "
            "over time needs one for each."
        )
    inside = mask[box]
    cut = phase[(slice(None), *box)]
    strength = None if magnitude is None else _finite(np.asarray(magnitude)[(slice(None), *box)])
    spatial = _unwrap_in_space(cut, inside, echo_times_s, voxel_size_mm, correct, guess, progress)
    progress(0.9)
    unwrapped = cut * inside
    unwrapped[0] = spatial[0]
    if echoes > 1:
        _unwrap_over_time(unwrapped, cut, spatial, inside, strength, echo_times_s, voxel_size_mm)
    out = np.zeros_like(phase)
    out[(slice(None), *box)] = unwrapped
    progress(1.0)
    return out


def _finite(magnitude: Array) -> Array:
    return np.where(np.isfinite(magnitude), np.abs(magnitude), magnitude.dtype.type(0))


def _unwrap_in_space(
    phase: Array,
    mask: Array,
    echo_times_s: Sequence[float],
    voxel_size_mm: Sequence[float],
    correct: bool,
    guess: Callable[[Array], Array] | None,
    progress: Progress,
) -> Array:
    """Unwrapped first echo and, if there are more, the first echo difference."""
    later, ratio = None, 0.0
    templates = phase[:1]
    if len(phase) > 1:
        later, ratio = phase[1], float(echo_times_s[0]) / float(echo_times_s[1])
        templates = np.stack([phase[0], wrap_phase(phase[1] - phase[0])])
    progress(0.05)
    weights = edge_weights(phase[0], mask, later, ratio)
    progress(0.2)
    guesses, wrapped = np.zeros_like(templates), templates
    if guess is not None:
        guesses = np.stack([guess(template) for template in templates])
        templates = wrap_phase(templates - guesses)
    turns, part = region_growing.grow(weights, templates, mask, lambda f: progress(0.2 + 0.6 * f))
    out = np.zeros_like(templates)
    turn = templates.dtype.type(2 * np.pi)
    for index, (template, base) in enumerate(zip(templates, guesses, strict=True)):
        values = template[mask] + base[mask]
        whole = region_growing.centre(
            values + turn * turns[index].astype(values.dtype), part, turns[index]
        )
        out[index][mask] = values + turn * whole.astype(values.dtype)
        if correct:
            out[index] = region_growing.remove_isolated_jumps(
                out[index], mask, weights, progress=lambda f: progress(0.8 + 0.08 * f)
            )
            out[index] = extrapolated(out[index], mask, voxel_size_mm)
            progress(0.89)
    if guess is not None:  # to the last bit whole turns, however the guess was rounded
        out = (wrapped + turn * np.rint((out - wrapped) / turn)) * mask
    return out


def _unwrap_over_time(
    unwrapped: Array,
    phase: Array,
    spatial: Array,
    mask: Array,
    magnitude: Array | None,
    echo_times_s: Sequence[float],
    voxel_size_mm: Sequence[float],
) -> None:
    """Fill in the echoes from the second on, in place."""
    times = [float(t) for t in echo_times_s]
    first, difference = spatial
    turn = phase.dtype.type(2 * np.pi)
    between = turns_between_echoes(first[mask], difference[mask], phase[2:, mask], times)
    difference = difference + turn * phase.dtype.type(between)
    weights = None
    if magnitude is not None:
        weights = magnitude[0] * magnitude[1 if len(magnitude) > 1 else 0]
    offset = phase_offset(
        first, first + difference, times, mask, weights, _OFFSET_SIGMA_MM, voxel_size_mm
    )
    top = (first - offset) * phase.dtype.type(times[0])
    bottom = times[0] ** 2
    for echo in range(1, len(phase)):
        time = times[echo]
        expected = offset + top * phase.dtype.type(time / bottom)
        whole = np.rint((expected - phase[echo]) / turn)
        unwrapped[echo] = (phase[echo] + turn * whole) * mask
        top += (unwrapped[echo] - offset) * phase.dtype.type(time)
        bottom += time**2
