"""How cost grows with the number of voxels: N log N gives nearly constant last columns.

Processor time of the whole chain in one thread; its pairs are transforms of the very size, which
grow like N log N themselves, measured before and after because both take longer beside other work.
"""

from __future__ import annotations

import os
import time

import numpy as np

from benchmarks.timing import machine, pair_processor_seconds
from napari_qsm.phantom import make_head
from napari_qsm.recon.parallel import THREADS_VARIABLE
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
    os.environ[THREADS_VARIABLE] = "1"
    print(f"{machine()}, one thread, recipe case-report\n")
    print("| grid | voxels | processor s | ns per voxel and log2(voxels) | pairs |")
    print("|---|---|---|---|---|")
    recipe = load_recipe("case-report")
    for number, (shape, size) in enumerate(GRIDS):
        scan = make_head("control", shape=shape, voxel_size_mm=size, oversampling=(1, 1, 1)).scan
        if not number:
            run(recipe, Inputs(scan=scan))  # compiles
        count = int(np.prod(shape))
        pairs = [pair_processor_seconds(shape)]
        begun = time.process_time()
        run(recipe, Inputs(scan=scan))
        seconds = time.process_time() - begun
        pairs.append(pair_processor_seconds(shape))
        unit = seconds / (count * np.log2(count)) * 1e9
        print(
            f"| {'x'.join(map(str, shape))} | {count / 1e6:.2f} million | {seconds:.2f} "
            f"| {unit:.0f} | {seconds / np.mean(pairs):.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
