"""The whole chain on heads it was not tuned to, from wrapped noisy phase to means of nuclei.

Each head's mask is given, so that a mask's own errors play no part. Maps are relative to their
mean in the common mask. *Ratio* is ``sum(r t) / sum(t²)`` over the nuclei (1 is right); a slope
through a handful of close means is not used. *RMSE* and *worst* are errors of the nuclei's means.
*Boxes* are means over cubes of 7 mm all over the brain, strong sources left out: their regression
on the truth, and the error. Read the ratio beside both errors: a trend towards the rim can fake it.
*Streaks* is the spread of the error round bleeds and calcifications.

Settings were chosen on the first heads and are reported on the others (``benchmarks.heads``); the
heads need an atlas, in the folder that ``NAPARI_QSM_HEADS`` names, and are left out without it.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

import numpy as np

from benchmarks.heads import CHOOSING, DATA, REPORTING, BenchHead, Case, make
from benchmarks.metrics import RegionMeans, boxes_fit, hfen, nrmse, region_ratio, streak_level
from benchmarks.timing import machine
from napari_qsm.arrays import Array
from napari_qsm.recon.pipeline import Inputs, run
from napari_qsm.recon.recipe import Recipe, load_recipe, with_settings

#: What is compared: name, preset, changes to it.
_PLAIN = (
    "echoes.coil_curvature=false",
    "inversion.updates=0",
    "inversion.iterations=24",
    "inversion.follow_noise=false",
    "inversion.settle_trend=false",
)
RECIPES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("case-report", "case-report", ()),
    ("consensus", "consensus", ()),
    ("consensus, plain V-SHARP and STAR", "consensus", _PLAIN),
    ("two-pass", "two-pass", ()),
    ("lbv-weak-harmonic", "lbv-weak-harmonic", ()),
    ("consensus, TGV", "consensus", ("inversion.method=tgv",)),
    ("consensus, RTS", "consensus", ("inversion.method=rts",)),
    ("consensus, NDI", "consensus", ("inversion.method=ndi",)),
    ("consensus, iSMV", "consensus", ("background.method=ismv",)),
)
_NAMES = tuple(name for name, _, _ in RECIPES)
_HEADER = (
    "recipe",
    "NRMSE %",
    "HFEN %",
    "ratio",
    "RMSE ppb",
    "worst ppb",
    "boxes: slope",
    "boxes: RMSE ppb",
    "streaks ppb",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--choosing", action="store_true", help="only the heads for choosing")
    parser.add_argument("--reporting", action="store_true", help="only the heads for reporting")
    parser.add_argument(
        "--recipes", nargs="+", metavar="NAME", help="only these rows: " + "; ".join(_NAMES)
    )
    parser.add_argument("--jobs", type=int, default=1, help="heads side by side, a process each")
    # Within ``python -m benchmarks`` the words of the command line are names of benchmarks.
    options, _ = parser.parse_known_args()
    if unknown := set(options.recipes or ()) - set(_NAMES):
        parser.error(f"there is no row {', '.join(sorted(unknown))}")
    rows = [r for r in RECIPES if not options.recipes or r[0] in options.recipes]
    print(machine())
    halves: dict[str, tuple[Case, ...]] = {}
    if not options.reporting:
        halves["Heads for choosing"] = CHOOSING
    if not options.choosing:
        halves["Heads for reporting"] = REPORTING
    cases = [case for half in halves.values() for case in half]
    with ProcessPoolExecutor(options.jobs, get_context("spawn")) as pool:
        found = pool.map(partial(measured, recipes=rows), cases)
        for title, half in halves.items():
            table(title, half, [name for name, _, _ in rows], found)


def measured(
    case: Case, recipes: Sequence[tuple[str, str, tuple[str, ...]]]
) -> list[list[float]] | None:
    """A head's numbers, a row a recipe; None where there is no atlas to make it from."""
    if not case.built_in and not (DATA / "cit168").is_dir():
        return None
    head = make(case)
    return [
        measure(head, with_settings(load_recipe(preset), ["mask.method=given", *changes]))
        for _, preset, changes in recipes
    ]


def table(
    title: str,
    cases: Iterable[Case],
    names: Sequence[str],
    found: Iterator[list[list[float]] | None],
) -> None:
    """Print a table with a block a head, and the mean and spread over the heads."""
    print(f"\n{title}\n")
    print("| head | " + " | ".join(_HEADER) + " |")
    print("|---" * (1 + len(_HEADER)) + "|")
    rows: dict[str, list[list[float]]] = {}
    # ``found`` goes on after these heads: the other half's follow.
    for case in cases:
        blocks = next(found)
        if blocks is None:
            print(f"| {case.name} | left out: no atlas |")
            continue
        for name, numbers in zip(names, blocks, strict=True):
            rows.setdefault(name, []).append(numbers)
            print(f"| {case.name} | {name} | {_in_words(numbers)} |", flush=True)
    for name, each in rows.items():
        values = np.array(each)
        values[:, 4] = np.abs(values[:, 4])
        print(f"| **mean of {len(values)}** | {name} | {_in_words(np.nanmean(values, axis=0))} |")
        print(f"| *spread* | {name} | {_in_words(np.nanstd(values, axis=0))} |")


def measure(head: BenchHead, recipe: Recipe) -> list[float]:
    """Reconstruct, and one row of numbers; NaN for streaks where nothing is strong."""
    mask = head.grid.with_data(head.mask.astype(np.uint8), unit="")
    result = run(recipe, Inputs(scan=head.scan, mask=mask))
    return numbers_of(head, result.arrays["chi_ppm"], result.arrays["local_mask"])


def numbers_of(head: BenchHead, chi: Array, local_mask: Array) -> list[float]:
    """The row of a map."""
    common = local_mask & head.mask
    voxel = head.grid.voxel_size_mm
    means: RegionMeans = region_ratio(chi, head.chi, head.nuclei, common)
    boxes = boxes_fit(chi, head.chi, common, head.strong, voxel)
    streaks = float("nan")
    if head.strong.any():
        streaks = 1e3 * streak_level(chi, head.chi, common, head.strong, voxel)
    return [
        nrmse(chi, head.chi, common),
        hfen(chi, head.chi, common),
        means.ratio,
        means.rmse_ppb,
        means.worst_ppb,
        boxes.slope,
        boxes.rmse_ppb,
        streaks,
    ]


def _in_words(numbers: Iterable[float]) -> str:
    formats = (".1f", ".1f", ".3f", ".1f", "+.1f", ".3f", ".1f", ".1f")
    return " | ".join(
        "" if np.isnan(n) else format(n, f) for n, f in zip(numbers, formats, strict=True)
    )


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
