"""What a bundle for a second rater says of itself, and what the study keeps of it.

``bundle.json`` lies in the bundle and makes it a study of its own, whose participants are codes;
``reading/bundles/<rater>-<id>.json`` stays in the study and knows by the bundle's id what comes back.
Neither names anybody: what a code stands for is in the study's ``reading/key.json`` alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from napari_qsm._version import __version__
from napari_qsm.errors import FileError
from napari_qsm.io.archive import read_member, unpack
from napari_qsm.io.bids import DESCRIPTION, IGNORE_FILE
from napari_qsm.io.plain_data import PlainDataError, parse_json
from napari_qsm.io.text import read_text
from napari_qsm.study.protocol import PROTOCOL_FILE

CARD_FILE = "bundle.json"
_Sha256 = Field(pattern="[0-9a-f]{64}")
_Id = Field(pattern="^[0-9a-f]{16}$")
#: Bytes that a card may take.
LARGEST_CARD = 64 * 2**20
#: Bytes that a scan of a bundle may take.
_MOST_BYTES = 10**9
_Code = re.compile(r"[A-Z][2-9][A-Z][2-9]")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CodedScan(_Part):
    """A scan of a bundle.

    Attributes
    ----------
    participant : str
        Its code; that of the person's first visit where its shapes are carried from there.
    session : str
        Its code where shapes are carried, else empty.
    placement : {"independent", "suggested", "carried"}
    map_sha256 : str
        Checksum of its map's values.
    """

    participant: str
    session: str = ""
    placement: Literal["independent", "suggested", "carried"]
    map_sha256: str = _Sha256


class BundleCard(_Part):
    """What a bundle is.

    Attributes
    ----------
    id : str
        By which the study knows it again.
    rater : str
        Whom it is for.
    protocol_sha256 : str
        Of the ``study.yaml`` in the bundle.
    scans : dict of str to CodedScan
        By code, in the order of the rater's list.
    software : str
        The version that made it.
    """

    format: Literal["napari-qsm bundle"] = "napari-qsm bundle"
    version: Literal[1] = 1
    id: str = _Id
    rater: str
    protocol_sha256: str = _Sha256
    scans: dict[str, CodedScan]
    software: str = __version__

    def to_json(self) -> str:
        """The text of its file."""
        return self.model_dump_json(indent=1) + "\n"


class BundleRecord(_Part):
    """What a study keeps of a bundle that was made.

    Attributes
    ----------
    id, rater, protocol_sha256
        As on the bundle's card.
    at : datetime
        When it was made.
    study_sha256, rules_sha256 : str
        Of the study's protocol then: of all, and of what concerns readers.
    maps : dict of str to str
        Checksums by code.
    """

    format: Literal["napari-qsm bundle record"] = "napari-qsm bundle record"
    version: Literal[1] = 1
    id: str = _Id
    rater: str
    at: datetime
    protocol_sha256: str
    study_sha256: str
    rules_sha256: str
    maps: dict[str, str]

    def to_json(self) -> str:
        """The text of its file."""
        return self.model_dump_json(indent=1) + "\n"


_Either = TypeVar("_Either", BundleCard, BundleRecord)


def read_card(root: Path) -> BundleCard | None:
    """The card of a bundle that was unpacked; None for any other folder.

    Raises
    ------
    FileError
        If it is damaged.
    """
    path = root / CARD_FILE
    return parse_card(read_text(path, "bundle"), path) if path.is_file() else None


def parse_card(text: str, path: Path) -> BundleCard:
    """A card from its text; ``path`` is for messages.

    Raises
    ------
    FileError
        If it is none.
    """
    card = _parsed(BundleCard, text, path, "is no bundle of scans to be read")
    for code, scan in card.scans.items():
        if not all(
            _Code.fullmatch(name) for name in (code, scan.participant, scan.session or code)
        ):
            raise FileError(f"'{path}' is damaged: {code[:20]!r} is no code.")
    return card


def opened_bundle(path: Path, rater: str | None = None) -> Path:
    """The folder of a bundle that was sent: that of the archive's name beside it, unpacked if need be.

    Parameters
    ----------
    path : Path
        A bundle, packed or unpacked, or the folder of any study, which is returned as it is.
    rater : str, optional
        Who wants to read; one that the bundle is not for is refused before anything is unpacked.

    Raises
    ------
    FileError
        If it is no bundle, damaged, or another rater's, or its folder holds something else.
    """
    if not path.is_file():
        return path
    text = read_member(path, CARD_FILE, LARGEST_CARD)
    if text is None:
        raise FileError(f"'{path.name}' is no bundle of scans to be read.")
    card = parse_card(text.decode("utf-8", "replace"), path)
    if rater is not None and card.rater != rater:
        raise FileError(f"'{path.name}' is a bundle for {card.rater}, not for {rater}.")
    folder = path.with_suffix("")
    if folder.is_dir() and any(folder.iterdir()):
        before = read_card(folder)
        if before is None or before.id != card.id:
            raise FileError(
                f"'{folder}' holds something else than the bundle '{path.name}'; rename one of them."
            )
        return folder
    largest = _MOST_BYTES * (len(card.scans) + 1)
    unpack(path, folder, is_expected=belongs_to(card), largest=largest)
    return folder


def belongs_to(card: BundleCard) -> Callable[[str], bool]:
    """Whether a name belongs into the bundle that a card describes, as it was sent or comes back."""
    rater = re.escape(card.rater)
    names = (CARD_FILE, "README.txt", DESCRIPTION, IGNORE_FILE, PROTOCOL_FILE)
    known = [*map(re.escape, names), rf"reading/worklist-{rater}\.tsv"]
    sent = r"Chimap\.(nii|json)|desc-(brain|local)_mask\.nii|part-mag_desc-combined_T2starw\.nii"
    sent += r"|desc-suggested_(shapes\.json|dseg\.(nii\.gz|tsv))"
    back = rf"desc-{rater}_(shapes\.json|dseg\.(nii\.gz|tsv))"
    before = rf"desc-{rater}_[1-9]\d*_(shapes\.json|dseg\.nii\.gz)"
    for scan in card.scans.values():
        folder, prefix = place_of(scan)
        known += [f"{folder}/{prefix}({sent}|{back})", f"reading/amended/{prefix}{before}"]
        start = f"sub-{scan.participant}"
        known += [rf"{start}/xfm/{start}_from-ses-{scan.session}_[A-Za-z0-9_-]+\.json"]
    pattern = re.compile("|".join(dict.fromkeys(known)), re.ASCII)
    return lambda name: pattern.fullmatch(name) is not None


def place_of(scan: CodedScan) -> tuple[str, str]:
    """Folder and beginning of the names of a scan in a bundle."""
    parts = [f"sub-{scan.participant}", *([f"ses-{scan.session}"] if scan.session else [])]
    return "/".join([*parts, "anat"]), "_".join(parts) + "_"


def record_file(root: Path, rater: str, id_: str) -> Path:
    """Where a study keeps what it knows of a bundle."""
    return root / "reading" / "bundles" / f"{rater}-{id_}.json"


def read_records(root: Path, rater: str) -> list[BundleRecord]:
    """Every bundle that was made for a rater, the oldest first.

    Raises
    ------
    FileError
        If a record is damaged.
    """
    paths = (root / "reading" / "bundles").glob(f"{rater}-*.json")
    records = [_parsed(BundleRecord, read_text(p), p, "is no record of a bundle") for p in paths]
    return sorted(records, key=lambda record: record.at)


def _parsed(kind: type[_Either], text: str, path: Path, otherwise: str) -> _Either:
    try:
        said: Any = parse_json(text)
    except PlainDataError as error:
        raise FileError(f"'{path}' {error}.") from None
    if not isinstance(said, dict) or said.get("format") != kind.model_fields["format"].default:
        raise FileError(f"'{path}' {otherwise}.")
    if said.get("version") != 1:
        raise FileError(
            f"'{path}' is of version {said.get('version')!r}; this program reads version 1, a newer "
            "one may read it."
        )
    try:
        return kind.model_validate(said)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise FileError(f"'{path}' is damaged: {where}: {first['msg']}.") from None
