"""The command that writes a map, its regions and numbers as DICOM."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_qsm.cli.terminal import note, progress, say
from napari_qsm.errors import MetadataError


def export_dicom(
    map_: Annotated[
        Path,
        typer.Argument(
            metavar="MAP", help="Susceptibility map, or the folder 'reconstruct' wrote."
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where the DICOM files go.")],
    labels: Annotated[
        Path | None, typer.Option(help="Label map on the same grid, or .seg.nrrd.")
    ] = None,
    table: Annotated[Path | None, typer.Option(help="Label names.")] = None,
    code: Annotated[
        str | None,
        typer.Option(metavar="CODE", help="What the new patient is called; QSM unless given."),
    ] = None,
    into_source: Annotated[
        Path | None,
        typer.Option(
            metavar="DICOM_FOLDER",
            help="Write into the patient and study of this scan, whose grid must be the map's. "
            "Without it, nothing names anybody.",
        ),
    ] = None,
    parametric_map: Annotated[
        bool,
        typer.Option(
            "--parametric-map", help="Also a parametric map with float ppm, for research."
        ),
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an export.")] = False,
) -> None:
    """Write map, regions, numbers and a page as DICOM; research only, not for diagnosis."""
    from napari_qsm.hospital.export import export_files

    if into_source is not None and code is not None:
        raise MetadataError(
            "--code names a new patient and --into-source takes the scan's own; give one of them."
        )
    if table is not None and labels is None:
        raise MetadataError("--table names the regions of --labels; give both.")
    with progress() as show:
        done = export_files(
            map_,
            out,
            labels_path=labels,
            table=table,
            code=code or "QSM",
            into_source=into_source,
            float_map=parametric_map,
            overwrite=overwrite,
            progress=lambda fraction: show("DICOM", fraction),
            warn=note,
        )
    say(done.text())
