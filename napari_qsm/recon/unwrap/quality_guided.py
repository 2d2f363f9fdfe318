"""Quality-guided unwrapping over a spanning tree, exact to whole turns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated

import numpy as np

from napari_qsm.arrays import Array, bounding_box
from napari_qsm.errors import QsmError
from napari_qsm.recon.echoes.offsets import phase_offset, turns_between_echoes
from napari_qsm.recon.phase.scale import wrap_phase
from napari_qsm.recon.stages import Param, Progress, Warn, method, no_progress, no_warning
from napari_qsm.recon.unwrap import spanning_tree as region_growing
from napari_qsm.recon.unwrap.checks import check_phase_and_mask
from napari_qsm.recon.unwrap.edge_weights import edge_weights
from napari_qsm.recon.unwrap.extrapolation import extrapolated

#: Smoothing of the phase offset between echoes, mm.
_OFFSET_SIGMA_MM = 5.0


@method(
    "unwrap",
    "quality-guided",
    title="Quality-guided (exact)",
    references=(
        "Dymerska B et al. 2021, Magn Reson Med 85:2294, doi:10.1002/mrm.28563",
        "Eckstein K et al. 2018, Magn Reson Med 79:2996, doi:10.1002/mrm.26963",
    ),
)
def quality_guided(
    phase: Array,
    mask: Array,
    magnitude: Array | None = None,
    echo_times_s: Sequence[float] = (),
    voxel_size_mm: Sequence[float] = (1.0, 1.0, 1.0),
    *,
    correct: Annotated[
        bool,
        Param(
            "Afterwards turn single voxels that stand out by a whole turn, and steep places "
            "into line with the phase around them."
        ),
    ] = True,
    progress: Progress = no_progress,
    warn: Warn = no_warning,
) -> Array:
    """Quality-guided unwrapping, exact: the result differs from the phase by whole turns.

    Parameters
    ----------
    phase : (E, x, y, z) ndarray
        Wrapped phase, rad.
    mask : (x, y, z) bool ndarray
    magnitude : (M, x, y, z) ndarray, optional
        Only weighs voxels when the phase offset between echoes is smoothed; edges are weighed
        by the phase alone, see :func:`napari_qsm.recon.unwrap.edge_weights.edge_weights`.
    echo_times_s : E floats
        Needed for more than one echo.
    voxel_size_mm : three floats
        For smoothing the phase offset between echoes.

    Returns
    -------
    (E, x, y, z) ndarray
        Unwrapped phase, rad, same precision; 0 outside the mask. The largest part of the mask
        has a mean within half a turn of zero, other parts follow it.

    Raises
    ------
    GeometryError, QsmError
        See :func:`check_phase_and_mask`.

    Notes
    -----
    The first echo and the difference of the first two are unwrapped in space over one
    maximum spanning tree, and steep places of them settled by
    :func:`~napari_qsm.recon.unwrap.extrapolation.extrapolated`. They give the phase offset (smoothed, as in MCPC-3D-S); every
    later echo then takes the whole turns that the field fitted to the earlier echoes
    predicts, so that gradients too steep for a late echo do no harm.
    """
    phase, mask = check_phase_and_mask(phase, mask)
    box = bounding_box(mask)
    return unwrap_exactly(
        phase, mask, box, magnitude, echo_times_s, voxel_size_mm, correct=correct, progress=progress
    )


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
    """Unwrap checked phases; see :func:`quality_guided`.

    Parameters
    ----------
    phase, mask
        As :func:`check_phase_and_mask` gives them.
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
    weights = edge_weights(phase[0], mask, later, ratio)
    progress(0.2)
    guesses = np.zeros_like(templates)
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
