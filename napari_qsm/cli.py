"""The same things as in the window, without a window."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from napari_qsm import __version__
from napari_qsm.errors import FileError, MetadataError, QsmError

if TYPE_CHECKING:
    from napari_qsm.outputs import Layout
    from napari_qsm.recon.pipeline import Inputs

app = typer.Typer(
    name="napari-qsm",
    help="Quantitative susceptibility mapping: from a scanner's files to a map of brain iron.",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

#: Options that take several values after one flag: ``--phase a.nii b.nii``.
_MANY = ("--phase", "--magnitude", "--echo-times-ms", "--set", "--labels")

Files = Annotated[list[Path] | None, typer.Option(help="NIfTI file(s).", metavar="FILE...")]
OneFile = Annotated[Path | None, typer.Option(metavar="FILE")]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status.

    Errors become one or two plain sentences on stderr.
    """
    arguments = _spread(list(sys.argv[1:] if argv is None else argv))
    try:
        status = app(args=arguments, standalone_mode=False)
        return int(status or 0)
    except typer.Exit as exit_:
        return int(exit_.exit_code)
    except typer.Abort:
        return _fail("Stopped.", 130)
    except KeyboardInterrupt:
        return _fail("Stopped.", 130)
    except QsmError as error:
        return _fail(str(error), 1)
    except MemoryError:
        return _fail("This computer's memory is too small for that; close other programs.", 1)
    except OSError as error:
        return _fail(f"{error.strerror or error}: {error.filename or ''}".rstrip(": "), 1)
    except Exception as error:
        if type(error).__module__.startswith(("click", "typer")):
            message = error.format_message() if hasattr(error, "format_message") else str(error)
            return _fail(f"{message} (napari-qsm --help shows what there is.)", 2)
        raise


def _fail(sentence: str, status: int) -> int:
    print(sentence, file=sys.stderr)  # noqa: T201
    return status


def _note(sentence: str) -> None:
    print(f"Note: {sentence}", file=sys.stderr)  # noqa: T201


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201


def _spread(arguments: list[str]) -> list[str]:
    """``--phase a b`` as ``--phase a --phase b``."""
    out: list[str] = []
    flag = ""
    for argument in arguments:
        if argument in _MANY:
            flag = argument
            continue
        if argument.startswith("-"):
            flag = ""
        out.extend([flag, argument] if flag else [argument])
    return out


def _version(wanted: bool) -> None:
    if wanted:
        _say(f"napari-qsm {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _start(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        view([])


@app.command()
def view(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Maps, folders or a saved session to open.")
    ] = None,
) -> None:
    """Open the window, with files or folders if given."""
    for path in paths or []:
        if not path.exists():
            raise FileError(f"There is no file or folder '{path}'.")
    if not _has_display():
        raise QsmError(
            "There is no display to open a window on; 'napari-qsm demo' and 'napari-qsm "
            "reconstruct' work without one."
        )
    from napari_qsm.viewer.program import run_program

    run_program(list(paths or []))


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Where results go when there is no display.")] = Path(
        "napari-qsm-demo"
    ),
) -> None:
    """Show the built-in head; without a display, reconstruct it and write the results."""
    if _has_display():
        from napari_qsm.viewer.program import run_demo

        run_demo()
        return
    from napari_qsm.demo import write

    with _progress() as report:
        table = write(out, progress=report, overwrite=True)
    _say(table)
    _say(f"\nThere is no display, so the results were written to '{out}'.")


@app.command()
def phantom(
    out: Annotated[Path, typer.Argument(help="Folder to write.")],
    subject: Annotated[str, typer.Option(help="control or patient.")] = "control",
    bids: Annotated[bool, typer.Option("--bids", help="Write a BIDS dataset.")] = False,
    shape: Annotated[str, typer.Option(help="Voxels along R, A, S.")] = "384,312,72",
    voxel_size_mm: Annotated[str, typer.Option(help="Voxel edges in mm.")] = "0.625,0.625,2",
    echo_times_ms: Annotated[list[str] | None, typer.Option(help="Echo times in ms.")] = None,
    field_strength_t: Annotated[float, typer.Option(help="Field strength in tesla.")] = 3.0,
    b0_direction: Annotated[
        str, typer.Option(help="B0 in voxel axes; turns the grid, for example 0,0.2,0.98.")
    ] = "0,0,1",
    snr: Annotated[float, typer.Option(help="Signal-to-noise ratio of the first echo.")] = 40.0,
    seed: Annotated[int, typer.Option(help="Of the noise.")] = 0,
    bleed: Annotated[bool, typer.Option("--bleed", help="Add a small bleed.")] = False,
    calcification: Annotated[
        bool, typer.Option("--calcification", help="Add a calcification.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files.")] = False,
) -> None:
    """Write the built-in head: phase, magnitude, mask, true map, labels."""
    from napari_qsm.outputs import write_head, write_head_bids
    from napari_qsm.phantom import make_head

    times = _numbers(echo_times_ms or ["21"], "--echo-times-ms")
    nx, ny, nz = (int(n) for n in _numbers([shape], "--shape", 3))
    dx, dy, dz = _numbers([voxel_size_mm], "--voxel-size-mm", 3)
    bx, by, bz = _numbers([b0_direction], "--b0-direction", 3)
    head = make_head(
        subject,
        shape=(nx, ny, nz),
        voxel_size_mm=(dx, dy, dz),
        echo_times_s=tuple(t * 1e-3 for t in times),
        field_strength_t=field_strength_t,
        b0_direction=(bx, by, bz),
        snr=snr,
        seed=seed,
        bleed=bleed,
        calcification=calcification,
    )
    (write_head_bids if bids else write_head)(head, out, overwrite=overwrite)
    _say(f"The built-in head ({subject}) was written to '{out}'.")


@app.command()
def check(
    paths: Annotated[list[Path], typer.Argument(help="Files or folders.")],
) -> None:
    """Say what each file is, how it lies, in which unit, and what is wrong with it."""
    from napari_qsm.inspect import inspect_paths

    report = inspect_paths(paths)
    _say(report.text())
    if report.problems:
        raise typer.Exit(1)


@app.command("import")
def import_(
    folder: Annotated[Path, typer.Argument(help="Folder with DICOM files.")],
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    series: Annotated[str | None, typer.Option(help="Which series, if there are several.")] = None,
    subject: Annotated[str, typer.Option(help="Label of the subject in the dataset.")] = "01",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files.")] = False,
) -> None:
    """Turn a scanner's DICOM folder into NIfTI with sidecars that name nobody."""
    from napari_qsm.io.dicom import import_dicom

    with _progress() as report:
        done = import_dicom(
            folder,
            out,
            series=series,
            subject=subject,
            overwrite=overwrite,
            progress=lambda fraction: report("reading DICOM", fraction),
        )
    _say(done.text())


@app.command()
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
    echo_times_ms: Annotated[
        list[str] | None, typer.Option(help="Echo times in ms; for a phase difference, TE2-TE1.")
    ] = None,
    field_strength_t: Annotated[float | None, typer.Option(help="Field strength in tesla.")] = None,
    phase_difference: Annotated[
        bool | None,
        typer.Option(
            "--phase-difference/--no-phase-difference", help="The phase is TE2 minus TE1."
        ),
    ] = None,
    recipe: Annotated[
        str, typer.Option(help="Preset (case-report, consensus) or a recipe file.")
    ] = "case-report",
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="stage.setting=value", metavar="CHANGE...")
    ] = None,
    series: Annotated[str | None, typer.Option(help="Which series, if there are several.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would run.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace results.")] = False,
    report: Annotated[
        bool,
        typer.Option("--report/--no-report", help="Also write report.html on the map's quality."),
    ] = True,
) -> None:
    """Compute susceptibility in ppm, from phase or from any intermediate."""
    from napari_qsm.recon.pipeline import plan, run
    from napari_qsm.recon.recipe import load_recipe, with_settings

    chosen = with_settings(load_recipe(recipe), set_ or [])
    if out is None and not dry_run:
        raise MetadataError("Give --out FOLDER, where the results go.")
    times = tuple(t * 1e-3 for t in _numbers(echo_times_ms or [], "--echo-times-ms"))
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
    )
    inputs.grid()
    if dry_run:
        for stage, choice in plan(chosen, inputs):
            settings = ", ".join(f"{k}={v}" for k, v in choice.settings.items())
            _say(f"{stage:<11} {choice.method.name:<15} {settings}".rstrip())
        return
    from napari_qsm.outputs import check_free, write_result

    assert out is not None
    layout = _layout(source, series)
    if not overwrite:
        check_free(out, layout)
    with _progress() as show:
        result = run(chosen, inputs, progress=show)
    write_result(result, out, layout, overwrite=overwrite)
    for sentence in result.warnings:
        _note(sentence)
    if report:
        from napari_qsm.qc.files import write_quality

        for finding in write_quality(result, inputs, out / f"{layout.prefix}report.html"):
            _note(finding.sentence)
    seconds = sum(step["seconds"] for step in result.provenance["stages"])
    _say(f"The susceptibility map and its intermediates are in '{out}' ({seconds:.1f} s).")


@app.command("report")
def report_(
    folder: Annotated[Path, typer.Argument(metavar="RESULT_DIR", help="What 'reconstruct' wrote.")],
    out: Annotated[
        Path | None, typer.Option(help="An .html file; by default report.html in the folder.")
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(help="Label map: named iron-rich regions settle the sign.")
    ] = None,
    table: Annotated[Path | None, typer.Option(help="Label names.")] = None,
) -> None:
    """Judge a finished reconstruction again: numbers, warnings, pictures, rating."""
    from napari_qsm.qc.files import rebuild_report

    path, found = rebuild_report(folder, out, labels=labels, label_table=table)
    for finding in found:
        _note(finding.sentence)
    _say(f"The report is in '{path}'.")


@app.command()
def stats(
    map_: Annotated[Path, typer.Argument(metavar="MAP", help="Susceptibility map (ppm).")],
    labels: Annotated[Path, typer.Argument(help="Label map on the same grid, or .seg.nrrd.")],
    table: Annotated[Path | None, typer.Option(help="Label names.")] = None,
    unit: Annotated[Literal["ppm", "ppb"], typer.Option(help="ppm or ppb.")] = "ppm",
    out: Annotated[Path | None, typer.Option(help="A .csv, .tsv, .xlsx or .json file.")] = None,
) -> None:
    """Print or write voxels, volume, mean and SD of every region."""
    from napari_qsm.rois.files import check_ending, region_table, table_text, write_table

    if out is not None:
        check_ending(out)
    frame = region_table(map_, labels, names_path=table, unit=unit, warn=_note)
    if out is None:
        _say(table_text(frame))
    else:
        write_table(frame, out)


@app.command()
def figure(
    spec: Annotated[
        Path | None, typer.Argument(metavar="[SPEC.json]", help="A figure's JSON file.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A .png, .tiff, .pdf or .svg file.")
    ] = None,
    template: Annotated[
        str | None,
        typer.Option(
            help="case-report-1, case-report-2, fixed-shape-plate, qc-montage or "
            "methods-and-results."
        ),
    ] = None,
    control: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Results of the control.")
    ] = None,
    patient: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Results of the patient.")
    ] = None,
    labels: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE...", help="Label maps, if they lie elsewhere."),
    ] = None,
    save_spec: Annotated[
        Path | None, typer.Option(metavar="S.json", help="Write the figure's JSON file.")
    ] = None,
    width_mm: Annotated[float | None, typer.Option(help="85, 114 or 174 in most journals.")] = None,
    dpi: Annotated[int | None, typer.Option(help="Dots per inch of pictures.")] = None,
) -> None:
    """Draw a figure for a paper, from its JSON file or from a template."""
    from napari_qsm.figures.command import make_figure

    written = make_figure(
        out,
        spec_path=spec,
        template=template,
        control=control,
        patient=patient,
        labels=tuple(labels or ()),
        save_spec=save_spec,
        width_mm=width_mm,
        dpi=dpi,
        warn=_note,
    )
    _say(f"Written: {', '.join(str(path) for path in written)}")


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
    from napari_qsm.io.nifti import read_volume
    from napari_qsm.io.sources import load_scan, open_source
    from napari_qsm.recon.pipeline import Inputs

    if source is not None and phase:
        raise MetadataError("Give either a folder or --phase, not both.")
    given: dict[str, Any] = {
        role: read_volume(path) for role, path in others.items() if path is not None
    }
    fields = [r for r in ("unwrapped", "total_field_ppm", "local_field_ppm") if r in given]
    if len(fields) > 1:
        raise MetadataError("Give only one of --unwrapped, --total-field and --local-field.")
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
            for volume in map(read_volume, magnitude)
            for i in range(volume.data.shape[3] if volume.data.ndim == 4 else 1)
        )
        if "unwrapped" in given:
            from napari_qsm.scan import check_echo_times, check_field_strength

            extra["echo_times_s"] = check_echo_times(echo_times_s)
            extra["field_strength_t"] = check_field_strength(field_strength_t)
    return Inputs(scan=scan, **given, **extra)


def _layout(source: Path | None, series: str | None) -> Layout:
    """BIDS names for a scan from a BIDS dataset, plain ones otherwise."""
    from napari_qsm.io.bids import is_bids
    from napari_qsm.io.series import choose
    from napari_qsm.io.sources import find_scans
    from napari_qsm.outputs import PLAIN, bids_layout

    if source is None or not source.is_dir() or not is_bids(source):
        return PLAIN
    return bids_layout(choose(find_scans([source]) or [], series, source.name))


def _numbers(texts: list[str], option: str, count: int | None = None) -> list[float]:
    words = [word for text in texts for word in text.replace(",", " ").split()]
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        raise MetadataError(f"{option} takes numbers, not '{' '.join(words)}'.") from None
    if count is not None and len(numbers) != count:
        raise MetadataError(f"{option} takes {count} numbers, not {len(numbers)}.")
    return numbers


def _has_display() -> bool:
    if os.environ.get("QT_QPA_PLATFORM") in ("offscreen", "minimal"):
        return False
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


@contextmanager
def _progress() -> Iterator[Any]:
    """A progress bar on stderr; yields ``report(what, fraction)``."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    bar = Progress(
        TextColumn("{task.description:<14}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
    )
    tasks: dict[str, Any] = {}

    def report(what: str, fraction: float) -> None:
        if what not in tasks:
            tasks[what] = bar.add_task(what, total=1.0)
        bar.update(tasks[what], completed=fraction)

    with bar:
        yield report


if __name__ == "__main__":
    sys.exit(main())
