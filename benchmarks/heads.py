"""Heads that nobody tuned to: real cortex and nuclei, warped at random, scanned by formula.

The cortex is that of a T1 template, the nuclei are those of the CIT168 atlas (Pauli 2018, Sci
Data 5:180063); both are bent by a smooth random displacement, and every nucleus draws its
susceptibility. The field is computed on the atlas's 1 mm grid, padded, and voxels of the scan are
means over its cells. What lies outside the brain is low-passed (3 mm) and kept off the mask, so
that the background is harmonic inside on any grid; a field made of sharp edges is not. The
magnitude follows the susceptibility, as R2* does, or has nothing to do with it.

Needs a folder with ``cit168`` (Pauli 2018, CC BY 4.0) and ``head-model`` (Fortier 2017, MIT); the
environment variable ``NAPARI_QSM_HEADS`` names it.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from scipy import ndimage
from scipy.io import loadmat

from napari_qsm.arrays import Array, bounding_box
from napari_qsm.phantom import make_head
from napari_qsm.recon.fourier import (
    dipole_kernel,
    fast_shape,
    field_ppm_per_rad,
    irfftn,
    pad_to,
    rfftn,
)
from napari_qsm.scan import Scan
from napari_qsm.volume import Volume

DATA = Path(os.environ.get("NAPARI_QSM_HEADS", "heads"))

#: Lowest and highest susceptibility that a nucleus may draw, ppm, by a part of its atlas name.
_DRAWN = {
    "Putamen": (0.03, 0.13),
    "Caudate": (0.02, 0.09),
    "Accumbens": (0.02, 0.08),
    "Pallidus": (0.09, 0.22),
    "Red Nucleus": (0.05, 0.16),
    "Nigra": (0.06, 0.19),
    "Subthalamic": (0.05, 0.15),
}
#: Susceptibility of fluid, grey and white matter against the T1 template's grey values.
_T1_LEVELS, _T1_CHI = (20.0, 60.0, 135.0, 190.0, 230.0), (0.0, 0.0, 0.02, -0.03, -0.04)
#: How far sources outside keep off, and their low-pass, mm: mostly, and for a steep rim.
_GAP_MM = (5.0, 1.5)
_LOW_PASS_MM = (3.0, 2.0)
_FIELD_T = 3.0


@dataclass(frozen=True)
class Case:
    """How one head differs from the others.

    ``coil_r2`` is the bowl of the coils' phase, rad at the ends of the axes; ``air`` other than 1 makes
    what lies outside that much stronger and brings it nearer, so that the phase at the rim is steep.
    ``gentle`` bends it as people differ, over 36 mm and a little over 14, and not within 22 mm.
    """

    name: str
    seed: int = 0
    snr: float = 40.0
    echo_times_s: tuple[float, ...] = (0.02,)
    voxel_mm: tuple[int, int, int] = (2, 2, 2)
    lesions: bool = False
    follows: bool = True
    tilt_deg: float = 0.0
    skull: bool = False
    built_in: bool = False
    coil_r2: float = 0.0
    air: float = 1.0
    gentle: bool = False


#: Settings are chosen on these ...
CHOOSING = (
    Case("built-in, 1.25 x 1.25 x 2 mm", built_in=True, echo_times_s=(0.021,)),
    Case("atlas 1, 2 mm", seed=1, follows=False),
    Case("atlas 2, lesions", seed=2, lesions=True, echo_times_s=(0.024,), skull=True),
    Case("atlas 3, five echoes", seed=3, echo_times_s=(0.005, 0.01, 0.015, 0.02, 0.025), snr=60),
    Case("atlas 8, coil's bowl", seed=12, coil_r2=1.0),
)
#: ... and reported on these.
REPORTING = (
    Case("atlas 4, 1 x 1 x 2 mm", seed=4, voxel_mm=(1, 1, 2), echo_times_s=(0.021,), snr=30),
    Case("atlas 5, skull model, tilted 20°", seed=5, skull=True, tilt_deg=20, snr=80),
    Case("atlas 6, lesions, SNR 20", seed=6, lesions=True, snr=20, echo_times_s=(0.016,)),
    Case(
        "atlas 7, five echoes, lesions, magnitude unrelated",
        seed=7,
        lesions=True,
        follows=False,
        echo_times_s=(0.004, 0.01, 0.016, 0.022, 0.028),
        skull=True,
    ),
    Case(
        "atlas 9, 1 x 1 x 2 mm, coil's bowl, steep rim",
        seed=14,
        voxel_mm=(1, 1, 2),
        echo_times_s=(0.025,),
        coil_r2=-0.8,
        air=2.0,
    ),
)


@dataclass(frozen=True, eq=False)
class BenchHead:
    """A scan with everything that is true about it; arrays on the scan's grid, ppm.

    Attributes
    ----------
    scan : Scan
    chi, local_field, total_field : (x, y, z) ndarray
    mask : (x, y, z) bool ndarray
    nuclei : dict
        Name to voxels.
    strong : (x, y, z) bool ndarray
        Bleeds and calcifications.
    """

    scan: Scan
    chi: Array
    local_field: Array
    total_field: Array
    mask: Array
    nuclei: dict[str, Array]
    strong: Array

    @property
    def grid(self) -> Volume:
        """The grid of the scan."""
        return self.scan.phase[0]


def make(case: Case, data: Path = DATA) -> BenchHead:
    """Make a head.

    Raises
    ------
    FileNotFoundError
        Where the atlas is missing.
    """
    return _built_in(case) if case.built_in else _atlas(case, data)


def _built_in(case: Case) -> BenchHead:
    head = make_head(
        "patient",
        shape=(192, 156, 72),
        voxel_size_mm=(1.25, 1.25, 2.0),
        echo_times_s=case.echo_times_s,
        snr=case.snr,
        seed=case.seed,
        bleed=case.lesions,
        calcification=case.lesions,
    )
    labels, mask = head.labels.data, head.mask.data > 0
    nuclei = {f"{r.name} {r.side}": labels == r.index for r in head.label_names if r.index < 17}
    chi = np.where(mask, head.chi.data, 0)
    strong = mask & (np.abs(chi) > 0.4)
    return BenchHead(
        head.scan, chi, head.local_field.data, head.total_field.data, mask, nuclei, strong
    )


def _atlas(case: Case, data: Path) -> BenchHead:
    rng = np.random.default_rng(case.seed)
    t1, labels, names = _template(data)
    bend = (_gentle_displacement if case.gentle else _displacement)(t1.shape, rng)
    t1 = ndimage.map_coordinates(t1, bend, order=1)
    mask = _brain(t1)
    chi, nuclei, strong = _susceptibility(case, t1, labels, names, bend, mask, rng)
    tilt = np.deg2rad(case.tilt_deg)
    b0 = (0.0, float(np.sin(tilt)), float(np.cos(tilt)))
    outside = _skull(data, mask) if case.skull else _blobs(mask, rng)
    outside = case.air * _kept_off(outside, mask, near=case.air != 1)
    local, background = _fields((chi, outside), b0)
    total = local + _shimmed(background, mask)
    factors = case.voxel_mm
    phases, magnitudes = _signal(case, chi, t1, total, mask, rng)
    affine = _affine(factors, tilt)

    def volume(values: Array, unit: str) -> Volume:
        return Volume(np.ascontiguousarray(values), affine, unit=unit)

    scan = Scan(
        phase=tuple(volume(p, "rad") for p in phases),
        magnitude=tuple(volume(m, "") for m in magnitudes),
        echo_times_s=case.echo_times_s,
        field_strength_t=_FIELD_T,
    )
    kept = _mean(mask.astype(np.float32), factors) > 0.99
    return BenchHead(
        scan=scan,
        chi=np.where(kept, _mean(np.where(mask, chi, 0), factors), 0),
        local_field=_mean(local, factors),
        total_field=_mean(total, factors),
        mask=kept,
        nuclei={n: kept & (_mean(w.astype(np.float32), factors) > 0.5) for n, w in nuclei.items()},
        strong=kept & (_mean(strong.astype(np.float32), factors) > 0.25),
    )


def _template(data: Path) -> tuple[Array, Array, list[str]]:
    """T1 template with room round it, atlas labels on its grid, and their names."""
    folder = data / "cit168"
    t1 = nib.load(folder / "CIT168toMNI152-2009c_T1w_brain.nii.gz")
    atlas = nib.load(folder / "cit168_labels.nii.gz")
    shift = np.rint(atlas.affine[:3, 3] - t1.affine[:3, 3]).astype(int)
    image = np.asarray(t1.dataobj, dtype=np.float32)
    labels = np.zeros(image.shape, np.uint8)
    values = np.asarray(atlas.dataobj)
    labels[tuple(slice(s, s + n) for s, n in zip(shift, values.shape, strict=True))] = values
    room = [(8, 8 + (-n) % 4) for n in image.shape]
    text = (folder / "CIT168.json").read_text("utf-8")
    return np.pad(image, room), np.pad(labels, room), json.loads(text)["labels"]


def _smooth_noise(shape: tuple[int, ...], sigma: float, rng: np.random.Generator) -> Array:
    """A random field of standard deviation 1."""
    coarse = [max(2, int(np.ceil(n / sigma)) + 3) for n in shape]
    at = np.meshgrid(*(np.arange(n) / sigma + 1 for n in shape), indexing="ij")
    noise = ndimage.map_coordinates(rng.standard_normal(coarse), at, order=1)
    return (noise / noise.std()).astype(np.float32)


def _displacement(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Where each voxel of the head takes its values from: about 2.5 mm off, and another size."""
    at = np.array(np.meshgrid(*(np.arange(n, dtype=np.float32) for n in shape), indexing="ij"))
    centre = (np.array(shape, np.float32) - 1)[:, None, None, None] / 2
    size = rng.uniform(0.97, 1.06, (3, 1, 1, 1)).astype(np.float32)
    bent = centre + (at - centre) * size
    for axis in range(3):
        bent[axis] += 2.5 * _smooth_noise(shape, 22, rng)
    return bent


def _gentle_displacement(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """As :func:`_displacement`, smoother; size differs by up to 8 % along each axis."""
    at = np.array(np.meshgrid(*(np.arange(n, dtype=np.float32) for n in shape), indexing="ij"))
    centre = (np.array(shape, np.float32) - 1)[:, None, None, None] / 2
    bent = centre + (at - centre) * rng.uniform(0.93, 1.08, (3, 1, 1, 1)).astype(np.float32)
    for axis in range(3):
        bent[axis] += 2.2 * _smooth_noise(shape, 36, rng) + 0.6 * _smooth_noise(shape, 14, rng)
    return bent


def _brain(t1: Array) -> Array:
    found = ndimage.binary_opening(t1 > 45, iterations=2)
    pieces, _ = ndimage.label(found)
    largest = pieces == np.bincount(pieces.ravel())[1:].argmax() + 1
    closed = ndimage.binary_closing(largest, iterations=4)
    return ndimage.binary_fill_holes(closed)


def _susceptibility(
    case: Case,
    t1: Array,
    labels: Array,
    names: list[str],
    bend: Array,
    mask: Array,
    rng: np.random.Generator,
) -> tuple[Array, dict[str, Array], Array]:
    chi = np.interp(t1, _T1_LEVELS, _T1_CHI).astype(np.float32)
    chi += 0.006 * _smooth_noise(t1.shape, 8, rng)
    nuclei = {}
    # Only where the bent head looks into the atlas's own box.
    box = bounding_box(labels > 0, 4)
    ends = zip(bend, box, strict=True)
    near = bounding_box(np.logical_and.reduce([(a > s.start) & (a < s.stop) for a, s in ends]))
    origin = np.array([s.start for s in box])[:, None, None, None]
    labels, bend = labels[box], bend[(slice(None), *near)] - origin
    for index, name in enumerate(names):
        drawn = next((ends for part, ends in _DRAWN.items() if part in name), None)
        if drawn is None:
            continue
        share = ndimage.gaussian_filter((labels == index).astype(np.float32), 0.6)
        share = ndimage.map_coordinates(share, bend, order=1)
        if (share > 0.5).sum() < 100:
            continue
        value = rng.uniform(*drawn) + 0.01 * _smooth_noise(share.shape, 6, rng)
        chi[near] += share * (value - chi[near])
        nuclei[name.strip()] = np.zeros(t1.shape, bool)
        nuclei[name.strip()][near] = share > 0.5
    chi = _with_veins(chi, mask, rng)
    strong = np.zeros(mask.shape, bool)
    if case.lesions:
        deep = ndimage.distance_transform_edt(mask) > 14
        taken = ndimage.binary_dilation(np.logical_or.reduce(list(nuclei.values())), iterations=7)
        places = np.argwhere(deep & ~taken)
        grid = np.indices(mask.shape, dtype=np.float32)
        for value, radius in ((1.0, rng.uniform(3.5, 6)), (-1.6, rng.uniform(2.5, 4))):
            centre = places[rng.integers(len(places))]
            apart = np.sqrt(((grid - centre[:, None, None, None]) ** 2).sum(axis=0))
            share = np.clip(radius + 0.5 - apart, 0, 1)
            chi += share * (value - chi)
            strong |= share > 0.5
    return np.where(mask, chi, 0), nuclei, strong


def _with_veins(chi: Array, mask: Array, rng: np.random.Generator) -> Array:
    """Forty crooked tubes of 0.7 to 1.4 mm radius, 0.15 to 0.35 ppm."""
    inside = np.argwhere(ndimage.binary_erosion(mask, iterations=3))
    share = np.zeros(mask.shape, np.float32)
    for _ in range(40):
        at = inside[rng.integers(len(inside))].astype(float)
        way = rng.standard_normal(3)
        radius, value = rng.uniform(0.7, 1.4), rng.uniform(0.15, 0.35)
        for _ in range(rng.integers(20, 60)):
            way = way / np.linalg.norm(way) + 0.25 * rng.standard_normal(3)
            at = at + way / np.linalg.norm(way)
            low = np.floor(at - 3).astype(int)
            if (low < 0).any() or (low + 7 > mask.shape).any():
                break
            box = tuple(slice(i, i + 7) for i in low)
            apart = np.sqrt(((np.indices((7, 7, 7)).T + low - at) ** 2).sum(axis=-1)).T
            share[box] = np.maximum(share[box], value * np.clip(radius + 0.5 - apart, 0, 1))
    return np.where(share > 0, np.maximum(chi, share), chi)


def _blobs(mask: Array, rng: np.random.Generator) -> Array:
    """Air in sinuses and ears as soft balls, and bone round the brain, ppm against tissue."""
    apart = ndimage.distance_transform_edt(~mask)
    out = np.where((apart > 4) & (apart < 9), -1.5, 0.0).astype(np.float32)
    grid = np.indices(mask.shape, dtype=np.float32)
    middle = np.array(ndimage.center_of_mass(mask))
    low = np.argwhere(mask)[:, 2].min()
    for side, front, up, radius in (
        (0, 62, 28, 11), (-18, 58, 22, 8), (18, 58, 22, 8), (-62, -12, 22, 7), (62, -12, 22, 7), (0, 30, 6, 12),
    ):  # fmt: skip
        centre = np.array([middle[0] + side, middle[1] + front, low + up]) + rng.normal(0, 2, 3)
        out[((grid - centre[:, None, None, None]) ** 2).sum(axis=0) < radius**2] = 9.4
    return out


def _skull(data: Path, mask: Array) -> Array:
    """Bone and air of the numerical head model (Fortier 2017) fitted round the brain."""
    model = loadmat(data / "head-model" / "susceptibilityHead_numericalModel.mat")["numModel"]
    head = np.transpose(np.where(np.abs(model) > 1, model, 0), (2, 1, 0))[:, ::-1, ::-1]
    box = [np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != k))) for k in range(3)]
    # The inside of the model's skull, measured on its slices, to the brain's box.
    low, high = np.array([38.0, 50.0, 165.0]), np.array([163.0, 270.0, 302.0])
    at = []
    for k, n in enumerate(mask.shape):
        start, stop = box[k][0] - 6.0, box[k][-1] + 6.0
        at.append(low[k] + (np.arange(n) - start) / (stop - start) * (high[k] - low[k]))
    return ndimage.map_coordinates(
        head.astype(np.float32), np.meshgrid(*at, indexing="ij"), order=1
    )


def _kept_off(outside: Array, mask: Array, near: bool) -> Array:
    """Low-passed and, smoothly, nothing near the mask."""
    apart = ndimage.distance_transform_edt(~mask)
    smooth = ndimage.gaussian_filter(
        np.where(apart > _GAP_MM[near], outside, 0), _LOW_PASS_MM[near]
    )
    return smooth * np.clip((apart - 1) / 3, 0, 1) * (apart > 1)


def _fields(sources: tuple[Array, ...], b0: tuple[float, float, float]) -> list[Array]:
    """Field of each map in ppm, copies of the head half a head away."""
    inside = tuple(slice(0, n) for n in sources[0].shape)
    shape = fast_shape([3 * n // 2 for n in sources[0].shape])
    kernel = dipole_kernel(shape, (1.0, 1.0, 1.0), b0)
    fields = []
    for chi in sources:
        spectrum = rfftn(pad_to(chi.astype(np.float32), shape))
        spectrum *= kernel
        fields.append(np.ascontiguousarray(irfftn(spectrum, shape)[inside]))
    return fields


def _shimmed(field: Array, mask: Array) -> Array:
    """The field less its constant and linear parts inside the mask."""
    at = np.argwhere(mask)
    basis = np.column_stack([np.ones(len(at)), at])
    fit = np.linalg.lstsq(basis, field[mask], rcond=None)[0]
    grid = np.indices(mask.shape, dtype=np.float32)
    return field - (fit[0] + np.tensordot(fit[1:].astype(np.float32), grid, 1)).astype(np.float32)


def _signal(
    case: Case, chi: Array, t1: Array, field: Array, mask: Array, rng: np.random.Generator
) -> tuple[list[Array], list[Array]]:
    """Phase and magnitude of every echo on the scan's grid, with noise."""
    decay = 18 + 120 * np.clip(chi, 0, None) + 40 * np.clip(-chi, 0, 1)
    amplitude = 1.0 - 0.12 * (t1 > 160)
    if not case.follows:
        decay = np.full(chi.shape, 20.0)
        amplitude = 1 + 0.2 * np.sign(_smooth_noise(chi.shape, 9, rng))
    amplitude = np.where(mask, amplitude, 0.05) * (1 + 0.15 * _smooth_noise(chi.shape, 60, rng))
    at = [np.linspace(-1, 1, n) for n in chi.shape]
    r2 = at[0][:, None, None] ** 2 + at[1][:, None] ** 2 + at[2] ** 2
    offset = 0.6 * at[0][:, None, None] - 0.4 * at[1][:, None] + 0.3 * at[2] + case.coil_r2 * r2
    phases, magnitudes = [], []
    sigma = None
    for time in case.echo_times_s:
        angle = field / field_ppm_per_rad(time, _FIELD_T) + offset
        size = amplitude * np.exp(-decay * time)
        signal = _mean(size * np.cos(angle), case.voxel_mm) + 1j * _mean(
            size * np.sin(angle), case.voxel_mm
        )
        if sigma is None:
            inside = _mean(mask.astype(np.float32), case.voxel_mm) > 0.99
            sigma = float(np.median(np.abs(signal[inside]))) / case.snr
        noise = rng.standard_normal((2, *signal.shape))
        signal = signal + sigma * (noise[0] + 1j * noise[1])
        phases.append(np.angle(signal).astype(np.float32))
        magnitudes.append(np.abs(signal).astype(np.float32))
    return phases, magnitudes


def _mean(fine: Array, factors: tuple[int, ...]) -> Array:
    """Means over cells."""
    shape = [v for n, f in zip(fine.shape, factors, strict=True) for v in (n // f, f)]
    return fine.reshape(shape).mean(axis=(1, 3, 5), dtype=np.float32)


def _affine(voxel_mm: tuple[int, ...], tilt: float) -> Array:
    """Affine of a grid whose B0 leans to the front by the tilt."""
    turn = np.array(
        [[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]], float
    )
    affine: Any = np.eye(4)
    affine[:3, :3] = turn @ np.diag(voxel_mm)
    return affine
