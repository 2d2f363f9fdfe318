"""The sweeps of :mod:`napari_qsm.recon.inversion.passes` in terms of the array API, for a device.

Names, arguments and results are the same, arrays are those of the device. Each is a few whole-array
expressions: a graphics processor's memory is fast, and its libraries compile nothing of ours.
"""

from __future__ import annotations

from typing import Any

from napari_qsm.recon.inversion.passes import NEWTON_STEPS


class Sweeps:
    """The sweeps in a namespace of the array API."""

    def __init__(self, xp: Any) -> None:
        self._xp = xp

    def shrink(
        self,
        chi: Any,
        v: Any,
        out: Any,
        limits: tuple[float, ...],
        scales: tuple[float, ...],
        edges: Any,
        kept: float,
        relax: float,
    ) -> None:
        """Gradient, soft threshold, dual update and divergence."""
        xp = self._xp
        out[...] = xp.zeros_like(out)
        for axis, (limit, scale) in enumerate(zip(limits, scales, strict=True)):
            low, high = -limit, limit
            if edges.shape[0]:
                bit = xp.asarray(1 << axis, dtype=edges.dtype, device=edges.device)
                crossing = xp.astype((edges & bit) > 0, chi.dtype)
                high = limit - limit * (1 - kept) * crossing
                low = -high
            a = v[axis, ...]
            step = scale * (xp.roll(chi, -1, axis=axis) - chi)
            a = a + relax * (step + xp.clip(a, low, high) - a)
            v[axis, ...] = a
            a = a - 2 * xp.clip(a, low, high)
            out += scale * (xp.roll(a, 1, axis=axis) - a)

    def confine(
        self, chi: Any, held: Any, out: Any, support: Any, hold: float, relax: float
    ) -> None:
        """Keep the map zero outside its support."""
        xp = self._xp
        held += relax * (chi - xp.where(support, held, xp.zeros_like(held)))
        out += hold * xp.where(support, held, -held)

    def fit_field(self, field: Any, q: Any, target: Any, weight: Any, relax: float) -> None:
        """Pull the model's field towards the measured one."""
        trusted = weight * target
        q += relax * (field - trusted - (1 - weight) * q)
        field[...] = 2 * (trusted + (1 - weight) * q) - q

    def fit_phase(
        self,
        field: Any,
        q: Any,
        model: Any,
        target: Any,
        weight: Any,
        relax: float,
        rho: float,
        radians_per_ppm: float,
    ) -> None:
        """The same for the nonlinear data term."""
        xp, s = self._xp, radians_per_ppm
        q += relax * (field - model)
        z = model
        for _ in range(NEWTON_STEPS):
            angle = s * (z - target)
            cosine = xp.cos(angle)
            slope = weight * xp.sin(angle) / s + rho * (z - q)
            z = z - slope / (weight * xp.where(cosine > 0, cosine, xp.zeros_like(cosine)) + rho)
        model[...] = xp.where(weight > 0, z, q)
        field[...] = 2 * model - q

    def solve(self, gradient: Any, data: Any, dipole: Any, inverse: Any, share: float) -> None:
        """Solve for the map in Fourier space."""
        gradient[...] = (gradient + share * dipole * data) * inverse
        data[...] = dipole * gradient
