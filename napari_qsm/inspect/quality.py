"""What may harm a map although nothing is wrong with the files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.recon.phase import decide_phase_unit
from napari_qsm.scan import Scan

#: Phase that readouts of opposite direction add across the image, from which on it counts, rad.
_BIPOLAR_RAD = 0.5
#: Agreement of neighbouring voxels below which a ramp cannot be told from noise.
_COHERENT = 0.3


def quality_hints(scan: Scan) -> list[str]:
    """Sentences on readout, resolution and gaps; what cannot be judged is left unsaid."""
    return [
        hint
        for hint in (
            _bipolar(scan),
            _slice_gap(scan.metadata),
            _interpolated(scan),
            _anisotropic(scan),
        )
        if hint
    ]


def _bipolar(scan: Scan) -> str:
    """Alternating readouts leave a ramp in phi1 - 2 phi2 + phi3, which else is zero.

    The phase of a voxel grows with echo time, so the second difference of equally spaced
    echoes vanishes whatever the field; a shift of every second echo along the readout does not
    (Li et al. 2015, Magn Reson Med 73:1491).
    """
    times = np.array(scan.echo_times_s[:3])
    if times.size < 3 or abs(times[0] - 2 * times[1] + times[2]) > 0.02 * times[0]:
        return ""
    echoes = [np.asarray(volume.data, dtype=np.float32) for volume in scan.phase[:3]]
    try:
        unit = decide_phase_unit(np.stack(echoes), scan.metadata)
    except ValueError:
        return ""
    angle = (echoes[0] - 2 * echoes[1] + echoes[2]) * np.float32(unit.scale)
    weight: Array = np.asarray(scan.magnitude[0].data if scan.magnitude else 1, dtype=np.float32)
    signal = np.where(np.isfinite(angle), weight * np.exp(1j * angle), 0)
    for axis in range(3):
        ahead = np.take(signal, range(1, signal.shape[axis]), axis)
        behind = np.take(signal, range(signal.shape[axis] - 1), axis)
        products = ahead * behind.conj()
        total = float(np.abs(products).sum(dtype=np.float64))
        mean = complex(products.sum(dtype=np.complex128)) / total if total else 0j
        ramp = abs(np.angle(mean)) * signal.shape[axis]
        if abs(mean) > _COHERENT and ramp > _BIPOLAR_RAD:
            return (
                f"Echoes alternate by a ramp of {ramp:.1f} rad along the "
                f"{('first', 'second', 'third')[axis]} axis, as with bipolar readouts; remove "
                "phase offsets before echoes are combined, or scan monopolar."
            )
    return ""


def _slice_gap(metadata: Mapping[str, Any]) -> str:
    thickness, spacing = metadata.get("SliceThickness"), metadata.get("SpacingBetweenSlices")
    if not (isinstance(thickness, int | float) and isinstance(spacing, int | float)):
        return ""
    if spacing <= 1.02 * thickness:
        return ""
    return (
        f"There are gaps between the slices ({thickness:g} mm thick, {spacing:g} mm apart); "
        "sources in the gaps are missed."
    )


def _interpolated(scan: Scan) -> str:
    measured = scan.metadata.get("BaseResolution") or scan.metadata.get("FrequencyEncodingSteps")
    longest = max(scan.grid.shape[:2])
    if not isinstance(measured, int | float) or longest < 1.4 * measured:
        return ""
    return (
        f"The images are {longest} voxels wide but {measured:g} were measured, so they are "
        "interpolated or zero-filled."
    )


def _anisotropic(scan: Scan) -> str:
    sizes = scan.grid.voxel_size_mm
    ratio = max(sizes) / min(sizes)
    if ratio <= 4:
        return ""
    return f"Voxels are {ratio:.1f} times as long as wide; thin veins and streaks will blur."
