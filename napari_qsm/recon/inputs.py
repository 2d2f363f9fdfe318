"""What a reconstruction starts from: a scan or any intermediate, and the arrays methods get."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.errors import MetadataError
from napari_qsm.io.forms import b0_note, form_problem
from napari_qsm.io.whole_numbers import as_mask
from napari_qsm.quantities import ROLES, canonical_unit, in_canonical_unit
from napari_qsm.scan import Scan
from napari_qsm.volume import Volume

NOTHING = "Nothing to reconstruct: give the phase, an unwrapped phase or a field."
#: Measured on six heads, voxels of 2 mm and more.
NO_MAGNITUDE = (
    "There is no magnitude, so neither the noise nor the edges of the tissue are known: means of nuclei come "
    "out 2 to 13 % lower than with one."
)
_SINGLE = (
    "mask",
    "unwrapped",
    "total_field_ppm",
    "local_field_ppm",
    "chi_ppm",
    "reference_roi",
    "r2_per_s",
)
#: What helps a reconstruction, but is nothing to start from.
_BESIDE = ("magnitude", "mask", "reference_roi", "r2_per_s")


@dataclass(frozen=True)
class Inputs:
    """What a reconstruction starts from: a scan, or any intermediate, on one grid.

    Attributes
    ----------
    scan : Scan or None
        Phase and magnitude; not needed when a field is given.
    magnitude : tuple of Volume
        Magnitudes to weight a reconstruction that starts from a field; a scan brings its own.
    mask : Volume or None
        Brain mask of 0 and 1, used instead of the recipe's mask method.
    unwrapped : Volume or None
        Unwrapped phase in rad, 3-D, or 4-D with echoes last; needs echo times and field
        strength, either from ``scan`` or below.
    total_field_ppm, local_field_ppm : Volume or None
        Fields in ppm of B0.
    chi_ppm : Volume or None
        A finished susceptibility map in ppm, to be referenced anew.
    reference_roi : Volume or None
        Region of 0 and 1 whose mean susceptibility becomes zero.
    r2_per_s : Volume or None
        R2 in 1/s, from spin echoes; parts R2* for chi-separation.
    echo_times_s : tuple of float
        Only with ``unwrapped`` and no scan.
    field_strength_t : float or None
        Only with ``unwrapped`` and no scan.
    """

    scan: Scan | None = None
    magnitude: tuple[Volume, ...] = ()
    mask: Volume | None = None
    unwrapped: Volume | None = None
    total_field_ppm: Volume | None = None
    local_field_ppm: Volume | None = None
    chi_ppm: Volume | None = None
    reference_roi: Volume | None = None
    r2_per_s: Volume | None = None
    echo_times_s: tuple[float, ...] = ()
    field_strength_t: float | None = None

    def grid(self) -> Volume:
        """A volume that stands for the grid of all inputs.

        Raises
        ------
        GeometryError
            If they do not share one grid.
        MetadataError
            If there is nothing to start from.
        """
        named = self.named()
        starts = [v for role, v in named if role not in _BESIDE]
        if not starts:
            raise MetadataError(NOTHING)
        for _, volume in named:
            volume.like(starts[0])
        return starts[0]

    def named(self) -> list[tuple[str, Volume]]:
        """Every volume given, with its role."""
        given: list[tuple[str, Volume]] = []
        if self.scan is not None:
            given += [("phase", v) for v in self.scan.phase]
            given += [("magnitude", v) for v in self.scan.magnitude]
        given += [("magnitude", v) for v in self.magnitude]
        for role in _SINGLE:
            volume = getattr(self, role)
            if volume is not None:
                given.append((role, volume))
        return given


def quantities(inputs: Inputs, grid: Volume) -> dict[str, Any]:
    """Everything the stages may ask for at the start, as canonical arrays.

    Parameters
    ----------
    inputs : Inputs
        In any axis order.
    grid : Volume
        ``inputs.grid().to_canonical()``.

    Returns
    -------
    dict
        Name to value, see :data:`napari_qsm.recon.stages.QUANTITIES`; what stages make
        (``phase``, ``mask``, ...) is there only if it was given.

    Raises
    ------
    FileError
        For masks that hold more than inside and outside.
    MetadataError
        For an unwrapped phase without its echo
        times or field strength.
    GeometryError
        If the inputs do not share one grid.
    """

    def stack(volumes: tuple[Volume, ...]) -> Array:
        return np.stack([np.asarray(v.like(grid).data) for v in volumes])

    def single(volume: Volume) -> Array:
        return np.ascontiguousarray(volume.like(grid).data)

    have: dict[str, Any] = {
        "voxel_size_mm": grid.voxel_size_mm,
        "b0_direction": grid.b0_direction,
        "metadata": {},
        "echo_times_s": inputs.echo_times_s,
        "magnitude": None,
        "magnitude_echo_times_s": (),
        "noise_ppm": None,
        "given_mask": None,
        "reference_roi": None,
        "r2_per_s": None,
        "slice_axis": slice_axis(grid),
    }
    scan = inputs.scan
    if scan is not None:
        have["raw_phase"] = stack(scan.phase)
        have["echo_times_s"] = scan.echo_times_s
        have["field_strength_t"] = scan.field_strength_t
        have["metadata"] = scan.metadata
        have["magnitude_echo_times_s"] = scan.magnitude_echo_times_s
    elif inputs.field_strength_t is not None:
        have["field_strength_t"] = inputs.field_strength_t
    magnitude = inputs.magnitude or (scan.magnitude if scan else ())
    if magnitude:
        have["magnitude"] = stack(magnitude).astype(np.float32, copy=False)
    if inputs.mask is not None:
        have["given_mask"] = _mask_of(inputs.mask, grid, "mask")
    if inputs.reference_roi is not None:
        have["reference_roi"] = _mask_of(inputs.reference_roi, grid, "reference region")
    if inputs.r2_per_s is not None:
        have["r2_per_s"] = rate_on(inputs.r2_per_s, grid)
    if inputs.unwrapped is not None:
        volume = _in_unit(inputs.unwrapped, "unwrapped", have)
        count = volume.data.shape[3] if volume.data.ndim == 4 else 1
        have["unwrapped"] = stack(tuple(volume.echo(i) for i in range(count))).astype(
            np.float32, copy=False
        )
        if len(have["echo_times_s"]) != count:
            raise MetadataError(
                f"The unwrapped phase has {count} echoes but {len(have['echo_times_s'])} echo "
                "times were given."
            )
        if "field_strength_t" not in have:
            raise MetadataError("Starting from an unwrapped phase needs the field strength in T.")
    for name in ("total_field_ppm", "local_field_ppm", "chi_ppm"):
        volume = getattr(inputs, name)
        if volume is not None:
            data = single(_in_unit(volume, name, have))
            have[name] = data if data.dtype.kind == "f" else data.astype(np.float32)
    return have


def slice_axis(grid: Volume) -> int:
    """Along which axis of a canonical volume the slices of its file are stacked."""
    stored = grid.stored.affine if grid.stored is not None else grid.affine
    return int(np.argmax(np.abs(np.linalg.solve(grid.affine[:3, :3], stored[:3, 2]))))


def rate_on(volume: Volume, grid: Volume) -> Array:
    """A relaxation rate in 1/s on a grid; a T2 map, which looks much the same, is refused."""
    if canonical_unit(volume.unit) not in ("", "1/s"):
        raise MetadataError(
            f"The R2 map '{volume.name}' is in {volume.unit}; R2 in 1/s is needed (1/T2)."
        )
    return np.ascontiguousarray(volume.like(grid).data, dtype=np.float32)


def _mask_of(volume: Volume, grid: Volume, what: str) -> Array:
    return np.ascontiguousarray(as_mask(volume.like(grid), what))


def _in_unit(volume: Volume, role: str, have: Mapping[str, Any]) -> Volume:
    """An intermediate in its canonical unit; one that says none is taken for what it is given as."""
    if volume.unit in ("", ROLES[role].unit):
        return volume
    return in_canonical_unit(
        volume,
        role,
        field_strength_t=have.get("field_strength_t"),
        echo_times_s=have["echo_times_s"],
    )


def input_warnings(inputs: Inputs, grid: Volume) -> list[str]:
    """What the user should know about the inputs before anything has run."""
    scan = inputs.scan
    notes = scan.metadata.get("Notes", []) if scan is not None else []
    said = [str(note) for note in notes] if isinstance(notes, list) else []
    if not grid.orientation_known and not any("orientation" in note for note in said):
        said.append(
            f"'{grid.name}' records no orientation: left and right cannot be told apart, and B0 "
            "is assumed to run along the third axis."
        )
    for role, volume in inputs.named():
        who = f"the {role.removesuffix('_ppm').replace('_', ' ')} '{volume.name}'"
        problem = form_problem(volume.stored.header) if volume.stored is not None else ""
        if problem and not any(problem in note for note in said):
            said.append(f"The header of {who} contradicts itself: {problem}")
        if role in ("mask", "reference_roi"):
            as_mask(volume, role.replace("_roi", " region"), warn=said.append)
    if scan is not None and not (inputs.magnitude or scan.magnitude):
        said.append(NO_MAGNITUDE)
    if b0_note(grid) and b0_note(grid) not in said:
        said.append(b0_note(grid))
    if scan is not None and scan.phase_difference and not any("difference" in n for n in said):
        delta = scan.echo_times_s[0] * 1e3
        said.append(f"The phase is a difference between two echoes; {delta:g} ms is used as time.")
    return said
