"""Quality numbers of sound maps, and of the same scans with faults made on purpose.

The limits beyond which a person is warned (``napari_qsm.qc``) have to lie between the two. Sound: all
heads of the accuracy benchmark with the preset ``consensus``, masks given. Faults: on two of the heads for
choosing.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from benchmarks.heads import CHOOSING, DATA, REPORTING, BenchHead, Case, make
from benchmarks.timing import machine
from napari_qsm.arrays import Array
from napari_qsm.qc.judge import magnitude_of, measure
from napari_qsm.qc.quality import QualityReport, findings
from napari_qsm.recon.pipeline import Inputs, run
from napari_qsm.recon.recipe import load_recipe, with_settings
from napari_qsm.scan import Scan
from napari_qsm.volume import Volume

#: What is printed: measure, factor, format.
_SHOWN = {
    "wraps_share": (100, ".3f"),
    "noisy_phase_share": (100, ".2f"),
    "field_noise_ppm": (1e3, ".1f"),
    "mask_share_kept": (100, ".1f"),
    "chi_spread_ppm": (1e3, ".1f"),
    "chi_noise_ppm": (1e3, ".1f"),
    "streak_ratio": (1, ".2f"),
    "residual_relative": (100, ".0f"),
    "rim_ratio": (1, ".2f"),
    "tail_asymmetry": (1, "+.2f"),
}
_HEADER = (
    "wraps left %",
    "noisy phase %",
    "field noise ppb",
    "mask kept %",
    "spread ppb",
    "map noise ppb",
    "streaks",
    "unexplained %",
    "rim",
    "bright against dark",
    "warnings",
)


@dataclass(frozen=True)
class Fault:
    """A fault: changes to the recipe, to the scan and its mask, or to the head."""

    name: str
    settings: tuple[str, ...] = ()
    scan: Callable[[Scan], Scan] = lambda scan: scan
    mask: Callable[[Array], Array] = lambda mask: mask
    snr: float | None = None


def _timed(factor: float) -> Callable[[Scan], Scan]:
    return lambda scan: replace(
        scan, echo_times_s=tuple(factor * time for time in scan.echo_times_s)
    )


def _turned(scan: Scan) -> Scan:
    """The same arrays in a grid turned by 40 degrees about the first axis."""
    cos, sin = np.cos(np.deg2rad(40)), np.sin(np.deg2rad(40))
    turn = np.eye(4)
    turn[1:3, 1:3] = np.array([[cos, -sin], [sin, cos]])

    def turned(volumes: tuple[Volume, ...]) -> tuple[Volume, ...]:
        return tuple(Volume(v.data, turn @ v.affine, unit=v.unit) for v in volumes)

    return replace(scan, phase=turned(scan.phase), magnitude=turned(scan.magnitude))


_WHOLE_MASK = ("mask.rim_level=0", "mask.quality_threshold=0")
FAULTS = (
    Fault("signal-to-noise ratio 10", snr=10),
    Fault("signal-to-noise ratio 5", snr=5),
    Fault("echo time a tenth", scan=_timed(0.1)),
    Fault("echo time nine times", scan=_timed(9)),
    Fault("other sign of phase", ("phase.invert=true",)),
    Fault("B0 40 degrees off", scan=_turned),
    Fault("mask one voxel too wide", _WHOLE_MASK, mask=ndimage.binary_dilation),
    Fault("balls of 8 mm and more", ("background.radius_min_mm=8",)),
    Fault("lambda 40 times", ("inversion.lambda_ppm=2e-3",)),
    Fault("tkd, threshold 0.05", ("inversion.method=tkd", "inversion.threshold=0.05")),
    Fault("plain Laplacian unwrapping", ("unwrap.method=laplacian", "unwrap.exact=false")),
)


def main() -> None:
    print(machine())
    print("\n| scan | " + " | ".join(_HEADER) + " |")
    print("|---" * (1 + len(_HEADER)) + "|")
    if not (DATA / "cit168").is_dir():
        print("| left out: no atlas |")
        return
    for case in (*CHOOSING, *REPORTING):
        _row(case.name, make(case), Fault("sound"))
    for case in CHOOSING[1:3]:
        for fault in FAULTS:
            changed: Case = case if fault.snr is None else replace(case, snr=fault.snr)
            _row(f"{case.name}: {fault.name}", make(changed), fault)


def _row(name: str, head: BenchHead, fault: Fault) -> None:
    quality = judged(head, fault)
    cells = []
    for number, (factor, written) in _SHOWN.items():
        value = quality[number]
        cells.append("" if value is None else format(factor * value, written))
    said = ", ".join(sorted({f"`{found.code}`" for found in findings(quality)})) or "none"
    print(f"| {name} | " + " | ".join(cells) + f" | {said} |", flush=True)


def judged(head: BenchHead, fault: Fault) -> QualityReport:
    """The quality numbers of a head's map, reconstructed with a fault."""
    scan = fault.scan(head.scan)
    mask = scan.phase[0].with_data(fault.mask(head.mask).astype(np.uint8), unit="")
    recipe = with_settings(load_recipe("consensus"), ["mask.method=given", *fault.settings])
    inputs = Inputs(scan=scan, mask=mask)
    result = run(recipe, inputs)
    return measure(result, magnitude=magnitude_of(inputs, result.grid))


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
