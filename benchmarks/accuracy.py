"""The whole chain on the built-in head, from wrapped noisy phase to the means of the nuclei.

The head's seed, signal-to-noise ratio, echo times, grid, tilt and lesions are varied, so that a
recipe tuned to one of them would show. A map is relative to its reference: the first RMSE is of
maps that have the same mean over the common mask, the second of means less their common offset.
The errors of the putamina are of the map as it is.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.metrics import hfen, nrmse, region_fit
from benchmarks.timing import machine
from napari_qsm.phantom import Head, make_head
from napari_qsm.recon.pipeline import Inputs, run
from napari_qsm.recon.recipe import Recipe, load_recipe

#: Labels of the deep nuclei; the ventricles and lesions come after them.
NUCLEI = range(1, 17)
ECHOES = (0.006, 0.012, 0.018, 0.024)
CASES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("control", {}),
    ("patient", {"subject": "patient"}),
    ("patient, other noise", {"subject": "patient", "seed": 7}),
    ("patient, SNR 20", {"subject": "patient", "snr": 20.0}),
    ("patient, SNR 80", {"subject": "patient", "snr": 80.0}),
    ("patient, TE 12 ms", {"subject": "patient", "echo_times_s": (0.012,)}),
    ("patient, four echoes", {"subject": "patient", "echo_times_s": ECHOES}),
    (
        "patient, 1 mm isotropic",
        {"subject": "patient", "shape": (208, 216, 160), "voxel_size_mm": (1.0, 1.0, 1.0)},
    ),
    ("patient, tilted 15 degrees", {"subject": "patient", "b0_direction": (0.0, 0.26, 0.966)}),
    (
        "patient, bleed and calcification",
        {"subject": "patient", "bleed": True, "calcification": True},
    ),
)


def main() -> None:
    print(machine(), "\n")
    print(
        "| head | recipe | NRMSE % | HFEN % | slope | RMSE ppb | less offset | putamen L, R error ppb |"
    )
    print("|---|---|---|---|---|---|---|---|")
    putamen: dict[tuple[str, str], Any] = {}
    for label, options in CASES:
        head = make_head(**options)
        for name in ("case-report", "consensus"):
            row, errors = measure(head, load_recipe(name))
            putamen[label, name] = errors
            print(f"| {label} | {name} | {row} |", flush=True)
    print("\nPatient less control, error of the difference in ppb (left, right):")
    for name in ("case-report", "consensus"):
        left, right = np.subtract(putamen["patient", name], putamen["control", name])
        print(f"  {name}: {left:+.1f}, {right:+.1f}")


def measure(head: Head, recipe: Recipe) -> tuple[str, tuple[float, float]]:
    """One row of the table, and the errors of the two putamina in ppb before any alignment."""
    result = run(recipe, Inputs(scan=head.scan))
    chi, truth = result.arrays["chi_ppm"], head.chi.data
    labels = head.labels.data
    common = result.arrays["local_mask"] & (head.mask.data > 0)
    fit = region_fit(chi, truth, labels, NUCLEI, common)
    errors = []
    for region in head.label_names:
        if region.name.startswith("Putamen"):
            inside = labels == region.index
            errors.append(1e3 * float(chi[inside].mean() - truth[inside].mean()))
    row = (
        f"{nrmse(chi, truth, common):.1f} | {hfen(chi, truth, common):.1f} | {fit.slope:.3f} "
        f"| {fit.rmse_ppb:.1f} | {fit.centred_rmse_ppb:.1f} | {errors[0]:+.1f}, {errors[1]:+.1f}"
    )
    return row, (errors[0], errors[1])


if __name__ == "__main__":
    main()
