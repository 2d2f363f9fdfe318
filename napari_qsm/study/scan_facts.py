"""What must be the same for all maps of a study before their values are compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from napari_qsm.errors import FileError
from napari_qsm.io.plain_data import PlainDataError, parse_json
from napari_qsm.io.sidecar import sidecar_path
from napari_qsm.io.text import read_text
from napari_qsm.recon.recipe import recipe_sha256
from napari_qsm.rois.exports import object_in, provenance_beside
from napari_qsm.study.protocol import Protocol
from napari_qsm.study.rows import some
from napari_qsm.study.study_scan import StudyScan

#: How far field strengths (T) and echo times (ms) of one protocol may lie apart.
FIELD_T, _TIME_MS = 0.2, 0.5


@dataclass(frozen=True)
class ScanFacts:
    """How a map was made, from its provenance.

    Attributes
    ----------
    version : str
        Of this program.
    recipe, recipe_sha256 : str
        Its name, and a checksum of all its settings.
    field_strength_t : float or None
    echo_times_s : tuple of float
    voxel_size_mm : tuple of float
        Of the map; empty where nobody looked.
    reference : str
        Method of the reference stage.
    reference_ppm : float or None
        What was subtracted.
    inversion : str
        Method of the inversion.
    whole_brain_ppm : float or None
        Mean of the map within its mask, where there is one.
    """

    version: str = ""
    recipe: str = ""
    recipe_sha256: str = ""
    field_strength_t: float | None = None
    echo_times_s: tuple[float, ...] = ()
    voxel_size_mm: tuple[float, ...] = ()
    reference: str = ""
    reference_ppm: float | None = None
    whole_brain_ppm: float | None = None
    inversion: str = ""


def facts_of(scan: StudyScan, voxel_size_mm: Sequence[float] = ()) -> ScanFacts:
    """What the provenance of a scan's map tells; nothing where there is none.

    Raises
    ------
    FileError
        If it is damaged.
    """
    size = tuple(voxel_size_mm)
    if scan.provenance.name not in scan.files:
        return ScanFacts(voxel_size_mm=size)
    try:
        said = parse_json(read_text(scan.provenance, "provenance"))
    except PlainDataError as error:
        raise FileError(f"'{scan.provenance.name}' {error}.") from None
    if not isinstance(said, dict):
        raise FileError(f"'{scan.provenance.name}' is no provenance.")
    return facts_from(said, size)


def facts_from(said: Mapping[str, Any], voxel_size_mm: Sequence[float] = ()) -> ScanFacts:
    """What a provenance tells of the map that it stands beside."""
    stages = [step for step in _list(said, "stages") if isinstance(step, dict)]
    reference, inversion = (
        next((step for step in stages if step.get("stage") == stage), {})
        for stage in ("reference", "inversion")
    )
    recipe = _dict(said, "recipe")
    strength, shift = said.get("field_strength_t"), said.get("reference_ppm")
    return ScanFacts(
        version=str(_dict(said, "software").get("napari-qsm", "")),
        recipe=str(recipe.get("name", "")),
        recipe_sha256=recipe_sha256(recipe) if recipe else "",
        field_strength_t=float(strength) if isinstance(strength, int | float) else None,
        echo_times_s=tuple(
            float(t) for t in _list(said, "echo_times_s") if isinstance(t, int | float)
        ),
        voxel_size_mm=tuple(voxel_size_mm),
        reference=str(reference.get("method", "")),
        reference_ppm=float(shift) if isinstance(shift, int | float) else None,
        inversion=str(inversion.get("method", "")),
    )


def facts_beside(origin: Path | None, voxel_size_mm: Sequence[float] = ()) -> ScanFacts:
    """What the files beside a map tell of it: its provenance, else its sidecar."""
    facts = facts_from(provenance_beside(origin), voxel_size_mm)
    said = object_in(sidecar_path(origin)) if origin is not None else {}
    strength, reference = said.get("MagneticFieldStrength"), said.get("Reference")
    if facts.field_strength_t is None and isinstance(strength, int | float):
        facts = replace(facts, field_strength_t=float(strength))
    if not facts.reference and isinstance(reference, str):
        facts = replace(facts, reference=reference)
    return facts


def differences(facts: Mapping[str, ScanFacts]) -> list[str]:
    """In what maps differ that are to be compared, each in a sentence that names scans.

    Parameters
    ----------
    facts : mapping of str to ScanFacts
        By the scan's name. What a map does not tell counts as no difference.
    """
    told = {
        "recipes": {n: f.recipe_sha256 and f.recipe for n, f in facts.items()},
        "versions of the program": {n: f.version for n, f in facts.items()},
        "references": {n: f.reference for n, f in facts.items()},
        "field strengths": _about(
            {n: (f.field_strength_t,) if f.field_strength_t else () for n, f in facts.items()},
            FIELD_T,
            "T",
        ),
        "echo times": _about(
            {n: tuple(1e3 * t for t in f.echo_times_s) for n, f in facts.items()}, _TIME_MS, "ms"
        ),
        "voxel sizes": _about({n: f.voxel_size_mm for n, f in facts.items()}, 0.01, "mm"),
    }
    sums = {f.recipe_sha256 for f in facts.values() if f.recipe_sha256}
    if len(sums) > 1 and len({f.recipe for f in facts.values() if f.recipe}) == 1:
        told["recipes"] = {
            n: f"{f.recipe} with settings {f.recipe_sha256[:6]}" if f.recipe_sha256 else ""
            for n, f in facts.items()
        }
    return [sentence for what, by_scan in told.items() if (sentence := _sentence(what, by_scan))]


def departures(protocol: Protocol, facts: Mapping[str, ScanFacts]) -> list[str]:
    """Maps that were made otherwise than the protocol says, in sentences that name scans."""
    recipe = protocol.chosen_recipe()
    wanted = recipe_sha256(recipe.to_dict())
    other = [n for n, f in facts.items() if f.recipe_sha256 and f.recipe_sha256 != wanted]
    out = []
    if other:
        out.append(
            f"{len(other)} maps were not made with the protocol's recipe '{recipe.name}' and its "
            f"settings ({some(other)})."
        )
    said = protocol.reference
    odd = [n for n, f in facts.items() if said and f.reference and f.reference != said]
    if odd:
        out.append(
            f"{len(odd)} maps have another reference than the protocol's '{said}' ({some(odd)})."
        )
    return out


def _sentence(what: str, by_scan: Mapping[str, str]) -> str:
    groups: dict[str, list[str]] = {}
    for name, said in by_scan.items():
        if said:
            groups.setdefault(said, []).append(name)
    if len(groups) < 2:
        return ""
    ordered = sorted(groups.items(), key=lambda item: -len(item[1]))
    (most, many), rest = ordered[0], ordered[1:]
    others = "; ".join(
        f"{', '.join(names[:3])}{f' and {len(names) - 3} more' if len(names) > 3 else ''}: {said}"
        for said, names in rest
    )
    return f"Maps differ in their {what}: {len(many)} have {most}, but {others}."


def _about(numbers: Mapping[str, tuple[float, ...]], tolerance: float, unit: str) -> dict[str, str]:
    """Numbers in words, those within the tolerance of others in the same words."""
    seen: list[tuple[float, ...]] = []
    out = {}
    for name, values in numbers.items():
        if not values:
            out[name] = ""
            continue
        near = (
            s
            for s in seen
            if len(s) == len(values)
            and all(abs(a - b) <= tolerance for a, b in zip(s, values, strict=True))
        )
        known = next(near, None)
        if known is None:
            seen.append(values)
            known = values
        out[name] = f"{' '.join(f'{value:.4g}' for value in known)} {unit}"
    return out


def _list(said: Mapping[str, Any], key: str) -> list[Any]:
    found = said.get(key)
    return found if isinstance(found, list) else []


def _dict(said: Mapping[str, Any], key: str) -> dict[str, Any]:
    found = said.get(key)
    return found if isinstance(found, dict) else {}
