"""Stages in plain words: titles, what each is for, and how its result is shown."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from napari_qsm.errors import MetadataError
from napari_qsm.recon.stages import Method, Setting
from napari_qsm.session import Role
from napari_qsm.study.reconstruction import Reconstruction, State
from napari_qsm.study.scan_source import ScanSource


@dataclass(frozen=True)
class StageText:
    """One stage in the user's words.

    Attributes
    ----------
    title : str
        Heading of its section.
    purpose : str
        One sentence.
    quantity : str
        What is shown of its result.
    result : str
        What the map of that is called.
    role : str
        What kind of map it is.
    window : (low, high) or None
        Where its grey values begin and end; None to go by the values, zero in the middle.
    given : str
        What can be put in its place; empty if nothing can.
    """

    title: str
    purpose: str
    quantity: str
    result: str
    role: Role
    window: tuple[float, float] | None
    given: str


STAGE_TEXTS: Mapping[str, StageText] = {
    "phase": StageText(
        "Phase",
        "Brings what the scanner stored to radians.",
        "phase",
        "wrapped phase",
        "phase",
        (-math.pi, math.pi),
        "",
    ),
    "mask": StageText(
        "Mask",
        "Finds the brain, where the phase can be trusted.",
        "mask",
        "brain mask",
        "mask",
        None,
        "mask",
    ),
    "unwrap": StageText(
        "Unwrapping",
        "Takes the jumps of 2π out of the phase.",
        "unwrapped",
        "unwrapped phase",
        "phase",
        None,
        "unwrapped",
    ),
    "echoes": StageText(
        "Field from echoes",
        "Turns the phase of all echoes into one field map.",
        "total_field_ppm",
        "total field",
        "other",
        None,
        "total_field_ppm",
    ),
    "background": StageText(
        "Background",
        "Takes away the field of air, bone and everything outside the brain.",
        "local_field_ppm",
        "local field",
        "other",
        None,
        "local_field_ppm",
    ),
    "inversion": StageText(
        "Susceptibility",
        "Computes from the field how magnetic each voxel is.",
        "chi_ppm",
        "χ before referencing",
        "other",
        (-0.1, 0.2),
        "chi_ppm",
    ),
    "reference": StageText(
        "Reference",
        "Sets which tissue counts as zero.",
        "chi_ppm",
        "χ reconstructed",
        "map",
        (-0.1, 0.2),
        "reference_roi",
    ),
}

#: What the light says beside its colour and shape.
STATE_WORDS: Mapping[State, str] = {
    "not run": "not run",
    "waiting": "waiting",
    "running": "running",
    "done": "done",
    "stale": "out of date",
    "failed": "failed",
    "given": "given",
    "not needed": "not needed",
}


def label_of(setting: Setting) -> str:
    """A setting's name in words, without its unit.

    Examples
    --------
    >>> from napari_qsm.recon.stages import get_method
    >>> label_of(get_method("background", "vsharp").settings["radius_max_mm"])
    'Radius max'
    """
    unit = setting.param.unit.replace("³", "3").replace("/", "_per_")
    name = setting.name.removesuffix(f"_{unit}") if unit else setting.name
    words = name.replace("_", " ").replace("r2star", "R2*")
    words = words.replace("lambda l2", "lambda").replace("outlier sd", "outlier SD")
    return words[:1].upper() + words[1:]


def tooltip_of(setting: Setting) -> str:
    """Help, what is allowed, and the default of a setting."""
    text = setting.param.help
    allowed = setting.allowed()
    default = {True: "on", False: "off"}[setting.default] if setting.type is bool else None
    default = default if default is not None else f"{setting.default}"
    unit = f" {setting.param.unit}" if setting.param.unit else ""
    return f"<p>{text}</p><p>Allowed: {allowed}. Default: {default}{unit}.</p>"


def method_tooltip(method: Method) -> str:
    """What a method does, and the papers behind it."""
    papers = "".join(f"<p>{reference}</p>" for reference in method.references)
    return f"<p><b>{method.title}</b></p><p>{method.summary}</p>{papers}"


def seconds_text(seconds: float) -> str:
    """A duration, short.

    Examples
    --------
    >>> seconds_text(0.012), seconds_text(3.21), seconds_text(75)
    ('< 0.1 s', '3.2 s', '1 min 15 s')
    """
    if seconds < 0.1:
        return "< 0.1 s"
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds // 60)} min {round(seconds % 60)} s"


def scan_text(source: ScanSource | None) -> str:
    """What images a scan has."""
    if source is None:
        return (
            "No scan is open. Open a scanner folder or phase images (tab Data), or give a map "
            "to a step below."
        )
    count = source.echoes
    shape = " × ".join(str(n) for n in source.phase[0].shape)
    magnitudes = sum(v.data.shape[3] if v.data.ndim == 4 else 1 for v in source.magnitude)
    said = f"{count} phase image{'s' if count > 1 else ''}, "
    said += f"{magnitudes or 'no'} magnitude{'s' if magnitudes > 1 else ''}"
    return f"{source.title}: {said}, {shape} voxels"


def angle_text(recon: Reconstruction) -> str:
    """How the field lies to the slices, from the file's orientation."""
    grid = recon.grid()
    if grid is None:
        return ""
    if not grid.orientation_known:
        return "not recorded; third axis taken"
    b0 = grid.to_canonical().b0_direction
    angle = math.degrees(math.acos(min(abs(b0[2]), 1.0)))
    return f"{angle:.1f}° to the slice axis"


def phase_unit_text(source: ScanSource, settings: dict[str, Any]) -> tuple[str, str, bool]:
    """How the phase's values are understood, in a few words and in full; whether they are not."""
    import numpy as np

    from napari_qsm.recon.phase import decide_phase_unit

    volumes = source.phase
    low = min(float(np.min(v.data)) for v in volumes)
    high = max(float(np.max(v.data)) for v in volumes)
    span = f"{low:.4g} to {high:.4g}"
    try:
        decided = decide_phase_unit(
            np.stack([v.data for v in volumes]) if len(volumes) > 1 else volumes[0].data,
            {**source.metadata, **({"Units": volumes[0].unit} if volumes[0].unit else {})},
            unit=settings["unit"],
            full_scale=settings["full_scale"],
        )
    except MetadataError as error:
        return f"{span}: unit not known; state it in step 1", str(error), True
    pi = math.pi / decided.scale
    if abs(decided.scale - 1) < 1e-6:
        return f"{span} rad", decided.explanation, False
    return f"{span}, where {pi:.6g} means π", decided.explanation, False
