"""Visits brought onto each other, and the atlas onto maps.

*Visits*: the built-in head is scanned again on a grid that is tilted against it, and its file says
the grid lies elsewhere, so that the motion is known without interpolation. *Hard* adds coil shading
that stays with the scanner, another grid, fewer slices and more noise. Errors are those of the
nuclei's centres; *carried* is the RMS error of the mean of 4 mm circles after carrying, against the
same circles by the header alone.

*Atlas*: real cortex and the atlas's own nuclei, resized and bent at random by 3 mm at a length of
40 mm, each nucleus with a susceptibility of its own, veins, and 10 ppb of noise. The nuclei are those
that are looked for, so this shows how places are found and not how well an atlas suits a person.
Settings were chosen on the first heads and on the built-in one, and are reported on the others.
Needs the atlas in the folder that ``NAPARI_QSM_HEADS`` names.
"""

from __future__ import annotations

import time

import numpy as np
from scipy import ndimage
from scipy.spatial.transform import Rotation

from benchmarks import heads
from benchmarks.timing import machine
from napari_qsm.arrays import Array
from napari_qsm.phantom import make_head
from napari_qsm.registration.atlas import NUCLEI
from napari_qsm.registration.carry import carried
from napari_qsm.registration.nuclei import fit_atlas
from napari_qsm.registration.rigid import register_rigid
from napari_qsm.rois.shapes import FixedShape, snap, voxels_of
from napari_qsm.volume import Volume

_GRID = {"shape": (192, 156, 64), "voxel_size_mm": (1.25, 1.25, 2.25)}
_OTHER_GRID = {"shape": (240, 196, 72), "voxel_size_mm": (1.0, 1.0, 2.0), "snr": 25.0}
_MOTIONS = (
    ((6, -4, 8), (5, -7, 4)),
    ((12, 8, -15), (12, -10, 15)),
    ((20, 10, 25), (8, -5, 6)),
    ((-10, 5, -6), (-6, 9, -12)),
)
_MIDDLE = np.array([0.0, -15.5, 10.0])
#: Seeds of the heads for choosing and for reporting.
_CHOOSING, _REPORTING = (11, 12, 13), (21, 22, 23, 24, 25)
_FIVE = ("Caudate", "Putamen", "Globus pallidus", "Red nucleus", "Substantia nigra")


def main() -> None:
    print(machine())
    visits()
    if heads.DATA.is_dir():
        atlas("Heads for choosing", _CHOOSING)
        atlas("Heads for reporting", _REPORTING)


def visits() -> None:
    print("\n| motion | scan | nuclei mean / max mm | details | carried ppb | header ppb | CPU s |")
    print("|---|---|---|---|---|---|---|")
    first = make_head("control", **_GRID)
    labels = first.labels.data
    places = [np.argwhere(labels == r.index).mean(axis=0) for r in first.label_names[:16]]
    points = first.labels.voxel_to_world(np.array(places))
    other = make_head("patient", seed=3, **_GRID)
    for turn, shift in _MOTIONS:
        matrix = np.eye(4)
        matrix[:3, :3] = Rotation.from_euler("xyz", turn, degrees=True).as_matrix()
        matrix[:3, 3] = _MIDDLE - matrix[:3, :3] @ _MIDDLE + shift
        for hard in (False, True):
            grid = _OTHER_GRID if hard else _GRID
            b0 = tuple(np.linalg.inv(matrix[:3, :3])[:, 2])
            head = make_head("control", seed=1, b0_direction=b0, **grid)
            images = [
                Volume(v.data, matrix @ head.chi.affine) for v in (head.scan.magnitude[0], head.chi)
            ]
            moved, chi = [_hard(v, n == 0) for n, v in enumerate(images)] if hard else images
            start = time.process_time()
            fit = register_rigid(first.scan.magnitude[0], moved, brain=first.mask.data > 0)
            seconds = time.process_time() - start
            gone = (fit.matrix - matrix)[:3, :3] @ points.T + (fit.matrix - matrix)[:3, 3:]
            error = np.linalg.norm(gone, axis=0)
            rms = [_means_apart(points, m, first.chi, chi) for m in (fit.matrix, np.eye(4))]
            print(
                f"| {turn}°, {shift} mm | {'hard' if hard else 'plain'} | {error.mean():.2f} / "
                f"{error.max():.2f} | {fit.detail:.2f} | {rms[0]:.1f} | {rms[1]:.0f} | {seconds:.1f} |",
                flush=True,
            )
    fit = register_rigid(
        first.scan.magnitude[0], other.scan.magnitude[0], brain=first.mask.data > 0
    )
    said = fit.problem or fit.doubt
    print(
        f"\nThe other subject: correlation {fit.correlation:.2f}, details {fit.detail:.2f}: {said}"
    )


def _hard(volume: Volume, shaded: bool) -> Volume:
    at = volume.voxel_to_world(np.moveaxis(np.indices(volume.shape), 0, -1))
    shade = np.exp(at[..., 1] / 160 + 0.4 * (at[..., 0] / 70) ** 2 - at[..., 2] / 140)
    data = volume.data * shade if shaded else volume.data
    affine = volume.affine.copy()
    affine[:3, 3] += 6 * affine[:3, 2]
    return Volume(np.asarray(data[:, :, 6:-8], np.float32), affine)


def _means_apart(points: Array, matrix: Array, source: Volume, target: Volume) -> float:
    """RMS error of the means of carried circles, ppb."""
    errors = []
    for x, y, z in points:
        circle = FixedShape(kind="circle", size_mm=(4.0,), centre_mm=(float(x), float(y), float(z)))
        before = snap(circle, source)
        after = carried(before, matrix, source, target).shape
        means = [
            volume.data.ravel(order="F")[voxels_of(shape, volume)].mean()
            for shape, volume in ((before, source), (after, target))
        ]
        errors.append(1e3 * (means[1] - means[0]))
    return float(np.sqrt(np.mean(np.square(errors))))


def atlas(title: str, seeds: tuple[int, ...]) -> None:
    print(
        f"\n{title}\n\n| head | match | median mm | worst mm | which | CPU s |\n|---|---|---|---|---|---|"
    )
    every = []
    for seed in seeds:
        chi, mask, truth = bent_head(seed)
        start = time.process_time()
        fit = fit_atlas(chi, mask)
        seconds = time.process_time() - start
        errors = {
            (name, side): float(np.linalg.norm(np.array(fit.centre(name, side)) - place))
            for (name, side), place in truth.items()
        }
        worst = max(errors, key=lambda key: errors[key])
        every += errors.values()
        print(
            f"| {seed} | {fit.match:.2f} | {np.median(list(errors.values())):.2f} | "
            f"{errors[worst]:.2f} | {' '.join(worst)} | {seconds:.1f} |",
            flush=True,
        )
    part = np.mean(np.array(every) <= 2.0)
    print(f"\nMedian of all {np.median(every):.2f} mm; {part:.0%} within 2 mm.")


def bent_head(seed: int) -> tuple[Volume, Volume, dict[tuple[str, str], Array]]:
    """A map in ppm, its brain mask, and where the five nuclei have their middles."""
    rng = np.random.default_rng(seed)
    t1, labels, names = heads._template(heads.DATA)
    at = np.array(np.meshgrid(*(np.arange(n, dtype=np.float32) for n in t1.shape), indexing="ij"))
    centre = (np.array(t1.shape, np.float32) - 1)[:, None, None, None] / 2
    bend = centre + (at - centre) * rng.uniform(0.93, 1.08, (3, 1, 1, 1)).astype(np.float32)
    for axis in range(3):
        noise = ndimage.gaussian_filter(rng.standard_normal([n // 4 + 1 for n in t1.shape]), 5)
        noise = ndimage.zoom(noise, 4, order=1)[tuple(slice(n) for n in t1.shape)]
        whole = np.zeros(t1.shape, np.float32)
        whole[tuple(slice(n) for n in noise.shape)] = noise
        bend[axis] += 3 * whole / whole.std()
    bent = ndimage.map_coordinates(t1, bend, order=1)
    mask = heads._brain(bent)
    case = heads.Case(f"bent {seed}", seed=seed)
    chi, _, _ = heads._susceptibility(case, bent, labels, names, bend, mask, rng)
    shown = ndimage.map_coordinates(labels, bend, order=0)
    turn = Rotation.from_euler("xyz", rng.uniform(-8, 8, 3), degrees=True).as_matrix()
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag((1.0, 1.0, 2.0))
    affine[:3, 3] = -turn @ (np.array(t1.shape) / 2)
    thick = heads._mean(chi, (1, 1, 2)) + 0.01 * rng.standard_normal(
        [*chi.shape[:2], chi.shape[2] // 2]
    )
    inside = heads._mean(mask.astype(np.float32), (1, 1, 2)) > 0.5
    volume = Volume(np.where(inside, thick, 0).astype(np.float32), affine, unit="ppm")
    truth = {}
    for name in _FIVE:
        for step, side in enumerate(("left", "right")):
            voxels = np.argwhere(np.isin(shown, [label + step for label in NUCLEI[name]]))
            middle = voxels.mean(axis=0)
            middle[2] = (middle[2] - 0.5) / 2
            truth[name, side] = volume.voxel_to_world(middle)
    return volume, volume.with_data(inside), truth
