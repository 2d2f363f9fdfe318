"""Readings: one rater's fixed shapes, or painted regions, on one scan, from the first click on.

A reading is a file of shapes (:mod:`napari_qsm.rois.shape_files`) beside the map it was made on,
``..._desc-<rater>_shapes.json``. It knows the checksum of that map's values: when the map is made
anew, the reading is stale. Handed in (*submitted*) it is frozen; a change afterwards is an
amendment, which keeps what was there in ``reading/amended/`` and gives its reason in the log.

Painted regions (:mod:`napari_qsm.study.painted`) lie in the label map beside it, with checksums here.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from weakref import WeakKeyDictionary

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from napari_qsm.arrays import Array
from napari_qsm.errors import FileError, QsmError
from napari_qsm.io.atomic import staged_folder
from napari_qsm.io.region import Region, default_color
from napari_qsm.io.segmentation import write_labels
from napari_qsm.qc.quality import map_checksum
from napari_qsm.rois.shape_files import read_shapes, write_shapes
from napari_qsm.rois.shapes import FixedShape, voxels_of
from napari_qsm.study.folder import StudyFolder
from napari_qsm.study.painted import (
    label_numbers,
    only_painted,
    painted_regions,
    painted_voxels,
    read_painted,
)
from napari_qsm.study.protocol import freeze
from napari_qsm.study.reading_log import write_event
from napari_qsm.study.study_scan import StudyScan, rater_label, rater_of
from napari_qsm.study.worklist import mark, read_key
from napari_qsm.volume import Volume

State = Literal["open", "submitted"]
_ENDING = "_shapes.json"
#: Of maps that are open; the same is asked for at the first click and at the last.
_CHECKSUMS: WeakKeyDictionary[Volume, str] = WeakKeyDictionary()


class ReadingRecord(BaseModel):
    """What a reading's file says beside its shapes.

    Attributes
    ----------
    rater : str
    number : int
        1, or that of a repeat.
    state : {"open", "submitted"}
    protocol_sha256 : str
        Of the protocol that it follows.
    opened_at, submitted_at : datetime or None
    not_visible : dict of str to str
        Regions that were not placed, with the reason.
    answers : dict of str to str
        What was said to each flag before handing in.
    amended : tuple of str
        Reasons of changes after that.
    painted : dict of str to int
        Voxels of each painted region.
    painted_sha256 : dict of str to str
        Checksum of where each lies, see :func:`~napari_qsm.study.painted.painted_voxels`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rater: str
    number: int = Field(default=1, ge=1)
    state: State = "submitted"
    protocol_sha256: str = ""
    opened_at: datetime | None = None
    submitted_at: datetime | None = None
    not_visible: dict[str, str] = Field(default_factory=dict)
    answers: dict[str, str] = Field(default_factory=dict)
    amended: tuple[str, ...] = ()
    painted: dict[str, int] = Field(default_factory=dict)
    painted_sha256: dict[str, str] = Field(default_factory=dict)


@dataclass(frozen=True)
class Reading:
    """One rater's shapes on one scan.

    Attributes
    ----------
    record : ReadingRecord
    shapes : tuple of FixedShape
    chi_sha256 : str
        Checksum of the map that was read; empty where the file does not tell.
    labels : Volume or None
        Painted regions, on the map's grid in any axis order; None where none are, or nobody read them
        (:func:`load_labels`).
    """

    record: ReadingRecord
    shapes: tuple[FixedShape, ...] = ()
    chi_sha256: str = ""
    labels: Volume | None = field(default=None, compare=False)

    @property
    def label(self) -> str:
        """Of its files: ``"AA"``, ``"AArep2"``."""
        return rater_label(self.record.rater, self.record.number)


def new_reading(study: StudyFolder, rater: str, volume: Volume, number: int = 1) -> Reading:
    """An empty reading of a map, opened now.

    Parameters
    ----------
    study : StudyFolder
    rater : str
    volume : Volume
        The map.
    number : int
        1, or that of a repeat.
    """
    record = ReadingRecord(
        rater=rater,
        number=number,
        state="open",
        protocol_sha256=study.protocol.sha256,
        opened_at=_now(),
    )
    return Reading(record, (), checksum_of(volume))


def checksum_of(volume: Volume) -> str:
    """By which readings, ratings and numbers know a map: of its values, turned to RAS."""
    known = _CHECKSUMS.get(volume)
    if known is None:
        known = _CHECKSUMS[volume] = map_checksum(volume.to_canonical().data)
    return known


def read_reading(path: Path) -> Reading:
    """A reading from its file; shapes that the window saved under its name count as handed in.

    Raises
    ------
    FileError
        If the file holds no shapes, or is another rater's than its name says.
    """
    kept = read_shapes(path)
    label = path.name.removesuffix(_ENDING).rpartition("desc-")[2]
    rater, number = rater_of(label)
    if not kept.reading:
        return Reading(ReadingRecord(rater=rater, number=number), kept.shapes, kept.chi_sha256)
    try:
        record = ReadingRecord.model_validate(kept.reading)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise FileError(f"'{path.name}': reading.{where}: {first['msg']}.") from None
    if (record.rater, record.number) != (rater, number):
        raise FileError(
            f"'{path.name}' holds reading {record.number} of {record.rater}, but its name says reading "
            f"{number} of {rater}; two raters must not have one label."
        )
    return Reading(record, kept.shapes, kept.chi_sha256)


def repainted(study: StudyFolder, reading: Reading, labels: Volume) -> Reading:
    """The reading with another label map of its painted regions; what has voxels is visible."""
    own = only_painted(labels, study.protocol.all_steps())
    voxels, sums = painted_voxels(own, study.protocol.all_steps())
    hidden = {name: why for name, why in reading.record.not_visible.items() if name not in voxels}
    said = {"painted": voxels, "painted_sha256": sums, "not_visible": hidden}
    return replace(reading, record=reading.record.model_copy(update=said), labels=own)


def load_labels(study: StudyFolder, reading: Reading, volume: Volume, path: Path) -> Reading:
    """The reading with its painted regions read from a label map.

    Parameters
    ----------
    study : StudyFolder
    reading : Reading
        As from :func:`read_reading`; returned as it is where nothing is painted.
    volume : Volume
        The map; labels come in its axis order.
    path : Path
        The label map, :meth:`~napari_qsm.study.study_scan.StudyScan.dseg`.

    Raises
    ------
    FileError
        If it is missing, or was changed by another program.
    """
    if not reading.record.painted:
        return reading
    steps = study.protocol.all_steps()
    labels = read_painted(path, steps, volume)
    wanted = {step.region_name for step in study.protocol.painted()}
    kept = {n: s for n, s in reading.record.painted_sha256.items() if n in wanted}
    if painted_voxels(labels, steps)[1] != kept:
        raise FileError(
            f"'{path.name}' was changed outside of its reading by {reading.label}; bring it back as it "
            "was, or state the change as an amendment."
        )
    return replace(reading, labels=labels)


def save_reading(study: StudyFolder, scan: StudyScan, reading: Reading, volume: Volume) -> None:
    """Write a reading that is not handed in yet, after every click; the first freezes the protocol.

    Raises
    ------
    QsmError
        If it was handed in already, or the protocol has changed.
    """
    path = scan.shapes(reading.record.rater, reading.record.number)
    if path.is_file() and read_reading(path).record.state == "submitted":
        raise QsmError(
            f"{reading.label} has handed in {scan.name}; a change now is an amendment and needs a "
            "reason."
        )
    freeze(study.protocol_file)
    if not path.is_file():
        _mark(study, scan, reading, "open")
    if reading.labels is None:
        _write(path, reading, volume)
        return
    with staged_folder(scan.folder, overwrite=True) as staging:
        _write(staging / path.name, reading, volume)
        dseg = scan.dseg(reading.record.rater, reading.record.number)
        write_painted(staging / dseg.name, study, reading, volume)


def submit_reading(
    study: StudyFolder, scan: StudyScan, reading: Reading, volume: Volume
) -> Reading:
    """Hand a reading in: it is frozen, and burnt into a label map beside it.

    Raises
    ------
    QsmError
        If a region of the protocol is neither placed nor marked as not visible, it was handed in
        already, or it was made on another map.
    """
    save_reading(study, scan, reading, volume)
    check_complete(study, scan, reading)
    _check_map(scan, reading, volume)
    record = reading.record.model_copy(update={"state": "submitted", "submitted_at": _now()})
    done = replace(reading, record=record)
    with staged_folder(scan.folder, overwrite=True) as staging:
        write_submitted(staging, study, scan, done, volume)
    _mark(study, scan, done, "submitted")
    _log(study, scan, done, "reading submitted")
    return done


def amend_reading(
    study: StudyFolder, scan: StudyScan, reading: Reading, volume: Volume, reason: str
) -> Reading:
    """Replace a reading that was handed in; the old one is kept, and the reason written down.

    Raises
    ------
    QsmError
        Without a reason, if nothing was handed in, or the reading is not complete.
    """
    path = scan.shapes(reading.record.rater, reading.record.number)
    if not reason.strip():
        raise QsmError("A change of a reading that was handed in needs a reason.")
    if not path.is_file() or (before := read_reading(path)).record.state != "submitted":
        raise QsmError(
            f"{reading.label} has not handed in {scan.name}, so nothing is to be amended."
        )
    check_complete(study, scan, reading)
    _check_map(scan, reading, volume)
    reasons = (*before.record.amended, reason.strip())
    record = reading.record.model_copy(
        update={"state": "submitted", "submitted_at": _now(), "amended": reasons}
    )
    done = replace(reading, record=record)
    name = f"{path.name.removesuffix(_ENDING)}_{len(reasons)}{_ENDING}"
    dseg = scan.dseg(reading.record.rater, reading.record.number)
    with staged_folder(study.reading / "amended", overwrite=True) as staging:
        (staging / name).write_bytes(path.read_bytes())
        if before.record.painted:
            (staging / amended_labels(name)).write_bytes(dseg.read_bytes())
    with staged_folder(scan.folder, overwrite=True) as staging:
        write_submitted(staging, study, scan, done, volume)
    _log(study, scan, done, "reading amended", reason=reason.strip(), kept=name)
    return done


def amended_labels(name: str) -> str:
    """What the label map is called beside a reading that was kept before an amendment."""
    return f"{name.removesuffix(_ENDING)}_dseg.nii.gz"


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def check_complete(study: StudyFolder, scan: StudyScan, reading: Reading) -> None:
    """Refuse a reading in which a region is neither placed nor called not visible.

    Raises
    ------
    QsmError
        Naming scan, rater and regions.
    """
    placed = [shape.region_name for shape in reading.shapes]
    done = {*placed, *reading.record.painted, *reading.record.not_visible}
    missing = [s.region_name for s in study.protocol.all_steps() if s.region_name not in done]
    if missing:
        how = "painted or placed" if study.protocol.painted() else "placed"
        raise QsmError(
            f"{scan.name}, {reading.label}: {', '.join(missing[:5])}"
            f"{' and more' if len(missing) > 5 else ''} must be {how}, or marked as not visible."
        )
    twice = sorted({name for name in placed if placed.count(name) > 1})
    if twice:
        raise QsmError(f"{scan.name}, {reading.label}: {', '.join(twice)} was placed twice.")


def _check_map(scan: StudyScan, reading: Reading, volume: Volume) -> None:
    if reading.chi_sha256 and reading.chi_sha256 != checksum_of(volume):
        raise QsmError(
            f"The map of {scan.name} has changed since {reading.label} began to read it."
        )


def _write(path: Path, reading: Reading, volume: Volume) -> None:
    write_shapes(
        path,
        reading.shapes,
        volume,
        name=path.name.partition("_desc-")[0] + "_Chimap",
        chi_sha256=reading.chi_sha256,
        reading=reading.record.model_dump(mode="json", exclude_defaults=True)
        | {"rater": reading.record.rater, "state": reading.record.state},
    )


def write_submitted(
    folder: Path, study: StudyFolder, scan: StudyScan, reading: Reading, volume: Volume
) -> None:
    """Write the files of a reading that is handed in, shapes and label map, into a folder."""
    steps = study.protocol.all_steps()
    numbers = label_numbers(steps)
    labels = _painted_labels(reading, volume)
    regions = {r.index: r for r in painted_regions(steps) if r.name in reading.record.painted}
    for shape in reading.shapes:
        label = numbers.setdefault(shape.region_name, len(numbers) + 1)
        at = np.unravel_index(voxels_of(shape, volume), volume.shape, order="F")
        labels[at] = np.where(labels[at] == 0, label, labels[at])
        regions[label] = Region(label, shape.region_name, shape.side, default_color(label))
    number = (reading.record.rater, reading.record.number)
    _write(folder / scan.shapes(*number).name, reading, volume)
    burnt = volume.with_data(labels, unit="", name="")
    write_labels(burnt, regions.values(), folder / scan.dseg(*number).name)


def write_painted(path: Path, study: StudyFolder, reading: Reading, volume: Volume) -> None:
    """Write the painted regions of a reading that is not handed in yet."""
    labels = volume.with_data(_painted_labels(reading, volume), unit="", name="")
    write_labels(labels, painted_regions(study.protocol.all_steps()), path)


def _painted_labels(reading: Reading, volume: Volume) -> Array:
    if reading.labels is None:
        if reading.record.painted:
            raise QsmError(f"The painted regions of {reading.label} were not read.")
        return np.zeros(volume.shape, np.uint16)
    return np.array(reading.labels.like(volume).data, np.uint16)


def _mark(study: StudyFolder, scan: StudyScan, reading: Reading, state: State) -> None:
    """Note it in the rater's list, if there is one and the reading is on it."""
    wanted = (reading.record.rater, scan.key, reading.record.number)
    for item in read_key(study).values():
        if (item.rater, item.key, item.reading) == wanted:
            mark(study, item, state)


def _log(
    study: StudyFolder, scan: StudyScan, reading: Reading, event: str, **facts: object
) -> None:
    write_event(
        study.root,
        event,
        scan=scan.stem,
        rater=reading.record.rater,
        reading=reading.record.number,
        map_sha256=reading.chi_sha256,
        **facts,
    )
