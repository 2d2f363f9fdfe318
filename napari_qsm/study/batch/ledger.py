"""What a batch writes down: ``batch/plan.json`` and ``batch/status.tsv`` of the study.

Several runs on one study at the same time, such as one a participant, each keep to their own
scans: files are read, changed and written under a lock.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from napari_qsm._version import __version__
from napari_qsm.io.atomic import write_text
from napari_qsm.recon.recipe import Recipe, recipe_sha256
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

    Attributes
    ----------
    rows : dict of str to ScanStatus
        Of the scans of this run.
    records : dict of str to dict
        Of the scans of this run; see :func:`napari_qsm.study.batch.planning.record_of`.
    """

    def __init__(self, study: StudyFolder, raw: Path, recipe: Recipe) -> None:
        self.rows: dict[str, ScanStatus] = {}
        self.records: dict[str, dict[str, Any]] = {}
        self._study = study
        self._head: Mapping[str, Any] = {
            "software": {"napari-qsm": __version__},
            "raw": _way(raw, study.root),
            "recipe": recipe.to_dict(),
            "recipe_sha256": recipe_sha256(recipe.to_dict()),
        }
        self._written = 0.0

    def write(self, *, soon: bool = False) -> None:
        """Write both files; soon is when it was not done for a second.

        Raises
        ------
        FileError
            If they cannot be written, or are somebody else's.
        """
        if soon and time.monotonic() - self._written < _WRITTEN_S:
            return
        study = self._study
        study.batch.mkdir(exist_ok=True)
        with locked(study.batch):
            rows = read_status(study.status_file) | self.rows
            write_status(study.status_file, rows.values())
            records = read_records(study.plan_file) | self.records
            text = json.dumps({**self._head, "scans": records}, indent=1, ensure_ascii=False)
            if not study.plan_file.is_file() or study.plan_file.read_text("utf-8") != f"{text}\n":
                write_text(study.plan_file, f"{text}\n")
        self._written = time.monotonic()


def _way(raw: Path, study: Path) -> str:
    with suppress(ValueError):  # on another drive
        return Path(os.path.relpath(raw, study)).as_posix()
    return str(raw)
