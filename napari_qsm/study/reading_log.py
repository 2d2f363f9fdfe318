"""What happened to a study's protocol and readings, a line an event, never taken back."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from napari_qsm.errors import FileError
from napari_qsm.io.atomic import reason
from napari_qsm.io.plain_data import PlainDataError, parse_json
from napari_qsm.io.text import read_text

LOG_FILE = Path("reading") / "log.jsonl"


def write_event(study: Path, event: str, **facts: object) -> None:
    """Add an event to ``reading/log.jsonl``, and have it on the disk before going on.

    Parameters
    ----------
    study : Path
        The study's folder.
    event : str
        ``"protocol frozen"``, ``"reading submitted"`` ...
    **facts : object
        What JSON can hold.

    Raises
    ------
    FileError
        If it cannot be written.
    """
    at = datetime.now(UTC).isoformat(timespec="seconds")
    line = json.dumps({"at": at, "event": event, **facts}, ensure_ascii=False)
    path = study / LOG_FILE
    try:
        path.parent.mkdir(exist_ok=True)
        with path.open("a", encoding="utf-8", newline="\n") as handle:
            handle.write(line + "\n")
            handle.flush()
            os.fsync(handle.fileno())
    except OSError as error:
        raise FileError(f"Cannot write '{path}': {reason(error)}.") from error


def read_events(study: Path) -> list[dict[str, Any]]:
    """All events in their order; a last line that a crash cut off is left out.

    Raises
    ------
    FileError
        If a line is no event.
    """
    path = study / LOG_FILE
    if not path.is_file():
        return []
    events = []
    lines = read_text(path, "log").split("\n")
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            said = parse_json(line)
        except PlainDataError:
            said = None
        if isinstance(said, dict) and "event" in said:
            events.append(said)
        elif number < len(lines):
            raise FileError(f"'{path}', line {number}: not an event.")
    return events
