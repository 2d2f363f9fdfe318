"""Draw every stage of the case-report recipe on the built-in patient: docs/images/stages.png."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from napari_qsm.phantom import make_head
from napari_qsm.recon.pipeline import Inputs, run
from napari_qsm.recon.recipe import load_recipe

#: Height of the slice in mm: through putamen and globus pallidus.
HEIGHT_MM = 2.0
#: Columns that hold the head.
HALF = slice(64, -64)
PANELS = (
    ("magnitude", "magnitude", None, None),
    ("phase", "wrapped phase (rad)", -np.pi, np.pi),
    ("mask", "mask", 0, 1),
    ("unwrapped", "unwrapped (rad)", -15, 15),
    ("total_field_ppm", "total field (ppm)", -0.5, 0.5),
    ("local_field_ppm", "local field (ppm)", -0.05, 0.05),
    ("chi_ppm", "χ (ppm)", -0.1, 0.15),
    ("truth", "true χ (ppm)", -0.1, 0.15),
)


def main() -> None:
    """Reconstruct, and draw one axial slice of each stage, patient's right on the left."""
    head = make_head("patient")
    result = run(load_recipe("case-report"), Inputs(scan=head.scan))
    images = {name: result.volume(name).data for name in result.images()}
    images["magnitude"] = head.scan.magnitude[0].data
    images["truth"] = head.chi.data * head.mask.data
    _, _, k = np.rint(head.chi.world_to_voxel([0, 0, HEIGHT_MM])).astype(int)
    dx, dy, _ = head.chi.voxel_size_mm
    figure, axes = plt.subplots(2, 4, figsize=(13, 7.8), layout="constrained")
    for axis, (name, title, low, high) in zip(axes.flat, PANELS, strict=True):
        # Columns run to the patient's left, rows to the front: radiological.
        picture = images[name][HALF, :, k][::-1].T
        shown = axis.imshow(
            picture, cmap="gray", vmin=low, vmax=high, origin="lower", aspect=dy / dx
        )
        axis.set_title(title)
        axis.set_axis_off()
        axis.text(0.02, 0.5, "R", transform=axis.transAxes, color="w", va="center")
        axis.text(0.98, 0.5, "L", transform=axis.transAxes, color="w", va="center", ha="right")
        if low is not None and name != "mask":
            figure.colorbar(shown, ax=axis, shrink=0.7)
    out = Path(__file__).with_name("images") / "stages.png"
    out.parent.mkdir(exist_ok=True)
    figure.savefig(out, dpi=90)


if __name__ == "__main__":
    main()
