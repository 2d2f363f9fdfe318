"""What bounds the chain: the same inversion fed with ever more of the truth; and noise found against noise added.

First table: means as in ``benchmarks.accuracy``, from the true local field (no updates: there is no background),
from the true total field, each with the noise of the scan, and from wrapped phase; then the last map with what it
holds wrongly of fields that are harmonic inside (no data can tell it from background) taken away by
knowing the truth. Second table: :func:`napari_qsm.recon.noise_level.noise_level` over the noise that
was added to the true field.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from benchmarks.accuracy import _HEADER, _in_words, numbers_of
from benchmarks.heads import CHOOSING, DATA, REPORTING, BenchHead, make
from benchmarks.timing import machine
from napari_qsm.arrays import Array
from napari_qsm.recon.noise_level import noise_level
from napari_qsm.recon.pipeline import Inputs, run
from napari_qsm.recon.recipe import load_recipe, with_settings

#: Degree of the polynomials that stand for susceptibilities whose field is harmonic.
_DEGREE = 4
_SCALE_MM = 60.0
_NOISE_PPB = (0.5, 1.0, 2.0, 4.0)


def main() -> None:
    print(machine())
    if not (DATA / "cit168").is_dir():
        print("Left out: no atlas.")
        return
    print("\n| head | from | " + " | ".join(_HEADER[1:]) + " |")
    print("|---" * (1 + len(_HEADER)) + "|")
    for case in (*CHOOSING, *REPORTING):
        head = make(case)
        for name, chi, mask in maps(head):
            print(
                f"| {case.name} | {name} | {_in_words(numbers_of(head, chi, mask))} |", flush=True
            )
    print("\n| voxels | " + " | ".join(f"{n:g} ppb" for n in _NOISE_PPB) + " |")
    print("|---" * (1 + len(_NOISE_PPB)) + "|")
    for sides in ((1, 1, 1), (1, 1, 2), (2, 2, 2), (4, 4, 4)):
        head = make(replace(CHOOSING[1], voxel_mm=sides))
        rng = np.random.default_rng(1)
        found = [
            1e3 / noise * noise_level(head.total_field + 1e-3 * noise * white, head.mask)
            for noise in _NOISE_PPB
            for white in [rng.standard_normal(head.mask.shape)]
        ]
        words = " x ".join(map(str, sides))
        print(f"| {words} mm | " + " | ".join(f"{f:.2f}" for f in found) + " |", flush=True)


def maps(head: BenchHead) -> Iterator[tuple[str, Array, Array]]:
    """Maps of a head by what they were made from, each with its local mask."""
    recipe = with_settings(load_recipe("consensus"), ["mask.method=given"])
    mask = head.grid.with_data(head.mask.astype(np.uint8), unit="")
    whole = run(recipe, Inputs(scan=head.scan, mask=mask))
    valid, noise = whole.arrays["local_mask"], whole.arrays["noise_ppm"]
    rough = np.random.default_rng(5).standard_normal(noise.shape) * noise
    for name, field, where, changes in (
        ("true local field", head.local_field, valid, ("inversion.updates=0",)),
        ("true total field", head.total_field, whole.arrays["mask"], ()),
    ):
        volume = head.grid.with_data(((field + rough) * where).astype(np.float32), unit="ppm")
        known = head.grid.with_data(where.astype(np.uint8), unit="")
        given = {f"{name.split()[1]}_field_ppm": volume, "mask": known, "scan": head.scan}
        arrays = run(with_settings(recipe, [*changes, *_UNTRIMMED]), Inputs(**given)).arrays
        yield name, arrays["chi_ppm"], arrays["local_mask"]
    chi = whole.arrays["chi_ppm"]
    yield "wrapped phase", chi, valid
    yield "the same, harmonic part of the error known", chi - _untold(head, chi, valid), valid


#: The mask that comes with a field was made for it.
_UNTRIMMED = ("mask.rim_level=0", "mask.quality_threshold=0")


def _untold(head: BenchHead, chi: Array, valid: Array) -> Array:
    """The map's error in susceptibilities whose field is harmonic: polynomials ``p`` with ``∇²(D p) = 0``."""
    powers = [
        (i, j, n - i - j)
        for n in range(_DEGREE + 1)
        for i in range(n + 1)
        for j in range(n - i + 1)
    ]
    grid = head.grid.to_canonical()
    places = np.argwhere(valid) * np.array(grid.voxel_size_mm)
    places = ((places - places.mean(axis=0)) / _SCALE_MM).T
    basis = np.stack([np.prod(places.T ** np.array(p), axis=1) for p in powers], axis=1)
    basis = basis @ _harmonic(powers, grid.b0_direction).T
    error = (chi - head.chi)[valid].astype(np.float64)
    out = np.zeros(valid.shape)
    out[valid] = basis @ np.linalg.lstsq(basis, error, rcond=None)[0]
    return out


def _harmonic(powers: list[tuple[int, ...]], b0: tuple[float, ...]) -> Array:
    """Coefficients of polynomials with ``(∇²/3 - ∂²/∂b²) p = 0``, one a row."""
    at = {p: n for n, p in enumerate(powers)}
    operator = np.zeros((len(powers), len(powers)))
    for power, column in at.items():
        for a in range(3):
            for c in range(3):
                left, factor = list(power), (a == c) / 3 - b0[a] * b0[c]
                for axis in (a, c):
                    factor *= left[axis]
                    left[axis] -= 1
                if factor:
                    operator[at[tuple(left)], column] += factor
    _, sizes, rows = np.linalg.svd(operator)
    found: Array = rows[sizes < 1e-9]
    return found


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
