"""The built-in head: anatomy, scanned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.errors import QsmError
from napari_qsm.phantom import signal
from napari_qsm.phantom.anatomy import Anatomy, make_anatomy
from napari_qsm.phantom.grid import block_mean
from napari_qsm.phantom.subjects import Region
from napari_qsm.phantom.tissue import FLIP_ANGLE_DEG, REPETITION_TIME_S
from napari_qsm.recon.stages import Progress, no_progress
from napari_qsm.scan import Scan, check_echo_times, check_field_strength
from napari_qsm.volume import Volume

#: A grid on which a head is made in about a second, for tests and first tries.
SMALL: dict[str, tuple[float, ...]] = {"shape": (84, 100, 56), "voxel_size_mm": (2.0, 2.0, 2.5)}


@dataclass(frozen=True, eq=False)
class Head:
    """A scanned head and everything that is true about it, on one grid.

    Attributes
    ----------
    subject : str
        ``"control"`` or ``"patient"``.
    scan : Scan
        Wrapped phase in rad (paramagnetic tissue positive) and magnitude of each echo.
    chi : Volume
        True susceptibility, ppm against the mean of the whole brain; air is +9.4.
    labels : Volume
        Label map, uint8; 0 is no region.
    label_names : tuple of Region
        What the labels mean, in the order of their indices.
    mask : Volume
        Brain mask, uint8: cerebrum with its sulci, cerebellum, brain stem.
    local_field : Volume or None
        Field of the susceptibility inside the mask alone, ppm; zero outside the mask. None
        where it was not asked for.
    total_field : Volume
        Field of head and body after shimming, ppm: what the phase shows. In the air beyond
        the box that holds the head it is left at zero.
    r2star : Volume
        Decay rate, 1/s.
    """

    subject: str
    scan: Scan
    chi: Volume
    labels: Volume
    label_names: tuple[Region, ...]
    mask: Volume
    local_field: Volume | None
    total_field: Volume
    r2star: Volume


def make_head(
    subject: str = "control",
    *,
    shape: Sequence[int] = (384, 312, 72),
    voxel_size_mm: Sequence[float] = (0.625, 0.625, 2.0),
    echo_times_s: Sequence[float] = (0.021,),
    field_strength_t: float = 3.0,
    b0_direction: Sequence[float] = (0.0, 0.0, 1.0),
    snr: float | None = 40.0,
    seed: int = 0,
    bleed: bool = False,
    calcification: bool = False,
    coil_phase: bool = True,
    oversampling: Sequence[int] | None = None,
    local_field: bool = True,
    progress: Progress = no_progress,
) -> Head:
    """Make the built-in head, and scan it.

    Parameters
    ----------
    subject : {"control", "patient"}
        Whose putamen (and, of the patient, pallidum) the head has: see
        :data:`~napari_qsm.phantom.TABLE_1`.
    shape : three int
        Voxels to the right, to the front and to the top; the default is the case report's.
    voxel_size_mm : three float
        Their edges.
    echo_times_s : sequence of float
        Echo times in seconds.
    field_strength_t : float
        B0 in tesla.
    b0_direction : three float
        Direction of B0 in voxel axes. Anything but (0, 0, 1) turns the grid against the head
        and makes the affine oblique; the head keeps its place in the world.
    snr : float or None
        Signal-to-noise ratio of white matter at the first echo; None for no noise.
    seed : int
        Seed of the noise. The same seed gives the same bytes.
    bleed, calcification : bool
        Add a haemorrhage (+1 ppm) in the white matter, or calcium (-2 ppm) in the pineal gland
        and the choroid plexus, each with a label of its own.
    coil_phase : bool
        Add the smooth phase and sensitivity of receive coils.
    oversampling : three int, optional
        Cells per voxel along each axis on which the field is computed. By default as many
        as make the cells close to cubes, at most three.
    local_field : bool
        Whether the true local field is wanted too; without it a head takes a seventh less time.
    progress : callable
        Called with the fraction done; may raise to stop.

    Returns
    -------
    Head
        The scan, and the truth about it.

    Raises
    ------
    QsmError
        For a subject, grid, echo time, field strength or noise that is impossible.

    Notes
    -----
    The field is that of the whole head against infinite air (Marques & Bowtell 2005, Concepts
    Magn Reson 25B:65), computed on a zero-padded grid finer than the voxels. Voxel signals are
    means over their cells, so they fade where the field is steep. The susceptibility and decay
    of the tissues do not depend on ``field_strength_t``.

    Examples
    --------
    >>> head = make_head("patient", **SMALL)
    >>> head.chi.unit, head.scan.phase[0].unit
    ('ppm', 'rad')
    """
    times = check_echo_times(sorted(float(t) for t in echo_times_s))
    strength = check_field_strength(field_strength_t)
    if snr is not None and not snr > 0:
        raise QsmError(f"The signal-to-noise ratio must be above zero, not {snr:g}.")
    if seed != int(seed) or not 0 <= seed < 2**63:
        raise QsmError(f"The seed must be a whole number of at least 0, not {seed}.")
    anatomy = make_anatomy(
        subject,
        shape=shape,
        voxel_size_mm=voxel_size_mm,
        b0_direction=b0_direction,
        bleed=bleed,
        calcification=calcification,
        oversampling=oversampling,
        progress=lambda f: progress(0.45 * f),
    )
    local = signal.tissue_field(anatomy) if local_field else None
    progress(0.60)
    field = signal.measured_field(anatomy)
    progress(0.80)
    total = block_mean(field, anatomy.factors)
    phases, magnitudes = [], []
    for echo, time in enumerate(times):
        echo_signal = signal.complex_signal(anatomy, field, time, strength, coils=coil_phase)
        if snr is not None and np.isfinite(snr):
            sigma = signal.noise_sigma(snr, times[0])
            echo_signal += signal.noise(echo_signal.shape, sigma, int(seed), echo)
        phases.append(np.angle(echo_signal))
        magnitudes.append(np.abs(echo_signal))
        progress(0.80 + 0.20 * (echo + 1) / len(times))
    return _head(anatomy, times, strength, phases, magnitudes, local, total)


def _head(
    anatomy: Anatomy,
    times: tuple[float, ...],
    strength: float,
    phases: list[Array],
    magnitudes: list[Array],
    local: Array | None,
    total: Array,
) -> Head:
    grid = anatomy.chi
    number = [""] if len(times) == 1 else [f" echo {i + 1}" for i in range(len(times))]
    scan = Scan(
        phase=tuple(
            grid.with_data(p, unit="rad", name=f"phase{n}")
            for p, n in zip(phases, number, strict=True)
        ),
        magnitude=tuple(
            grid.with_data(m, unit="", name=f"magnitude{n}")
            for m, n in zip(magnitudes, number, strict=True)
        ),
        echo_times_s=times,
        field_strength_t=strength,
        metadata={
            "MagneticFieldStrength": strength,
            "RepetitionTime": REPETITION_TIME_S,
            "FlipAngle": FLIP_ANGLE_DEG,
            "MRAcquisitionType": "3D",
        },
    )
    return Head(
        subject=anatomy.subject.name,
        scan=scan,
        chi=anatomy.chi,
        labels=anatomy.labels,
        label_names=anatomy.label_names,
        mask=anatomy.mask,
        local_field=None
        if local is None
        else grid.with_data(local, unit="ppm", name="local field"),
        total_field=grid.with_data(total, unit="ppm", name="total field"),
        r2star=anatomy.r2star,
    )
