"""What a script needs from files to figures in few calls; no window, no Qt.

Everything here is made of the same functions as the command line and the window use, and gives
the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_qsm.errors import MetadataError
from napari_qsm.io.segmentation import on_grid, read_labels
from napari_qsm.io.sources import load_scan, open_source
from napari_qsm.recon.inputs import Inputs
from napari_qsm.recon.pipeline import run
from napari_qsm.recon.recipe import (
    Recipe,
    contrast_choices,
    is_of_contrast,
    load_recipe,
    parse_recipe,
    with_settings,
)
from napari_qsm.recon.result import Result
from napari_qsm.rois import statistics
from napari_qsm.rois.high_part import high_limits
from napari_qsm.rois.noise import NoiseMap, read_noise
from napari_qsm.rois.region import Region
from napari_qsm.scan import Scan
from napari_qsm.units import SusceptibilityUnit
from napari_qsm.volume import Volume

if TYPE_CHECKING:
    import pandas as pd

    from napari_qsm.figures.draw import Rendered
    from napari_qsm.figures.spec import FigureSpec

__all__ = ["read_scan", "reconstruct", "region_statistics", "render_figure"]


def read_scan(
    source: Path | str | Sequence[Path | str],
    magnitude: Path | str | Sequence[Path | str] = (),
    *,
    series: str | None = None,
    echo_times_s: Sequence[float] | None = None,
    field_strength_t: float | None = None,
    phase_difference: bool | None = None,
) -> Scan:
    """Read a scan: a folder, or phase and magnitude files.

    Parameters
    ----------
    source : path or sequence of path
        A folder (BIDS, imported, plain NIfTI, DICOM); or the phase, one file for each echo or
        one 4-D file.
    magnitude : path or sequence of path
        The magnitude in the same way, where ``source`` is the phase.
    series : str, optional
        Which scan, where a folder holds several.
    echo_times_s, field_strength_t, phase_difference : optional
        What sidecars do not tell, or what wins over them.

    Returns
    -------
    Scan

    Raises
    ------
    QsmError
        If nothing is found, several scans are, or something that must be known is missing.
    """
    said: dict[str, Any] = {
        "echo_times_s": echo_times_s,
        "field_strength_t": field_strength_t,
        "phase_difference": phase_difference,
    }
    if magnitude:
        return load_scan(_listed(source), _listed(magnitude), **said)
    return open_source(source, series=series, **said)


def reconstruct(
    scan: Scan | Inputs,
    recipe: str | Path | Recipe | Mapping[str, Any] = "case-report",
    *,
    settings: Sequence[str] = (),
    mask: Volume | None = None,
    uncertainty: int = 0,
    also: Sequence[str] = (),
    progress: Callable[[str, float], None] | None = None,
) -> Result:
    """Reconstruct a scan, as ``napari-qsm reconstruct`` does.

    Parameters
    ----------
    scan : Scan or Inputs
        Or any intermediate to start from, as :class:`napari_qsm.recon.inputs.Inputs`.
    recipe : str, path, Recipe or mapping
        A preset (``"case-report"``, ``"consensus"``), a recipe file, or a recipe.
    settings : sequence of str
        Changes to it, such as ``"background.radius_max_mm=9"``, or to a map of ``also``, such
        as ``"swi.power=8"``.
    mask : Volume, optional
        Brain mask used instead of the recipe's method, on the scan's grid.
    uncertainty : int
        Perturbed maps that the noise of the map is found from (2 to 20; 4 are enough); 0 for none.
    also : sequence of str
        Maps beside chi: ``"r2star"``, ``"swi"``, ``"tswi"``, ``"mip"``, ``"chi-separation"``.
    progress : callable, optional
        Told the stage and how much of it is done; may raise to stop.

    Returns
    -------
    Result
        ``result.volume("chi_ppm")`` is the map in ppm; every intermediate is there too.

    Raises
    ------
    QsmError
        If a setting is unknown or a stage fails.
    """
    if isinstance(recipe, Recipe):
        chosen = recipe
    elif isinstance(recipe, Mapping):
        chosen = parse_recipe(recipe)
    else:
        chosen = load_recipe(recipe)
    inputs = scan if isinstance(scan, Inputs) else Inputs(scan=scan, mask=mask)
    ours = [line for line in settings if is_of_contrast(line)]
    return run(
        with_settings(chosen, [line for line in settings if line not in ours]),
        inputs,
        uncertainty=uncertainty,
        also=contrast_choices(also, ours),
        progress=progress,
    )


def region_statistics(
    values: Volume,
    labels: Volume | Path | str,
    names: Mapping[int, Region | str] | None = None,
    *,
    unit: SusceptibilityUnit = "ppm",
    warn: Callable[[str], None] | None = None,
    noise: NoiseMap | Path | str | None = None,
    also: Collection[str] = (),
    high: str | Sequence[str] = (),
) -> pd.DataFrame:
    """Voxels, volume, mean and SD of a map in every region of a label map.

    Parameters
    ----------
    values : Volume
        A map in ppm or ppb.
    labels : Volume or path
        Whole numbers on the same grid. A file brings the names of a label table of its own
        name beside it.
    names, unit, warn : optional
        As in :func:`napari_qsm.rois.statistics.region_statistics`.
    noise : NoiseMap or path, optional
        The map's noise map, as ``reconstruct`` writes it; adds a column ``se_ppm``, the standard
        errors of the means by the scan's noise.
    also : collection of str
        More statistics by name, in columns behind: ``"p25"``, ``"p75"``, ``"high_fraction"``,
        ``"high_mean"``, ``"high_voxels"``, ``"inner_mean"``, ``"edge_difference"``,
        ``"inner_voxels"``.
    high : str or sequence of str
        Above what a voxel is high, in the unit of the table: ``"0.1"`` for all regions,
        ``"Putamen=0.08"`` for one.

    Returns
    -------
    DataFrame
        One row for each region; columns ``label``, ``name``, ``side``, ``voxels``,
        ``volume_mm3``, ``mean_ppm``, ``sd_ppm`` and more.

    Raises
    ------
    QsmError
        If the two do not share a grid, or hold something else.
    """
    if not isinstance(labels, Volume):
        read, regions = read_labels(labels, warn=warn)
        labels = on_grid(read, values)
        names = {region.index: region for region in regions} if names is None else names
    if noise is not None and not isinstance(noise, NoiseMap):
        noise = read_noise(Path(noise))
    return statistics.region_statistics(
        values,
        labels,
        names,
        unit=unit,
        warn=warn,
        also=tuple(also) if noise is None else (*also, "se"),
        high=high_limits([high] if isinstance(high, str) else high, unit),
        noise=noise,
    )


def render_figure(
    figure: str | Path | FigureSpec,
    *,
    control: Path | str | None = None,
    patient: Path | str | None = None,
    labels: Sequence[Path | str] = (),
) -> Rendered:
    """Draw a figure from a template or from its own small file.

    Parameters
    ----------
    figure : str, path or FigureSpec
        The name of a template (``"case-report-1"``), a figure's JSON file, or a figure.
    control, patient : path, optional
        For a template: folders of results, as :func:`napari_qsm.write_result` and
        ``napari-qsm reconstruct`` write them.
    labels : sequence of path
        Label maps where they do not lie in these folders: the control's, then the patient's.

    Returns
    -------
    Rendered
        Its ``save(path)`` writes PNG, TIFF, PDF or SVG, with caption, table and spec.

    Raises
    ------
    QsmError
        If something is missing, wrong or contradictory.
    """
    from napari_qsm.figures.command import from_folders
    from napari_qsm.figures.draw import Cache, render
    from napari_qsm.figures.spec import FigureSpec, read_spec
    from napari_qsm.figures.templates import TEMPLATES

    cache, base = Cache(), Path()
    if figure in TEMPLATES:
        figure = from_folders(
            str(figure),
            None if control is None else Path(control),
            None if patient is None else Path(patient),
            tuple(Path(path) for path in labels),
            cache,
        )
    elif control or patient or labels:
        raise MetadataError(
            "'control', 'patient' and 'labels' belong to a template "
            f"({', '.join(TEMPLATES)}); a figure names its own maps."
        )
    elif not isinstance(figure, FigureSpec):
        base = Path(figure).parent
        figure = read_spec(Path(figure))
    return render(figure, base=base, cache=cache)


def _listed(paths: Path | str | Sequence[Path | str]) -> list[Path | str]:
    return [paths] if isinstance(paths, Path | str) else list(paths)
