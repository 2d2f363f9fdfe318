"""The built-in control and patient, from phase to the case report's table and figures."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from napari_qsm.io.label_table import write_label_table
from napari_qsm.io.nifti import write_volume
from napari_qsm.io.sidecar import write_sidecar
from napari_qsm.io.targets import check_out_folder
from napari_qsm.outputs import write_head, write_result
from napari_qsm.phantom import SUBJECTS, Head, make_head
from napari_qsm.recon.pipeline import Inputs, Result, run
from napari_qsm.recon.recipe import load_recipe
from napari_qsm.rois.files import write_table
from napari_qsm.rois.statistics import region_statistics
from napari_qsm.units import decimals, mean_sd, number

#: Told what is done, and how much of it from 0 to 1.
Progress = Callable[[str, float], None]


def write(out: Path, *, progress: Progress, overwrite: bool = False) -> str:
    """Make both heads, reconstruct and measure them, write everything, and draw the figures.

    Parameters
    ----------
    out : Path
        Folder; ``control/`` and ``patient/`` hold the scan, the maps, the regions and the
        table; ``figure-1`` and ``figure-2`` are those of the case report.
    progress : callable
        Told what is done and how much of it.
    overwrite : bool
        Whether an earlier demo there may be replaced.

    Returns
    -------
    str
        The putamen of both subjects, truth beside reconstruction, as text.
    """
    names = [f"{name}/provenance.json" for name in SUBJECTS]
    names += [f"figure-{n}.{end}" for n in (1, 2) for end in ("png", "pdf", "json", "txt", "csv")]
    check_out_folder(out, names, overwrite=overwrite, proof=names[0])
    lines = [
        "                        truth                               reconstructed",
        "subject  region         voxels  volume_mm3  mean ± SD ppm    mean ± SD ppm",
    ]
    for subject in SUBJECTS:
        head, result = reconstruct_subject(subject, progress)
        write_subject(head, result, out / subject, overwrite=overwrite)
        lines += _putamen_lines(subject, head, result)
    write_figures(out, progress=progress)
    return "\n".join(lines)


def reconstruct_subject(subject: str, progress: Progress) -> tuple[Head, Result]:
    """One built-in head, reconstructed with the case report's recipe.

    Parameters
    ----------
    subject : {"control", "patient"}
        Whose head.
    progress : callable
        Told what is done and how much of it; may raise to stop.
    """
    head = make_head(subject, progress=partial(progress, f"{subject}: head"))
    result = run(
        load_recipe("case-report"), Inputs(scan=head.scan), progress=_named(subject, progress)
    )
    return head, result


def write_subject(head: Head, result: Result, folder: Path, *, overwrite: bool = False) -> None:
    """Write a subject's scan, maps, regions and table; regions lie beside the map."""

    def with_regions(staging: Path) -> None:
        write_volume(head.labels, staging / "labels.nii.gz")
        write_sidecar(staging / "labels.nii.gz", {"Type": "ROI", "LabelTable": "labels.txt"})
        write_label_table(staging / "labels.txt", head.label_names)
        names = {region.index: region for region in head.label_names}
        table = region_statistics(result.volume("chi_ppm"), head.labels, names)
        write_table(table, staging / "table.csv")

    write_head(head, folder / "scan", overwrite=overwrite)
    write_result(result, folder, overwrite=overwrite, beside=with_regions)


def write_figures(out: Path, *, progress: Progress) -> list[Path]:
    """Draw both figures of the case report from a folder with ``control/`` and ``patient/``.

    Returns
    -------
    list of Path
        What was written: each figure as PNG and PDF, its spec, its caption, and the table.
    """
    from napari_qsm.figures.draw import Cache, render
    from napari_qsm.figures.subjects import subject_in
    from napari_qsm.figures.templates import from_template

    cache, sources, subjects = Cache(), {}, []
    for name in SUBJECTS:
        subject, found = subject_in(out / name, name.capitalize())
        subjects.append(subject)
        sources.update(found)
    written: list[Path] = []
    for which in (1, 2):
        progress("figures", (which - 1) / 2)
        spec = from_template(f"case-report-{which}", subjects, sources, known=cache.loaded)
        spec.called = {"Putamen": "putamen core"}  # the regions of the head end before its edge
        drawn = render(spec, cache=cache)
        written += drawn.save(out / f"figure-{which}.png")
        written += drawn.save(out / f"figure-{which}.pdf", companions=False)
    progress("figures", 1.0)
    return written


def _named(subject: str, progress: Progress) -> Progress:
    return lambda stage, fraction: progress(f"{subject}: {stage}", fraction)


def _putamen_lines(subject: str, head: Head, result: Result) -> list[str]:
    lines, places = [], decimals("ppm")
    chi = result.arrays["chi_ppm"]
    for region in head.label_names:
        if region.name.lower().startswith("putamen"):
            inside = head.labels.data == region.index
            truth = head.chi.data[inside].astype(np.float64)
            found = chi[inside].astype(np.float64)
            volume = inside.sum() * head.labels.voxel_volume_mm3
            lines.append(
                f"{subject:<8} {region.name:<14} {inside.sum():>6}  {number(volume, 'mm³'):>10}  "
                f"{mean_sd(truth.mean(), truth.std(ddof=1), places)}    "
                f"{mean_sd(found.mean(), found.std(ddof=1), places)}"
            )
    return lines
