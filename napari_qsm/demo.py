"""The built-in control and patient, from phase to the table of the case report."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from napari_qsm.outputs import write_head, write_result
from napari_qsm.phantom import SUBJECTS, Head, make_head
from napari_qsm.recon.pipeline import Inputs, Result, run
from napari_qsm.recon.recipe import load_recipe
from napari_qsm.rois.files import rounded, write_table
from napari_qsm.rois.statistics import region_statistics


def write(out: Path, *, progress: Callable[[str, float], None], overwrite: bool = False) -> str:
    """Make both heads, reconstruct them, measure their regions, and write everything.

    Parameters
    ----------
    out : Path
        Folder; ``control/`` and ``patient/`` hold the scan, the maps and the table.
    progress : callable
        Told what is done and how much of it.
    overwrite : bool
        Whether an earlier demo there may be replaced.

    Returns
    -------
    str
        The putamen of both subjects, truth beside reconstruction, as text.
    """
    lines = [
        "                        truth                               reconstructed",
        "subject  region         voxels  volume_mm3  mean ± SD ppm    mean ± SD ppm",
    ]
    recipe = load_recipe("case-report")
    for subject in SUBJECTS:
        head = make_head(subject, progress=partial(progress, f"{subject}: head"))
        result = run(recipe, Inputs(scan=head.scan), progress=_named(subject, progress))
        folder = out / subject
        write_head(head, folder / "scan", overwrite=overwrite)
        write_result(result, folder, overwrite=overwrite)
        names = {region.index: region for region in head.label_names}
        chi = result.volume("chi_ppm")
        table = region_statistics(chi, head.labels, names)
        write_table(table, folder / "table.csv")
        lines += _putamen_lines(subject, head, result)
    return "\n".join(lines)


def _named(subject: str, progress: Callable[[str, float], None]) -> Callable[[str, float], None]:
    return lambda stage, fraction: progress(f"{subject}: {stage}", fraction)


def _putamen_lines(subject: str, head: Head, result: Result) -> list[str]:
    lines = []
    chi = result.arrays["chi_ppm"]
    for region in head.label_names:
        if region.name.lower().startswith("putamen"):
            inside = head.labels.data == region.index
            truth = head.chi.data[inside].astype(np.float64)
            found = chi[inside].astype(np.float64)
            volume = inside.sum() * head.labels.voxel_volume_mm3
            lines.append(
                f"{subject:<8} {region.name:<14} {inside.sum():>6}  {rounded(volume, 1):>10}  "
                f"{truth.mean():.3f} ± {truth.std(ddof=1):.3f}    "
                f"{found.mean():.3f} ± {found.std(ddof=1):.3f}"
            )
    return lines
