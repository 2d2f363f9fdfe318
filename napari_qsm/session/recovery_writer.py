"""Writing a session's folder in the background, bit by bit (its layout: :mod:`.store`).

Label maps lie in slabs of slices, each packed in a file of its own that is never changed: new
labels get a new file. One small file, replaced in one step, says which files count.
"""

from __future__ import annotations

import json
import os
import zlib
from pathlib import Path

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.io.atomic import flush_folder, write_text
from napari_qsm.io.nifti import write_volume
from napari_qsm.scan import Scan
from napari_qsm.session.grids import grid_record
from napari_qsm.session.model import Session
from napari_qsm.session.places import slab_depth
from napari_qsm.session.records import Record, entry_record
from napari_qsm.session.references import References, path_from, stamp_of
from napari_qsm.session.scan_record import content_of, scan_record
from napari_qsm.session.store import RECOVERY_FILE
from napari_qsm.session.work import region_names
from napari_qsm.study.case import Case
from napari_qsm.study.entry import MapEntry
from napari_qsm.volume import Volume


class RecoveryWriter:
    """Writes one recovery folder; only ever used by one thread at a time."""

    def __init__(self, session: Session, folder: Path) -> None:
        self._session, self._folder = session, folder
        self._number = 0
        #: For each label map: file and labels of its slabs.
        self._slabs: dict[str, dict[int, tuple[str, int, list[int]]]] = {}
        self._places: dict[str, tuple[Array, Record]] = {}
        self._references = References()
        self._scans: dict[str, tuple[Scan | None, Record | None]] = {}
        self._old: list[str] = []

    @property
    def _kept(self) -> list[MapEntry]:
        """What is kept: also what was removed, for as long as an undo could bring it back."""
        here = self._session.lasting
        return [*here, *(gone for gone in self._session.history.removed if gone not in here)]

    def drawings(self, slices: dict[str, tuple[int, int]]) -> None:
        """Pack the slices that were reached."""
        for entry in self._kept:
            if entry.editable is None or entry.id not in slices:
                continue
            slabs = self._slabs.get(entry.id)
            first, end = slices[entry.id]
            if slabs is None:
                slabs = {}
                first, end = 0, entry.editable.shape[2]
            depth = slab_depth(entry.editable.shape)
            for slab in range(first // depth, -(-end // depth)):
                self._slab(entry, slabs, slab, depth)
            self._slabs[entry.id] = slabs  # only now: a first writing that fails begins anew

    def _slab(
        self,
        entry: MapEntry,
        slabs: dict[int, tuple[str, int, list[int]]],
        slab: int,
        depth: int,
    ) -> None:
        values = np.array(entry.labels[:, :, slab * depth : (slab + 1) * depth], order="F")
        before = slabs.pop(slab, None)
        if before is not None:
            self._old.append(before[0])
        if not values.any():
            return
        self._number += 1
        name = f"{entry.id}-{slab}-{self._number}.part"
        packed = zlib.compress(values.tobytes(order="F"), 1)
        with (self._folder / name).open("wb") as handle:
            handle.write(packed)
            handle.flush()
            os.fsync(handle.fileno())
        present = np.flatnonzero(np.bincount(values.ravel(order="K"))).tolist()
        slabs[slab] = (name, zlib.crc32(packed), present)

    def maps(self) -> bool:
        """Find or write what the other maps need; returns whether anything is new."""
        new = False
        here = {entry.id for entry in self._kept}
        for gone in [key for key in self._places if key not in here]:
            del self._places[gone]
        for entry in self._kept:
            if entry.id in self._slabs:
                continue
            known = self._places.get(entry.id)
            if known is None or known[0] is not entry.volume.data:
                self._places[entry.id] = (entry.volume.data, self._keep(entry.id, entry.volume))
                new = True
        for case in self._session.cases:
            if case.scan is not self._scans.get(case.id, (None, None))[0]:
                self._scans[case.id] = (case.scan, scan_record(case, self._keep))
                new = True
        return new

    def _scan_of(self, case: Case) -> Record | None:
        """What is kept of a case's scan already; its images wait for the drawings."""
        scan, record = self._scans.get(case.id, (None, None))
        return record if scan is case.scan else None

    def _keep(self, key: str, volume: Volume, name: str = "") -> Record:
        reference = self._references.of(key, volume)
        if reference is not None:
            return {"reference": reference.record(self._folder)}
        file = f"{key.replace(' ', '-')}.nii"
        write_volume(volume, self._folder / file)
        return {"file": stamp_of(self._folder / file).record(file)}

    def tie(self) -> None:
        """Replace the file that ties everything together; what it no longer needs goes."""
        folder = self._folder.resolve()
        maps = []
        drawn: dict[str, list[str]] = {}
        here = {entry.id for entry in self._session.lasting}
        for entry in self._kept:
            slabs = self._slabs.get(entry.id)
            record = entry_record(entry)
            if entry.id not in here:
                record["removed"] = True
            if slabs is not None and entry.editable is not None:
                record["store"] = {
                    **grid_record(entry.volume),
                    "shape": list(entry.editable.shape),
                    "dtype": entry.editable.dtype.name,
                    "depth": slab_depth(entry.editable.shape),
                    "slabs": {str(k): [file, crc] for k, (file, crc, _) in slabs.items()},
                }
                present = {label for _, _, labels in slabs.values() for label in labels}
                drawn[entry.name] = region_names(entry, present)
            elif entry.id in self._places:
                record |= self._places[entry.id][1]
            else:
                origin = entry.volume.origin
                record["origin"] = path_from(origin.resolve(), folder) if origin else ""
            maps.append(record)
        saved_as = self._session._saved
        content = {
            **content_of(self._session, self._scan_of, maps, folder),
            "drawn": drawn,
            "saved_as": saved_as.record() if saved_as is not None else None,
        }
        write_text(self._folder / RECOVERY_FILE, json.dumps(content))
        flush_folder(self._folder)
        for name in self._old:
            (self._folder / name).unlink(missing_ok=True)
        self._old.clear()
