"""Maps and intermediates from files, in the unit that their sidecars declare."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from napari_qsm.errors import QsmError
from napari_qsm.io.bids import sidecar_of
from napari_qsm.io.formats import read_image
from napari_qsm.io.forms import side_notes
from napari_qsm.io.sidecar import numbers
from napari_qsm.quantities import canonical_unit, checked_map, in_canonical_unit, unit_of
from napari_qsm.volume import Volume

Warn = Callable[[str], None]


def read_quantity(
    path: Path | str,
    role: str,
    *,
    field_strength_t: float | None = None,
    echo_times_s: Sequence[float] = (),
    warn: Warn | None = None,
) -> Volume:
    """Read an intermediate in the unit that the stages work in.

    Parameters
    ----------
    path : Path or str
        NIfTI file; its sidecar, with what it inherits in a BIDS dataset, tells its unit.
    role : str
        ``"unwrapped"``, ``"total_field_ppm"``, ``"local_field_ppm"`` or ``"chi_ppm"``.
    field_strength_t, echo_times_s : optional
        Taken from the sidecar unless given.
    warn : callable, optional
        Told what was converted or taken for granted.

    Returns
    -------
    Volume
        In rad (unwrapped phase) or ppm.

    Raises
    ------
    FileError, GeometryError
        As from :func:`napari_qsm.io.nifti.read_volume`.
    MetadataError
        See :func:`napari_qsm.quantities.in_canonical_unit`.
    """
    path = Path(path)
    times, strength = timing_of(path)
    return in_canonical_unit(
        read_image(path, unit=unit_of(sidecar_of(path))),
        role,
        field_strength_t=strength if field_strength_t is None else field_strength_t,
        echo_times_s=tuple(echo_times_s) or times,
        warn=warn,
    )


def read_volume(path: Path | str, *, unit: str = "", name: str = "") -> Volume:
    """Read an image of any format, with the unit that its sidecar declares.

    Parameters
    ----------
    path : Path or str
        The file.
    unit, name : str
        Unit, if somebody stated it, and what to call the volume.

    Raises
    ------
    FileError, GeometryError
        As from :func:`napari_qsm.io.nifti.read_volume`.
    MetadataError
        If values and a unit of ppm or ppb contradict each other.
    """
    said = canonical_unit(unit) or unit_of(sidecar_of(path))
    volume = read_image(path, unit=said, name=name)
    return checked_map(volume) if said in ("ppm", "ppb") else volume


def read_map(path: Path | str, *, unit: str = "", warn: Warn | None = None) -> Volume:
    """Read a map to be measured or drawn.

    Parameters
    ----------
    path : Path or str
        NIfTI file.
    unit : str
        Its unit, if somebody stated it; what its sidecar declares unless given.
    warn : callable, optional
        Told what was taken for granted, and what the file leaves open about its sides.

    Raises
    ------
    FileError, GeometryError
        As from :func:`napari_qsm.io.nifti.read_volume`.
    MetadataError
        If values and unit contradict each other.
    """
    volume = read_image(path, unit=canonical_unit(unit) or unit_of(sidecar_of(path)))
    if warn is not None:
        for note in side_notes(volume):
            warn(note)
    return checked_map(volume, warn=warn)


def timing_of(path: Path | str) -> tuple[tuple[float, ...], float | None]:
    """Echo times in s and field strength in T as the sidecar of an image gives them."""
    path = Path(path)
    said = sidecar_of(path)
    strengths = numbers(said, "MagneticFieldStrength", path.name)
    return numbers(said, "EchoTime", path.name), strengths[0] if len(strengths) == 1 else None


def declared_unit(path: Path | str, warn: Warn | None = None) -> str:
    """The unit that the sidecar of an image declares; empty where there is none to read.

    Parameters
    ----------
    path : Path or str
        The image.
    warn : callable, optional
        Told if the sidecar cannot be read.
    """
    try:
        return unit_of(sidecar_of(path))
    except QsmError as error:
        if warn is not None:
            warn(str(error))
        return ""
