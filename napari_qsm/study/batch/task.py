"""The work on one scan, wherever it is done: from a raw folder to maps, report and a log.

A task holds paths and the text of a recipe, never arrays, so that it costs nothing to send. What
comes back is whether it went well, in words.
"""

from __future__ import annotations

import os
import platform
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import psutil
import yaml

from napari_qsm._version import __version__
from napari_qsm.errors import Cancelled, FileError, QsmError
from napari_qsm.io.atomic import atomic_path, reason, write_text
from napari_qsm.io.bids import find_scans
from napari_qsm.io.scan_reader import read_scan
from napari_qsm.io.series import ScanFiles
from napari_qsm.outputs import Layout, bids_layout, check_free, room_needed
from napari_qsm.qc.files import write_judged
from napari_qsm.qc.thumbnail import thumbnail
from napari_qsm.recon.parallel import THREADS_VARIABLE
from napari_qsm.recon.pipeline import Inputs, run
from napari_qsm.recon.recipe import contrast_choices, parse_recipe
from napari_qsm.recon.result import Result

#: How often the memory of the process is looked at, s.
_SAMPLED_S = 0.05
#: How often a task looks whether it was asked to stop, s.
_ASKED_S = 0.5


@dataclass(frozen=True)
class Task:
    """One scan to be reconstructed.

    Attributes
    ----------
    scan : str
        How names of its results begin: ``"sub-01_ses-t0"``.
    visit : str
        Folder of participant and session below that of the data set: ``"sub-01/ses-t0"``.
    raw, out : str
        Absolute paths of the raw data set and of the study.
    signal : str
        First phase (or real) image, as a path in the raw data set; it tells which scan of the
        visit is meant.
    recipe : str
        Text of the recipe, in YAML.
    also, settings : tuple of str
        Maps beside χ that are asked for, and ``name.setting=value`` lines for them.
    overwrite : bool
        Whether an earlier result may be replaced.
    longest_s : float
        After so many seconds the work stops; 0 for never.
    stop_file : str
        Once this file exists, the work stops.
    threads : int
        How many threads the work may take, unless the worker's own environment says.
    """

    scan: str
    visit: str
    raw: str
    out: str
    signal: str
    recipe: str
    also: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    overwrite: bool = False
    longest_s: float = 0.0
    stop_file: str = ""
    threads: int = 1


@dataclass(frozen=True)
class Outcome:
    """What became of one scan.

    Attributes
    ----------
    state : {"done", "failed", "stopped"}
    message : str
        Why it failed, or what stands out in the result.
    seconds : float
        How long it took.
    peak_mb : float
        Most memory that the process held meanwhile, in units of 10^6 bytes.
    host : str
        Name of the computer.
    again : bool
        Whether another try, alone, may end better.
    """

    state: str
    message: str = ""
    seconds: float = 0.0
    peak_mb: float = 0.0
    host: str = ""
    again: bool = False


class Overdue(Cancelled):
    """The time for one scan is over."""


def carry_out(task: Task) -> Outcome:
    """Reconstruct one scan and write its log; never raises for what is wrong with the scan."""
    log = _Log(task)
    state, message, again = "done", "", False
    with _threads(task.threads), _memory() as peak_mb:
        try:
            message = _reconstruct(task, log)
        except Overdue as error:
            state, message, again = "failed", str(error), True
        except Cancelled as error:
            state, message = "stopped", str(error)
        except MemoryError:
            state, again = "failed", True
            message = "The memory of this computer is too small for this scan."
        except QsmError as error:
            state, message = "failed", str(error)
            again = isinstance(error.__cause__, MemoryError)
        except OSError as error:
            where = f": '{Path(str(error.filename)).name}'" if error.filename else ""
            state, message = "failed", f"{reason(error)}{where}."
        except Exception as error:
            state = "failed"
            message = f"The program made a mistake ({type(error).__name__}: {error}); see the log."
            log.say(traceback.format_exc())
    seconds = time.monotonic() - log.began
    outcome = Outcome(state, message, seconds, peak_mb(), platform.node(), again)
    log.write(outcome)
    return outcome


def files_of(visit: Path, signal: Path) -> ScanFiles:
    """The scan of a visit that an image belongs to.

    Raises
    ------
    FileError
        If there is none any more.
    """
    for files in find_scans(visit):
        if (files.phase or files.real)[0].path == signal:
            return files
    raise FileError(f"'{signal.name}' is no longer part of a scan in '{visit.name}'.")


def visit_layout(files: ScanFiles) -> tuple[str, Layout]:
    """The visit's folder within the study, and the names of results in that folder.

    Results move into the folder of the visit, not into that of the study, so that several may
    at the same moment.

    Returns
    -------
    str
        ``"sub-01/ses-t0"``, or ``"."`` where names tell no participant.
    Layout
    """
    whole = bids_layout(files)
    visit = Path(whole.prefix).parent.parent
    images = {n: Path(stem).relative_to(visit).as_posix() for n, stem in whole.images.items()}
    prefix = Path(f"{whole.prefix}x").relative_to(visit).as_posix()[:-1]
    return visit.as_posix(), Layout(images, prefix)


def _reconstruct(task: Task, log: _Log) -> str:
    recipe = parse_recipe(yaml.safe_load(task.recipe))
    raw = Path(task.raw)
    files = files_of(raw / task.visit, raw / task.signal)
    visit, layout = visit_layout(files)
    out = Path(task.out) / visit
    inputs = Inputs(scan=read_scan(files))
    assert inputs.scan is not None
    needed = room_needed(inputs.grid().shape, len(inputs.scan.phase))
    used = [image.path for image in files.images]
    check_free(out, layout, overwrite=task.overwrite, inputs=used, needed_bytes=needed)
    asking = _asking(task, log)
    also = contrast_choices(task.also, task.settings)
    result = run(recipe, inputs, also=also, progress=asking)
    found = write_judged(
        result,
        inputs,
        out,
        layout,
        overwrite=task.overwrite,
        progress=lambda fraction: asking("writing", fraction),
    )
    _keep_picture(task, result)
    for step in result.provenance["stages"]:
        log.say(f"{step['stage']:<11} {step['method']:<15} {step['seconds']:8.1f} s")
    for sentence in (*result.warnings, *(finding.sentence for finding in found)):
        log.say(sentence)
    return " ".join(finding.sentence for finding in found if finding.severity == "serious")


def _keep_picture(task: Task, result: Result) -> None:
    """Keep the small picture for the group's page, which else has to read the map again."""
    path = picture_path(Path(task.out), task.scan)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        temporary.write_bytes(thumbnail(result.volume("chi_ppm")))


def picture_path(study: Path, scan: str) -> Path:
    """Where the small picture of a scan's map is kept."""
    return study / "batch" / "pictures" / f"{scan}.jpg"


def _asking(task: Task, log: _Log) -> Callable[[str, float], None]:
    """A progress callable that ends the work on request and in time."""
    asked = 0.0
    stop_file = Path(task.stop_file) if task.stop_file else None

    def progress(stage: str, fraction: float) -> None:
        nonlocal asked
        now = time.monotonic()
        if task.longest_s and now - log.began > task.longest_s:
            raise Overdue(f"It took longer than {task.longest_s / 60:g} min (at the {stage}).")
        if stop_file is not None and now - asked > _ASKED_S:
            asked = now
            if stop_file.exists():
                raise Cancelled("Stopped.")

    return progress


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Bound the threads of this process, unless its own environment does."""
    own = os.environ.get(THREADS_VARIABLE)
    os.environ[THREADS_VARIABLE] = own or str(count)
    try:
        yield
    finally:
        if own is None:
            del os.environ[THREADS_VARIABLE]


@contextmanager
def _memory() -> Iterator[Callable[[], float]]:
    """Watch the memory of this process; yields what tells the most that was seen, in MB."""
    process = psutil.Process()
    most = process.memory_info().rss
    over = threading.Event()

    def watch() -> None:
        nonlocal most
        while not over.wait(_SAMPLED_S):
            most = max(most, process.memory_info().rss)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield lambda: most / 1e6
    finally:
        over.set()
        thread.join()


@dataclass
class _Log:
    """What is said of one scan, for ``batch/logs``."""

    task: Task
    began: float = field(default_factory=time.monotonic)
    started: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))
    lines: list[str] = field(default_factory=list)

    def say(self, text: str) -> None:
        self.lines.append(text)

    def write(self, outcome: Outcome) -> None:
        head = [
            f"{self.task.scan}: {outcome.state}",
            f"napari-qsm {__version__} on {outcome.host}, {self.started.isoformat()}",
            f"{outcome.seconds:.1f} s, {outcome.peak_mb:.0f} MB",
        ]
        said = [outcome.message] if outcome.message else []
        text = "\n".join([*head, *said, "", *self.lines, "", self.task.recipe])
        with suppress(QsmError):  # the scan itself went as it went
            write_log(Path(self.task.out), self.task.scan, text)


def write_log(study: Path, scan: str, text: str) -> None:
    """Write what was said of one scan to ``batch/logs`` of the study.

    Raises
    ------
    FileError
        If it cannot be written there.
    """
    folder = study / "batch" / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / f"{scan}.txt", f"{text.rstrip()}\n")
