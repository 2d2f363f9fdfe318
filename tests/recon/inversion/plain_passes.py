"""The sweeps of the total-variation solver in plain numpy: what the compiled ones must equal."""

import numpy as np

NEWTON_STEPS = 3


def shrink(
    chi,
    v,
    out,
    limits,
    scales,
    edges,
    kept,
    relax,
):
    out[...] = 0
    for axis in range(3):
        limit = chi.dtype.type(limits[axis])
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


def confine(chi, held, out, support, hold, relax):
    step = chi - np.where(support, held, 0)
    step *= chi.dtype.type(relax)
    held += step
    out += chi.dtype.type(hold) * np.where(support, held, -held)


def fit_field(field, q, target, weight, relax):
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
    field,
    q,
    model,
    target,
    weight,
    relax,
    rho,
    radians_per_ppm,
):
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


def solve(gradient, data, dipole, inverse, share):
    data *= dipole
    data *= dipole.dtype.type(share)
    gradient += data
    gradient *= inverse
    np.multiply(gradient, dipole, out=data)
