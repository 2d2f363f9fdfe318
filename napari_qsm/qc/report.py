"""The report of a reconstruction: one page that needs nothing but a browser."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from napari_qsm.arrays import Array
from napari_qsm.figures.lettering import Rect
from napari_qsm.figures.plots import draw_histogram, plot_page
from napari_qsm.io.atomic import write_text
from napari_qsm.qc.judge import evidence_of, measure_evidence
from napari_qsm.qc.nuclei_zoom import VIEWS, known_good, nuclei_zoom, place_of
from napari_qsm.qc.pictures import masks_of, stage_pictures
from napari_qsm.qc.quality import HISTOGRAM_EDGES_PPM, QualityReport, findings, rows
from napari_qsm.qc.rating import Rating
from napari_qsm.qc.slice_stack import slice_stack
from napari_qsm.qc.thumbnail import WINDOW_PPM
from napari_qsm.recon.pipeline import Result
from napari_qsm.recon.stages import get_method
from napari_qsm.units import fixed, percent, sizes_text

if TYPE_CHECKING:
    from jinja2 import Template

#: Colours that the page's own take the place of, so that it can be read by day and by night.
_INK, _BAR = "#010203", "#040506"

#: What may name a file or a person in a sentence that was said during the run.
_NAMES = re.compile(r"'[^']*'|\"[^\"]*\"|(?:[A-Za-z]:\\|/)\S+|\S+\.(?:nii(?:\.gz)?|json|dcm|mat)\b")


def write_report(
    result: Result,
    path: Path | str,
    *,
    rating: Rating | Sequence[Rating] | None = None,
    quality: QualityReport | None = None,
    magnitude: Array | None = None,
    labels: Array | None = None,
    label_names: Mapping[int, str] | None = None,
) -> None:
    """Write the report as one HTML file, atomically.

    Parameters
    ----------
    result : Result
        From a run, or read back with :func:`napari_qsm.qc.files.read_stored`.
    path : Path or str
        Usually ``report.html``.
    rating : Rating or sequence of Rating, optional
        The verdict, or all of them, the latest last.
    quality : QualityReport, optional
        Numbers already measured; otherwise they are measured here.
    magnitude : (x, y, z) or (E, x, y, z) ndarray, optional
        On the result's grid, for a picture of it and of the mask over it.
    labels : (x, y, z) ndarray, optional
        Label map on the result's grid: where the deep nuclei are shown.
    label_names : dict, optional
        Names of its values.

    Raises
    ------
    QsmError
        If the result holds no map, or nothing can be written there.
    """
    html = report_html(
        result,
        rating=rating,
        quality=quality,
        magnitude=magnitude,
        labels=labels,
        label_names=label_names,
    )
    write_text(path, html)


def report_html(
    result: Result,
    *,
    rating: Rating | Sequence[Rating] | None = None,
    quality: QualityReport | None = None,
    magnitude: Array | None = None,
    labels: Array | None = None,
    label_names: Mapping[int, str] | None = None,
    residual: Array | None = None,
    alive: Callable[[], None] = lambda: None,
) -> str:
    """The report as text; parameters are those of :func:`write_report`.

    ``residual`` is the unexplained field (ppm), if the numbers were taken from it just before;
    ``alive`` is called before every picture and may raise to stop. The same input gives the same
    text: no date is written but those of the ratings.
    """
    if quality is None:
        evidence = evidence_of(result, magnitude)
        quality, residual = measure_evidence(result, evidence), evidence.residual_map
    ratings = [rating] if isinstance(rating, Rating) else list(rating or [])
    said = result.provenance
    methods, _, references = str(said.get("methods", "")).partition("\n\n")
    recipe = said.get("recipe", {})
    alive()
    histogram = _histogram(quality)
    alive()
    return _template().render(
        title="Quality of a susceptibility map",
        software=said.get("software", {}),
        python=said.get("python", "?"),
        findings=findings(quality),
        said=[_without_names(str(sentence)) for sentence in said.get("warnings", ())],
        ratings=ratings[::-1],
        chi_sha256=quality.chi_sha256,
        scan=_scan(result),
        pictures=stage_pictures(result, magnitude, residual, alive),
        **_nuclei_and_slices(result, labels, label_names, alive),
        rows=rows(quality),
        histogram=histogram,
        histogram_words=_histogram_words(quality),
        recipe=recipe,
        recipe_text=yaml.safe_dump(recipe, sort_keys=False, allow_unicode=True),
        steps=[_step(step) for step in said.get("stages", ())],
        methods=methods,
        references=references.splitlines(),
    )


def _nuclei_and_slices(
    result: Result,
    labels: Array | None,
    label_names: Mapping[int, str] | None,
    alive: Callable[[], None],
) -> dict[str, Any]:
    """The deep nuclei beside those of a good map, and all slices of the map."""
    outer, valid = masks_of(result)
    chi = result.grid.with_data(result.arrays["chi_ppm"], unit="ppm")
    place = place_of(chi, outer, labels, label_names)
    alive()
    rows = [("This map", nuclei_zoom(chi, place))]
    alive()
    rows.append(("Known to be good: built-in head", known_good()))
    alive()
    return {
        "nuclei": [(name, list(zip(VIEWS, tiles, strict=True))) for name, tiles in rows if tiles],
        "nuclei_how": place.how,
        "stack": slice_stack(chi, valid, place.basal),
        "window": WINDOW_PPM,
    }


@lru_cache(maxsize=1)
def _template() -> Template:
    from jinja2 import Environment

    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["base64"] = lambda data: base64.b64encode(data).decode("ascii")
    text = files("napari_qsm.qc").joinpath("report.html.j2").read_text(encoding="utf-8")
    return environment.from_string(text)


def _without_names(sentence: str) -> str:
    """A sentence without anything that may be a file's or a person's name."""
    return _NAMES.sub("(name left out)", sentence)


def _scan(result: Result) -> list[tuple[str, str]]:
    said = result.provenance
    times = [float(t) * 1e3 for t in said.get("echo_times_s") or ()]
    lines = []
    if times:
        name = "Time between the two echoes" if said.get("phase_difference") else "Echo times"
        lines.append((name, ", ".join(f"{t:g}" for t in times) + " ms"))
    if said.get("field_strength_t"):
        lines.append(("Field strength", f"{said['field_strength_t']:g} T"))
    grid = result.grid
    tilt = math.degrees(math.acos(min(max(map(abs, grid.b0_direction)), 1.0)))
    lines += [
        ("Voxel size", sizes_text(grid.voxel_size_mm)),
        ("Voxels", " × ".join(map(str, grid.shape)) + " (right, front, top)"),
        ("Main field against the image axes", f"{fixed(tilt, 1)}°"),
        (
            "Sides",
            "recorded in the file"
            if grid.orientation_known
            else "NOT recorded: right and left cannot be told apart",
        ),
        ("Started from", ", ".join(dict.fromkeys(_role(i) for i in said.get("inputs", ())))),
    ]
    reference = said.get("reference_ppm")
    if reference is not None:
        lines.append(("Subtracted by referencing", f"{fixed(reference, 4, signed=True)} ppm"))
    return [(name, value) for name, value in lines if value]


def _role(record: Mapping[str, Any]) -> str:
    return str(record.get("role", "")).removesuffix("_ppm").replace("_", " ")


def _histogram(quality: QualityReport) -> str:
    """The distribution of susceptibility as a drawing in the colours of the page."""
    if not sum(quality.histogram):
        return ""
    page = plot_page(150, 60, size_pt=9, ink=_INK)
    title = "susceptibility (ppm)"
    edges, counts = HISTOGRAM_EDGES_PPM, quality.histogram
    draw_histogram(page, Rect(0, 0, 150, 60), edges, counts, title, colour=_BAR)
    svg = re.sub(r' clip-path="[^"]*"', "", page.svg())  # nothing reaches beyond the sheet
    svg = svg.replace(_INK, "var(--ink)").replace(_BAR, "var(--bar)")
    return svg.replace("<svg ", '<svg role="img" aria-label="Histogram of susceptibility" ', 1)


def _histogram_words(quality: QualityReport) -> str:
    below, above = quality.below_histogram, quality.above_histogram
    whole = sum(quality.histogram) + below + above
    if not whole:
        return ""
    low, high = HISTOGRAM_EDGES_PPM[0], HISTOGRAM_EDGES_PPM[-1]
    return (
        f"{whole} voxels of the map in steps of 0.01 ppm; the highest bar is "
        f"{percent(max(quality.histogram) / whole)} of them. {below} lie below {low:g} ppm, "
        f"{above} above {high:g} ppm ({percent((below + above) / whole, 3)})."
    )


def _step(step: Mapping[str, Any]) -> dict[str, str]:
    edited = step.get("edited_by_hand") or {}
    try:
        title = get_method(step["stage"], step["method"]).title
    except ValueError:  # a method of another version
        title = str(step.get("method", ""))
    return {
        "stage": str(step["stage"]),
        "title": title,
        "seconds": fixed(float(step.get("seconds", 0)), 1),
        "settings": ", ".join(f"{k} = {_value(v)}" for k, v in step.get("settings", {}).items()),
        "edited": ", ".join(f"{edited.get(k, 0)} voxels {k}" for k in ("added", "removed"))
        if edited
        else "",
    }


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)
