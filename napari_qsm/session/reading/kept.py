"""Where a reading is kept, and what may be said of it to somebody who must not know whose it is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from napari_qsm.errors import QsmError
from napari_qsm.io.atomic import atomic_path, staged_folder, write_text
from napari_qsm.rois.shape_files import write_shapes
from napari_qsm.study.folder import StudyFolder
from napari_qsm.study.reading_log import write_event
from napari_qsm.study.readings import (
    Reading,
    amend_reading,
    amended_labels,
    checksum_of,
    load_labels,
    new_reading,
    read_reading,
    repainted,
    save_reading,
    submit_reading,
    write_painted,
)
from napari_qsm.study.study_scan import StudyScan
from napari_qsm.study.worklist import Item
from napari_qsm.volume import Volume

#: What in a sentence would tell whose scan it is.
_TELLING = re.compile(r"\b(?:sub|ses)-[A-Za-z0-9]+")


@dataclass(frozen=True, eq=False, repr=False)
class ReadingFile:
    """The reading of one item of a worklist on the disk; its errors name the code only.

    Parameters
    ----------
    study : StudyFolder
    scan : StudyScan
    item : Item
    map_ : Volume
        As its file has it, so that labels are burnt onto that grid.
    amending : bool
        Whether a reading that was handed in is being changed: until it is handed in again, the
        change is kept beside the log.
    """

    study: StudyFolder
    scan: StudyScan
    item: Item
    map_: Volume
    amending: bool = False

    @property
    def code(self) -> str:
        """What the rater knows the scan by."""
        return self.item.code

    def begun(self) -> Reading:
        """The reading as it is on the disk, or a new one."""
        with self.blinded():
            draft = self._draft
            if self.amending and draft.is_file():
                return self._with_labels(draft, draft.with_name(amended_labels(draft.name)))
            if self._path.is_file():
                return self._with_labels(self._path, self._labels)
            return new_reading(self.study, self.item.rater, self.map_, self.item.reading)

    def repainted(self, reading: Reading, labels: Volume) -> Reading:
        """The reading with another label map of its painted regions."""
        return repainted(self.study, reading, labels)

    def is_stale(self, reading: Reading) -> bool:
        """Whether the map is another one than the one that was read."""
        return bool(reading.chi_sha256) and reading.chi_sha256 != checksum_of(self.map_)

    def save(self, reading: Reading) -> None:
        """Write the reading as it is now.

        Raises
        ------
        QsmError
            If it cannot be written; it is then as it was before.
        """
        with self.blinded():
            if self.amending:
                self._save_draft(reading)
            else:
                save_reading(self.study, self.scan, reading, self.map_)

    def submit(self, reading: Reading, reason: str = "") -> Reading:
        """Hand the reading in; with a reason, in place of the one that was handed in before.

        Raises
        ------
        QsmError
            If that cannot be done.
        """
        with self.blinded():
            if not self.amending:
                return submit_reading(self.study, self.scan, reading, self.map_)
            done = amend_reading(self.study, self.scan, reading, self.map_, reason)
            _remove(self._draft, self._draft.with_name(amended_labels(self._draft.name)))
            return done

    def begin_anew(self, reading: Reading) -> Reading:
        """An empty reading in place of one that was begun on another map, which is kept.

        One that was handed in stays where it is until the change of it is handed in.

        Raises
        ------
        QsmError
            If that cannot be written.
        """
        with self.blinded():
            empty = new_reading(self.study, self.item.rater, self.map_, self.item.reading)
            if self.amending:
                return empty
            name = f"{self._path.stem}_{reading.chi_sha256[:8]}.json"
            kept = self.study.reading / "amended" / name
            kept.parent.mkdir(parents=True, exist_ok=True)
            write_text(kept, self._path.read_text("utf-8"))
            if reading.record.painted:
                with atomic_path(kept.with_name(amended_labels(kept.name))) as temporary:
                    temporary.write_bytes(self._labels.read_bytes())
            _remove(self._path, self._labels)
            write_event(
                self.study.root, "reading begun anew", scan=self.scan.stem, rater=self.item.rater,
                reading=self.item.reading, kept=name, map_sha256=reading.chi_sha256,
            )  # fmt: skip
            return empty

    def _with_labels(self, path: Path, labels: Path) -> Reading:
        reading = read_reading(path)
        if self.is_stale(reading):  # it is not gone on with
            return reading
        return load_labels(self.study, reading, self.map_, labels)

    def _save_draft(self, reading: Reading) -> None:
        record = reading.record.model_dump(mode="json", exclude_defaults=True)
        record |= {"rater": reading.record.rater, "state": reading.record.state}
        with staged_folder(self._draft.parent, overwrite=True) as staging:
            write_shapes(
                staging / self._draft.name,
                reading.shapes,
                self.map_,
                self.code,
                chi_sha256=reading.chi_sha256,
                reading=record,
            )
            if reading.labels is not None:
                path = staging / amended_labels(self._draft.name)
                write_painted(path, self.study, reading, self.map_)

    @contextmanager
    def blinded(self) -> Iterator[None]:
        """Let errors of the study name the code instead of the scan."""
        try:
            yield
        except QsmError as error:
            raise QsmError(neutral(str(error), self.study, self.scan, self.code)) from None

    @property
    def _path(self) -> Path:
        return self.scan.shapes(self.item.rater, self.item.reading)

    @property
    def _labels(self) -> Path:
        return self.scan.dseg(self.item.rater, self.item.reading)

    @property
    def _draft(self) -> Path:
        # Under the name of the reading, which the reader of such files compares with its content.
        return self.study.reading / "amending" / self._path.name


def _remove(shapes: Path, labels: Path) -> None:
    table = labels.with_name(labels.name.replace(".nii.gz", ".tsv"))
    for path in (shapes, labels, table):
        path.unlink(missing_ok=True)


def scan_of(study: StudyFolder, item: Item) -> StudyScan:
    """The scan of an item.

    Raises
    ------
    QsmError
        If the study holds several maps of it; the sentence names the code only.
    """
    try:
        return study.scan(*item.key)
    except QsmError:
        raise QsmError(_ask_the_lead(item.code)) from None


def neutral(sentence: str, study: StudyFolder, scan: StudyScan, code: str) -> str:
    """A sentence that names a scan by its code; one about the code where more would be told.

    Parameters
    ----------
    sentence : str
        Of the study, for somebody who may know.
    study : StudyFolder
    scan : StudyScan
        Whose names and paths are taken out.
    code : str
    """
    roots = [str(path) for path in (scan.folder, study.root, study.raw) if path is not None]
    said = sentence
    for root in roots:
        said = said.replace(f"{root}\\", "").replace(f"{root}/", "").replace(root, "the study")
    for name in (scan.stem, scan.name):
        said = said.replace(name, code)
    if _TELLING.search(said):
        return _ask_the_lead(code)
    return said


def _ask_the_lead(code: str) -> str:
    return (
        f"{code} cannot be read as it is. Ask whoever leads the study: 'napari-qsm study check' says "
        "what is wrong."
    )
