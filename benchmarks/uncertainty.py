"""Predicted noise of maps and of regional means against what many noisy scans of the same head show.

Each head is made once without noise. One noisy scan gives a prediction (``napari_qsm.recon.uncertainty``, four
more maps); whole reconstructions from wrapped phase, mask given, of others with their own draws of noise give the
spread. Of so few draws the spread is itself known to some 20 % (one over the root of twice the draws) for a
region, and to 5 to 10 % for all regions of a head together.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.heads import CHOOSING, DATA, REPORTING, BenchHead, Case, make
from benchmarks.timing import machine
from napari_qsm.arrays import Array
from napari_qsm.recon.background.depth import depth_mm
from napari_qsm.recon.pipeline import Inputs, Result, run
from napari_qsm.recon.recipe import load_recipe, with_settings
from napari_qsm.rois.measures import Measures
from napari_qsm.rois.noise import noise_map
from napari_qsm.scan import Scan

#: Draws of noise beside the one that the prediction is made from.
_DRAWS = 12
#: How deep the rim is, mm.
_RIM_MM = 6.0
#: A signal-to-noise ratio that stands for none.
_CLEAN = 1e7
#: Heads, and changes to ``consensus``.
CASES: tuple[tuple[Case, tuple[str, ...]], ...] = (
    (CHOOSING[1], ()),
    (REPORTING[2], ()),
    (CHOOSING[3], ()),
    (REPORTING[1], ()),
)


@dataclass(frozen=True)
class Comparison:
    """Predicted over found: noise of the field, of voxels, of means; and how single regions scatter."""

    field: float
    voxels: float
    rim: float
    regions: float
    scatter: float
    count: int


def main() -> None:
    print(machine())
    print(
        "\n| scan, recipe | field: predicted / true | voxels: predicted / found | the same within 6 mm "
        "of the rim | regions: predicted / found | regions: scatter | regions |"
    )
    print("|---" * 7 + "|")
    if not (DATA / "cit168").is_dir():
        print("| left out: no atlas |")
        return
    for case, changes in CASES:
        found = compared(case, changes)
        name = f"{case.name}, SNR {case.snr:g}, consensus" + "".join(f", {c}" for c in changes)
        print(
            f"| {name} | {found.field:.2f} | {found.voxels:.2f} | {found.rim:.2f} | {found.regions:.2f} | "
            f"{100 * found.scatter:.0f} % | {found.count} |",
            flush=True,
        )


def noisy(head: BenchHead, snr: float, seed: int) -> Scan:
    """A scan of a head that was made without noise, with some; ``snr`` as in :class:`Case`."""
    scan = head.scan
    rng = np.random.default_rng([seed, 77])
    sigma = float(np.median(np.asarray(scan.magnitude[0].data)[head.mask])) / snr
    phases, magnitudes = [], []
    for phase, magnitude in zip(scan.phase, scan.magnitude, strict=True):
        noise = sigma * rng.standard_normal((2, *phase.shape))
        signal = magnitude.data * np.exp(1j * phase.data) + noise[0] + 1j * noise[1]
        phases.append(phase.with_data(np.angle(signal).astype(np.float32)))
        magnitudes.append(magnitude.with_data(np.abs(signal).astype(np.float32)))
    return replace(scan, phase=tuple(phases), magnitude=tuple(magnitudes))


def compared(case: Case, changes: Sequence[str], draws: int = _DRAWS) -> Comparison:
    """Predict from one scan, and look at others."""
    head = make(replace(case, snr=_CLEAN))
    recipe = with_settings(load_recipe("consensus"), ["mask.method=given", *changes])
    mask = head.grid.with_data(head.mask.astype(np.uint8), unit="")

    def again(seed: int, uncertainty: int = 0) -> Result:
        scan = noisy(head, case.snr, seed)
        return run(recipe, Inputs(scan=scan, mask=mask), uncertainty=uncertainty)

    told = again(0, uncertainty=4)
    common = told.arrays["local_mask"].copy()
    maps, fields = [], []
    for seed in range(1, draws + 1):
        result = again(seed)
        common &= result.arrays["local_mask"]
        maps.append(result.arrays["chi_ppm"])
        fields.append(result.arrays["total_field_ppm"])
    apart = np.stack(maps)
    variance = apart.var(axis=0, ddof=1)
    noise = told.arrays["chi_noise_ppm"]
    rim = common & (depth_mm(common, head.grid.voxel_size_mm, 2 * _RIM_MM) <= _RIM_MM)
    record = told.provenance["uncertainty"]
    true_field = float(np.median(np.stack(fields).std(axis=0, ddof=1)[head.mask & common]))
    regions = [v & common for v in head.nuclei.values() if np.count_nonzero(v & common) >= 30]
    of_noise = noise_map(told.grid.with_data(noise, unit="ppm"), record, "this benchmark")
    parts = []
    for region in regions:
        values, noises = (_measures(a[region]) for a in (told.arrays["chi_ppm"], noise))
        predicted = of_noise.told_of(values, noises, "ppm").value("se")
        parts.append((predicted, float(apart[:, region].mean(axis=1).std(ddof=1))))
    one, other = np.array(parts).T
    ratio = one / other
    return Comparison(
        record["field_noise_ppm"] / true_field,
        _size(noise, variance, common),
        _size(noise, variance, rim),
        float(np.sqrt(np.mean(one**2) / np.mean(other**2))),
        float(ratio.std(ddof=1) / ratio.mean()),
        len(regions),
    )


def _measures(values: Array) -> Measures:
    """Mean and standard deviation of a region, as the table has them."""
    mean, sd = values.mean(dtype=np.float64), values.std(ddof=1, dtype=np.float64)
    return Measures(values.size, values.size, {"mean": float(mean), "sd": float(sd)})


def _size(noise: Array, variance: Array, where: Array) -> float:
    """Predicted over found standard deviation of voxels, root mean square."""
    found = np.mean(variance[where], dtype=np.float64)
    return float(np.sqrt(np.mean(noise[where] ** 2, dtype=np.float64) / found))


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
