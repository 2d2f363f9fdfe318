"""The methods section of a paper, from what a result remembers of its making.

First the scan (field, echo times, voxels, matrix), then a sentence a stage with the settings that
shape the map, then the references, each once. A setting without words here is named only where
it is not the method's default; all of them stand in ``provenance.json``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from napari_qsm.recon.stages import Method, get_method
from napari_qsm.units import sizes_text

#: Entries of sidecars that a methods section names: key, words, unit.
ACQUISITION = (
    ("Manufacturer", "manufacturer", ""),
    ("ManufacturersModelName", "model", ""),
    ("MagneticFieldStrength", "field strength", "T"),
    ("ReceiveCoilName", "receive coil", ""),
    ("PulseSequenceType", "sequence", ""),
    ("MRAcquisitionType", "acquisition", ""),
    ("RepetitionTime", "repetition time", "s"),
    ("FlipAngle", "flip angle", "°"),
    ("PixelBandwidth", "bandwidth", "Hz/pixel"),
    ("ParallelReductionFactorInPlane", "parallel imaging factor", ""),
    ("PartialFourier", "partial Fourier", ""),
    ("AcquisitionDuration", "duration", "s"),
)

#: What stands before a method's name.
_OPENINGS: Mapping[str, str] = {
    "phase": "Phase images were brought to radians",
    "mask": "The brain was masked by",
    "unwrap": "Phase was unwrapped by",
    "echoes": "The field was computed by",
    "background": "The background field was removed by",
    "inversion": "Susceptibility was computed from the local field by",
    "reference": "Susceptibility is given relative to",
    "contrasts": "",
}

#: What a method is called within a sentence, where its title does not do.
_NAMES: Mapping[tuple[str, str], str] = {
    ("phase", "scale"): "",
    (
        "mask",
        "brain",
    ): "a threshold of the magnitude relative to the tissue nearby and by phase quality",
    ("mask", "threshold"): "a threshold of the magnitude",
    ("mask", "phase-quality"): "phase quality",
    ("mask", "given"): "a mask made outside of the program",
    ("mask", "whole"): "the field of view",
    ("mask", "bet"): "BET (FSL)",
    ("mask", "hd-bet"): "HD-BET",
    ("mask", "synthstrip"): "SynthStrip (FreeSurfer)",
    ("unwrap", "laplacian"): "the Laplacian method",
    ("unwrap", "quality-guided"): "an exact, quality-guided method",
    ("echoes", "weighted"): "the mean of the echoes weighted by their signal",
    ("echoes", "linear-fit"): "a weighted line through the echoes",
    ("echoes", "nonlinear-fit"): "a nonlinear fit of the complex signal",
    ("echoes", "laplacian-sum"): "the sum of phases over the sum of echo times",
    ("inversion", "star"): "STAR-QSM (total variation in two levels)",
    ("inversion", "tv"): "total variation",
    ("inversion", "medi"): "nonlinear morphology-enabled inversion",
    ("inversion", "tkd"): "truncated division in k-space",
    ("inversion", "l2"): "a closed-form L2 inversion",
    ("inversion", "rts"): "rapid two-step inversion",
    ("inversion", "ndi"): "nonlinear dipole inversion",
    ("inversion", "tgv"): "total generalised variation of second order",
    (
        "inversion",
        "weak-harmonic",
    ): "weak-harmonic inversion (total variation beside a nearly harmonic remainder of background)",
    (
        "inversion",
        "two-pass",
    ): "two-pass inversion (V-SHARP and STAR-QSM of the tissue with reliable phase, and STAR-QSM of "
    "the whole for what that leaves out)",
    ("reference", "none"): "the zero of the inversion",
    ("reference", "whole-mask"): "the mean of the whole mask",
    ("reference", "roi"): "the mean of a region",
    ("reference", "csf"): "ventricular fluid, found by its R2*",
    ("contrasts", "swi"): "Susceptibility-weighted images (SWI) were made of magnitude and phase",
    ("contrasts", "tswi"): "True susceptibility-weighted images (tSWI) were made of magnitude and "
    "susceptibility",
    ("contrasts", "mip"): "Minimum intensity projections were taken of the SWI",
    ("contrasts", "r2star"): "R2* was fitted to the decay of the magnitude",
    ("contrasts", "chi-separation"): "Susceptibility was separated into paramagnetic and "
    "diamagnetic parts, voxel by voxel, from susceptibility and R2* by the model of χ-separation",
}

#: Words of a setting; ``{}`` is its value with its unit. Those of a switch stand where it is on.
_WORDS: Mapping[str, str] = {
    "invert": "with their sign changed",
    "level": "level {}",
    "opening_mm": "opening {}",
    "quality_threshold": "phase quality above {}",
    "rim_level": "rim voxels above {} of the tissue around them",
    "closing_mm": "closing {}",
    "keep_largest": "the largest connected piece kept",
    "erode_mm": "eroded by {}",
    "dilate_mm": "dilated by {}",
    "fraction": "fractional intensity threshold {}",
    "border_mm": "border {}",
    "coil_curvature": "the receive coils' quadratic phase taken out",
    "offset_sigma_mm": "phase offset smoothed by {}",
    "radius_max_mm": "balls of up to {} radius",
    "radius_min_mm": "down to {}",
    "step_mm": "in steps of {}",
    "radius_mm": "radius {}",
    "peel_mm": "{} taken off the mask",
    "padding_mm": "{} of zeros around",
    "lambda_ppm": "λ = {}",
    "strong_lambda_ppm": "λ = {} for strong sources",
    "threshold_ppm": "strong above {}",
    "lambda_l2": "λ = {}",
    "tikhonov": "Tikhonov weight {}",
    "iterations": "{} iterations",
    "max_iterations": "at most {} iterations",
    "weighted": "data weighted by the inverse of the field's noise",
    "edge_fraction": "smoothing spared at the steepest {} of the magnitude's edges",
    "curvature_ratio": "bends {} times as costly as steps",
    "harmonic_weight": "weight of the remainder's Laplacian {}",
    "smallest_mm3": "pieces of poor phase from {}",
    "margin_mm": "the first pass ending {} from them",
    "follow_noise": "λ scaled with the noise of the field",
    "power": "weight to the power of {}",
    "filter_mm": "Hann low-pass of {}",
    "from_ppm": "darkened from {}",
    "to_ppm": "black from {} on",
    "thickness_mm": "slabs of {}",
    "noise": "noise of {}",
    "r2": "R2 of {} assumed throughout",
    "constant_positive": "relaxometric constants of {} for paramagnetic",
    "constant_negative": "and {} for diamagnetic sources at 3 T",
}
#: Said only by the sentence on what goes beyond the papers, or of no weight where it is not used.
_ELSEWHERE = frozenset(
    {"exact", "deconvolution", "settle_trend", "updates", "source", "echoes", "fit", "slope"}
)
#: Settings of another setting: said where that one has this value.
_BELONGS = {
    "filter_mm": ("source", "homodyne"),
    "noise": ("fit", "nonlinear"),
    "threshold": ("deconvolution", "truncated"),
    "regularization": ("deconvolution", "tissue"),
    "coarse_mm": ("deconvolution", "tissue"),
}


def methods_text(provenance: Mapping[str, Any], more: str = "") -> str:
    """Scan, program and stages in sentences, and the numbered references below.

    Parameters
    ----------
    provenance : mapping
        Of a result: ``stages``, and as far as known ``software``, ``recipe``, ``inputs``,
        ``acquisition``, ``echo_times_s``, ``field_strength_t``, ``voxel_size_mm``,
        ``b0_direction`` and ``reference_ppm``.
    more : str
        What is said after the stages.
    """
    stages = provenance.get("stages", ())
    version = provenance.get("software", {}).get("napari-qsm", "")
    recipe = provenance.get("recipe", {}).get("name", "")
    opening = " ".join(part for part in ("Images were processed with napari-qsm", version) if part)
    opening += f" (recipe '{recipe}')." if recipe else "."
    body, references = stage_sentences(stages, provenance.get("reference_ppm"))
    parts = [acquisition_sentence(provenance), opening, body, more]
    listed = "\n".join(f"[{n}] {reference}" for n, reference in enumerate(references, 1))
    return " ".join(part for part in parts if part) + (f"\n\n{listed}" if listed else "")


def acquisition_sentence(provenance: Mapping[str, Any]) -> str:
    """What was scanned, as far as it is known; nothing where nothing is."""
    said, known = [], provenance.get("acquisition", {})
    maker = " ".join(
        str(known[k]) for k in ("Manufacturer", "ManufacturersModelName") if k in known
    )
    field, times = provenance.get("field_strength_t"), provenance.get("echo_times_s") or ()
    where = f" at {field:g} T" if field else ""
    where += f" ({maker})" if maker else ""
    if times:
        listed = ", ".join(f"{1e3 * t:.4g}" for t in times)
        name = "ΔTE" if provenance.get("phase_difference") else "TE"
        said.append(
            f"{name} {listed} ms" if len(times) < 2 else f"{len(times)} echoes, TE {listed} ms"
        )
    for key, words, unit in ACQUISITION[3:]:
        if known.get(key) not in (None, "", []):
            said.append(f"{words} {known[key]}{' ' * (unit != '°') + unit if unit else ''}")
    if size := provenance.get("voxel_size_mm"):
        said.append(f"voxels of {sizes_text(size)}")
    if shape := next(
        (i["shape"] for i in provenance.get("inputs", ()) if len(i["shape"]) > 2), None
    ):
        said.append(f"matrix {' × '.join(str(n) for n in shape[:3])}")
    if tilt := _tilt(provenance.get("b0_direction")):
        said.append(f"slices tilted by {tilt:.0f}° against B0")
    return f"Gradient-echo images were acquired{where}: {', '.join(said)}." if said else ""


def _tilt(b0_direction: Sequence[float] | None) -> float:
    """Degrees between B0 and the third axis, 0 where they differ by less than half a degree."""
    if not b0_direction:
        return 0.0
    size = math.hypot(*b0_direction)
    degrees = math.degrees(math.acos(min(abs(b0_direction[2]) / size, 1.0))) if size else 0.0
    return degrees if degrees >= 0.5 else 0.0


def stage_sentences(
    stages: Sequence[Mapping[str, Any]], reference_ppm: float | None = None
) -> tuple[str, list[str]]:
    """A sentence a stage, and what they cite, in order.

    Parameters
    ----------
    stages : sequence of mapping
        Each with ``stage``, ``method`` and ``settings``, in the order in which they ran; for a
        mask that was painted on, also ``edited_by_hand`` with ``added`` and ``removed`` voxels.
    reference_ppm : float, optional
        What referencing subtracted.
    """
    references: list[str] = []
    sentences = []
    for step in stages:
        method = get_method(step["stage"], step["method"])
        numbers = []
        for reference in method.references:
            if reference not in references:
                references.append(reference)
            numbers.append(str(references.index(reference) + 1))
        name = _NAMES.get((method.stage, method.name), method.title)
        cited = f"[{', '.join(numbers)}]" if numbers else ""
        settings = _settings_text(method, step["settings"])
        if not name:  # what is done is all there is to say
            settings = f", {settings}" if settings else ""
        else:
            settings = f" ({settings})" if settings else ""
        said = " ".join(part for part in (_OPENINGS[method.stage], name, cited) if part) + settings
        if method.stage == "reference" and abs(reference_ppm or 0.0) >= 5e-5:
            said += f"; {reference_ppm:.4f} ppm were subtracted"
        sentences.append(said + ".")
        beyond = method.beyond(step["settings"], step.get("warnings", ()))
        if beyond:
            sentences.append(beyond)
        hand = step.get("edited_by_hand")
        if hand:
            sentences.append(
                f"The mask was then edited by hand ({hand['added']} voxels added, "
                f"{hand['removed']} removed)."
            )
    return " ".join(sentences), references


def _settings_text(method: Method, settings: Mapping[str, Any]) -> str:
    words = []
    for name, value in settings.items():
        setting = method.settings[name]
        other, wanted = _BELONGS.get(name, ("", None))
        if name in _ELSEWHERE or (other in settings and settings[other] != wanted):
            continue
        usual = value == setting.default
        pattern = _WORDS.get(name, "")
        if isinstance(value, bool):
            said = pattern if value else "" if usual else f"{_plain(name)} off"
            said = said or (f"{_plain(name)} on" if value and not usual else "")
        elif not value:  # nothing is taken off, closed, or left to choice
            said = "" if usual else f"{_plain(name)} {value}"
        elif pattern or not usual:
            unit = setting.param.unit
            shown = _number(value) if isinstance(value, float) else f"{value}"
            shown += f" {unit}" if unit else ""
            if name == "edge_fraction":
                shown = f"{100 * value:g} %"
            plain = _plain(name.removesuffix(f"_{unit}"))
            said = pattern.format(shown) if pattern else f"{plain} {shown}"
        else:
            said = ""
        if said:
            words.append(said)
    return ", ".join(words)


def _number(value: float) -> str:
    """As papers print it: powers of ten where zeros would have to be counted."""
    if 1e-3 <= abs(value) < 1e5:
        return f"{value:g}"
    digits, _, power = f"{value:e}".partition("e")
    raised = str(int(power)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    digits = f"{float(digits):g}"
    return f"10{raised}" if digits == "1" else f"{digits} × 10{raised}"


def _plain(name: str) -> str:
    return name.replace("_", " ")
