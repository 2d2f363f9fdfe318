"""A figure of the window into files that can be drawn again without the window. Knows no Qt.

Maps that are still what their files hold are referred to; everything else that the figure
uses (maps made here, regions, tables of regions, how maps were made) is written into a folder
beside the picture, ``NAME_data``. Regions are always copied, because they are drawn on.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_qsm.errors import QsmError
from napari_qsm.figures.draw import DRAWING, Cache, Rendered, render
from napari_qsm.figures.editing import with_fields
from napari_qsm.figures.gather import Given
from napari_qsm.figures.parts import Source
from napari_qsm.figures.spec import FigureSpec, write_spec
from napari_qsm.io.atomic import staged_folder, write_text
from napari_qsm.io.label_table import (
    Region,
    default_color,
    read_label_table,
    side_of,
    write_label_table,
)
from napari_qsm.io.nifti import write_volume
from napari_qsm.io.whole_numbers import as_labels
from napari_qsm.rois.region import name_of, region_side, region_table
from napari_qsm.session import Session
from napari_qsm.session.figure.from_session import given_of
from napari_qsm.session.references import References

Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class Frozen:
    """A figure and its volumes as they were when somebody asked for the export."""

    spec: FigureSpec
    given: Mapping[str, Given]


def freeze(
    session: Session,
    spec: FigureSpec,
    provenance: Mapping[str, Mapping[str, Any]],
) -> Frozen:
    """Keep the figure's volumes as they are now; regions are copied, for drawing may go on.

    Raises
    ------
    QsmError
        If the figure is empty, or one of its maps is no longer open.
    """
    if not spec.panels:
        raise QsmError("The figure has no panel yet. Choose a template, or add the current view.")
    given = {
        key: replace(each, volume=replace(each.volume, data=np.array(each.volume.data, order="F")))
        if spec.sources[key].role == "labels"
        else each
        for key, each in given_of(session, _used(spec), {}, provenance).items()
    }
    return Frozen(_used(spec), given)


def _used(spec: FigureSpec) -> FigureSpec:
    """The figure without sources that no panel needs."""
    used = {key for panel in spec.panels for key, _ in panel.sources()}
    kept = {key: source for key, source in spec.sources.items() if key in used}
    return with_fields(spec, sources=kept)


def export(
    frozen: Frozen, path: Path, references: References, progress: Progress
) -> tuple[list[Path], tuple[str, ...]]:
    """Write a picture with its spec, caption, table and data; or the spec alone.

    Parameters
    ----------
    frozen : Frozen
        The figure.
    path : Path
        Ends in ``.png``, ``.tif``, ``.tiff``, ``.pdf`` or ``.svg``; or in ``.json`` for the spec
        and its data without a picture.
    references : References
        Remembers which maps are still what their files hold.
    progress : callable
        Told the fraction done and what is being done.

    Returns
    -------
    files : list of Path
        What was written; all of it or nothing.
    notes : tuple of str
        What the user should know.

    Raises
    ------
    QsmError
        If something cannot be drawn or written.
    """
    keys = _readable_keys(frozen.spec)
    spec = _renamed(frozen.spec, keys)
    given = {keys[key]: each for key, each in frozen.given.items()}
    folder = path.parent / f"{path.stem}_data"
    progress(0.05, "Looking where the maps lie")
    files = {
        key: None if spec.sources[keys[key]].role == "labels" else references.of(key, each.volume)
        for key, each in frozen.given.items()
    }
    copied = [keys[key] for key, reference in files.items() if reference is None]
    sources = dict(spec.sources)
    for key, reference in files.items():
        if reference is not None:
            echo = sources[keys[key]].echo if reference.echo is None else reference.echo
            fields = {"path": reference.path.as_posix(), "echo": echo}
            sources[keys[key]] = sources[keys[key]].model_copy(update=fields)
    notes: tuple[str, ...] = ()
    with staged_folder(folder, overwrite=True) if copied else nullcontext(folder) as staging:
        for number, key in enumerate(copied):
            progress(0.1 + 0.5 * number / len(copied), "Saving what the figure is made of")
            sources[key], given[key] = _copy(key, sources[key], given[key], staging, folder)
        spec = with_fields(spec, sources=sources)
        written = (
            sorted(folder / f.relative_to(staging) for f in staging.glob("*")) if copied else []
        )
        if path.suffix.lower() == ".json":
            write_spec(spec, path, base=path.parent)
            return [path, *written], notes
        progress(0.6, "Drawing the figure")
        drawn = draw(spec, given, path.parent)
        progress(0.9, "Writing the figure")
        written = [*drawn.save(path), *written]
    return written, drawn.notes


def draw(spec: FigureSpec, given: Mapping[str, Given], base: Path) -> Rendered:
    """Draw at full size; one drawing at a time."""
    with DRAWING:
        return render(spec, given, base)


def _copy(
    key: str, source: Source, given: Given, staging: Path, folder: Path
) -> tuple[Source, Given]:
    """Write one volume and what belongs to it; returns how the spec finds it and what it holds."""
    volume = given.volume
    if volume.data.ndim == 4:
        volume = volume.echo(source.echo)
    name = f"{key}.nii.gz"
    if source.role == "labels":
        volume = replace(volume, data=as_labels(volume))
    write_volume(volume, staging / name)
    fields: dict[str, Any] = {"path": (folder / name).as_posix(), "echo": 0, "table": ""}
    regions = given.regions
    if source.role == "labels":
        table = staging / f"{key}.tsv"
        write_label_table(table, _rows(regions))
        regions = {row.index: row for row in read_label_table(table)}
        fields["table"] = (folder / table.name).as_posix()
    if given.provenance:
        text = json.dumps(dict(given.provenance), indent=2, ensure_ascii=False)
        write_text(staging / f"{key.rpartition('_')[0]}_provenance.json", text + "\n")
    new = source.model_copy(update=fields)
    return new, replace(given, volume=volume, regions=regions)


def _rows(regions: Mapping[int, Region | str]) -> list[Region]:
    """Rows of the label table, whose names tell the side of every region.

    Raises
    ------
    QsmError
        If a name says one side and the region is marked as the other.
    """
    rows = []
    table = region_table(regions)
    for index, region in table.items():
        name = name_of(table, index)
        side, told = region_side(region), side_of(name)
        if side and told and side != told:
            raise QsmError(
                f"The region '{name}' is marked as {side}, but its name says {told}. Correct it in "
                "the Regions panel before the figure is made."
            )
        if side and not told:
            name += " L" if side == "left" else " R"
        color = region.color or default_color(index)
        rows.append(Region(index, name, side, color, region.abbreviation))
    return rows


# Names --------------------------------------------------------------------------------------

_ENDINGS = {"map": "chi", "labels": "regions", "magnitude": "magnitude", "other": "image"}


def _readable_keys(spec: FigureSpec) -> dict[str, str]:
    """Keys for people instead of ids: ``control_chi``, ``control_regions``."""
    keys: dict[str, str] = {}
    for key, source in spec.sources.items():
        name = source.name.split(":")[0].replace("χ", "").lower()
        plain = re.sub(r"[^a-z0-9]+", "-", name).strip("-") or "map"
        wanted = f"{plain}_{_ENDINGS[source.role]}"
        number = 2
        while wanted in keys.values():
            wanted = f"{plain}-{number}_{_ENDINGS[source.role]}"
            number += 1
        keys[key] = wanted
    return keys


def _renamed(spec: FigureSpec, keys: Mapping[str, str]) -> FigureSpec:
    """The figure under other keys."""
    return with_fields(
        spec,
        sources={keys[key]: source for key, source in spec.sources.items()},
        panels=tuple(panel.renamed(keys) for panel in spec.panels),
    )


def opened(spec: FigureSpec, base: Path) -> FigureSpec:
    """A spec that was read from a file, with paths that hold wherever the window works."""
    from napari_qsm.figures.spec import resolved

    sources = {}
    for key, source in spec.sources.items():
        fields = {
            name: resolved(getattr(source, name), base).absolute().as_posix()
            for name in ("path", "table")
            if getattr(source, name)
        }
        sources[f"file {key}"] = source.model_copy(update={**fields, "name": source.name or key})
    keys = {key: f"file {key}" for key in spec.sources}
    for panel in spec.panels:
        for key, part in panel.sources():
            if key not in keys:
                raise QsmError(
                    f"A panel names the {part} '{key}', but the figure has no such source."
                )
    renamed = _renamed(with_fields(spec, sources=dict(spec.sources)), keys)
    return with_fields(renamed, sources=sources)


def clipboard_pixels(frozen: Frozen) -> tuple[Any, int]:
    """The figure at full size as RGBA, and its dots per inch."""
    with DRAWING:
        drawn = render(frozen.spec, frozen.given, cache=Cache())
        return drawn.pixels(), frozen.spec.style.dpi
