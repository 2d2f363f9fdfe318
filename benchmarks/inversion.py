"""Every inversion at the case report's size: time, memory, and error on an ideal local field.

The field is the built-in head's own, computed forward, plus white noise: what is measured
here is the inversion alone. ``benchmarks.accuracy`` measures the whole chain.
"""

from __future__ import annotations

import argparse
from functools import partial

import numpy as np
from scipy import ndimage

from benchmarks.metrics import hfen, nrmse, region_fit, streak_level, xsim
from benchmarks.timing import PeakMemory, best_of, machine, pair_seconds
from napari_qsm.phantom import make_head
from napari_qsm.recon.fourier import forward_field
from napari_qsm.recon.stages import methods

NOISE_PPM = 0.001
#: Above this the truth is a lesion, not a nucleus.
LESION_PPM = 0.4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", type=int, nargs=3, default=(384, 312, 72))
    parser.add_argument("--voxel-size-mm", type=float, nargs=3, default=(0.625, 0.625, 2.0))
    shape, voxel = (lambda a: (tuple(a.shape), tuple(a.voxel_size_mm)))(parser.parse_args())
    pair = pair_seconds(shape)
    print(f"{machine()}, {'x'.join(map(str, shape))} float32, one pair {1e3 * pair:.0f} ms")
    for lesions in (False, True):
        _table(shape, voxel, pair, lesions)


def _table(shape: tuple[int, ...], voxel: tuple[float, ...], pair: float, lesions: bool) -> None:
    head = make_head(
        "patient", shape=shape, voxel_size_mm=voxel, bleed=lesions, calcification=lesions
    )
    brain = head.mask.data > 0
    mask = ndimage.binary_erosion(brain)
    truth = np.where(brain, head.chi.data, 0).astype(np.float32)
    b0 = head.mask.b0_direction
    noise = np.random.default_rng(0).normal(0, NOISE_PPM, truth.shape)
    field = ((forward_field(truth, voxel, b0) + noise) * mask).astype(np.float32)
    magnitude = np.stack([echo.data for echo in head.scan.magnitude])
    labels = head.labels.data
    strong = (np.abs(truth) > LESION_PPM) & mask
    regions = [
        int(label)
        for label in np.unique(labels[mask])
        if label and not strong[labels == label].any()
    ]
    print(f"\n{'With bleed and calcification' if lesions else 'No lesion'}\n")
    print("| method | s | pairs | MiB | NRMSE % | HFEN % | XSIM | slope | RMSE ppb | streaks ppb |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for name, method in methods("inversion").items():
        if "phase" in method.inputs:
            continue  # it needs more than a local field
        arguments = [field, mask, voxel, b0]
        if "magnitude" in method.inputs:
            arguments.append(magnitude)
        method.function(*arguments)  # compiles
        with PeakMemory() as memory:
            seconds, chi = best_of(partial(method.function, *arguments), 2)
        fit = region_fit(chi, truth, labels, regions, mask)
        streaks = f"{1e3 * streak_level(chi, truth, mask, strong, voxel):.1f}" if lesions else ""
        print(
            f"| {name} | {seconds:.2f} | {seconds / pair:.0f} | {memory.above_mib:.0f} "
            f"| {nrmse(chi, truth, mask):.1f} | {hfen(chi, truth, mask):.1f} "
            f"| {xsim(chi, truth, mask):.3f} | {fit.slope:.3f} | {fit.rmse_ppb:.1f} "
            f"| {streaks} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
