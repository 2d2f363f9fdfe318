"""R2* with what the noise floor and the field's slope through a slice do to the decay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np
from scipy import ndimage

from napari_qsm.arrays import Array
from napari_qsm.errors import MetadataError
from napari_qsm.quantities import GAMMA_BAR_HZ_PER_T
from napari_qsm.recon.contrasts.echoes import magnitudes_with_times
from napari_qsm.recon.relaxometry import fit_r2star, t2star
from napari_qsm.recon.stages import Param, Progress, Warn, method, no_progress, no_warning

#: Beyond it no tissue decays; a bound for fits of noise, 1/s.
_FASTEST_PER_S = 2000.0
#: An echo of which a slope through the slice leaves less than this is left out.
_LEAST_LEFT = 0.2
_NO_FIELD = "R2* with slope=z-sinc needs the total field and the field strength of the scanner."
_ROUNDS, _STEPS = 2, 8
#: Second differences along one axis; of noise, their standard deviation is sqrt(6) times its own.
_DIFFERENCE = np.array([1.0, -2.0, 1.0])
#: Noise is Gaussian in magnitudes that are so many times larger.
_CLEAR = 5.0


_PEI = "Pei 2015, Magn Reson Med 73:843, doi:10.1002/mrm.25137"
_SEARA = (
    "Fernández-Seara 2000, Magn Reson Med 44:358, "
    "doi:10.1002/1522-2594(200009)44:3<358::AID-MRM3>3.0.CO;2-O"
)


def _ready(have: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    times = have["magnitude_echo_times_s"]
    _checked(have["magnitude"], times, settings["fit"])
    if settings["slope"] == "z-sinc" and have.get("field_strength_t") is None:
        raise MetadataError(_NO_FIELD)


def _checked(
    magnitude: Array | None, times_s: Sequence[float], fit: str
) -> tuple[Array, tuple[float, ...]]:
    images, times = magnitudes_with_times(
        magnitude, times_s, "R2*", least=3 if fit == "arlo" else 2
    )
    if fit == "arlo":
        _check_even(times)
    return images, times


def _said(settings: Mapping[str, Any], warnings: Sequence[str]) -> str:
    said = {
        "nonlinear": "The squared magnitude, less twice the variance of the noise, was fitted by "
        "weighted least squares.",
        "log-linear": "A weighted line was fitted to its logarithm.",
        "arlo": f"The fit was ARLO ({_PEI}).",
    }[settings["fit"]]
    if settings["slope"] == "z-sinc":
        said += f" What the field's slope through the slices takes was undone ({_SEARA})."
    return said


@method(
    "contrasts",
    "r2star",
    title="R2*",
    references=("Gudbjartsson 1995, Magn Reson Med 34:910, doi:10.1002/mrm.1910340618",),
    beyond=_said,
    gives=("r2star_per_s", "t2star_s"),
    ready=_ready,
)
def r2star(
    magnitude: Array | None,
    magnitude_echo_times_s: Sequence[float],
    mask: Array,
    slice_axis: int,
    total_field_ppm: Array | None = None,
    field_strength_t: float | None = None,
    *,
    fit: Annotated[
        str,
        Param(
            "Least squares of the squared signal, free of the noise floor; a line through its "
            "logarithm; or ARLO, for echoes at equal distances.",
            choices=("nonlinear", "log-linear", "arlo"),
        ),
    ] = "nonlinear",
    noise: Annotated[
        float,
        Param("Of the magnitudes, in their own unit; 0 finds it in the images.", ge=0, le=1e9),
    ] = 0.0,
    slope: Annotated[
        str,
        Param(
            "Undo what the field's slope through the slice takes from the signal.",
            choices=("keep", "z-sinc"),
        ),
    ] = "keep",
    progress: Progress = no_progress,
    warn: Warn = no_warning,
) -> tuple[Array, Array]:
    """Rate of a mono-exponential decay of the magnitude.

    Parameters
    ----------
    magnitude : (M, x, y, z) ndarray or None
        Two echoes or more, any unit.
    magnitude_echo_times_s : M floats
        s.
    mask : (x, y, z) bool ndarray
        Where to fit.
    slice_axis : int
        The axis that the slices are stacked along.
    total_field_ppm : (x, y, z) ndarray, optional
        For ``z-sinc``, ppm; zero outside the mask.
    field_strength_t : float, optional
        For ``z-sinc``, T.
    fit, noise, slope
        Settings.
    progress, warn : callables
        See :mod:`napari_qsm.recon.stages`.

    Returns
    -------
    r2star_per_s : (x, y, z) ndarray
        1/s; 0 outside the mask and where nothing decays.
    t2star_s : (x, y, z) ndarray
        Its inverse, s, at most 1 s.

    Raises
    ------
    MetadataError
        For fewer than two echoes (three with ARLO), for unequal distances with ARLO, or where
        ``z-sinc`` lacks the field.

    Notes
    -----
    A magnitude has a floor: its square is on average that of the true signal plus twice the variance
    of the noise (Rician). ``nonlinear`` takes that off and fits what is left, which may be negative,
    with the weights that its variance asks for, so that echoes in the noise neither count nor
    bias. No rate is higher than the one that brings the second echo down to the noise. It holds for one coil, and for coils combined with their sensitivities; a plain sum of squares of
    many coils has a higher floor. Images that were interpolated hide a part of their noise from the
    estimate: state it in ``noise``. The other fits know no floor.

    ``z-sinc`` divides each echo by ``|sinc(Δf TE)|``, where Δf is how much the frequency changes
    from slice to slice, as of slices of even profile; echoes of which it leaves less than a fifth are left
    out.
    """
    images, times = _checked(magnitude, magnitude_echo_times_s, fit)
    left = None
    if slope == "z-sinc":
        if total_field_ppm is None or field_strength_t is None:
            raise MetadataError(_NO_FIELD)
        hz = slope_through_slice(total_field_ppm, mask, slice_axis)
        hz *= np.float32(GAMMA_BAR_HZ_PER_T * field_strength_t * 1e-6)
        left = np.stack([np.abs(np.sinc(hz * np.float32(t))) for t in times])
        lost = float((left[-1][mask] < _LEAST_LEFT).mean()) if mask.any() else 0.0
        if lost > 0.01:
            warn(f"the field's slope leaves nothing of the last echo in {lost:.0%} of the brain.")
    if fit != "nonlinear":
        if left is not None:  # 0 counts as no echo
            images = np.where(left < _LEAST_LEFT, 0, images / np.maximum(left, _LEAST_LEFT))
        rate = fit_r2star(images, times, mask) if fit == "log-linear" else arlo(images, times, mask)
        return rate, t2star(rate)
    sigma = noise or noise_of_magnitudes(images, mask)
    rate = np.zeros(mask.shape, np.float32)
    first = fit_r2star(images, times, mask)
    planes = np.flatnonzero(mask.any(axis=(1, 2)))
    for number, plane in enumerate(planes):
        progress(number / len(planes))
        inside = mask[plane]
        rate[plane][inside] = _above_the_floor(
            images[:, plane][:, inside].astype(np.float64),
            np.array(times),
            sigma,
            first[plane][inside].astype(np.float64),
            None if left is None else left[:, plane][:, inside].astype(np.float64),
        )
    return rate, t2star(rate)


def _check_even(times: Sequence[float]) -> None:
    steps = np.diff(times)
    if np.ptp(steps) > 0.02 * steps.mean():
        listed = ", ".join(f"{1e3 * t:.4g}" for t in times)
        raise MetadataError(
            f"ARLO needs echoes at equal distances, but they are at {listed} ms; "
            "take another fit of R2*."
        )


def arlo(magnitude: Array, echo_times_s: Sequence[float], mask: Array) -> Array:
    """R2* by auto-regression on linear operations: in closed form, for evenly spaced echoes.

    Parameters
    ----------
    magnitude : (M, x, y, z) ndarray
        Three echoes or more.
    echo_times_s : M floats
        At equal distances, s.
    mask : (x, y, z) bool ndarray
        Where to fit.

    Returns
    -------
    (x, y, z) ndarray
        1/s, float32; 0 outside the mask and where nothing decays.

    Notes
    -----
    Over each two steps the integral of an exponential is T2* times the difference of its ends; the
    integral is taken by Simpson's rule (Pei 2015, Magn Reson Med 73:843,
    doi:10.1002/mrm.25137). The rule's own error makes fast decays come out
    too slow: by 0.5 % where R2* times the step is one, and by 0.03 % at half of that.
    """
    step = (echo_times_s[-1] - echo_times_s[0]) / (len(echo_times_s) - 1)
    rate = np.zeros(mask.shape, np.float32)
    for plane in np.flatnonzero(mask.any(axis=(1, 2))):
        signal = magnitude[:, plane][:, mask[plane]].astype(np.float64)
        signal = np.where(np.isfinite(signal).all(axis=0), signal, 0)
        area = step / 3 * (signal[:-2] + 4 * signal[1:-1] + signal[2:])
        drop = signal[:-2] - signal[2:]
        both = (area * drop).sum(axis=0)
        above = (area**2).sum(axis=0) + step / 3 * both
        below = step / 3 * (drop**2).sum(axis=0) + both
        rate[plane][mask[plane]] = np.clip(
            below / np.where(above > 0, above, np.inf), 0, _FASTEST_PER_S
        )
    return rate


def noise_of_magnitudes(magnitude: Array, mask: Array) -> float:
    """Standard deviation of the noise, from second differences along all three axes at once.

    Parameters
    ----------
    magnitude : (M, x, y, z) ndarray
    mask : (x, y, z) bool ndarray
        Where to look.

    Returns
    -------
    float
        In the unit of the magnitudes; 0 where the mask is too small to tell.

    Notes
    -----
    Tissue adds to the differences, most in the brightest echo, so the smallest of all echoes'
    figures is taken, of those that stand clear of their noise, where it is Gaussian.
    """
    axes = [axis for axis in range(3) if mask.shape[axis] >= 3]
    deep = mask
    for axis in axes:
        row = np.ones([3 if a == axis else 1 for a in range(3)], bool)
        deep = ndimage.binary_erosion(deep, row)
    if not axes or not deep.any():
        return 0.0
    found = []
    for image in magnitude:
        bend = np.asarray(image, np.float64)
        for axis in axes:
            bend = ndimage.correlate1d(bend, _DIFFERENCE, axis)
        spread = float(np.median(np.abs(bend[deep]))) / 0.6745
        sigma = spread / np.sqrt((_DIFFERENCE**2).sum()) ** len(axes)
        found.append((sigma, float(np.median(image[deep])) >= _CLEAR * sigma))
    clear = [sigma for sigma, is_clear in found if is_clear]
    return min(clear or [sigma for sigma, _ in found])


def slope_through_slice(field_ppm: Array, mask: Array, slice_axis: int) -> Array:
    """How much a field changes from slice to slice, ppm, zero outside the mask.

    The mean of the steps to both neighbours, or that to the one which lies in the mask.
    """
    field, inside = np.moveaxis(field_ppm, slice_axis, 0), np.moveaxis(mask, slice_axis, 0)
    both = inside[1:] & inside[:-1]
    step = np.where(both, field[1:] - field[:-1], 0).astype(np.float32)
    total, count = np.zeros(field.shape, np.float32), np.zeros(field.shape, np.float32)
    total[1:] += step
    count[1:] += both
    total[:-1] += step
    count[:-1] += both
    mean = total / np.maximum(count, 1)
    return np.ascontiguousarray(np.moveaxis(mean, 0, slice_axis))


def _above_the_floor(
    signal: Array, t: Array, sigma: float, first: Array, left: Array | None
) -> Array:
    """R2* (1/s) of voxels along the last axis from squared magnitudes less their floor.

    Levenberg-Marquardt on ``m² - 2 sigma² = exp(a - 2 R t)``, in units of the largest value;
    the weights are those of the fit before.
    """
    peak = signal.max(axis=0)
    usable = np.isfinite(signal).all(axis=0) & (peak > 0)
    out = np.zeros(len(peak))
    if not usable.any():
        return out
    scale = peak[usable]
    floor = (sigma / scale) ** 2 * np.ones((len(t), 1))
    y, counts = (signal[:, usable] / scale) ** 2, np.ones((len(t), 1))
    if left is not None:
        part = np.maximum(left[:, usable], _LEAST_LEFT) ** 2
        counts = (left[:, usable] >= _LEAST_LEFT).astype(float)
        y, floor = y / part, floor / part
    y = y - 2 * floor
    # A decay that leaves noise alone in the second echo may as well be a faster one.
    clear = np.log(np.maximum(1 / np.sqrt(np.maximum(floor[0], 1e-12)), np.e)) / (t[1] - t[0])
    fastest = 2 * np.minimum(clear, _FASTEST_PER_S)
    t = t[:, None]
    q = np.clip(2 * first[usable], 0, fastest)
    weights = counts / (np.exp(-q * t) + floor + 1e-6)
    curve = np.exp(-q * t)
    grown = (weights * curve * y).sum(axis=0) / (weights * curve**2).sum(axis=0)
    a = np.log(np.maximum(grown, 1e-6))
    for _ in range(_ROUNDS):
        model = np.exp(a - q * t)
        weights = counts / (model + floor + 1e-6)
        cost = (weights * (y - model) ** 2).sum(axis=0)
        damp = np.full(len(scale), 1e-3)
        for _ in range(_STEPS):
            lever = model * t
            rest = weights * (y - model)
            aa, ab = (weights * model**2).sum(axis=0), -(weights * model * lever).sum(axis=0)
            bb = (weights * lever**2).sum(axis=0)
            ga, gb = (rest * model).sum(axis=0), -(rest * lever).sum(axis=0)
            aa, bb = aa * (1 + damp), bb * (1 + damp)
            whole = np.maximum(aa * bb - ab**2, np.finfo(float).tiny)
            new_a = np.clip(a + (bb * ga - ab * gb) / whole, -30, 30)
            new_q = np.clip(q + (aa * gb - ab * ga) / whole, 0, fastest)
            new_model = np.exp(new_a - new_q * t)
            new_cost = (weights * (y - new_model) ** 2).sum(axis=0)
            better = new_cost <= cost
            a, q, cost = (
                np.where(better, new, old)
                for new, old in ((new_a, a), (new_q, q), (new_cost, cost))
            )
            model = np.where(better, new_model, model)
            damp = np.where(better, damp / 10, damp * 10)
    out[usable] = q / 2
    return out
