"""Read the images of one scan, with echo times and field strength from their sidecars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_qsm.errors import FileError, MetadataError
from napari_qsm.io.bids import sidecar_of
from napari_qsm.io.completeness import check_complete, loss_notes
from napari_qsm.io.formats import read_image
from napari_qsm.io.forms import b0_note, form_problem
from napari_qsm.io.names import PHASE
from napari_qsm.io.series import SAME_ECHO_S, ImageFile, ScanFiles, image_file
from napari_qsm.io.sidecar import numbers
from napari_qsm.scan import Scan
from napari_qsm.volume import Volume

_HOW_TE = "give --echo-times-ms, or EchoTime in the JSON sidecar"
_HOW_B0 = "give --field-strength-t, or MagneticFieldStrength in the JSON sidecar"


def load_scan(
    phase: Sequence[Path | str],
    magnitude: Sequence[Path | str] = (),
    *,
    echo_times_s: Sequence[float] | None = None,
    field_strength_t: float | None = None,
    phase_difference: bool | None = None,
    magnitude_echo_times_s: Sequence[float] | None = None,
) -> Scan:
    """Read a scan from NIfTI files, taking what is not given from their sidecars.

    Parameters
    ----------
    phase, magnitude : sequence of path
        3-D files in the order of their echoes, or one 4-D file with echoes last.
    echo_times_s : sequence of float, optional
        One for each phase echo. For a phase difference: TE2 - TE1, or both echo times.
    field_strength_t : float, optional
        B0 in tesla.
    phase_difference : bool, optional
        Whether the phase is the difference between two echoes; by default the sidecar tells.
    magnitude_echo_times_s : sequence of float, optional
        One for each magnitude.

    Returns
    -------
    Scan
        As stored; ``metadata["Notes"]`` holds a sentence for everything the user should know,
        such as a given value that differs from the sidecar's.

    Raises
    ------
    MetadataError
        Echo time or field strength neither given nor in a sidecar, or contradictory.
    FileError, GeometryError
        As from :func:`napari_qsm.io.nifti.read_volume`, or if grids differ.
    """
    if not phase:
        raise MetadataError("A scan needs at least one phase image.")
    files = ScanFiles(
        label="",
        phase=tuple(replace(image_file(Path(p), sidecar_of(p)), part=PHASE) for p in phase),
        magnitude=tuple(image_file(Path(m), sidecar_of(m)) for m in magnitude),
    )
    return read_scan(
        files,
        echo_times_s=echo_times_s,
        field_strength_t=field_strength_t,
        phase_difference=phase_difference,
        magnitude_echo_times_s=magnitude_echo_times_s,
    )


def read_scan(
    files: ScanFiles,
    *,
    echo_times_s: Sequence[float] | None = None,
    field_strength_t: float | None = None,
    phase_difference: bool | None = None,
    magnitude_echo_times_s: Sequence[float] | None = None,
) -> Scan:
    """Read the images of one scan; parameters, result and errors as for :func:`load_scan`."""
    check_complete(files)
    notes: list[str] = loss_notes(files)
    signal = files.phase or files.real
    difference = _is_difference(files, phase_difference, notes)
    if difference:
        times = _difference_times(files, echo_times_s, notes)
        notes.insert(0, _difference_note(files.phase[0], times[0]))
    else:
        times = _phase_times(files, echo_times_s, notes)
    strength = _field_strength(files, field_strength_t, notes)
    phase, magnitude = _volumes(files, notes)
    magnitude_times = tuple(magnitude_echo_times_s or ())
    if not magnitude_times and magnitude and (difference or echo_times_s is None):
        magnitude_times = _all_times(files.magnitude)
    if not magnitude_times and difference and len(echo_times_s or ()) == len(magnitude) == 2:
        magnitude_times = tuple(echo_times_s or ())
    if files.real and not files.magnitude:
        magnitude_times = times
    notes += _geometry_notes(phase[0])
    metadata = _merged(signal)
    if files.real:
        metadata["Units"] = "rad"
    if notes:
        metadata["Notes"] = notes
    return Scan(
        phase=phase,
        echo_times_s=times,
        field_strength_t=strength,
        magnitude=magnitude,
        magnitude_echo_times_s=magnitude_times,
        phase_difference=difference,
        metadata=metadata,
    )


def _is_difference(files: ScanFiles, stated: bool | None, notes: list[str]) -> bool:
    told = files.is_difference
    if stated is None:
        return told
    if told and not stated:
        notes.append(
            "The phase is recorded as the difference between two echoes, but it was used as the "
            "phase of one echo, as stated."
        )
    return stated


def _difference_note(image: ImageFile, time_s: float) -> str:
    between = " and ".join(f"{t * 1e3:g}" for t in image.difference_times_s)
    echoes = f"the echoes at {between} ms" if between else "two echoes"
    return (
        f"The phase is a phase difference between {echoes}; it evolved over {_ms([time_s])}, "
        "the time between them."
    )


def _difference_times(
    files: ScanFiles, given: Sequence[float] | None, notes: list[str]
) -> tuple[float, ...]:
    """The time over which a phase difference evolved, as the only element."""
    image = files.phase[0]
    both = image.difference_times_s
    recorded = _apart(both) if both else None
    if given:
        if len(given) > 2:
            raise MetadataError(
                f"A phase difference needs TE2 - TE1, or the two echo times, but {len(given)} "
                "echo times were given."
            )
        time = float(given[0]) if len(given) == 1 else _apart(given)
        if recorded is None or abs(time - recorded) < SAME_ECHO_S:
            return (time,)
        if len(given) == 1 and min(abs(time - te) for te in both) < SAME_ECHO_S:
            raise MetadataError(
                f"'{image.path.name}' is a phase difference between {_ms(both)}, so its time is "
                f"{_ms([recorded])}, but {_ms(given)} was given, which is one of the two echo "
                "times. Give their difference, or say --no-phase-difference."
            )
        notes.append(_differs("time of the phase difference", _ms([time]), _ms([recorded])))
        return (time,)
    if recorded is None:
        apart = sorted(_all_times(files.magnitude))
        if len(apart) == 2:
            notes.append(
                f"The time of the phase difference was taken from the echo times of the two "
                f"magnitudes ({_ms(apart)})."
            )
            return (_apart(apart),)
        raise MetadataError(
            f"The echo times of the phase difference '{image.path.name}' are not recorded; give "
            "TE2 - TE1 with --echo-times-ms, or EchoTime1 and EchoTime2 in the JSON sidecar."
        )
    return (recorded,)


def _apart(times_s: Sequence[float]) -> float:
    """Time between two echoes, without the dust that subtracting leaves."""
    return round(abs(float(times_s[1]) - float(times_s[0])), 9)


def _phase_times(
    files: ScanFiles, given: Sequence[float] | None, notes: list[str]
) -> tuple[float, ...]:
    signal = files.phase or files.real
    recorded = _all_times(signal)
    if given:
        times = tuple(float(t) for t in given)
        if len(times) == 2 and len(signal) == 1 and len(signal[0].shape) == 3:
            raise MetadataError(
                "There is one phase image but two echo times. If the image is the phase "
                "difference between two echoes, say --phase-difference."
            )
        if len(recorded) == len(times) and any(
            abs(a - b) > SAME_ECHO_S for a, b in zip(times, recorded, strict=True)
        ):
            notes.append(_differs("echo times", _ms(times), _ms(recorded)))
        return times
    if not recorded:
        missing = [image.path.name for image in signal if not image.echo_times_s]
        raise MetadataError(f"The echo time of '{missing[0]}' is not recorded; {_HOW_TE}.")
    return recorded


def _field_strength(files: ScanFiles, given: float | None, notes: list[str]) -> float:
    key = "MagneticFieldStrength"
    recorded = {t for i in files.images for t in numbers(i.metadata, key, i.path.name)}
    if given is not None:
        if any(abs(t - given) > 0.05 * abs(given) for t in recorded):
            said = ", ".join(f"{t:g}" for t in sorted(recorded))
            notes.append(_differs("field strength", f"{given:g} T", f"{said} T"))
        return float(given)
    if not recorded:
        name = (files.phase or files.real)[0].path.name
        raise MetadataError(f"The field strength of '{name}' is not recorded; {_HOW_B0}.")
    if len(recorded) > 1:
        said = ", ".join(f"{t:g}" for t in sorted(recorded))
        raise MetadataError(
            f"The sidecars give different field strengths ({said} T), so the images are not of "
            "one scan; give --field-strength-t if they are."
        )
    return recorded.pop()


def _all_times(images: Sequence[ImageFile]) -> tuple[float, ...]:
    """The echo time of each image; empty unless every one is recorded."""
    times = [image.echo_times_s for image in images]
    return tuple(t for own in times for t in own) if all(times) else ()


def _volumes(files: ScanFiles, notes: list[str]) -> tuple[tuple[Volume, ...], tuple[Volume, ...]]:
    magnitude = tuple(read_image(image.path) for image in files.magnitude)
    if files.phase:
        return tuple(read_image(image.path) for image in files.phase), magnitude
    phase, modulus = [], []
    for real_file, imaginary_file in zip(files.real, files.imaginary, strict=True):
        real = read_image(real_file.path)
        imaginary = read_image(imaginary_file.path).like(real)
        if real.data.shape != imaginary.data.shape:
            raise FileError(
                f"'{real_file.path.name}' and '{imaginary_file.path.name}' hold different numbers "
                "of echoes."
            )
        re = real.data.astype(np.float32, copy=False)
        im = imaginary.data.astype(np.float32, copy=False)
        phase.append(real.with_data(np.arctan2(im, re), unit="rad", name="phase"))
        modulus.append(real.with_data(np.hypot(re, im), unit="", name="magnitude"))
    notes.append("Phase and magnitude were computed from the real and imaginary images.")
    return tuple(phase), magnitude or tuple(modulus)


def _geometry_notes(volume: Volume) -> list[str]:
    """What the header's orientation leaves open; file names stay out, as they name people."""
    notes = []
    if not volume.orientation_known:
        notes.append(
            "The phase file records no orientation, so left and right cannot be told apart and B0 "
            "was taken to run along its third axis."
        )
    problem = form_problem(volume.stored.header) if volume.stored else ""
    if problem:
        notes.append(f"The orientation of the phase file is contradictory: {problem}")
    if b0_note(volume):
        notes.append(b0_note(volume))
    return notes


def _merged(images: Sequence[ImageFile]) -> dict[str, Any]:
    """Entries on which the sidecars of all echoes agree."""
    first = images[0].metadata
    return {
        key: value
        for key, value in first.items()
        if all(image.metadata.get(key) == value for image in images[1:])
    }


def _differs(what: str, given: str, recorded: str) -> str:
    return f"The {what} given ({given}) differs from the sidecar's ({recorded}); the given one is used."


def _ms(times_s: Sequence[float]) -> str:
    return ", ".join(f"{t * 1e3:g}" for t in times_s) + " ms"
