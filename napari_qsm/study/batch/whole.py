"""A batch from its plan to its end."""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil

from napari_qsm.errors import QsmError
from napari_qsm.io.bids import dataset_root
from napari_qsm.io.moving import finish, sweep
from napari_qsm.recon.parallel import threads
from napari_qsm.recon.recipe import Recipe, contrast_choices
from napari_qsm.study.batch import planning
from napari_qsm.study.batch.ledger import Ledger
from napari_qsm.study.batch.planning import PlannedScan, file_sha256, record_of
from napari_qsm.study.batch.running import run_all
from napari_qsm.study.batch.status import Progress, ScanStatus, read_status
from napari_qsm.study.batch.task import Outcome, Task, write_log
from napari_qsm.study.batch.workers import OneProcess, Workers
from napari_qsm.study.folder import StudyFolder, make_derivatives

#: Share of the free memory that scans may take, and room for what an estimate leaves out.
_MEMORY_SHARE, _MEMORY_ROOM = 0.8, 1.3
#: Jobs to ask SLURM for when nobody says how many.
_SLURM_JOBS = 32
Note = Callable[[str], None]


class NothingAsked(QsmError):
    """There is no such data set, participant, session or scan."""


@dataclass(frozen=True)
class Means:
    """What a batch may use.

    Attributes
    ----------
    jobs : int or None
        Scans side by side; as many as processors and memory allow, unless given.
    memory_gib : float or None
        Memory that all of them may take together; four fifths of what is free, unless given.
    scheduler : str
        Address of a running scheduler of Dask.
    slurm : bool
        Whether to ask SLURM for jobs.
    slurm_file : Path or None
        Its options.
    longest_s : float
        Time for one scan; 0 for no limit.
    """

    jobs: int | None = None
    memory_gib: float | None = None
    scheduler: str = ""
    slurm: bool = False
    slurm_file: Path | None = None
    longest_s: float = 0.0


@dataclass
class Batch:
    """The scans of a raw data set, and what is left to do for a study.

    Attributes
    ----------
    raw, study : Path
        Absolute.
    recipe : Recipe
    scans : list of PlannedScan
        All that were asked for.
    without : list of str
        Visits without a scan.
    also, settings : tuple of str
        Maps beside χ that are asked for, and ``name.setting=value`` lines for them.
    overwrite, retry_failed : bool
        Whether results that were made otherwise are made again, and scans that failed before.
    """

    raw: Path
    study: Path
    recipe: Recipe
    scans: list[PlannedScan]
    without: list[str] = field(default_factory=list)
    also: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    overwrite: bool = False
    retry_failed: bool = False

    @property
    def todo(self) -> list[PlannedScan]:
        """Scans to be reconstructed, in order."""
        states = {"missing"}
        states |= {"stale"} if self.overwrite else set()
        states |= {"failed"} if self.retry_failed else set()
        return [scan for scan in self.scans if scan.state in states and not scan.problem]

    @property
    def needed_gib(self) -> float:
        """Memory of the largest scan that is left to do; an estimate."""
        return max((scan.needed_gib() for scan in self.todo), default=0.0)


def plan_batch(
    raw: Path,
    study: Path,
    recipe: Recipe,
    *,
    participants: Collection[str] = (),
    sessions: Collection[str] = (),
    also: Sequence[str] = (),
    settings: Sequence[str] = (),
    overwrite: bool = False,
    retry_failed: bool = False,
) -> Batch:
    """Find the scans of a raw data set and what is left to do of them; writes nothing.

    Parameters
    ----------
    raw : Path
        A BIDS data set.
    study : Path
        Where results go; need not exist.
    recipe : Recipe
    participants, sessions : collection of str
        Labels without prefix that are wanted; empty for all.
    also, settings : sequence of str
        Maps beside χ to make as well, and ``name.setting=value`` lines for them.
    overwrite : bool
        Whether results of another recipe, version or input are made again.
    retry_failed : bool
        Whether scans that failed before, and have not changed since, are tried again.

    Raises
    ------
    NothingAsked
        If there is no such data set, it has none of the labels, or no scan.
    RecipeError
        If there is no such map or setting.
    """
    choices = contrast_choices(also, settings)
    raw, study = raw.absolute(), study.absolute()
    if not raw.is_dir():
        raise NothingAsked(f"There is no folder '{raw}'.")
    if dataset_root(raw) != raw:
        raise NothingAsked(
            f"'{raw}' is no BIDS data set (it has no dataset_description.json and no folders "
            "sub-* with images); 'napari-qsm import' makes one."
        )
    for wanted, known, what in zip(
        (participants, sessions), planning.labels_of(raw), ("participant", "session"), strict=True
    ):
        missing = sorted(set(wanted) - known)
        if missing:
            there = ", ".join(sorted(known)[:20]) or "none"
            raise NothingAsked(f"'{raw.name}' has no {what} '{missing[0]}'; there is {there}.")
    scans, without = planning.find(raw, participants, sessions)
    if not scans:
        raise NothingAsked(f"'{raw}' holds no scan with phase that was asked for.")
    batch = Batch(
        raw, study, recipe, scans, without, tuple(also), tuple(settings), overwrite, retry_failed
    )
    if study.is_dir():
        records = planning.read_records(study / "batch" / "plan.json")
        known_rows = read_status(study / "batch" / "status.tsv")
        planning.compare(scans, study, recipe, records, known_rows, choices)
    return batch


@dataclass(frozen=True)
class Share:
    """How the work is divided on one machine.

    Attributes
    ----------
    lanes : int
        Scans side by side.
    threads : int
        Of each.
    limit_bytes : int
        Memory beyond which a process is ended.
    """

    lanes: int
    threads: int
    limit_bytes: int


def share_of(batch: Batch, means: Means, note: Note = lambda sentence: None) -> Share:
    """As many scans side by side as processors and memory allow, or as were asked for."""
    cores = threads()
    gib = means.memory_gib or _MEMORY_SHARE * psutil.virtual_memory().available / 2**30
    each = _MEMORY_ROOM * batch.needed_gib
    fitting = int(gib / each) if each else cores
    lanes = means.jobs or min(cores, max(fitting, 1))
    lanes = max(min(lanes, len(batch.todo)), 1)
    if lanes > fitting:
        note(
            f"A scan needs about {batch.needed_gib:.1f} GiB of memory, and {gib:.1f} GiB may be used "
            f"for {lanes} at once; scans that do not fit are tried again alone."
        )
    return Share(lanes, max(cores // lanes, 1), math.ceil(gib * 2**30))


def run_batch(
    batch: Batch,
    means: Means,
    *,
    note: Note = lambda sentence: None,
    show: Callable[[str], None] = lambda line: None,
    log: Callable[[str, Mapping[str, Any]], None] = lambda event, said: None,
) -> dict[str, ScanStatus]:
    """Reconstruct what is left to do.

    Parameters
    ----------
    batch : Batch
        From :func:`plan_batch`.
    means : Means
        What may be used.
    note : callable
        Told sentences for the user.
    show : callable
        Told, often, how far the work is, in one line.
    log : callable
        Told each event, and facts about it.

    Returns
    -------
    dict of str to ScanStatus
        What became of each scan that was asked for.

    Raises
    ------
    QsmError
        If the study cannot be written, or the workers cannot be used.
    """
    study = make_derivatives(batch.study, batch.raw)
    ledger = Ledger(study, batch.raw, batch.recipe, contrast_choices(batch.also, batch.settings))
    _open(ledger, batch)
    todo = {scan.name: scan for scan in batch.todo}
    progress = Progress(len(batch.scans))
    progress.done = sum(row.state == "done" for row in ledger.rows.values())
    progress.failed = sum(row.state == "failed" for row in ledger.rows.values())
    ledger.write()
    log("start", {"scans": len(batch.scans), "to_do": len(todo), "recipe": batch.recipe.name})
    running: dict[str, Task] = {}

    def on_start(task: Task) -> None:
        running[task.scan] = task
        row = ledger.rows[task.scan]
        ledger.rows[task.scan] = ScanStatus(row.scan, row.participant, row.session, "running")
        log("running", {"scan": task.scan})

    def on_end(task: Task, outcome: Outcome) -> None:
        running.pop(task.scan, None)
        ledger.rows[task.scan] = ledger.rows[task.scan].ended(outcome)
        if outcome.state == "done":
            provenance = todo[task.scan].provenance(batch.study)
            ledger.records[task.scan]["provenance_sha256"] = file_sha256(provenance)
        elif not outcome.host:  # nobody was left to write it
            with suppress(QsmError):
                write_log(batch.study, task.scan, f"{task.scan}: failed\n{outcome.message}")
        progress.count(outcome)
        log(outcome.state, {"scan": task.scan, **asdict(outcome)})

    def on_look(left: int) -> None:
        ledger.write(soon=True)
        show(progress.line(left))

    if todo:
        text = batch.recipe.to_yaml()
        stop_file = study.batch / f".stop-{uuid.uuid4().hex[:12]}"
        more: dict[str, Any] = {"stop_file": str(stop_file), "longest_s": means.longest_s}
        more |= {"also": batch.also, "settings": batch.settings}
        tasks = [
            scan.task(batch.study, text, overwrite=scan.state == "stale", **more)
            for scan in todo.values()
        ]
        workers = _workers(batch, means, study, stop_file, note)
        at_once = True
        try:
            run_all(tasks, workers, on_start=on_start, on_end=on_end, on_look=on_look)
            at_once = False
        finally:
            workers.close(at_once=at_once)
            for task in running.values():
                _put_in_order(Path(task.out), task.visit)
                row = ledger.rows[task.scan]
                ledger.rows[task.scan] = ScanStatus(
                    row.scan, row.participant, row.session, "waiting"
                )
            ledger.write()
            log("end", {"done": progress.done, "failed": progress.failed, "stopped": at_once})
    return ledger.rows


def _open(ledger: Ledger, batch: Batch) -> None:
    """The rows and records of a run before it begins."""
    before = read_status(batch.study / "batch" / "status.tsv")
    notes = planning.read_records(batch.study / "batch" / "plan.json")
    todo = {scan.name for scan in batch.todo}
    wanted = planning.asked_sha256(batch.recipe, contrast_choices(batch.also, batch.settings))
    for scan in batch.scans:
        named = (scan.name, scan.participant, scan.session)
        row = before.get(scan.name)
        if scan.name in todo:
            row = ScanStatus(*named, "waiting")
        elif scan.state == "stale":
            row = ScanStatus(*named, "skipped", message=f"{scan.why}; --overwrite makes it again")
        elif row is None or row.state != scan.state:
            row = ScanStatus(*named, scan.state, message=scan.why)
        ledger.rows[scan.name] = row
        if scan.files is None or (scan.state == "stale" and scan.name not in todo):
            continue
        record = record_of(scan, wanted)
        if scan.name not in todo and scan.state == "done":
            record["provenance_sha256"] = file_sha256(scan.provenance(batch.study))
        if scan.state != "failed" or scan.name in todo or scan.name not in notes:
            ledger.records[scan.name] = record


def _workers(
    batch: Batch, means: Means, study: StudyFolder, stop_file: Path, note: Note
) -> Workers:
    """Who does the work: what was asked for, or what this machine has."""
    share = share_of(batch, means, note if not (means.scheduler or means.slurm) else lambda s: None)
    for old in study.batch.glob(".stop-*"):
        old.unlink(missing_ok=True)
    try:
        from napari_qsm.study.batch import clusters
    except ImportError as error:
        if means.scheduler or means.slurm:
            raise QsmError(
                'Schedulers and clusters need Dask: pip install "napari-qsm[cluster]".'
            ) from error
        if means.jobs != 1:
            note(
                "dask.distributed is not installed, so scans are done one after the other; "
                'pip install "napari-qsm[cluster]" does several at once.'
            )
        return OneProcess(threads())
    common: dict[str, Any] = {"stop_file": stop_file, "note": note}
    if means.scheduler:
        return clusters.joined(means.scheduler, batch.raw, batch.study, **common)
    if means.slurm:
        jobs = means.jobs or min(len(batch.todo), _SLURM_JOBS)
        return clusters.slurm(
            jobs, batch.needed_gib, means.slurm_file, batch.raw, batch.study, **common
        )
    if share.lanes == 1:
        return OneProcess(share.threads)
    return clusters.local(
        share.lanes, share.threads, share.limit_bytes, batch.raw, batch.study, **common
    )


def _put_in_order(study: Path, visit: str) -> None:
    """Clean up, or carry out, what a process that was ended had begun to write."""
    folder = study / visit
    with suppress(QsmError):
        for place in (folder, *folder.parents):
            if place.is_dir():
                finish(place)
                sweep(place)
            if place == study:
                break
