"""The last steps of every mask: poor phase off the rim, clefts closed, holes filled, rim moved.

Voxels of poor phase inside the brain (veins, bleeds) are enclosed and come back when holes are
filled; poor voxels at the rim (air sinuses, bone) stay out.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Annotated, Any, get_type_hints

import numpy as np
from scipy import ndimage

from napari_qsm.arrays import Array, bounding_box, margin_voxels
from napari_qsm.errors import GeometryError, MetadataError, QsmError
from napari_qsm.recon.mask import morphology
from napari_qsm.recon.mask.quality import phase_quality
from napari_qsm.recon.stages import Param, Progress, no_progress

#: Where the phase quality comes from.
ROMEO = "Dymerska 2021, Magn Reson Med 85:2294, doi:10.1002/mrm.28563"

#: Room for the largest bleeds and for the cavities that surgery leaves.
ANY_HOLE_MM3 = 200_000.0

#: How deep the rim reaches, and how far around its brightness is compared.
_RIM_MM = 5.0
_AROUND_MM = 10.0

#: A phase whose best hundredth of voxels is less coherent is noise: noise alone gives 0.14 (three
#: echoes) to 0.20 (one) there; coherence 0.3 stands for a phase noise of 0.63 rad, from which no
#: map can be made.
_NOISE_QUALITY = 0.3


@dataclass(frozen=True)
class Refinement:
    """The last steps of a mask, in this order; each field is a setting of the methods that offer it.

    Attributes
    ----------
    quality_threshold : float
        Voxels with a lower :func:`~napari_qsm.recon.mask.quality.phase_quality` are dropped.
    closing_mm : float
        Clefts left by that and narrower than twice this length are closed again, as far as
        the mask reached before.
    fill_holes_mm3 : float
        Enclosed holes up to this volume are filled; 0 leaves all open.
    keep_largest : bool
        Whether only the largest piece stays.
    erode_mm, dilate_mm : float
        Taken off the rim, then added to it.
    """

    quality_threshold: Annotated[
        float,
        Param(
            "Drop voxels at the rim whose phase is less coherent than this "
            "(0.5 stands for an SNR of about 2); 0 keeps all.",
            ge=0,
            le=1,
        ),
    ] = 0.0
    closing_mm: Annotated[
        float,
        Param(
            "Close clefts narrower than twice this after dropping voxels.", unit="mm", ge=0, le=20
        ),
    ] = 0.0
    fill_holes_mm3: Annotated[
        float,
        Param("Fill enclosed holes up to this volume; 0 leaves all open.", unit="mm³", ge=0),
    ] = 0.0
    keep_largest: Annotated[bool, Param("Keep only the largest connected piece.")] = False
    erode_mm: Annotated[float, Param("Take this much off the rim.", unit="mm", ge=0, le=30)] = 0.0
    dilate_mm: Annotated[
        float, Param("Add this much to the rim, last of all.", unit="mm", ge=0, le=30)
    ] = 0.0


NO_REFINEMENT = Refinement()


def refinable(**defaults: float) -> Callable[[Callable[..., Array]], Callable[..., Array]]:
    """Give a mask method the settings of :class:`Refinement`, with these defaults.

    The function takes them as one keyword argument ``refinement``; callers, recipes and forms see
    the fields named here in its place. Fields that are not named are no settings of the method.

    Parameters
    ----------
    **defaults
        Fields of :class:`Refinement`, in the order in which forms show them.
    """
    hints = get_type_hints(Refinement, include_extras=True)

    def wrap(function: Callable[..., Array]) -> Callable[..., Array]:
        @wraps(function)
        def with_settings(*args: Any, **kwargs: Any) -> Array:
            given = {name: kwargs.pop(name, value) for name, value in defaults.items()}
            return function(*args, refinement=Refinement(**given), **kwargs)

        own = [
            inspect.Parameter(
                name, inspect.Parameter.KEYWORD_ONLY, default=value, annotation=hints[name]
            )
            for name, value in defaults.items()
        ]
        signature = inspect.signature(function, eval_str=True)
        parameters: list[inspect.Parameter] = []
        for parameter in signature.parameters.values():
            parameters += own if parameter.name == "refinement" else [parameter]
        with_settings.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        with_settings.__annotations__ = {p.name: p.annotation for p in parameters} | {
            "return": signature.return_annotation
        }
        return with_settings

    return wrap


def refined(
    mask: Array,
    phase: Array,
    magnitude: Array | None,
    voxel_size_mm: Sequence[float],
    refinement: Refinement,
    *,
    refuse_noise: bool = False,
    progress: Progress = no_progress,
) -> Array:
    """The mask after the steps that all mask methods share.

    Parameters
    ----------
    mask : (x, y, z) bool ndarray
        The region found; not modified.
    phase : (E, x, y, z) ndarray
        Wrapped phase, rad.
    magnitude : (M, x, y, z) ndarray or None
        Weighs echoes in the phase quality.
    voxel_size_mm : three floats
        Edge lengths of a voxel.
    refinement : Refinement
        What is done, and how far.
    refuse_noise : bool
        Whether a region whose phase is noise is refused even if no voxel is to be dropped.
    progress : callable
        Told the fraction done.

    Returns
    -------
    (x, y, z) bool ndarray
        The refined mask.

    Raises
    ------
    QsmError
        If nothing is left, saying after which step, or if all is noise.
    """
    if not mask.any():
        not_noise(phase_quality(phase, magnitude))
    _not_empty(mask, "was found; check the images or use a mask of your own")
    # A working box with room to grow, and with a rim of outside that marks what is no hole.
    margin = [n + 1 for n in margin_voxels(refinement.dilate_mm, voxel_size_mm)]
    box = bounding_box(mask, margin)
    found = mask[box]
    part = found.copy()
    if refinement.quality_threshold > 0 or refuse_noise:
        # Neighbours outside the mask count: a rim next to noise is a rim of mixed voxels.
        quality = phase_quality(
            phase[:, *box],
            None if magnitude is None else magnitude[:, *box],
            progress=part_of(progress, 0.0, 0.6),
        )
        if refuse_noise:
            not_noise(quality[found])
        part &= quality >= refinement.quality_threshold
        if not part.any():
            not_noise(phase_quality(phase, magnitude))
            _not_empty(
                part,
                f"has a phase as coherent as {refinement.quality_threshold:g}; lower the quality "
                f"threshold (the most coherent voxels have {quality[found].max():.2f})",
            )
    if refinement.keep_largest:
        part = morphology.largest_component(part)
    if refinement.closing_mm > 0:
        part |= morphology.close_mm(part, refinement.closing_mm, voxel_size_mm) & found
    if refinement.fill_holes_mm3 > 0:
        part = morphology.fill_holes(part, voxel_size_mm, max_mm3=refinement.fill_holes_mm3)
    progress(0.8)
    if refinement.erode_mm > 0:
        part = morphology.erode_mm(part, refinement.erode_mm, voxel_size_mm)
        _not_empty(
            part, f"is left after taking {refinement.erode_mm:g} mm off the mask; take off less"
        )
        if refinement.keep_largest:
            part = morphology.largest_component(part)
    if refinement.dilate_mm > 0:
        part = morphology.dilate_mm(part, refinement.dilate_mm, voxel_size_mm)
    out = np.zeros_like(mask)
    out[box] = part
    progress(1.0)
    return out


def without_dim_rim(
    mask: Array, magnitude: Array, voxel_size_mm: Sequence[float], level: float
) -> Array:
    """The mask less rim voxels that are dark beside the tissue around them.

    Voxels that hold part bone, air or dura carry a phase of their own. Few as they are, one
    layer of them spoils the background removal centimetres deep, above all after Laplacian
    unwrapping, which makes sources of them.

    Parameters
    ----------
    mask : (x, y, z) bool ndarray
        The region; not modified.
    magnitude : (x, y, z) ndarray
        Combined magnitude, any unit.
    voxel_size_mm : three floats
        Edge lengths of a voxel.
    level : float
        Least magnitude, as a share of the mean within about 10 mm inside the mask.

    Returns
    -------
    (x, y, z) bool ndarray
        A part of the mask; dark voxels deeper than 5 mm, and enclosed ones, stay.
    """
    sigma = [_AROUND_MM / size for size in voxel_size_mm]
    box = bounding_box(mask, margin_voxels(_RIM_MM, voxel_size_mm))
    found, signal = mask[box], magnitude[box]
    share = ndimage.gaussian_filter(found.astype(np.float32), sigma)
    around = ndimage.gaussian_filter(np.where(found, signal, 0).astype(np.float32), sigma)
    around /= np.maximum(share, 1e-6)
    padded = np.pad(found, 1)
    depth = ndimage.distance_transform_edt(padded, sampling=voxel_size_mm)[1:-1, 1:-1, 1:-1]
    dim = (signal < level * around) & (depth <= _RIM_MM)
    kept = np.zeros_like(mask)
    kept[box] = morphology.fill_holes(found & ~dim, voxel_size_mm, max_mm3=ANY_HOLE_MM3) & found
    return kept


def checked_phase(phase: Array) -> Array:
    """The phase echoes as a stack, refused if their shape is impossible."""
    phase = np.asarray(phase)
    if phase.ndim == 3:
        phase = phase[None]
    if phase.ndim != 4 or phase.size == 0:
        raise GeometryError(f"A stack of phase echoes is needed, not shape {phase.shape}.")
    return phase


def checked_magnitude(magnitude: Array | None, phase: Array) -> Array | None:
    """The magnitude echoes as a stack on the grid of the phase, or None."""
    if magnitude is None or np.size(magnitude) == 0:
        return None
    magnitude = np.asarray(magnitude)
    if magnitude.ndim == 3:
        magnitude = magnitude[None]
    if magnitude.shape[1:] != phase.shape[1:]:
        raise GeometryError(
            f"The magnitude has shape {magnitude.shape[1:]} but the phase has {phase.shape[1:]}; "
            "they must come from the same scan."
        )
    return magnitude


def needed_magnitude(magnitude: Array | None, phase: Array, name: str) -> Array:
    """The magnitude echoes, or an error that says which methods do without."""
    checked = checked_magnitude(magnitude, phase)
    if checked is None:
        raise MetadataError(
            f"The mask method '{name}' needs a magnitude image and the scan has none; "
            "choose 'phase-quality', or give a mask of your own."
        )
    return checked


def part_of(progress: Progress, start: float, end: float) -> Progress:
    """Progress of a part, told as progress of the whole."""

    def report(fraction: float) -> None:
        progress(start + (end - start) * fraction)

    return report


def not_noise(quality: Array) -> None:
    """Refuse a phase that is noise all over.

    Parameters
    ----------
    quality : ndarray
        :func:`~napari_qsm.recon.mask.quality.phase_quality` of all voxels that were looked at.

    Raises
    ------
    QsmError
        If even the best hundredth of them is hardly more coherent than noise.
    """
    best = float(np.percentile(quality, 99))
    if best < _NOISE_QUALITY:
        raise QsmError(
            "The mask is empty: the phase holds nothing but noise; no part of it shows a head "
            f"(coherence of the best hundredth of the voxels {best:.2f}; noise alone has up to 0.2, "
            "tissue more than 0.5). Check that the phase images are the right files, belong to the "
            "magnitude, and show a head."
        )


def _not_empty(mask: Array, what: str) -> None:
    if not mask.any():
        raise QsmError(f"The mask is empty: no voxel {what}.")
