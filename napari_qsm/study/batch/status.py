"""How far a batch is: ``status.tsv``, one line on the terminal, and a log for other programs."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from napari_qsm.errors import FileError
from napari_qsm.io.atomic import write_text
from napari_qsm.io.text import read_text
from napari_qsm.study.batch.task import Outcome

#: Columns of ``status.tsv``; the last one names results and logs.
COLUMNS = (
    "participant_id", "session_id", "state", "seconds", "peak_mb", "host", "message", "scan",
)  # fmt: skip
STATES = ("waiting", "running", "done", "failed", "skipped")
_UNKNOWN = "n/a"


@dataclass(frozen=True)
class ScanStatus:
    """One row of ``status.tsv``.

    Attributes
    ----------
    scan : str
        ``"sub-01_ses-t0"``.
    participant, session : str
        BIDS labels without prefix.
    state : str
        One of :data:`STATES`. *skipped* is a scan with a result that was made otherwise and
        may not be replaced.
    seconds, peak_mb : float or None
        Of the last try.
    host : str
    message : str
        Why it failed or was skipped, or what is serious about the result.
    """

    scan: str
    participant: str
    session: str
    state: str
    seconds: float | None = None
    peak_mb: float | None = None
    host: str = ""
    message: str = ""

    def ended(self, outcome: Outcome) -> ScanStatus:
        """The same after a try."""
        return replace(
            self,
            state="waiting" if outcome.state == "stopped" else outcome.state,
            seconds=outcome.seconds,
            peak_mb=outcome.peak_mb,
            host=outcome.host,
            message=outcome.message,
        )

    def cells(self) -> list[str]:
        """As a row of the table."""
        return [
            f"sub-{self.participant}" if self.participant else _UNKNOWN,
            f"ses-{self.session}" if self.session else _UNKNOWN,
            self.state,
            _UNKNOWN if self.seconds is None else f"{self.seconds:.1f}",
            _UNKNOWN if self.peak_mb is None else f"{self.peak_mb:.0f}",
            self.host or _UNKNOWN,
            " ".join(self.message.split()) or _UNKNOWN,
            self.scan,
        ]


def read_status(path: Path) -> dict[str, ScanStatus]:
    """The rows of a ``status.tsv`` by scan; empty where there is none.

    Raises
    ------
    FileError
        If it is another table.
    """
    if not path.is_file():
        return {}
    text = read_text(path, "status of a batch")
    table = csv.DictReader(io.StringIO(text), delimiter="\t", quoting=csv.QUOTE_NONE)
    if set(COLUMNS) - set(table.fieldnames or ()):
        raise FileError(f"'{path}' is no status of a batch; move it away and start again.")
    rows = {}
    for cells in table:
        said = {name: "" if cells[name] in (_UNKNOWN, None) else cells[name] for name in COLUMNS}
        rows[said["scan"]] = ScanStatus(
            scan=said["scan"],
            participant=said["participant_id"].removeprefix("sub-"),
            session=said["session_id"].removeprefix("ses-"),
            state=said["state"],
            seconds=_number(said["seconds"]),
            peak_mb=_number(said["peak_mb"]),
            host=said["host"],
            message=said["message"],
        )
    return rows


def write_status(path: Path, rows: Iterable[ScanStatus]) -> None:
    """Write ``status.tsv``, in the order of participants and sessions."""
    ordered = sorted(rows, key=lambda row: (row.participant, row.session, row.scan))
    lines = ["\t".join(COLUMNS), *("\t".join(row.cells()) for row in ordered)]
    write_text(path, "\n".join(lines) + "\n")


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


@dataclass
class Progress:
    """The line that tells how far a run is: ``37/113 done, 2 failed, 14 min left``.

    Attributes
    ----------
    total : int
        Scans that are asked for.
    done, failed : int
        How they ended; those that were done before count.
    tried : int
        Scans that were tried in this run.
    """

    total: int
    done: int = 0
    failed: int = 0
    tried: int = 0

    def __post_init__(self) -> None:
        self._began = time.monotonic()

    def count(self, outcome: Outcome) -> None:
        """Take one more scan into account."""
        self.tried += 1
        self.done += outcome.state == "done"
        self.failed += outcome.state == "failed"

    def line(self, left: int) -> str:
        """What to show while so many scans are left."""
        parts = [f"{self.done}/{self.total} done"]
        if self.failed:
            parts.append(f"{self.failed} failed")
        if left and self.tried:
            seconds = (time.monotonic() - self._began) / self.tried * left
            parts.append(f"{duration(seconds)} left")
        return ", ".join(parts)


def duration(seconds: float) -> str:
    """A time for people: ``"40 s"``, ``"14 min"``, ``"2 h 5 min"``.

    Examples
    --------
    >>> duration(40), duration(840), duration(7500)
    ('40 s', '14 min', '2 h 5 min')
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def log_to(path: Path | None) -> Callable[[str, Mapping[str, Any]], None]:
    """What writes one line of JSON for each event to the end of a file.

    Raises
    ------
    FileError
        If the file cannot be written.
    """
    if path is None:
        return lambda event, said: None
    target = path

    def log(event: str, said: Mapping[str, Any]) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"time": now, "event": event, **said}, ensure_ascii=False)
        try:
            with target.open("a", encoding="utf-8", newline="\n") as handle:
                handle.write(f"{line}\n")
        except OSError as error:
            raise FileError(f"Cannot write '{target}': {error.strerror or error}.") from error

    return log
