"""Makes the files of the built-in head's tissues from the T1 template of the CIT168 atlas.

``python docs/make_head_tissue.py CIT168toMNI152-2009c_T1w_brain.nii.gz`` writes them into the
package; the template (CC BY 4.0) is at https://osf.io/jkzwp. Only where one tissue ends and the
next begins is taken from it; what each is worth in susceptibility, signal and decay is said in
``napari_qsm/phantom``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy import ndimage as ndi

from napari_qsm.arrays import Array, bounding_box
from napari_qsm.phantom.brain import brain_stem
from napari_qsm.phantom.template import FOLDER, HULL_STEP_MM, SCALE, TISSUE_STEP

#: Brightness in the sharpened template at which fluid turns into grey and grey into white matter.
_FLUID_GREY, _GREY_WHITE = 98.0, 155.0
#: How much brightness a boundary is wide.
_EDGE = 46.0


def main(path: Path) -> None:
    """Make all files."""
    image = nib.as_closest_canonical(nib.load(path))
    bright = np.pad(np.asarray(image.dataobj).astype(np.float64), 14)
    affine = image.affine.copy()
    affine[:3, 3] -= 14
    hull = smooth_hull(bright) & ~olfactory_shreds(affine, bright.shape)
    sharp = sharpened(bright, hull)
    ventricles = lateral_ventricles(sharp, affine)
    tissue = np.clip((sharp - _FLUID_GREY) / _EDGE + 0.5, 0, 1)
    tissue += np.clip((sharp - _GREY_WHITE) / _EDGE + 0.5, 0, 1)
    # Between fluid and white matter half-filled voxels look grey; the ventricles have no cortex.
    wall = ndi.distance_transform_edt(ventricles == 0)
    tissue[(wall > 0) & (wall <= 2.3) & hull] = 2.0
    tissue[ventricles > 0] = 0.0
    stem = in_brain_stem(affine, tissue.shape)
    tissue[stem] = 2 * np.clip((tissue[stem] - 0.35) / 0.5, 0, 1)
    tissue = cleaned(tissue, hull)
    steps = np.where(hull, 1 + np.round(tissue / TISSUE_STEP), 0).astype(np.uint8)
    box = bounding_box(hull)
    save("tissue", steps, affine, box)
    save("ventricles", ventricles, affine, bounding_box(ventricles > 0))
    save_hull(hull, affine)


def smooth_hull(bright: Array) -> Array:
    """The brain with its sulci closed and without shreds of vessels and nerves."""
    brain = ndi.binary_opening(bright > 45, iterations=2)
    pieces, _ = ndi.label(brain)
    brain = pieces == np.bincount(pieces.ravel())[1:].argmax() + 1
    near = ndi.distance_transform_edt(~brain) <= 6
    closed = ndi.distance_transform_edt(near) > 6
    closed = ndi.binary_fill_holes(closed)
    # Rounded by opening with a ball of 3 mm.
    core = ndi.distance_transform_edt(closed) > 3
    rounded = ndi.distance_transform_edt(~core) <= 3
    return ndi.gaussian_filter(rounded.astype(np.float64), 1.0) > 0.5


def olfactory_shreds(affine: Array, shape: tuple[int, ...]) -> Array:
    """Where the template keeps remains of nerves and dura between the orbits."""
    i, j, k = np.ogrid[: shape[0], : shape[1], : shape[2]]
    x, y, z = i + affine[0, 3], j + affine[1, 3], k + affine[2, 3]
    return (np.abs(x) < 16) & (y > 12) & (z < -25)


def sharpened(bright: Array, hull: Array) -> Array:
    """The template with the blur of averaging many heads partly undone."""
    inside = hull & (bright > 20)
    weight = ndi.gaussian_filter(inside.astype(np.float64), 2.0)
    around = ndi.gaussian_filter(bright * inside, 2.0) / np.maximum(weight, 1e-3)
    return np.where(inside, bright + 1.0 * (bright - around), 0.0)


def lateral_ventricles(sharp: Array, affine: Array) -> Array:
    """Labels of both lateral ventricles, 1 left and 2 right, uint8."""
    i, j, k = np.ogrid[: sharp.shape[0], : sharp.shape[1], : sharp.shape[2]]
    x, y, z = i + affine[0, 3], j + affine[1, 3], k + affine[2, 3]
    fluid = sharp < 112
    fluid &= (np.abs(x) < 42) & (y > -80) & (y < 40) & (z > -22) & (z < 34)
    fluid &= ~((np.abs(x) < 4.5) & (z < 9)) & ~((np.abs(x) < 11) & (y < -27) & (z < 14))
    fluid &= ~((z < 3) & (y > -20)) & ~((y < -48) & (np.abs(x) < 14))
    out = np.zeros(sharp.shape, np.uint8)
    for label, side in ((1, x < 0), (2, x > 0)):
        pieces, _ = ndi.label(ndi.binary_opening(fluid & side))
        seeds = pieces[
            (np.abs(x) > 4) & (np.abs(x) < 12) & (np.abs(y - 8) < 8) & (np.abs(z - 13) < 5) & side
        ]
        keep = np.bincount(seeds[seeds > 0]).argmax()
        out[pieces == keep] = label
    return out


def in_brain_stem(affine: Array, shape: tuple[int, ...]) -> Array:
    """Where white matter borders on fluid round the brain stem, without a cortex between."""
    i, j, k = np.ogrid[: shape[0], : shape[1], : shape[2]]
    scaled = (
        (n + first) * scale for n, first, scale in zip((i, j, k), affine[:3, 3], SCALE, strict=True)
    )
    x, y, z = scaled
    return (brain_stem(x, y, z) > -3.5) & (z < 4) & (y > -44 - 0.1 * z) & (np.abs(x) < 19)


def cleaned(tissue: Array, hull: Array) -> Array:
    """Without specks of grey in white matter and the reverse."""
    white = tissue > 1.5
    for what, fill in ((white, 1.0), (hull & ~white, 2.0)):
        pieces, count = ndi.label(what)
        sizes = np.bincount(pieces.ravel(), minlength=count + 1)
        specks = (sizes < 40)[pieces] & what
        tissue[specks & (tissue > 0.5)] = fill
    return tissue


def save(name: str, data: Array, affine: Array, box: tuple[slice, ...]) -> None:
    """Write the part of a volume within a box."""
    placed = affine.copy()
    placed[:3, 3] += [s.start for s in box]
    image = nib.Nifti1Image(data[box], placed)
    FOLDER.mkdir(exist_ok=True)
    nib.save(image, FOLDER / f"{name}.nii.gz")


def save_hull(hull: Array, affine: Array) -> None:
    """Write the distance into the hull, at 2 mm."""
    inside = ndi.distance_transform_edt(hull) - ndi.distance_transform_edt(~hull)
    inside -= 0.5 * np.sign(inside)
    smooth = ndi.gaussian_filter(inside, 1.5)
    even = [n // 2 * 2 for n in smooth.shape]
    smooth = smooth[: even[0], : even[1], : even[2]]
    parts = smooth.reshape(even[0] // 2, 2, even[1] // 2, 2, even[2] // 2, 2).mean(axis=(1, 3, 5))
    steps = np.clip(np.round(parts / HULL_STEP_MM), -50, 50).astype(np.int8)
    placed = affine.copy()
    placed[:3, :3] *= 2
    placed[:3, 3] += 0.5
    save("hull", steps, placed, tuple(slice(0, n) for n in steps.shape))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
