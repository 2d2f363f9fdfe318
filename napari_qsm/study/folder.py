"""The folder of a study: BIDS derivatives of a cohort, with a protocol and readings.

::

    STUDY/ dataset_description.json  .bidsignore  study.yaml
           sub-01/ses-t0/anat/   maps, masks, provenance, quality and report of a scan;
                                 desc-<rater>_shapes.json, desc-<rater>_dseg.nii.gz and .tsv
           sub-01/xfm/           sub-01_from-ses-t1_to-ses-t0_mode-image_xfm.json
           batch/                plan.json  status.tsv  logs/
           reading/              key.json  worklist-<rater>.tsv  log.jsonl
           group/                tables, statistics, figures, texts

A *scan* of a study is one participant at one session. Who the participants are stands in the
raw data set (``participants.tsv``, ``phenotype/``), to which ``SourceDatasets`` leads.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit
from urllib.request import url2pathname

from napari_qsm._version import __version__
from napari_qsm.errors import FileError
from napari_qsm.io.atomic import staged_folder
from napari_qsm.io.bids import BIDS_VERSION, DESCRIPTION, IGNORE_FILE, RESULTS_IGNORED
from napari_qsm.io.plain_data import PlainDataError, parse_json
from napari_qsm.io.text import read_text
from napari_qsm.study.identity import case_name
from napari_qsm.study.protocol import PROTOCOL_FILE, Protocol, read_protocol
from napari_qsm.study.study_scan import Key, StudyScan, check_rater, scans_in, visits_in

#: What the official validator of BIDS does not know.
BIDS_IGNORE = (
    "reading", "group", "batch", PROTOCOL_FILE, "**/xfm", "*_shapes.json", *RESULTS_IGNORED,
)  # fmt: skip
_MAKE = "Make it a study with 'napari-qsm study new STUDY --protocol FILE'."


class StudyFolder:
    """A study on the disk: where everything lies, and which scans there are.

    Parameters
    ----------
    root : Path or str
        A study, or a data set of derivatives that is to become one.

    Attributes
    ----------
    root : Path
    batch, reading, group : Path
        The folders of runs, of worklists and their key, and of results on the cohort.

    Raises
    ------
    FileError
        If it is no study.

    Notes
    -----
    Scans are listed once; :meth:`refresh` looks again.
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root).absolute()
        if not self.root.is_dir():
            raise FileError(f"There is no folder '{root}'.")
        known = (PROTOCOL_FILE, DESCRIPTION)
        if not any((self.root / name).is_file() for name in known):
            raise FileError(f"'{root}' is no study: it has no '{PROTOCOL_FILE}'. {_MAKE}")
        self.batch = self.root / "batch"
        self.reading = self.root / "reading"
        self.group = self.root / "group"
        self.protocol_file = self.root / PROTOCOL_FILE
        self.plan_file = self.batch / "plan.json"
        self.status_file = self.batch / "status.tsv"
        self.key_file = self.reading / "key.json"
        self.log_file = self.reading / "log.jsonl"

    def refresh(self) -> None:
        """Forget what was read, as files have changed."""
        for name in ("scans", "imported", "protocol", "raw", "_by_key", "_description"):
            self.__dict__.pop(name, None)

    @cached_property
    def protocol(self) -> Protocol:
        """What ``study.yaml`` says.

        Raises
        ------
        FileError
            If there is none, it cannot be read, or it was changed after it was frozen.
        """
        if not self.protocol_file.is_file():
            raise FileError(f"'{self.root}' has no '{PROTOCOL_FILE}'. {_MAKE}")
        return read_protocol(self.protocol_file)

    @cached_property
    def _description(self) -> dict[str, Any]:
        return description_of(self.root)

    @cached_property
    def raw(self) -> Path | None:
        """The raw data set; None if the study names none, or none is there."""
        return source_of(self.root, self._description)

    @cached_property
    def scans(self) -> tuple[StudyScan, ...]:
        """Every scan of which the study holds files, by participant and session."""
        return tuple(sorted(scans_in(self.root)))

    @cached_property
    def imported(self) -> tuple[Key, ...]:
        """Participant and session of every scan with phase in the raw data set."""
        return () if self.raw is None else visits_in(self.raw)

    @cached_property
    def _by_key(self) -> dict[Key, list[StudyScan]]:
        found: dict[Key, list[StudyScan]] = {}
        for scan in self.scans:
            found.setdefault(scan.key, []).append(scan)
        return found

    def scan(self, participant: str, session: str = "") -> StudyScan:
        """One scan, with plain names where the study holds nothing of it yet.

        Raises
        ------
        FileError
            If the study holds several scans of that visit.
        """
        found = self._by_key.get((participant, session), [])
        if len(found) > 1:
            raise FileError(
                f"'{self.root.name}' holds {len(found)} maps of {case_name(participant, session)} "
                f"({', '.join(scan.stem for scan in found)}); a study reads one a visit."
            )
        if found:
            return found[0]
        stem = case_name(participant, session).replace(" ", "_")
        folder = self.root.joinpath(*stem.split("_"), "anat")
        return StudyScan(participant, session, f"{stem}_", folder)

    def raw_folder(self, scan: StudyScan) -> Path | None:
        """Where the raw data set keeps a visit: ``RAW/sub-01/ses-t0``; None if it is not there."""
        if self.raw is None:
            return None
        folder = self.raw.joinpath(*scan.name.split(" "))
        return folder if folder.is_dir() else None

    def xfm(self, participant: str, session: str, to_session: str) -> Path:
        """The transform from one visit's head to another's: 4 x 4, RAS mm."""
        name = f"sub-{participant}_from-ses-{session}_to-ses-{to_session}_mode-image_xfm.json"
        return self.root / f"sub-{participant}" / "xfm" / name

    def log_of(self, scan: StudyScan) -> Path:
        """What a run said about one scan."""
        return self.batch / "logs" / f"{scan.stem}.txt"

    def worklist(self, rater: str) -> Path:
        """A rater's list: order, code, state, opened, submitted."""
        return self.reading / f"worklist-{check_rater(rater)}.tsv"

    def raters(self) -> list[str]:
        """Everybody who has a worklist or a reading."""
        listed = self.reading.glob("worklist-*.tsv") if self.reading.is_dir() else ()
        names = {path.stem.removeprefix("worklist-") for path in listed}
        return sorted(names | {rater for scan in self.scans for rater, _ in scan.readings()})

    def table(self, name: str) -> Path | None:
        """A table of the raw data set, such as ``participants.tsv``; the study's own if it has one."""
        places = [place for place in (self.raw, self.root) if place is not None]
        return next((place / name for place in places if (place / name).is_file()), None)

    @property
    def participants(self) -> Path | None:
        """``participants.tsv``; None if there is none."""
        return self.table("participants.tsv")

    def phenotypes(self) -> list[Path]:
        """Tables of scores by participant and session."""
        places = [place for place in (self.raw, self.root) if place is not None]
        return [path for place in places for path in sorted((place / "phenotype").glob("*.tsv"))]

    def sessions(self, participant: str) -> Path | None:
        """The table of one participant's sessions (``sub-01_sessions.tsv``), if there is one."""
        return self.table(f"sub-{participant}/sub-{participant}_sessions.tsv")


def is_study(path: Path) -> bool:
    """Whether a path is the folder of a study, or the protocol in it."""
    if path.name == PROTOCOL_FILE:
        return path.is_file() and (path.parent / DESCRIPTION).is_file()
    return (path / PROTOCOL_FILE).is_file()


def make_study(root: Path | str, protocol: Protocol, raw: Path | str | None = None) -> StudyFolder:
    """Make a folder a study: description, ``.bidsignore`` and protocol, together or not at all.

    Parameters
    ----------
    root : Path or str
        New, empty, or with results that ``reconstruct`` or ``batch`` wrote.
    protocol : Protocol
        Written out in full.
    raw : Path or str, optional
        The raw data set; that of an existing description unless given.

    Raises
    ------
    FileError
        If it is a study already, or the folder of something else.
    """
    root = Path(root)
    if (root / PROTOCOL_FILE).exists():
        raise FileError(
            f"'{root}' is a study already; its '{PROTOCOL_FILE}' can be edited until somebody has read."
        )
    with _described(root, raw) as staging:
        (staging / PROTOCOL_FILE).write_text(protocol.to_yaml(), "utf-8", newline="\n")
    return StudyFolder(root)


def make_derivatives(root: Path | str, raw: Path | str | None = None) -> StudyFolder:
    """Make a folder a data set of derivatives that knows its raw data; leave it if it is one.

    Raises
    ------
    FileError
        If it is a raw data set, or belongs to another one.
    """
    with _described(Path(root), raw):
        pass
    return StudyFolder(root)


@contextmanager
def _described(root: Path, raw: Path | str | None) -> Iterator[Path]:
    """A staged folder that holds the description and ``.bidsignore``."""
    said = description_of(root)
    if said.get("DatasetType") == "raw" or (root.is_dir() and not said and visits_in(root)):
        raise FileError(f"'{root}' is a raw data set; a study needs a folder of its own.")
    source = None if raw is None else Path(raw).absolute()
    if source is not None:
        if not source.is_dir():
            raise FileError(f"There is no folder '{raw}'.")
        if source == root.absolute():
            raise FileError(
                f"'{root}' cannot be its own raw data; a study needs a folder of its own."
            )
        before = source_of(root, said)
        if before is not None and not before.samefile(source):
            raise FileError(f"'{root}' was made from '{before}', not from '{raw}'.")
        said["SourceDatasets"] = [{"URL": _url(source, root.absolute())}]
    ignore = root / IGNORE_FILE
    before_ignored = read_text(ignore).splitlines() if ignore.is_file() else []
    lines = dict.fromkeys([*before_ignored, *BIDS_IGNORE])
    said = {"Name": "QSM", "BIDSVersion": BIDS_VERSION, "DatasetType": "derivative", **said}
    said.setdefault("GeneratedBy", [{"Name": "napari-qsm", "Version": __version__}])
    with staged_folder(root, overwrite=True) as staging:
        text = json.dumps(said, indent=2, ensure_ascii=False) + "\n"
        (staging / DESCRIPTION).write_text(text, "utf-8", newline="\n")
        (staging / IGNORE_FILE).write_text("\n".join(lines) + "\n", "utf-8", newline="\n")
        yield staging


def description_of(root: Path) -> dict[str, Any]:
    """What ``dataset_description.json`` says; empty where there is none.

    Raises
    ------
    FileError
        If it is damaged.
    """
    path = root / DESCRIPTION
    if not path.is_file():
        return {}
    try:
        said = parse_json(read_text(path, "description of a data set"))
    except PlainDataError as error:
        raise FileError(f"'{path}' {error}.") from None
    if not isinstance(said, dict):
        raise FileError(f"'{path}' describes no data set.")
    return said


def source_of(root: Path, said: Mapping[str, Any]) -> Path | None:
    """The folder of the raw data that a description names; None if it names none that is there."""
    sources = said.get("SourceDatasets")
    for source in sources if isinstance(sources, list) else ():
        url = source.get("URL") if isinstance(source, dict) else None
        if not isinstance(url, str):
            continue
        parts = urlsplit(url)
        if parts.scheme not in ("", "file"):
            continue
        folder = Path(url2pathname(parts.path))
        folder = Path(os.path.normpath(root.absolute() / folder))
        if folder.is_dir():
            return folder
    return None


def _url(raw: Path, root: Path) -> str:
    """Where the raw data lie, seen from the study, so that both can be moved together."""
    try:
        way = Path(os.path.relpath(raw, root)).as_posix()
    except ValueError:  # on another drive
        return raw.as_uri()
    return quote(way)
