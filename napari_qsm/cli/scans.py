"""Commands about scans: make one, check one, bring one in from DICOM."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_qsm.cli.terminal import echo_times_s, one_number, progress, say, several
from napari_qsm.errors import MetadataError


def phantom(
    out: Annotated[Path, typer.Argument(help="Folder to write.")],
    subject: Annotated[str, typer.Option(help="control or patient.")] = "control",
    bids: Annotated[bool, typer.Option("--bids", help="Write into a BIDS dataset.")] = False,
    participant: Annotated[
        str, typer.Option(help="Label in the dataset; that of the subject unless given.")
    ] = "",
    session: Annotated[str, typer.Option(help="Label of the visit in the dataset.")] = "",
    shape: Annotated[str, typer.Option(help="Voxels along R, A, S.")] = "384,312,72",
    voxel_size_mm: Annotated[str, typer.Option(help="Voxel edges in mm.")] = "0.625,0.625,2",
    echo_times_ms: Annotated[list[str] | None, typer.Option(help="Echo times in ms.")] = None,
    field_strength_t: Annotated[
        float, typer.Option(parser=one_number, metavar="FLOAT", help="Field strength in tesla.")
    ] = 3.0,
    b0_direction: Annotated[
        str, typer.Option(help="B0 in voxel axes; turns the grid, for example 0,0.2,0.98.")
    ] = "0,0,1",
    snr: Annotated[
        float,
        typer.Option(
            parser=one_number, metavar="FLOAT", help="Signal-to-noise ratio of the first echo."
        ),
    ] = 40.0,
    seed: Annotated[int, typer.Option(help="Of the noise.")] = 0,
    bleed: Annotated[bool, typer.Option("--bleed", help="Add a small bleed.")] = False,
    calcification: Annotated[
        bool, typer.Option("--calcification", help="Add a calcification.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files.")] = False,
) -> None:
    """Write the built-in head: phase, magnitude, mask, true map, labels."""
    from napari_qsm.io.bids import check_subject
    from napari_qsm.io.targets import check_out_folder
    from napari_qsm.outputs import HEAD_FILES, write_head, write_head_bids
    from napari_qsm.phantom import make_head

    if (participant or session) and not bids:
        raise MetadataError("--participant and --session are labels in a dataset: add --bids.")
    check_subject(participant or subject, session)
    times = echo_times_s(echo_times_ms or ["21"])
    nx, ny, nz = _whole(several([shape], "--shape", 3))
    dx, dy, dz = several([voxel_size_mm], "--voxel-size-mm", 3)
    bx, by, bz = several([b0_direction], "--b0-direction", 3)
    check_out_folder(out, () if bids else HEAD_FILES, overwrite=overwrite)
    head = make_head(
        subject,
        shape=(nx, ny, nz),
        voxel_size_mm=(dx, dy, dz),
        echo_times_s=times,
        field_strength_t=field_strength_t,
        b0_direction=(bx, by, bz),
        snr=snr,
        seed=seed,
        bleed=bleed,
        calcification=calcification,
    )
    if bids:
        labels = {"participant": participant, "session": session}
        write_head_bids(head, out, **labels, overwrite=overwrite)
    else:
        write_head(head, out, overwrite=overwrite)
    say(f"The built-in head ({subject}) was written to '{out}'.")


def _whole(sizes: tuple[float, ...]) -> tuple[int, ...]:
    if any(size != int(size) for size in sizes):
        raise MetadataError("--shape takes whole numbers of voxels.")
    return tuple(int(size) for size in sizes)


def check(
    paths: Annotated[list[Path], typer.Argument(help="Files or folders.")],
) -> None:
    """Say what each file is, how it lies, in which unit, and what is wrong with it."""
    from napari_qsm.inspect import inspect_paths

    report = inspect_paths(paths)
    say(report.text())
    if report.problems:
        raise typer.Exit(1)


def import_(
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    folder: Annotated[Path | None, typer.Argument(help="Folder with DICOM files.")] = None,
    series: Annotated[str | None, typer.Option(help="Which series, if there are several.")] = None,
    subject: Annotated[
        str | None, typer.Option(help="Label of the subject in the dataset; 01 unless given.")
    ] = None,
    session: Annotated[str | None, typer.Option(help="Label of the visit, such as t0.")] = None,
    table: Annotated[
        Path | None,
        typer.Option(
            metavar="VISITS.tsv",
            help="Many at once: columns folder, subject, session (.tsv or .csv).",
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files.")] = False,
) -> None:
    """Turn a scanner's DICOM folder into NIfTI with sidecars that name nobody."""
    from napari_qsm.io.dicom import import_dicom
    from napari_qsm.io.targets import check_out_folder

    if (folder is None) == (table is None):
        raise MetadataError("Give either a folder with DICOM files or --table VISITS.tsv.")
    if table is not None:
        if series or subject or session:
            raise MetadataError("With --table, subject, session and series stand in the table.")
        _import_table(table, out, overwrite)
        return
    assert folder is not None
    check_out_folder(out, overwrite=overwrite)
    with progress() as report:
        done = import_dicom(
            folder,
            out,
            series=series,
            subject=subject or "01",
            session=session or "",
            overwrite=overwrite,
            progress=lambda fraction: report("reading DICOM", fraction),
        )
    say(done.text())


def _import_table(table: Path, out: Path, overwrite: bool) -> None:
    from napari_qsm.io.targets import check_out_folder
    from napari_qsm.study.import_table import import_table

    check_out_folder(out, overwrite=overwrite)
    with progress() as report:
        done = import_table(
            table,
            out,
            overwrite=overwrite,
            progress=lambda fraction: report("reading DICOM", fraction),
            say=say,
        )
    say(done.text())
    if done.failed:
        raise typer.Exit(1)
