"""Background removal alone: error of the local field on the built-in head, and its cost.

The field is the head's true total field plus the noise that its magnitude implies, so that
unwrapping and echo combination play no part. ``common`` is the error in the voxels that every
method keeps, ``own`` the error in those that the method itself keeps; both of demeaned fields,
in percent of the true local field. The noise alone is the first row: no method can do better
without smoothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.metrics import nrmse
from benchmarks.timing import PeakMemory, best_of, machine, pair_seconds
from napari_qsm.phantom import Head, make_head
from napari_qsm.recon import background
from napari_qsm.recon.background.depth import depth_mm
from napari_qsm.recon.fourier import field_ppm_per_rad

HEADS: tuple[tuple[str, float, dict[str, Any]], ...] = (
    ("1.25 x 1.25 x 2 mm", 40.0, {"shape": (192, 156, 72), "voxel_size_mm": (1.25, 1.25, 2.0)}),
    (
        "1.5 mm, tilted, SNR 80",
        80.0,
        {
            "shape": (160, 144, 100),
            "voxel_size_mm": (1.5, 1.5, 1.5),
            "b0_direction": (0.0, 0.26, 0.966),
        },
    ),
    (
        "1.25 x 1.25 x 2 mm, lesions, SNR 20",
        20.0,
        {
            "shape": (192, 156, 72),
            "voxel_size_mm": (1.25, 1.25, 2.0),
            "bleed": True,
            "calcification": True,
        },
    ),
)
#: Method, settings. The first is what the presets use.
ENTRIES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("vsharp", {}),
    ("vsharp", {"iterations": 20}),
    ("vsharp", {"radius_min_mm": 2.0}),
    ("vsharp", {"deconvolution": "truncated"}),
    ("vsharp", {"deconvolution": "none"}),
    ("sharp", {}),
    ("resharp", {}),
    ("resharp", {"regularization": 1e-3}),
    ("ismv", {}),
    ("pdf", {}),
    ("lbv", {}),
)
FULL = (384, 312, 72)
ECHO_TIME_S, FIELD_T = 0.021, 3.0


def main() -> None:
    print(machine(), "\n")
    for seed, (label, snr, options) in enumerate(HEADS):
        accuracy(label, make_head("patient", echo_times_s=(ECHO_TIME_S,), **options), snr, seed)
    cost(make_head("patient", shape=FULL, echo_times_s=(ECHO_TIME_S,)))


def accuracy(label: str, head: Head, snr: float, seed: int) -> None:
    """Print the table of one head."""
    mask = head.mask.data > 0
    truth = head.local_field.data
    magnitude = np.asarray(head.scan.magnitude[0].data, dtype=np.float32)
    usual = float(np.median(magnitude[mask]))
    noise = field_ppm_per_rad(ECHO_TIME_S, FIELD_T) / snr * usual
    noise = noise / np.maximum(magnitude, 0.05 * usual)
    added = noise * np.random.default_rng(seed).standard_normal(mask.shape, dtype=np.float32)
    total = np.asarray(head.total_field.data + added, dtype=np.float32)
    common = depth_mm(mask, head.mask.voxel_size_mm, 6.0) > 5.01
    rows = []
    for name, settings in ENTRIES:
        local, local_mask = call(name, settings, head, total, noise)
        common &= local_mask
        rows.append((title(name, settings), local, local_mask))
    rows.insert(0, ("noise alone", truth + added, mask))
    print(
        f"{label}\n\n| method | common % | slope | own % | voxels kept % |\n|---|---|---|---|---|"
    )
    for row, local, local_mask in rows:
        r, t = (a[common] - a[common].mean(dtype=np.float64) for a in (local, truth))
        print(
            f"| {row} | {nrmse(local, truth, common):.1f} | {r @ t / (t @ t):.2f} "
            f"| {nrmse(local, truth, local_mask):.1f} "
            f"| {100 * np.count_nonzero(local_mask) / np.count_nonzero(mask):.0f} |",
            flush=True,
        )
    print()


def cost(head: Head) -> None:
    """Print seconds, transform pairs and memory of each method at full size."""
    total = np.asarray(head.total_field.data, dtype=np.float32)
    size = "x".join(map(str, total.shape))
    print(f"{size} float32, {np.count_nonzero(head.mask.data)} voxels in the mask\n")
    print("| method | s | pairs | MiB above the start |\n|---|---|---|---|")
    twelve = {"radius_min_mm": 3.0, "radius_max_mm": 14.0}
    for name, settings in (*ENTRIES, ("vsharp", twelve)):
        call(name, settings, head, total, None)  # compiles
        pair = pair_seconds(total.shape)
        with PeakMemory() as memory:
            seconds, _ = best_of(lambda n=name, s=settings: call(n, s, head, total, None), 2)
        pair = min(pair, pair_seconds(total.shape))
        print(
            f"| {title(name, settings)} | {seconds:.2f} | {seconds / pair:.1f} "
            f"| {memory.above_mib:.0f} |",
            flush=True,
        )


def call(name: str, settings: dict[str, Any], head: Head, total: Any, noise: Any) -> Any:
    """Run one method on a head's total field."""
    given = [total, head.mask.data > 0, head.mask.voxel_size_mm]
    if name in ("vsharp", "pdf"):
        given.append(head.mask.b0_direction)
    if name == "pdf":
        given.append(noise)
    return getattr(background, name)(*given, **settings)


def title(name: str, settings: dict[str, Any]) -> str:
    """Name and settings of a row."""
    return " ".join([name, *(f"{key}={value}" for key, value in settings.items())])


if __name__ == "__main__":
    main()
