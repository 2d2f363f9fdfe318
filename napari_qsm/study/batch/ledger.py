"""What a batch writes down: ``batch/plan.json`` and ``batch/status.tsv`` of the study.

Several runs on one study at the same time, such as one a participant, each keep to their own
scans: files are read, changed and written under a lock.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from napari_qsm._version import __version__
from napari_qsm.io.atomic import write_text
from napari_qsm.recon.recipe import Choice, Recipe, recipe_sha256
from napari_qsm.session.locks import locked
from napari_qsm.study.batch.planning import read_records
from napari_qsm.study.batch.status import ScanStatus, read_status, write_status
from napari_qsm.study.folder import StudyFolder

#: How often the files are written while scans come and go, s.
_WRITTEN_S = 1.0


class Ledger:
    """The scans of one run, and what became of them.

    Parameters
    ----------
    study : StudyFolder
    raw : Path
    recipe : Recipe
    also : sequence of Choice
        Maps beside χ.

    Attributes
    ----------
    rows : dict of str to ScanStatus
        Of the scans of this run.
    records : dict of str to dict
        Of the scans of this run; see :func:`napari_qsm.study.batch.planning.record_of`.
    """

    def __init__(
        self, study: StudyFolder, raw: Path, recipe: Recipe, also: Sequence[Choice] = ()
    ) -> None:
        self.rows: dict[str, ScanStatus] = {}
        self.records: dict[str, dict[str, Any]] = {}
        self._study = study
        self._head: Mapping[str, Any] = {
            "software": {"napari-qsm": __version__},
            "raw": _way(raw, study.root),
            "recipe": recipe.to_dict(),
            "recipe_sha256": recipe_sha256(recipe.to_dict()),
            **({"also": {c.method.name: dict(c.settings) for c in also}} if also else {}),
        }
        self._written = 0.0
        self._stamps = ((-1, -1, -1), (-1, -1, -1))
        self._all_rows: dict[str, ScanStatus] = {}
        self._all_records: dict[str, dict[str, Any]] = {}
        self._plan = ""

    def write(self, *, soon: bool = False) -> None:
        """Write both files; soon is when it was not done for a second.

        Raises
        ------
        FileError
            If they cannot be written, or are somebody else's.
        """
        if soon and time.monotonic() - self._written < _WRITTEN_S:
            return
        status, plan = self._study.status_file, self._study.plan_file
        self._study.batch.mkdir(exist_ok=True)
        with locked(self._study.batch):
            if _stamp(status) != self._stamps[0]:  # somebody else has written
                self._all_rows = read_status(status)
            if _stamp(plan) != self._stamps[1]:
                self._all_records = read_records(plan)
            self._all_rows |= self.rows
            write_status(status, self._all_rows.values())
            self._all_records |= self.records
            text = self._plan_text()
            if text != self._plan:
                write_text(plan, text)
                self._plan = text
            self._stamps = (_stamp(status), _stamp(plan))
        self._written = time.monotonic()

    def _plan_text(self) -> str:
        """The plan as JSON, one scan a line."""
        head = ",\n".join(
            f" {json.dumps(key)}: {json.dumps(said, ensure_ascii=False)}"
            for key, said in self._head.items()
        )
        scans = ",\n".join(
            f"  {json.dumps(name)}: {json.dumps(record, ensure_ascii=False)}"
            for name, record in sorted(self._all_records.items())
        )
        return f'{{\n{head},\n "scans": {{\n{scans}\n }}\n}}\n'


def _stamp(path: Path) -> tuple[int, int, int]:
    """What tells a file from one that was written later."""
    try:
        stat = path.stat()
    except OSError:
        return 0, 0, 0
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


def _way(raw: Path, study: Path) -> str:
    with suppress(ValueError):  # on another drive
        return Path(os.path.relpath(raw, study)).as_posix()
    return str(raw)
