"""Maps beside χ, where their truth is known: R2* by fit and noise, and χ-separation through the whole chain.

The head's χ is divided into two parts that add up to it, and the magnitude is made anew: it decays with
R2 and with what both parts cause. The phase stays that of the head. Everything else is measured.
"""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from napari_qsm.phantom import make_head
from napari_qsm.recon.contrasts import r2star
from napari_qsm.recon.pipeline import Inputs, run
from napari_qsm.recon.recipe import contrast_choices, load_recipe

_TIMES_S = (0.004, 0.010, 0.016, 0.022, 0.028)
_GRID = {"shape": (128, 144, 60), "voxel_size_mm": (1.5, 1.5, 2.2)}
_CONSTANT, _R2 = 137.0, 14.0
_NUCLEI = ("Caudate", "Putamen", "Globus pallidus", "Thalamus")


def main() -> None:
    """Print both tables."""
    rates()
    separation()


def rates() -> None:
    """Median R2* of 40000 voxels of one rate."""
    print("| R2* (1/s) | SNR at TE 0 | nonlinear | log-linear | ARLO |")
    print("|---|---|---|---|---|")
    rng = np.random.default_rng(0)
    mask = np.ones((20, 20, 100), bool)
    t = np.array(_TIMES_S)[:, None, None, None]
    for rate in (20, 50, 100, 200):
        for snr in (100, 20):
            noise = rng.standard_normal((2, len(_TIMES_S), *mask.shape)) / snr
            signal = np.abs(np.exp(-rate * t) + noise[0] + 1j * noise[1]).astype(np.float32)
            found = [
                np.median(r2star(signal, _TIMES_S, mask, 2, fit=fit)[0])
                for fit in ("nonlinear", "log-linear", "arlo")
            ]
            print(f"| {rate} | {snr} | " + " | ".join(f"{v:.1f}" for v in found) + " |")


def separation() -> None:
    """Means of χ+ and χ− over the nuclei against what the signal was made from."""
    head = make_head("patient", **_GRID, seed=2, echo_times_s=_TIMES_S)
    chi, mask = head.chi.data, head.mask.data > 0
    # More myelin on the left: what χ alone cannot tell from less iron.
    x = np.arange(chi.shape[0])[:, None, None]
    down = np.where(x < chi.shape[0] / 2, -0.06, -0.03).astype(np.float32)
    down = np.minimum(np.broadcast_to(down, chi.shape), chi)
    up = chi - down
    rate = _R2 + _CONSTANT * (up - down)
    rng = np.random.default_rng(1)
    noise = rng.standard_normal((2, len(_TIMES_S), *chi.shape)) * 4.0
    scan = replace(
        head.scan,
        magnitude=tuple(
            volume.with_data(
                np.abs(400 * mask * np.exp(-rate * te) + n + 1j * m).astype(np.float32)
            )
            for volume, te, n, m in zip(head.scan.magnitude, _TIMES_S, *noise, strict=True)
        ),
    )
    began = time.perf_counter()
    result = run(
        load_recipe("case-report"),
        Inputs(scan=scan, mask=head.mask),
        also=contrast_choices(["chi-separation"], [f"chi-separation.r2={_R2}"]),
    )
    seconds = {s["method"]: s["seconds"] for s in result.provenance["stages"]}
    valid = result.arrays["local_mask"]
    shift = float(result.arrays["reference_ppm"])
    print(f"\nWhole chain {time.perf_counter() - began:.0f} s, R2* {seconds['r2star']:.1f} s, "
          f"separation {seconds['chi-separation']:.1f} s; reference {1e3 * shift:.1f} ppb\n")  # fmt: skip
    print("| region | χ+ true | χ+ found | χ− true | χ− found | χ true | χ found | (ppb)")
    print("|---|---|---|---|---|---|---|")
    for region in head.label_names:
        if region.name.rsplit(" ", 1)[0] not in _NUCLEI:
            continue
        here = (head.labels.data == region.index) & valid
        if not here.any():
            continue
        found = (result.arrays[n] for n in ("chi_positive_ppm", "chi_negative_ppm", "chi_ppm"))
        pairs = zip((up, down, chi), found, strict=True)
        cells = [f"{1e3 * a[here].mean():.0f} | {1e3 * b[here].mean():.0f}" for a, b in pairs]
        print(f"| {region.name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
