"""Consistency with the total field: what background removal took from the tissue comes back.

Background removal by ball means cannot tell slow variations of the tissue's own field from
background, so the local field of large nuclei comes out too small, and with it their
susceptibility. Once there is a map, the field it makes can be taken from the *total* field before
the ball means are taken: they then take less tissue away, the next local field is more complete,
and so is the next map. With S the mean over the largest ball that fits around each voxel and D
the dipole response, the local field after an update is

    f - S (f - D m chi)   =   D m chi + (1 - S) (f - D m chi)

where m keeps sources inside the mask. Alternating with the steps of an inversion, this approaches
``min ‖W (1 - S) (f - D m chi)‖² + lambda TV(chi)``: one problem for the total field, as in
Chatnuntawech et al. 2017, NMR Biomed 30:e3570, doi:10.1002/nbm.3570, here solved by fixed-point
steps that keep the local field, so that strong sources and outliers are handled as they are
without it. With the tissue's field taken off, larger balls are only better, and deeper ones reach
slower variations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.errors import QsmError
from napari_qsm.recon import fourier
from napari_qsm.recon.background.balls import balanced_ball, ball_means
from napari_qsm.recon.background.depth import TOLERANCE, depth_mm
from napari_qsm.recon.inversion.admm import STEPS_BETWEEN
from napari_qsm.recon.inversion.problem import Problem, prepare, same_shape
from napari_qsm.recon.inversion.trend import Bowl, trend
from napari_qsm.recon.stages import Param, Warn

#: Radii of the balls, mm, each about a fifth smaller than the one before.
_RADII_MM = (32.0, 26.0, 21.0, 17.0, 14.0, 12.0, 10.0, 8.5, 7.0, 6.0, 5.0, 4.0, 3.0)
#: Field values that stand out from their ball mean by more robust standard deviations than this
#: are brought back to it before the means that serve their neighbours are taken.
_OUTLIER_SD = 4.0
#: Updates approach their end from one side, and slowly where the field varies slowly; so few of
#: them are better made long. What they overshoot, the steps of the inversion between them take back.
_UPDATE_RELAXATION = 2.5
#: An update that changes the field by more than this part of it is made as it is: the field so far
#: lacked more than slow variations, as that of V-SHARP without deconvolution does (0.37; with it 0.03),
#: and going beyond would swing.
_LONG_BELOW = 0.25
Updates = Annotated[
    int,
    Param(
        "Times the background is estimated anew from the total field less the field of the map; "
        "0 keeps the local field as background removal gave it.",
        ge=0,
        le=50,
    ),
]

NO_TOTAL_FIELD = (
    "There is no total field to take the background from anew, so the local field was inverted "
    "as it is; means of large regions may come out 10 to 15 % too small."
)


def beyond_the_papers(settings: Mapping[str, Any], warnings: Sequence[str]) -> str:
    """For the methods paragraph: that and how the background was estimated anew."""
    if not settings["updates"] or NO_TOTAL_FIELD in warnings:
        return ""
    said = (
        "Beyond the cited methods, napari-qsm estimated the background field anew after every "
        f"{STEPS_BETWEEN} steps of the inversion (at most {settings['updates']} times), as the mean "
        "over the largest fitting ball of the total field less the field of the map so far."
    )
    if settings["settle_trend"]:
        said += (
            " The map's trend with the squared distance from the centre, whose field cannot be told "
            "from background, was settled each time, and at the end, by a robust fit to the slopes in the "
            "tissue."
        )
    return said


class TotalField:
    """The total field inside the mask, from which the local field can be estimated anew.

    Parameters
    ----------
    total_field_ppm : (x, y, z) ndarray
        Field in ppm; only the mask is looked at, and voxels that are not finite are left out.
    mask : (x, y, z) ndarray of bool
        Where it can be trusted.
    problem : Problem
        Its box holds the mask.
    alive : callable
        Called often; may raise to stop.

    Raises
    ------
    QsmError
        If the field is not finite anywhere in the mask.
    """

    def __init__(
        self,
        total_field_ppm: Array,
        mask: Array,
        problem: Problem,
        alive: Callable[[], None] = lambda: None,
    ) -> None:
        self._problem = problem
        self._inner = tuple(slice(0, part.stop - part.start) for part in problem.box)
        field = total_field_ppm[problem.box].astype(problem.field.dtype)
        self._mask = mask[problem.box] & np.isfinite(field)
        if not self._mask.any():
            raise QsmError("The total field is not finite anywhere in the mask.")
        # A constant is part of the background and would only cost digits.
        self._field = np.where(self._mask, field - field[self._mask].mean(), 0)
        self._sources = fourier.pad_to(self._mask, problem.shape)
        self._shells: list[tuple[Array, Array]] = []
        self._deep = np.zeros_like(self._mask)
        alive()
        sides = problem.voxel_size_mm
        depth = depth_mm(self._mask, sides, 1.01 * _RADII_MM[0])
        alive()
        left = np.flatnonzero(self._mask)
        for radius in _RADII_MM:
            fits = depth.flat[left] > radius * TOLERANCE
            here, left = left[fits], left[~fits]
            if here.size and radius * TOLERANCE >= max(sides):
                self._shells.append((here, balanced_ball(radius, sides)))
                self._deep.flat[here] = True
        self._known = self._deep & problem.mask[self._inner]

    def local_field(
        self, chi: Array, least_cut: float, alive: Callable[[], None] = lambda: None
    ) -> Array:
        """The local field if the tissue is this map; on the work grid, zero outside the local mask.

        Parameters
        ----------
        chi : (x, y, z) ndarray
            Susceptibility on the work grid, ppm.
        least_cut : float
            Deviations from the ball mean below this are no outliers, ppm.
        alive : callable
            Called often; may raise to stop.

        Notes
        -----
        Voxels around which no ball fits keep the local field they have.
        """
        problem = self._problem
        model = problem.forward(np.where(self._sources, chi, 0))[self._inner]
        rest = np.where(self._mask, self._field - model, 0)
        del model  # here, and below, memory is at its peak
        background = self._ball_mean(rest, alive)
        apart = np.where(self._deep, rest - background, 0)
        spread = 1.4826 * float(np.median(np.abs(apart[self._deep])))
        cut = max(_OUTLIER_SD * spread, least_cut)
        if (np.abs(apart) > cut).any():
            rest = np.where(self._deep, background + np.clip(apart, -cut, cut), rest)
            del apart, background
            background = self._ball_mean(rest, alive)
        local: Array = problem.field.copy()
        np.copyto(local[self._inner], self._field - background, where=self._known)
        return local

    def renewed(
        self,
        chi: Array,
        target: Array,
        least_cut: float,
        settle_trend: bool,
        alive: Callable[[], None] = lambda: None,
    ) -> Array:
        """The field to explain after an update: from the last one towards the local field, and beyond.

        Parameters
        ----------
        chi, least_cut, alive
            As for :meth:`local_field`.
        target : (x, y, z) ndarray
            The field that the map was to explain so far, on the work grid, ppm.
        settle_trend : bool
            Take the trend from the centre to the rim out of the map first
            (:mod:`napari_qsm.recon.inversion.trend`), 2.5 times what most slopes show of it, since they
            show a quarter. The step towards the field of that is made as it is: made longer as well, it
            swings from update to update.
        """
        found = None
        if settle_trend:
            sides, known = self._problem.voxel_size_mm, self._problem.mask[self._inner]
            found = trend(chi[self._inner], known, sides, alive)
        if found is not None:
            # Made anew below: memory is at its peak between.
            chi = chi - self._placed(found[1], _UPDATE_RELAXATION * found[0])
        step = self.local_field(chi, least_cut, alive)
        step -= target
        if np.vdot(step, step) < _LONG_BELOW**2 * np.vdot(target, target):
            longer = step.dtype.type(_UPDATE_RELAXATION)
            if found is not None:
                trend_field = self._problem.forward(self._placed(found[1], 1.0))
                part = self._part_of(step, trend_field)
                trend_field[~self._problem.mask] = 0
                trend_field *= step.dtype.type((1 - _UPDATE_RELAXATION) * part)
                step *= longer
                step += trend_field
            else:
                step *= longer
        step += target
        return step

    def _placed(self, bowl: Bowl, amount: float) -> Array:
        """So much of a bowl inside the mask, on the work grid."""
        out = np.zeros_like(self._problem.field)
        np.copyto(out[self._inner], amount * bowl.volume(), where=self._mask, casting="same_kind")
        return out

    def _part_of(self, field: Array, other: Array) -> float:
        """How much of another field a field holds, by least squares in the local mask, means removed."""
        inside = self._problem.mask
        a, b = (f[inside].astype(np.float64) for f in (field, other))
        b -= b.mean()
        return float(a @ b / (b @ b))

    def _ball_mean(self, field: Array, alive: Callable[[], None]) -> Array:
        alive()
        mean_at = ball_means(field)
        alive()
        out = np.zeros_like(field)
        for voxels, weights in self._shells:
            alive()
            out.flat[voxels] = mean_at(voxels, weights)
        return out


def prepared(
    local_field_ppm: Array,
    local_mask: Array,
    voxel_size_mm: Sequence[float],
    b0_direction: Sequence[float],
    weight: Array | None,
    total_field_ppm: Array | None,
    mask: Array | None,
    updates: int,
    warn: Warn,
    alive: Callable[[], None] = lambda: None,
) -> tuple[Problem, TotalField | None]:
    """The inversion's problem and, if it is to be updated and can be, the total field.

    Arguments are those of :func:`~napari_qsm.recon.inversion.problem.prepare` and
    :class:`TotalField`. Updates that were asked for but cannot be made are said; ``alive`` is
    called often and may raise to stop.
    """
    if updates > 0 and (total_field_ppm is None or mask is None):
        warn(NO_TOTAL_FIELD)
    if updates == 0 or total_field_ppm is None or mask is None:
        problem = prepare(local_field_ppm, local_mask, voxel_size_mm, b0_direction, weight=weight)
        return problem, None
    for name, array in (("total field", total_field_ppm), ("mask", mask)):
        same_shape(array.shape, local_mask.shape, name)
    wide = mask | local_mask
    problem = prepare(
        local_field_ppm, local_mask, voxel_size_mm, b0_direction, weight=weight, extent=wide
    )
    alive()
    return problem, TotalField(total_field_ppm, mask, problem, alive)
