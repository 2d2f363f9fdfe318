"""Brain extraction by programs outside this one, where they are installed.

They are run only when a recipe names them; nothing falls back to or from them.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.errors import QsmError
from napari_qsm.recon.mask.extraction import combined_magnitude
from napari_qsm.recon.mask.refine import (
    ANY_HOLE_MM3,
    NO_REFINEMENT,
    Refinement,
    checked_phase,
    needed_magnitude,
    refinable,
    refined,
)
from napari_qsm.recon.stages import Param, Progress, Warn, method, no_progress, no_warning

# Between two looks at the child, so that a cancel is obeyed within half a second.
_POLL_S = 0.1


@method(
    "mask",
    "bet",
    title="BET (FSL must be installed)",
    references=("Smith 2002, Hum Brain Mapp 17:143, doi:10.1002/hbm.10062",),
)
@refinable(quality_threshold=0.6, erode_mm=0.0, dilate_mm=0.0)
def bet(
    phase: Array,
    magnitude: Array | None,
    voxel_size_mm: Sequence[float],
    *,
    fraction: Annotated[
        float,
        Param("BET's fractional intensity threshold; smaller gives a larger brain.", ge=0, le=1),
    ] = 0.5,
    refinement: Refinement = NO_REFINEMENT,
    progress: Progress = no_progress,
    warn: Warn = no_warning,
) -> Array:
    """Brain extraction by FSL's ``bet``, less the rim where the phase is noise.

    Parameters
    ----------
    phase : (E, x, y, z) ndarray
        Wrapped phase, rad.
    magnitude : (M, x, y, z) ndarray or None
        Magnitudes, any unit, in closest-canonical RAS.
    voxel_size_mm : three floats
        Edge lengths of a voxel.
    fraction : float
        BET's ``-f``.
    refinement : Refinement
        The last steps; its fields are given as settings of their own.
    progress, warn : callables
        Called while the program runs; ``progress`` may raise to end it.

    Returns
    -------
    (x, y, z) bool ndarray
        The mask.

    Raises
    ------
    MetadataError
        Without a magnitude.
    QsmError
        If the program is missing or fails, or if nothing is left.
    """
    phase = checked_phase(phase)
    magnitude = needed_magnitude(magnitude, phase, "bet")

    def arguments(source: Path, folder: Path) -> list[str]:
        return [str(source), str(folder / "b"), "-m", "-n", "-f", f"{fraction:g}"]

    mask = run_brain_tool(
        "bet", arguments, "b_mask.nii.gz", magnitude, voxel_size_mm, progress=progress
    )
    return _trimmed(mask, phase, magnitude, voxel_size_mm, refinement, progress)


@method(
    "mask",
    "hd-bet",
    title="HD-BET (version 2 must be installed)",
    references=("Isensee 2019, Hum Brain Mapp 40:4952, doi:10.1002/hbm.24750",),
)
@refinable(quality_threshold=0.6, erode_mm=0.0, dilate_mm=0.0)
def hd_bet(
    phase: Array,
    magnitude: Array | None,
    voxel_size_mm: Sequence[float],
    *,
    device: Annotated[
        str, Param("What HD-BET computes on.", choices=("cpu", "cuda", "mps"))
    ] = "cpu",
    refinement: Refinement = NO_REFINEMENT,
    progress: Progress = no_progress,
    warn: Warn = no_warning,
) -> Array:
    """Brain extraction by HD-BET's network, less the rim where the phase is noise.

    Parameters
    ----------
    phase : (E, x, y, z) ndarray
        Wrapped phase, rad.
    magnitude : (M, x, y, z) ndarray or None
        Magnitudes, any unit, in closest-canonical RAS.
    voxel_size_mm : three floats
        Edge lengths of a voxel.
    device : str
        HD-BET's ``-device``; on the CPU its test-time augmentation is off, as its authors advise.
    refinement : Refinement
        The last steps; its fields are given as settings of their own.
    progress, warn : callables
        Called while the program runs; ``progress`` may raise to end it.

    Returns
    -------
    (x, y, z) bool ndarray
        The mask.

    Raises
    ------
    MetadataError
        Without a magnitude.
    QsmError
        If the program is missing or fails, or if nothing is left.
    """
    phase = checked_phase(phase)
    magnitude = needed_magnitude(magnitude, phase, "hd-bet")

    def arguments(source: Path, folder: Path) -> list[str]:
        files = ["-i", str(source), "-o", str(folder / "b.nii.gz")]
        quick = ["--disable_tta"] if device == "cpu" else []
        return [*files, "-device", device, "--save_bet_mask", "--no_bet_image", *quick]

    mask = run_brain_tool(
        "hd-bet", arguments, "b_bet.nii.gz", magnitude, voxel_size_mm, progress=progress
    )
    return _trimmed(mask, phase, magnitude, voxel_size_mm, refinement, progress)


@method(
    "mask",
    "synthstrip",
    title="SynthStrip (FreeSurfer must be installed)",
    references=("Hoopes 2022, NeuroImage 260:119474, doi:10.1016/j.neuroimage.2022.119474",),
)
@refinable(quality_threshold=0.6, erode_mm=0.0, dilate_mm=0.0)
def synthstrip(
    phase: Array,
    magnitude: Array | None,
    voxel_size_mm: Sequence[float],
    *,
    border_mm: Annotated[
        float,
        Param("How far outside the brain SynthStrip ends its mask.", unit="mm", ge=-10, le=20),
    ] = 1.0,
    refinement: Refinement = NO_REFINEMENT,
    progress: Progress = no_progress,
    warn: Warn = no_warning,
) -> Array:
    """Brain extraction by FreeSurfer's ``mri_synthstrip``, less the rim where the phase is noise.

    Parameters
    ----------
    phase : (E, x, y, z) ndarray
        Wrapped phase, rad.
    magnitude : (M, x, y, z) ndarray or None
        Magnitudes, any unit, in closest-canonical RAS.
    voxel_size_mm : three floats
        Edge lengths of a voxel.
    border_mm : float
        SynthStrip's ``-b``.
    refinement : Refinement
        The last steps; its fields are given as settings of their own.
    progress, warn : callables
        Called while the program runs; ``progress`` may raise to end it.

    Returns
    -------
    (x, y, z) bool ndarray
        The mask.

    Raises
    ------
    MetadataError
        Without a magnitude.
    QsmError
        If the program is missing or fails, or if nothing is left.
    """
    phase = checked_phase(phase)
    magnitude = needed_magnitude(magnitude, phase, "synthstrip")

    def arguments(source: Path, folder: Path) -> list[str]:
        return ["-i", str(source), "-m", str(folder / "mask.nii.gz"), "-b", f"{border_mm:g}"]

    mask = run_brain_tool(
        "mri_synthstrip", arguments, "mask.nii.gz", magnitude, voxel_size_mm, progress=progress
    )
    return _trimmed(mask, phase, magnitude, voxel_size_mm, refinement, progress)


def run_brain_tool(
    program: str,
    arguments: Callable[[Path, Path], list[str]],
    mask_name: str,
    magnitude: Array,
    voxel_size_mm: Sequence[float],
    *,
    progress: Progress = no_progress,
) -> Array:
    """Hand the combined magnitude to a program and read back the mask it writes.

    Parameters
    ----------
    program : str
        Its name on the PATH.
    arguments : callable
        Given the NIfTI file to read and the folder to write into, its arguments.
    mask_name : str
        The file in that folder in which it leaves the mask.
    magnitude : (x, y, z) or (M, x, y, z) ndarray
        Magnitudes in closest-canonical RAS.
    voxel_size_mm : three floats
        Edge lengths of a voxel.
    progress : callable
        Called ten times a second while the program runs; if it raises, the program is ended.

    Returns
    -------
    (x, y, z) bool ndarray
        Where the program's mask is above zero.

    Raises
    ------
    QsmError
        If the program is not installed, fails, or leaves no mask of the right shape.
    """
    import nibabel as nib

    path = shutil.which(program)
    if path is None:
        raise QsmError(
            f"The program '{program}' was chosen for the brain mask but is not on the PATH; "
            "install it, or choose another mask method."
        )
    image = combined_magnitude(magnitude) * np.float32(1000)
    affine = np.diag([*(float(size) for size in voxel_size_mm), 1.0])
    with tempfile.TemporaryDirectory(prefix="napari-qsm-") as name:
        folder = Path(name)
        source = folder / "magnitude.nii.gz"
        nib.save(nib.Nifti1Image(image, affine), source)
        _run([path, *arguments(source, folder)], program, folder, progress)
        result = folder / mask_name
        if not result.is_file():
            raise QsmError(f"'{program}' ended without writing a mask; run it by hand to see why.")
        # Programs differ in the axis order they write.
        written = nib.as_closest_canonical(nib.load(result))
        mask = np.asarray(written.dataobj) > 0
    mask = mask.reshape(mask.shape[:3]) if mask.size == np.prod(mask.shape[:3]) else mask
    if mask.shape != image.shape:
        raise QsmError(
            f"'{program}' wrote a mask of shape {mask.shape} for a scan of shape {image.shape}."
        )
    return mask


def _trimmed(
    mask: Array,
    phase: Array,
    magnitude: Array,
    voxel_size_mm: Sequence[float],
    refinement: Refinement,
    progress: Progress,
) -> Array:
    """What all three tools' masks go through: as the ``brain`` method's, with its defaults."""
    steps = replace(refinement, closing_mm=3.0, fill_holes_mm3=ANY_HOLE_MM3, keep_largest=True)
    return refined(mask, phase, magnitude, voxel_size_mm, steps, progress=progress)


def _run(command: list[str], program: str, folder: Path, progress: Progress) -> None:
    """Run to the end, or end it and its children when ``progress`` raises."""
    environment = {**os.environ, "FSLOUTPUTTYPE": "NIFTI_GZ"}
    log = folder / "output.txt"
    with log.open("wb") as output:
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=environment,
                start_new_session=os.name == "posix",
            )
        except OSError as error:
            raise QsmError(f"'{program}' could not be started: {error.strerror}.") from error
        try:
            while process.poll() is None:
                progress(0.0)
                time.sleep(_POLL_S)
        except BaseException:
            _end(process)
            raise
    if process.returncode != 0:
        lines = log.read_text(errors="replace").strip().splitlines()
        said = f": {lines[-1].strip()[:200]}" if lines else "."
        raise QsmError(f"'{program}' failed (exit status {process.returncode}){said}")


def _end(process: subprocess.Popen[bytes]) -> None:
    # bet is a script: its children must go with it.
    if os.name == "posix":
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()
