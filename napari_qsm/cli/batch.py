"""The command that reconstructs a whole cohort, as BIDS-Apps do it."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from napari_qsm.cli.terminal import note, one_number, say, shown
from napari_qsm.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_qsm.study.batch.status import ScanStatus
    from napari_qsm.study.batch.whole import Batch

#: How often the line of progress is written where nobody watches it, s.
_TOLD_S = 60.0
_USAGE = 2


def batch(
    raw: Annotated[Path, typer.Argument(help="A raw BIDS data set.")],
    level: Annotated[
        str, typer.Argument(metavar="[participant|group]", help="Both in turn, if left out.")
    ] = "",
    out: Annotated[
        Path | None, typer.Option(metavar="STUDY", help="Folder for the results of all.")
    ] = None,
    participant_label: Annotated[
        list[str] | None,
        typer.Option(metavar="LABEL...", help="Only these, with or without 'sub-'."),
    ] = None,
    session_label: Annotated[
        list[str] | None,
        typer.Option(metavar="LABEL...", help="Only these, with or without 'ses-'."),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            help="Preset (case-report, consensus, lbv-weak-harmonic, two-pass) or a recipe file; "
            "unless given, that of the study's protocol, else case-report."
        ),
    ] = None,
    also: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME,...",
            help="Maps beside it, as for reconstruct: r2star, swi, tswi, mip, chi-separation; set by "
            "name.setting=value.",
        ),
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="stage.setting=value", metavar="CHANGE...")
    ] = None,
    jobs: Annotated[
        str, typer.Option(metavar="auto|N", help="Scans side by side, or jobs of SLURM.")
    ] = "auto",
    memory_gib: Annotated[
        float | None,
        typer.Option(
            parser=one_number, metavar="GIB", help="Memory for all of them; else 4/5 of the free."
        ),
    ] = None,
    scheduler: Annotated[
        str, typer.Option(metavar="ADDRESS", help="A running Dask scheduler: tcp://host:8786.")
    ] = "",
    slurm: Annotated[
        str | None,
        typer.Option(metavar="[FILE.yaml]", help="Work in jobs of SLURM, with these options."),
    ] = None,
    timeout_min: Annotated[
        float | None,
        typer.Option(parser=one_number, metavar="MIN", help="Longest time for one scan."),
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Try again what failed before.")
    ] = False,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Make results of another recipe, version or input again."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be done.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Tell only what failed.")] = False,
    log: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Add a line of JSON for each event.")
    ] = None,
) -> None:
    """Reconstruct every scan of a data set; the same command goes on where it was stopped."""
    from napari_qsm.recon.recipe import is_of_contrast, with_settings
    from napari_qsm.study.batch.status import log_to
    from napari_qsm.study.batch.whole import Means, NothingAsked, plan_batch, run_batch, share_of
    from napari_qsm.study.protocol import recipe_for

    if level not in ("", "participant", "group"):
        _refuse(f"'{level}' is no level; it is participant or group.")
    if out is None:
        _refuse("Give --out STUDY, where the results go.")
    if scheduler and slurm is not None:
        _refuse("Give only one of --scheduler and --slurm.")
    for value, option in ((memory_gib, "--memory-gib"), (timeout_min, "--timeout-min")):
        if value is not None and not value > 0:
            _refuse(f"{option} takes a number above zero.")
    means = Means(
        jobs=_count(jobs),
        memory_gib=memory_gib,
        scheduler=scheduler,
        slurm=slurm is not None,
        slurm_file=Path(slurm) if slurm else None,
        longest_s=60 * (timeout_min or 0.0),
    )
    if level == "group":
        _group(out, quiet)
        return
    ours = [line for line in set_ or [] if is_of_contrast(line)]
    try:
        planned = plan_batch(
            raw,
            out,
            with_settings(
                recipe_for(out, recipe), [line for line in set_ or [] if line not in ours]
            ),
            participants=[label.removeprefix("sub-") for label in participant_label or []],
            sessions=[label.removeprefix("ses-") for label in session_label or []],
            also=also or [],
            settings=ours,
            overwrite=overwrite,
            retry_failed=retry_failed,
        )
    except (RecipeError, NothingAsked) as error:
        _refuse(str(error))
    if planned.without and not quiet:
        note(f"No scan with phase: {_listed(planned.without)}.")
    if dry_run:
        share = share_of(planned, means)
        say(_plan_text(planned, f"{share.lanes} at once with {share.threads} thread(s) each"))
        return
    line = _Line(quiet)
    try:
        rows = run_batch(
            planned,
            means,
            note=(lambda sentence: None) if quiet else line.note,
            show=line.show,
            log=log_to(log),
        )
    except KeyboardInterrupt:
        line.end()
        note("What is done is kept; the same command goes on from there.")
        raise
    line.end()
    if not level:
        _group(out, quiet)
    if _told_all_done(planned, rows, quiet):
        return
    raise typer.Exit(1)


def _group(study: Path, quiet: bool) -> None:
    """Write the page on all scans of a study."""
    from napari_qsm.study.batch.group import write_group_page

    page = write_group_page(study)
    if not quiet:
        say(f"The page on all scans is '{page}'.")


def _refuse(sentence: str) -> NoReturn:
    """Say what is wrong with the command, and end."""
    print(shown(f"{sentence} (napari-qsm batch --help shows what there is.)"), file=sys.stderr)  # noqa: T201
    raise typer.Exit(_USAGE)


def _count(jobs: str) -> int | None:
    if jobs == "auto":
        return None
    if not (jobs.isascii() and jobs.isdigit() and int(jobs) >= 1):
        _refuse(f"--jobs takes 'auto' or a number above zero, not '{jobs}'.")
    return int(jobs)


def _listed(names: list[str], most: int = 10) -> str:
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def _plan_text(planned: Batch, how: str) -> str:
    """What would be done, one line a scan."""
    words = {"missing": "to do", "done": "done", "stale": "made otherwise", "failed": "failed"}
    todo = {scan.name for scan in planned.todo}
    lines = [f"{'scan':<28} {'state':<15} will be"]
    for scan in planned.scans:
        will = "reconstructed" if scan.name in todo else "left as it is"
        why = f" ({scan.why})" if scan.why else ""
        lines.append(f"{scan.name:<28} {words[scan.state]:<15} {will}{why}")
    gib = f", about {planned.needed_gib:.1f} GiB each" if todo else ""
    if planned.also:
        lines.append(f"With other maps of each scan: {', '.join(planned.also)}.")
    lines.append(f"{len(todo)} of {len(planned.scans)} scans to do, {how}{gib}.")
    return "\n".join(lines)


def _told_all_done(planned: Batch, rows: Mapping[str, ScanStatus], quiet: bool) -> bool:
    """Tell what became of the scans; whether all are done."""
    wrong = [row for row in rows.values() if row.state != "done"]
    for row in wrong:
        words = (
            f"{row.scan} {row.state}: {row.message}" if row.message else f"{row.scan} {row.state}"
        )
        print(shown(words), file=sys.stderr)  # noqa: T201
    if any(row.state == "failed" for row in wrong) and not planned.retry_failed:
        note("What failed is tried again with --retry-failed, or once its files have changed.")
    if not quiet:
        done = len(rows) - len(wrong)
        before = sum(scan.state == "done" for scan in planned.scans)
        earlier = f", {before} of them before" if before else ""
        say(f"{done} of {len(rows)} scans are done{earlier}; they are in '{planned.study}'.")
    return not wrong


class _Line:
    """One line on the terminal that changes, or a line a minute where nobody watches."""

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._watched = sys.stderr is not None and sys.stderr.isatty()
        self._last = ""
        self._told = time.monotonic()

    def show(self, line: str) -> None:
        """How far the work is."""
        if self._quiet or line == self._last:
            return
        if self._watched:
            print(f"\r{line:<{len(self._last)}}", end="", file=sys.stderr, flush=True)  # noqa: T201
            self._last = line
        elif time.monotonic() - self._told > _TOLD_S:
            print(line, file=sys.stderr, flush=True)  # noqa: T201
            self._last, self._told = line, time.monotonic()

    def note(self, sentence: str) -> None:
        """Tell something on a line of its own."""
        self.end()
        note(sentence)

    def end(self) -> None:
        """Leave the line as it is, and begin a new one."""
        if self._watched and self._last:
            print(file=sys.stderr)  # noqa: T201
            self._last = ""
