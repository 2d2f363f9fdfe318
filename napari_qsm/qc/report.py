"""The report of a reconstruction: one page that needs nothing but a browser."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import yaml

from napari_qsm.arrays import Array
from napari_qsm.io.atomic import write_text
from napari_qsm.qc.explain import rows
from napari_qsm.qc.histogram import histogram_svg
from napari_qsm.qc.measures import measure
from napari_qsm.qc.page import page
from napari_qsm.qc.pictures import stage_pictures
from napari_qsm.qc.quality import QualityReport
from napari_qsm.qc.rating import Rating
from napari_qsm.qc.warnings import findings
from napari_qsm.recon.pipeline import Result
from napari_qsm.recon.stages import get_method

_VERDICT_WORDS = {"pass": "Pass", "doubtful": "Doubtful", "fail": "Fail"}
_SEVERITY_WORDS = {"serious": "Serious", "warning": "Warning", "note": "Note"}

#: What may name a file or a person in a sentence that was said during the run.
_NAMES = re.compile(r"'[^']*'|\"[^\"]*\"|(?:[A-Za-z]:\\|/)\S+|\S+\.(?:nii(?:\.gz)?|json|dcm|mat)\b")


def write_report(
    result: Result,
    path: Path | str,
    *,
    rating: Rating | Sequence[Rating] | None = None,
    quality: QualityReport | None = None,
    magnitude: Array | None = None,
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

    Raises
    ------
    QsmError
        If the result holds no map, or nothing can be written there.
    """
    html = report_html(result, rating=rating, quality=quality, magnitude=magnitude)
    write_text(path, html)


def report_html(
    result: Result,
    *,
    rating: Rating | Sequence[Rating] | None = None,
    quality: QualityReport | None = None,
    magnitude: Array | None = None,
) -> str:
    """The report as text; parameters are those of :func:`write_report`.

    The same input gives the same text: no date is written but those of the ratings.
    """
    quality = quality or measure(result, magnitude=magnitude)
    ratings = [rating] if isinstance(rating, Rating) else list(rating or [])
    provenance = result.provenance
    sections = [
        _warnings(quality, provenance),
        _ratings(ratings, quality.chi_sha256),
        _input(result),
        "<section><h2>Pictures of each stage</h2>"
        "<p>Slices through the middle of the mask. The patient's right is on the left; letters "
        "mark the sides.</p>" + "".join(stage_pictures(result, magnitude)) + "</section>",
        _numbers(quality),
        "<section><h2>Distribution of susceptibility</h2>" + histogram_svg(quality) + "</section>",
        _recipe(provenance),
        _methods(provenance),
    ]
    software = provenance.get("software", {})
    version = escape(str(software.get("napari-qsm", "")))
    return page(
        "Quality of a susceptibility map",
        f"Made with napari-qsm {version}.",
        "\n".join(section for section in sections if section),
    )


def _warnings(quality: QualityReport, provenance: Mapping[str, Any]) -> str:
    found = findings(quality)
    items = "".join(
        f'<li class="{f.severity}"><b>{_SEVERITY_WORDS[f.severity]}.</b> {escape(f.sentence)}</li>'
        for f in found
    )
    said = [_without_names(str(sentence)) for sentence in provenance.get("warnings", ())]
    notes = "".join(f"<li>{escape(sentence)}</li>" for sentence in said)
    first = (
        f'<ul class="findings">{items}</ul>'
        if found
        else '<p class="good"><b>Nothing unusual was found in the numbers.</b> Look at the '
        "pictures all the same.</p>"
    )
    second = f"<h3>Said during the run</h3><ul>{notes}</ul>" if notes else ""
    return f"<section><h2>Warnings</h2>{first}{second}</section>"


def _without_names(sentence: str) -> str:
    """A sentence without anything that may be a file's or a person's name."""
    return _NAMES.sub("(name left out)", sentence)


def _ratings(ratings: Sequence[Rating], chi_sha256: str) -> str:
    if not ratings:
        return "<section><h2>Rating</h2><p>Not rated yet.</p></section>"
    lines = []
    for rating in reversed(ratings):
        other = rating.chi_sha256 not in ("", chi_sha256)
        lines.append(
            f"<tr><td><b>{_VERDICT_WORDS[rating.verdict]}</b>"
            + (" (of an earlier map in this folder)" if other else "")
            + f"</td><td>{escape(rating.comment)}</td><td>{escape(rating.rater)}</td>"
            f"<td>{rating.rated_at:%Y-%m-%d %H:%M} {escape(rating.rated_at.tzname() or '')}, "
            f"version {escape(rating.software_version)}</td></tr>"
        )
    return (
        "<section><h2>Rating</h2>"
        + _table(("Verdict", "Comment", "Rater", "When"), lines)
        + "</section>"
    )


def _input(result: Result) -> str:
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
        ("Voxel size", " × ".join(f"{s:.4g}" for s in grid.voxel_size_mm) + " mm"),
        ("Voxels", " × ".join(map(str, grid.shape)) + " (right, front, top)"),
        ("Main field against the image axes", f"{tilt:.1f}°"),
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
        lines.append(("Subtracted by referencing", f"{round(reference, 4) + 0.0:+.4f} ppm"))
    cells = [f"<tr><td>{escape(a)}</td><td>{escape(b)}</td></tr>" for a, b in lines if b]
    return "<section><h2>Scan</h2>" + _table((), cells) + "</section>"


def _role(record: Mapping[str, Any]) -> str:
    return str(record.get("role", "")).removesuffix("_ppm").replace("_", " ")


def _numbers(quality: QualityReport) -> str:
    lines = [
        f"<tr><td><b>{escape(row.name)}</b><br><small>{escape(row.meaning)}</small></td>"
        f'<td class="number">{escape(row.value)}</td><td class="usual">{escape(row.usual)}</td></tr>'
        for row in rows(quality)
    ]
    return (
        "<section><h2>Numbers</h2><p>“Usual” is what the built-in recipes give on the built-in "
        "head and on three real scans; other scanners and voxel sizes may differ.</p>"
        + _table(("What", "Value", "Usual"), lines)
        + "</section>"
    )


def _recipe(provenance: Mapping[str, Any]) -> str:
    recipe = provenance.get("recipe", {})
    lines = []
    for step in provenance.get("stages", ()):
        settings = ", ".join(
            f"{escape(str(name))} = {escape(_value(value))}"
            for name, value in step.get("settings", {}).items()
        )
        edited = step.get("edited_by_hand")
        if edited:
            changes = [f"{edited.get(k, 0)} voxels {k}" for k in ("added", "removed")]
            settings += f" <b>edited by hand: {', '.join(changes)}</b>"
        lines.append(
            f"<tr><td>{escape(str(step['stage']))}</td>"
            f"<td>{escape(_title(step))}</td>"
            f'<td class="number">{float(step.get("seconds", 0)):.1f} s</td><td>{settings}</td></tr>'
        )
    text = yaml.safe_dump(recipe, sort_keys=False, allow_unicode=True)
    return (
        "<section><h2>How it was made</h2>"
        f"<p>Recipe “{escape(str(recipe.get('name', '')))}”. "
        f"{escape(str(recipe.get('description', '')))}</p>"
        + _table(("Stage", "Method", "Time", "Settings"), lines)
        + "<h3>The recipe as a file</h3><p>Copy it into a text file ending in .yaml to repeat the "
        f"work.</p><pre>{escape(text)}</pre>"
        + "<p>Libraries: "
        + escape(
            ", ".join(f"{name} {v}" for name, v in provenance.get("software", {}).items())
            + f"; Python {provenance.get('python', '?')}"
        )
        + ".</p></section>"
    )


def _title(step: Mapping[str, Any]) -> str:
    try:
        return get_method(step["stage"], step["method"]).title
    except ValueError:  # a method of another version
        return str(step.get("method", ""))


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _methods(provenance: Mapping[str, Any]) -> str:
    text, _, references = str(provenance.get("methods", "")).partition("\n\n")
    if not text:
        return ""
    listed = "<br>".join(escape(line) for line in references.splitlines())
    return (
        f"<section><h2>For the methods section of a paper</h2><p>{escape(text)}</p>"
        f"<p><small>{listed}</small></p></section>"
    )


def _table(head: Sequence[str], lines: Sequence[str]) -> str:
    top = "".join(f"<th>{escape(name)}</th>" for name in head)
    return (
        '<div class="wide"><table>'
        + (f"<thead><tr>{top}</tr></thead>" if head else "")
        + "<tbody>"
        + "".join(lines)
        + "</tbody></table></div>"
    )
