"""First outlines on held-back heads, reconstructed from wrapped noisy phase.

The heads are those of ``benchmarks.heads``: real cortex and the atlas's nuclei, resized and bent at random, each nucleus
with a susceptibility of its own. *Gentle* ones are bent as people differ, the others within 22 mm. The outline
to be found is where a nucleus has more than half a voxel. The nuclei are those that are looked for, so this shows how well
outlines are found, not how well an atlas suits a person. *Mean* is that of the map in the proposed outline
less that in the true one. Settings were chosen on the first heads. Needs the folder that ``NAPARI_QSM_HEADS`` names.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

import numpy as np

from benchmarks.heads import DATA, Case, make
from benchmarks.timing import machine
from napari_qsm.arrays import Array
from napari_qsm.outlines.propose import propose_outlines, region_list
from napari_qsm.recon.pipeline import Inputs, run
from napari_qsm.recon.recipe import load_recipe, with_settings

CHOOSING = (
    *(
        Case(
            f"gentle {n}",
            seed=100 + n,
            voxel_mm=(2, 2, 2) if n % 2 else (1, 1, 2),
            lesions=n == 3,
            gentle=True,
        )
        for n in (1, 2, 3, 4, 5)
    ),
    *(Case(f"steep {n}", seed=n, follows=n != 1) for n in (1, 2, 3)),
)
REPORTING = (
    *(
        Case(
            f"gentle {n}",
            seed=100 + n,
            voxel_mm=(2, 2, 2) if n % 2 else (1, 1, 2),
            lesions=n == 6,
            gentle=True,
        )
        for n in (6, 7, 8)
    ),
    Case("steep 4", seed=4, voxel_mm=(1, 1, 2)),
    Case("steep 5, tilted 20°", seed=5, skull=True, tilt_deg=20),
    Case("steep 6, lesions", seed=6, lesions=True),
)
#: Regions, and how the heads call what they are made of, without the side.
_PARTS = {
    "Caudate": ("Caudate",),
    "Putamen": ("Putamen",),
    "Globus pallidus": ("Globus Pallidus externa", "Globus Pallidus interna"),
    "Globus pallidus externus": ("Globus Pallidus externa",),
    "Globus pallidus internus": ("Globus Pallidus interna",),
    "Nucleus accumbens": ("Nucleus Accumbens",),
    "Subthalamic nucleus": ("Subthalamic Nucleus",),
    "Red nucleus": ("Red Nucleus",),
    "Substantia nigra": ("Substantia Nigra pars compacta", "Substantia-Nigra-pars-reticulata"),
}


def main() -> None:
    print(machine())
    if DATA.is_dir():
        table("Heads for choosing", CHOOSING)
        table("Heads for reporting", REPORTING)


def table(title: str, cases: Iterable[Case]) -> None:
    """Print a row a head, and a row a nucleus over the heads that are gentle and those that are not."""
    print(f"\n{title}\n")
    print("| head | match | Dice, mean / lowest | centre mm, median / worst | left out | CPU s |")
    print("|---|---|---|---|---|---|")
    rows: dict[bool, list[tuple[str, float, float, float]]] = {True: [], False: []}
    for case in cases:
        found, match, without, seconds = measure(case)
        rows[case.gentle] += found
        dice, centre = (np.array([row[n] for row in found]) for n in (1, 2))
        print(
            f"| {case.name} | {match:.2f} | {dice.mean():.2f} / {dice.min():.2f} | "
            f"{np.median(centre):.2f} / {centre.max():.1f} | {', '.join(without)} | {seconds:.0f} |",
            flush=True,
        )
    for gentle, every in rows.items():
        print(f"\n{title}, {'gentle' if gentle else 'steep'}\n")
        print(
            "| nucleus | Dice, mean / lowest | centre mm, median / worst | mean ppb, typical / worst |"
        )
        print("|---|---|---|---|")
        for name in _PARTS:
            _print_row(name, np.array([row[1:] for row in every if row[0] == name]))
        _print_row("all", np.array([row[1:] for row in every]))


def _print_row(name: str, values: Array) -> None:
    if not len(values):
        return
    apart = np.abs(values[:, 2])
    print(
        f"| {name} | {values[:, 0].mean():.2f} / {values[:, 0].min():.2f} | "
        f"{np.median(values[:, 1]):.2f} / {values[:, 1].max():.1f} | "
        f"{np.median(apart):.1f} / {apart.max():.0f} |"
    )


def measure(case: Case) -> tuple[list[tuple[str, float, float, float]], float, list[str], float]:
    """Name, Dice, distance of centres (mm) and difference of means (ppb) of each outline of a head."""
    head = make(case)
    recipe = with_settings(load_recipe("case-report"), ["mask.method=given"])
    mask = head.grid.with_data(head.mask.astype(np.uint8), unit="")
    result = run(recipe, Inputs(scan=head.scan, mask=mask))
    chi = head.grid.with_data(result.arrays["chi_ppm"], unit="ppm")
    start = time.process_time()
    proposal = propose_outlines(chi, mask=mask)
    seconds = time.process_time() - start
    labels = np.asarray(proposal.labels.data)
    index = {row.name: row.index for row in region_list()}
    found = []
    for name, parts in _PARTS.items():
        own = ("externus", "internus") if name == "Globus pallidus" else ("",)
        for side in "LR":
            mine = np.isin(labels, [index[f"{name} {part}".strip() + f" {side}"] for part in own])
            truth = np.zeros(labels.shape, bool)
            for part in parts:
                truth |= head.nuclei.get(f"{side} {part}", False)
            if mine.any() and truth.any():
                found.append((name, *_compared(mine, truth, chi.data, chi.voxel_size_mm)))
    return found, proposal.fit.match, [n for n in proposal.without if "seed" not in n], seconds


def _compared(
    mine: Array, truth: Array, chi: Array, sizes: tuple[float, ...]
) -> tuple[float, float, float]:
    apart = np.argwhere(mine).mean(axis=0) - np.argwhere(truth).mean(axis=0)
    return (
        float(2 * (mine & truth).sum() / (mine.sum() + truth.sum())),
        float(np.linalg.norm(apart * np.array(sizes))),
        1e3 * float(chi[mine].mean() - chi[truth].mean()),
    )
