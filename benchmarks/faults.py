"""Faults made on purpose, by which the limits of quality are chosen: see :mod:`benchmarks.quality`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from benchmarks.heads import BenchHead
from napari_qsm.arrays import Array
from napari_qsm.recon.mask.morphology import erode_mm
from napari_qsm.recon.phase.scale import wrap_phase
from napari_qsm.scan import Scan
from napari_qsm.volume import Volume


def _same(scan: Scan) -> Scan:
    return scan


def _own_mask(head: BenchHead) -> Array:
    return head.mask


def _same_phase(unwrapped: Array, mask: Array) -> Array:
    return unwrapped


@dataclass(frozen=True)
class Fault:
    """Changes to the recipe, to the scan, to its mask, to the unwrapped phase, or to the head.

    ``needs`` is how many echoes it takes; ``times_noise`` what the head's noise is multiplied by.
    """

    name: str
    settings: tuple[str, ...] = ()
    scan: Callable[[Scan], Scan] = _same
    mask: Callable[[BenchHead], Array] = _own_mask
    unwrapped: Callable[[Array, Array], Array] = _same_phase
    times_noise: float = 1.0
    needs: int = 1


def _timed(factor: float) -> Callable[[Scan], Scan]:
    def changed(scan: Scan) -> Scan:
        times = tuple(factor * time for time in scan.echo_times_s)
        return replace(scan, echo_times_s=times, magnitude_echo_times_s=times)

    return changed


def _with_affine(change: Array) -> Callable[[Scan], Scan]:
    """The same arrays on a grid that is turned or stretched."""

    def volumes(given: tuple[Volume, ...]) -> tuple[Volume, ...]:
        return tuple(Volume(v.data, change @ v.affine, unit=v.unit) for v in given)

    def changed(scan: Scan) -> Scan:
        return replace(scan, phase=volumes(scan.phase), magnitude=volumes(scan.magnitude))

    return changed


def _turn(degrees: float) -> Array:
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    turn = np.eye(4)
    turn[1:3, 1:3] = np.array([[cos, -sin], [sin, cos]])
    return turn


def _with_phase(change: Callable[[list[Array]], list[Array]]) -> Callable[[Scan], Scan]:
    def changed(scan: Scan) -> Scan:
        phases = change([np.asarray(v.data) for v in scan.phase])
        pairs = zip(scan.phase, phases, strict=True)
        return replace(scan, phase=tuple(v.with_data(p) for v, p in pairs))

    return changed


def _exchanged(phases: list[Array]) -> list[Array]:
    return [phases[0], phases[2], phases[1], *phases[3:]]


def _second_is_noise(phases: list[Array]) -> list[Array]:
    rng = np.random.default_rng(0)
    noise = rng.uniform(-np.pi, np.pi, phases[1].shape).astype(np.float32)
    return [phases[0], noise, *phases[2:]]


def _last_has_moved(phases: list[Array]) -> list[Array]:
    return [*phases[:-1], np.roll(phases[-1], 2, axis=1)]


def _second_is_of_the_other_sign(phases: list[Array]) -> list[Array]:
    return [phases[0], -phases[1], *phases[2:]]


def _bipolar(phases: list[Array]) -> list[Array]:
    """A ramp of a turn across the head in every other echo, as readouts to and fro leave it."""
    ramp = np.linspace(0, 2 * np.pi, phases[0].shape[0], dtype=np.float32)[:, None, None]
    return [wrap_phase(p + ramp) if n % 2 else p for n, p in enumerate(phases)]


def _patches_of_turns(unwrapped: Array, mask: Array) -> Array:
    """Forty balls of 3 to 6 voxels radius, half of them at the rim, a whole turn off."""
    rng = np.random.default_rng(0)
    inside = np.argwhere(mask)
    rim = np.argwhere(mask & ~ndimage.binary_erosion(mask, iterations=2))
    grid = np.indices(mask.shape, dtype=np.float32)
    out = unwrapped.copy()
    for number in range(40):
        places = rim if number % 2 else inside
        centre = places[rng.integers(len(places))][:, None, None, None]
        ball = ((grid - centre) ** 2).sum(axis=0) < rng.uniform(3, 6) ** 2
        out[:, ball] += np.float32(2 * np.pi * rng.choice([-1, 1]))
    return out


def _nuclei(head: BenchHead) -> Array:
    return np.asarray(np.logical_or.reduce(list(head.nuclei.values())))


def _cut_at_the_side(head: BenchHead) -> Array:
    """The mask ends in a plane through the middle of one side's nuclei."""
    at = np.argwhere(_nuclei(head))[:, 0]
    beyond = at[at > at.mean()].mean()
    return np.asarray(head.mask & (np.arange(head.mask.shape[0]) < beyond)[:, None, None])


def _without_nuclei(head: BenchHead) -> Array:
    return np.asarray(head.mask & ~_nuclei(head))


def _smaller(by_mm: float) -> Callable[[BenchHead], Array]:
    return lambda head: erode_mm(head.mask, by_mm, head.grid.voxel_size_mm)


def _wider(voxels: int) -> Callable[[BenchHead], Array]:
    return lambda head: np.asarray(ndimage.binary_dilation(head.mask, iterations=voxels))


_WHOLE_MASK = ("mask.rim_level=0", "mask.quality_threshold=0")
#: What has to raise no alarm beside the scans as they are.
SOUND = (
    Fault("sound"),
    Fault("mask 4 mm smaller", mask=_smaller(4)),
)
FAULTS = (
    Fault("mask ends in a plane through the nuclei", mask=_cut_at_the_side),
    Fault("mask without the nuclei", mask=_without_nuclei),
    Fault("mask one voxel too wide", _WHOLE_MASK, mask=_wider(1)),
    Fault("mask two voxels too wide", _WHOLE_MASK, mask=_wider(2)),
    Fault("echo time half", scan=_timed(0.5)),
    Fault("echo time twice", scan=_timed(2)),
    Fault("echo time a tenth", scan=_timed(0.1)),
    Fault("echo time nine times", scan=_timed(9)),
    Fault("other sign of phase", ("phase.invert=true",)),
    Fault("B0 20 degrees off", scan=_with_affine(_turn(20))),
    Fault("B0 40 degrees off", scan=_with_affine(_turn(40))),
    Fault("B0 along the wrong axis", scan=_with_affine(_turn(90))),
    Fault("slices called 1.5 times as thick", scan=_with_affine(np.diag([1, 1, 1.5, 1]))),
    Fault("voxels called half as wide", scan=_with_affine(np.diag([0.5, 0.5, 1, 1]))),
    Fault("phase of half its size, undeclared", scan=_with_phase(lambda p: [a / 2 for a in p])),
    Fault("phase read at half its size", ("phase.full_scale=6.2832",)),
    Fault("phase read at twice its size", ("phase.full_scale=1.5708",)),
    Fault("patches of whole turns", unwrapped=_patches_of_turns),
    Fault("noise four times", times_noise=4),
    Fault("noise eight times", times_noise=8),
    Fault("second and third echo exchanged", scan=_with_phase(_exchanged), needs=3),
    Fault("second echo is noise", scan=_with_phase(_second_is_noise), needs=2),
    Fault("second echo of the other sign", scan=_with_phase(_second_is_of_the_other_sign), needs=2),
    Fault("last echo moved by two voxels", scan=_with_phase(_last_has_moved), needs=2),
    Fault("ramp of a turn in every other echo", scan=_with_phase(_bipolar), needs=2),
    Fault("balls of 8 mm and more", ("background.radius_min_mm=8",)),
    Fault("lambda 40 times", ("inversion.lambda_ppm=2e-3",)),
    Fault("tkd, threshold 0.05", ("inversion.method=tkd", "inversion.threshold=0.05")),
    Fault("plain Laplacian unwrapping", ("unwrap.method=laplacian", "unwrap.exact=false")),
)
