"""The sweeps of the total-variation solver, in numpy.

The alternating direction method keeps a split variable ``y`` and a scaled dual ``u`` for each
constraint. Only their sum ``v = y + u`` is stored: the proximal map of ``v`` gives ``y`` and
the remainder gives ``u``, so three arrays do the work of six and over-relaxation is free.
:mod:`napari_qsm.recon.tv_numba` holds compiled twins; :func:`passes` picks them.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

#: Newton steps per voxel and iteration in the nonlinear data term.
NEWTON_STEPS = 3


def passes() -> ModuleType:
    """The compiled passes where numba is installed, else this module: equal results."""
    import importlib
    import sys

    try:
        return importlib.import_module("napari_qsm.recon.tv_numba")
    except ImportError:
        return sys.modules[__name__]


def shrink(
    chi: Array,
    v: Array,
    out: Array,
    limits: tuple[float, ...],
    scales: tuple[float, ...],
    edges: Array,
    kept: float,
    relax: float,
) -> None:
    """Gradient, soft threshold, dual update and divergence in one go.

    Parameters
    ----------
    chi : (x, y, z) ndarray
        The current map.
    v : (3, x, y, z) ndarray
        Split plus dual per axis; updated in place.
    out : (x, y, z) ndarray
        Receives the adjoint gradient of ``y - u``.
    limits : three floats
        Threshold lambda / rho per axis.
    scales : three floats
        What a difference between neighbours is multiplied by, per axis.
    edges : (x, y, z) ndarray of uint8, or empty
        Bits 1, 2, 4: the difference towards the next voxel in x, y, z crosses an edge, where
        the threshold is multiplied by ``kept``.
    kept : float
        See ``edges``.
    relax : float
        Over-relaxation, 1 to 1.9.
    """
    out[...] = 0
    for axis in range(3):
        limit: Any = chi.dtype.type(limits[axis])
        scale = chi.dtype.type(scales[axis])
        if edges.size:
            limit = np.where(edges & (1 << axis), limit * chi.dtype.type(kept), limit)
        part = v[axis]
        step = np.roll(chi, -1, axis)
        step -= chi
        step *= scale
        step += np.clip(part, -limit, limit)
        step -= part
        step *= chi.dtype.type(relax)
        part += step
        np.clip(part, -limit, limit, out=step)
        step *= -2
        step += part
        step *= scale
        out -= step
        out += np.roll(step, 1, axis)


def confine(chi: Array, held: Array, out: Array, support: Array, hold: float, relax: float) -> None:
    """Keep the map zero outside its support; adds ``hold * (split - dual)`` to ``out``.

    Inside, the split follows the map and the dual is zero; outside it is the other way round.
    ``held`` is split plus dual, updated in place.
    """
    step = chi - np.where(support, held, 0)
    step *= chi.dtype.type(relax)
    held += step
    out += chi.dtype.type(hold) * np.where(support, held, -held)


def fit_field(field: Array, q: Array, target: Array, weight: Array, relax: float) -> None:
    """Pull the model's field towards the measured one where that can be trusted.

    Parameters
    ----------
    field : (x, y, z) ndarray
        In: the field of the current map. Out: ``z - s``, split minus dual.
    q : (x, y, z) ndarray
        Split plus dual; updated in place.
    target : (x, y, z) ndarray
        Measured field.
    weight : (x, y, z) ndarray
        ``W² / (W² + mu)``: 0 where nothing is known, below 1 elsewhere.
    relax : float
        Over-relaxation.
    """
    rest = 1 - weight
    known = weight * target
    field -= known
    field -= rest * q
    field *= q.dtype.type(relax)
    q += field
    np.multiply(rest, q, out=field)
    field += known
    field *= 2
    field -= q


def fit_phase(
    field: Array,
    q: Array,
    model: Array,
    target: Array,
    weight: Array,
    relax: float,
    rho: float,
    radians_per_ppm: float,
) -> None:
    """:func:`fit_field` for the nonlinear data term ``W² (1 - cos(s (z - f))) / s²``.

    A few Newton steps per voxel with the curvature kept positive, from the last model ``z``.

    Parameters
    ----------
    field, q, target, relax
        As in :func:`fit_field`.
    model : (x, y, z) ndarray
        The split z; updated in place.
    weight : (x, y, z) ndarray
        W².
    rho : float
        Penalty of the field split.
    radians_per_ppm : float
        s.
    """
    real = q.dtype.type
    s, rho = real(radians_per_ppm), real(rho)
    field -= model
    field *= real(relax)
    q += field
    for _ in range(NEWTON_STEPS):
        angle = s * (model - target)
        slope = weight * np.sin(angle) / s + rho * (model - q)
        model -= slope / (weight * np.maximum(np.cos(angle), 0) + rho)
    np.multiply(model, 2, out=field)
    field -= q


def solve(gradient: Array, data: Array, dipole: Array, inverse: Array, share: float) -> None:
    """Solve for the map in Fourier space.

    Parameters
    ----------
    gradient, data : (x, y, z//2+1) complex ndarray
        In: spectra of the outputs of :func:`shrink` and :func:`fit_field`. Out: spectra of the
        map and of its field.
    dipole, inverse : (x, y, z//2+1) ndarray
        The dipole kernel and ``1 / (E² + share D²)``.
    share : float
        Penalty of the data split over that of the gradient split, mu / rho.
    """
    data *= dipole
    data *= dipole.dtype.type(share)
    gradient += data
    gradient *= inverse
    np.multiply(gradient, dipole, out=data)
