"""Commands that reconstruct, and judge what was reconstructed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_qsm.cli.terminal import echo_times_s, note, one_number, progress, say
from napari_qsm.errors import MetadataError

if TYPE_CHECKING:
    from napari_qsm.outputs import Layout
    from napari_qsm.qc.quality import Finding
    from napari_qsm.recon.pipeline import Inputs

Files = Annotated[list[Path] | None, typer.Option(help="NIfTI file(s).", metavar="FILE...")]
OneFile = Annotated[Path | None, typer.Option(metavar="FILE")]


def reconstruct(
    source: Annotated[
        Path | None, typer.Argument(help="A BIDS, import or plain folder with the scan.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the results.")] = None,
    phase: Files = None,
    magnitude: Files = None,
    mask: OneFile = None,
    unwrapped: OneFile = None,
    total_field: OneFile = None,
    local_field: OneFile = None,
    reference_roi: OneFile = None,
    r2_map: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="R2 in 1/s from spin echoes, for chi-separation."),
    ] = None,
    also: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME,...",
            help="Maps beside it: r2star, swi, tswi, mip, chi-separation; set by name.setting=value.",
        ),
    ] = None,
    echo_times_ms: Annotated[
        list[str] | None, typer.Option(help="Echo times in ms; for a phase difference, TE2-TE1.")
    ] = None,
    field_strength_t: Annotated[
        float | None,
        typer.Option(parser=one_number, metavar="FLOAT", help="Field strength in tesla."),
    ] = None,
    phase_difference: Annotated[
        bool | None,
        typer.Option(
            "--phase-difference/--no-phase-difference", help="The phase is TE2 minus TE1."
        ),
    ] = None,
    recipe: Annotated[
        str,
        typer.Option(
            help="Preset (case-report, consensus, lbv-weak-harmonic, two-pass) or a recipe file."
        ),
    ] = "case-report",
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="stage.setting=value", metavar="CHANGE...")
    ] = None,
    series: Annotated[str | None, typer.Option(help="Which series, if there are several.")] = None,
    uncertainty: Annotated[
        int,
        typer.Option(
            metavar="N",
            help="Find the map's noise from N more maps (2 to 20; 4 are enough); 0 for none.",
        ),
    ] = 0,
    device: Annotated[
        str,
        typer.Option(
            metavar="DEVICE",
            help="Compute on a graphics processor: cupy or torch; see the guide. Else what "
            "NAPARI_QSM_DEVICE says.",
        ),
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would run.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace results.")] = False,
    report: Annotated[
        bool,
        typer.Option("--report/--no-report", help="Also write report.html on the map's quality."),
    ] = True,
) -> None:
    """Compute susceptibility in ppm, from phase or from any intermediate."""
    from napari_qsm.recon.pipeline import plan, run
    from napari_qsm.recon.recipe import (
        contrast_choices,
        is_of_contrast,
        load_recipe,
        with_settings,
    )

    ours = [line for line in set_ or [] if is_of_contrast(line)]
    from napari_qsm.recon.device import device_named, using_device

    device_named(device)  # refused before any work
    chosen = with_settings(load_recipe(recipe), [line for line in set_ or [] if line not in ours])
    contrasts = contrast_choices(also or [], ours)
    if out is None and not dry_run:
        raise MetadataError("Give --out FOLDER, where the results go.")
    from napari_qsm.outputs import check_free, room_needed, write_result

    layout = _layout(source, series)
    used = [*(phase or []), *(magnitude or [])]
    used += [p for p in (mask, unwrapped, total_field, local_field, reference_roi, r2_map) if p]
    if out is not None and not dry_run:
        check_free(out, layout, overwrite=overwrite, inputs=used)
    times = echo_times_s(echo_times_ms or [], _echoes(source, series, phase, phase_difference))
    inputs = _inputs(
        source,
        series=series,
        phase=phase or [],
        magnitude=magnitude or [],
        echo_times_s=times,
        field_strength_t=field_strength_t,
        phase_difference=phase_difference,
        mask=mask,
        unwrapped=unwrapped,
        total_field_ppm=total_field,
        local_field_ppm=local_field,
        reference_roi=reference_roi,
        r2_per_s=r2_map,
    )
    grid = inputs.grid()
    if dry_run:
        steps = plan(chosen, inputs)
        for stage, choice in [*steps, *((choice.method.stage, choice) for choice in contrasts)]:
            settings = ", ".join(f"{k}={v}" for k, v in choice.settings.items())
            say(f"{stage:<11} {choice.method.name:<15} {settings}".rstrip())
        return
    assert out is not None
    needed = room_needed(grid.shape, len(inputs.scan.phase) if inputs.scan else 1)
    check_free(out, layout, overwrite=overwrite, inputs=used, needed_bytes=needed)
    with progress() as show, using_device(device):
        result = run(chosen, inputs, uncertainty=uncertainty, also=contrasts, progress=show)
        found: list[Finding] = []

        def written(fraction: float) -> None:
            show("writing", fraction)

        if report:
            from napari_qsm.qc.files import write_judged

            found = write_judged(result, inputs, out, layout, overwrite=overwrite, progress=written)
        else:
            write_result(result, out, layout, overwrite=overwrite, progress=written)
        written(1.0)
    for sentence in [*result.warnings, *(finding.sentence for finding in found)]:
        note(sentence)
    seconds = sum(step["seconds"] for step in result.provenance["stages"])
    say(f"The susceptibility map and its intermediates are in '{out}' ({seconds:.1f} s).")


def report_(
    folder: Annotated[
        Path,
        typer.Argument(metavar="RESULT_DIR", help="What 'reconstruct' wrote, or 'batch' for all."),
    ],
    out: Annotated[
        Path | None, typer.Option(help="An .html file; by default report.html in the folder.")
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(help="Label map: named iron-rich regions settle the sign.")
    ] = None,
    table: Annotated[Path | None, typer.Option(help="Label names.")] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the report that is there.")
    ] = False,
) -> None:
    """Judge a finished reconstruction again: numbers, warnings, pictures, rating.

    For the results of several scans, write the page on all of them.
    """
    from napari_qsm.io.bids import is_bids
    from napari_qsm.qc.files import rebuild_report, results_in

    if len(results_in(folder)) > 1 and is_bids(folder):
        from napari_qsm.study.batch.group import write_group_page

        if out is not None or labels is not None:
            raise MetadataError(
                f"'{folder}' holds the results of several scans; their page is always "
                "group/index.html in it, and --labels is for the report of one."
            )
        say(f"The page on all scans is '{write_group_page(folder)}'.")
        return
    path, found = rebuild_report(folder, out, labels=labels, label_table=table, overwrite=overwrite)
    for finding in found:
        note(finding.sentence)
    say(f"The report is in '{path}'.")


def _inputs(
    source: Path | None,
    *,
    series: str | None,
    phase: list[Path],
    magnitude: list[Path],
    echo_times_s: tuple[float, ...],
    field_strength_t: float | None,
    phase_difference: bool | None,
    **others: Path | None,
) -> Inputs:
    from napari_qsm.io.formats import read_image
    from napari_qsm.io.maps import read_quantity, timing_of
    from napari_qsm.io.sources import load_scan, open_source
    from napari_qsm.quantities import ROLES
    from napari_qsm.recon.pipeline import Inputs

    if source is not None and phase:
        raise MetadataError("Give either a folder or --phase, not both.")
    fields = [role for role in ROLES if others.get(role) is not None]
    if len(fields) > 1:
        raise MetadataError("Give only one of --unwrapped, --total-field and --local-field.")
    given: dict[str, Any] = {
        role: read_quantity(
            path,
            role,
            field_strength_t=field_strength_t,
            echo_times_s=echo_times_s,
            warn=note,
        )
        if role in ROLES
        else read_image(path)
        for role, path in others.items()
        if path is not None
    }
    scan = None
    if source is not None:
        scan = open_source(
            source,
            series=series,
            echo_times_s=echo_times_s or None,
            field_strength_t=field_strength_t,
            phase_difference=phase_difference,
        )
    elif phase:
        scan = load_scan(
            phase,
            magnitude,
            echo_times_s=echo_times_s or None,
            field_strength_t=field_strength_t,
            phase_difference=phase_difference,
        )
    elif not fields:
        raise MetadataError(
            "Nothing to reconstruct: give a folder, --phase, --unwrapped, --total-field or "
            "--local-field."
        )
    extra: dict[str, Any] = {}
    if scan is None:
        extra["magnitude"] = tuple(
            volume.echo(i)
            for volume in map(read_image, magnitude)
            for i in range(volume.data.shape[3] if volume.data.ndim == 4 else 1)
        )
        if "unwrapped" in given:
            from napari_qsm.scan import check_echo_times, check_field_strength

            assert others["unwrapped"] is not None
            times, strength = timing_of(others["unwrapped"])
            extra["echo_times_s"] = check_echo_times(echo_times_s or times)
            extra["field_strength_t"] = check_field_strength(
                strength if field_strength_t is None else field_strength_t
            )
    return Inputs(scan=scan, **given, **extra)


def _echoes(
    source: Path | None, series: str | None, phase: list[Path] | None, difference: bool | None
) -> int | None:
    """How many echo times the images take, from their headers; None where that is open."""
    from napari_qsm.io.choosing import choose
    from napari_qsm.io.series import image_file
    from napari_qsm.io.sources import find_scans

    if difference:
        return None  # one time, or both
    if phase:
        shapes = [image_file(path, {}).shape for path in phase if path.exists()]
    else:
        scans = find_scans([source]) if source is not None else None
        if not scans:
            return None
        chosen = choose(scans, series, source.name if source else "")
        if chosen.is_difference and difference is None:
            return None
        shapes = [image.shape for image in chosen.phase or chosen.real]
    return sum(shape[3] if len(shape) == 4 else 1 for shape in shapes) or None


def _layout(source: Path | None, series: str | None) -> Layout:
    """BIDS names for a scan from a BIDS dataset, plain ones otherwise."""
    from napari_qsm.io.bids import is_bids
    from napari_qsm.io.choosing import choose
    from napari_qsm.io.sources import find_scans
    from napari_qsm.outputs import PLAIN, bids_layout

    if source is None or not source.is_dir() or not is_bids(source):
        return PLAIN
    return bids_layout(choose(find_scans([source]) or [], series, source.name))
