"""How cost grows with the number of voxels: N log N gives a nearly constant last column."""

from __future__ import annotations

import numpy as np

from benchmarks.timing import best_of, machine
from napari_qsm.phantom import make_head
from napari_qsm.recon.pipeline import Inputs, run
from napari_qsm.recon.recipe import load_recipe

#: Half, once, twice and four times the voxels of 192 x 160 x 72, over the same head.
GRIDS = (
    ((160, 136, 52), (1.5, 1.44, 2.8)),
    ((192, 160, 72), (1.25, 1.22, 2.0)),
    ((240, 200, 92), (1.0, 0.98, 1.57)),
    ((304, 256, 114), (0.79, 0.76, 1.26)),
)


def main() -> None:
    print(f"{machine()}, recipe case-report\n")
    print("| grid | voxels | s | ns per voxel and log2(voxels) |")
    print("|---|---|---|---|")
    recipe = load_recipe("case-report")
    for shape, size in GRIDS:
        scan = make_head("control", shape=shape, voxel_size_mm=size, oversampling=(1, 1, 1)).scan
        count = int(np.prod(shape))
        seconds, _ = best_of(lambda scan=scan: run(recipe, Inputs(scan=scan)), 2)
        unit = seconds / (count * np.log2(count)) * 1e9
        print(f"| {'x'.join(map(str, shape))} | {count} | {seconds:.2f} | {unit:.1f} |", flush=True)


if __name__ == "__main__":
    main()
