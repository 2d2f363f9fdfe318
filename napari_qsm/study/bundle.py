"""A bundle: everything that a second rater elsewhere needs to read, and nobody's name.

::

    FILE.zip/ bundle.json  README.txt  dataset_description.json  .bidsignore
              study.yaml                     what concerns readers, frozen
              reading/worklist-BB.tsv        codes alone
              sub-K7Q2/anat/sub-K7Q2_Chimap.nii, ..._mask.nii, ..._desc-suggested_shapes.json,
                            sub-K7Q2_part-mag_desc-combined_T2starw.nii, of the brain alone

Unpacked it is the folder of a study whose participants are codes, so that it is read as any other. A
repeat is a participant of its own. Where shapes are carried from a person's first visit, and only there,
the scans of that person lie together: a code as participant, codes as sessions, transforms between them
in ``sub-K7Q2/xfm``. Which is first can be told from it; names, dates and the order of the others cannot.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from napari_qsm._version import __version__
from napari_qsm.arrays import Array
from napari_qsm.errors import QsmError
from napari_qsm.io.archive import write_archive
from napari_qsm.io.atomic import write_text
from napari_qsm.io.bids import BIDS_VERSION, DESCRIPTION, IGNORE_FILE
from napari_qsm.io.maps import read_map
from napari_qsm.io.targets import check_out_file
from napari_qsm.qc.rating import read_ratings
from napari_qsm.study.bundle_card import (
    CARD_FILE,
    BundleCard,
    BundleRecord,
    CodedScan,
    read_card,
    read_records,
    record_file,
)  # fmt: skip
from napari_qsm.study.bundle_images import files_of, reaches_beyond
from napari_qsm.study.folder import BIDS_IGNORE, StudyFolder
from napari_qsm.study.protocol import PROTOCOL_FILE, Frozen, Protocol, freeze
from napari_qsm.study.reading_log import write_event
from napari_qsm.study.readings import checksum_of
from napari_qsm.study.rows import some
from napari_qsm.study.transforms import Transform, points_between, visits_of
from napari_qsm.study.worklist import Item, list_text, read_worklist

_README = """Scans to be read by {rater}, under codes.

Read them, with this file as it is or unpacked:   napari-qsm read FILE.zip --rater {rater}
Then write the file to send back:                 napari-qsm study return FOLDER --out {rater}.zip

Please do not rename or change what is in here: it would not be taken back.
"""


@dataclass
class Bundled:
    """What was put into a bundle.

    Attributes
    ----------
    scans : int
    together : int
        Persons whose scans lie together, as shapes are carried between them.
    notes : list of str
        What was left out, and what must be known.
    """

    scans: int
    together: int = 0
    notes: list[str] = field(default_factory=list)


def make_bundle(
    study: StudyFolder,
    rater: str,
    out: Path,
    *,
    magnitude: bool = True,
    overwrite: bool = False,
    progress: Callable[[float], None] = lambda fraction: None,
) -> Bundled:
    """Write what a rater has still to read into one file to send.

    Parameters
    ----------
    study : StudyFolder
    rater : str
        Who has a worklist.
    out : Path
        The ``.zip``.
    magnitude : bool
        Whether magnitudes go with the maps, within the brain alone.
    overwrite : bool
        Whether an existing archive may be replaced.
    progress : callable
        Called with the fraction done; may raise to stop.

    Returns
    -------
    Bundled

    Raises
    ------
    QsmError
        If there is no list, nothing is left to read, or the protocol names somebody.
        Nothing is written then.
    """
    if read_card(study.root) is not None:
        raise QsmError(
            f"'{study.root.name}' is a bundle itself; make it in the study it came from."
        )
    items = read_worklist(study, rater)
    waiting, notes = _readable(study, [item for item in items if item.state == "waiting"])
    begun = [item.code for item in items if item.state == "open"]
    if not waiting:
        raise QsmError(f"Nothing on the list of {rater} is left to be read elsewhere.")
    check_out_file(out, overwrite=overwrite, is_ours=lambda path: path.suffix.lower() == ".zip")
    done = Bundled(len(waiting), notes=notes)
    if begun:
        done.notes.append(f"Left out, as {rater} has begun to read them here: {some(begun)}.")
    sent = {code for record in read_records(study.root, rater) for code in record.maps}
    again = [item.code for item in waiting if item.code in sent]
    if again:
        done.notes.append(
            f"{len(again)} of these were in an earlier bundle ({some(again)}); of two readings of one "
            "code only one is taken back."
        )
    write_archive(out, _members(study, rater, waiting, magnitude, done, progress))
    progress(1.0)
    return done


def _readable(study: StudyFolder, items: Sequence[Item]) -> tuple[list[Item], list[str]]:
    """Scans that can still be read, and what is said of the others."""
    good, gone, failed = [], [], []
    for item in items:
        scan = study.scan(*item.key)
        rated = scan.rating.name in scan.files
        latest = read_ratings(scan.folder, prefix=scan.prefix).latest() if rated else None
        if not scan.is_reconstructed:
            gone.append(item.code)
        elif latest is not None and latest.verdict == "fail":
            failed.append(item.code)
        else:
            good.append(item)
    notes = [f"Left out, as they have no map any more: {some(gone)}."] if gone else []
    if failed:
        notes.append(f"Left out, as their maps were judged to fail: {some(failed)}.")
    return good, notes


def _members(
    study: StudyFolder,
    rater: str,
    items: Sequence[Item],
    magnitude: bool,
    done: Bundled,
    progress: Callable[[float], None],
) -> Iterator[tuple[str, bytes]]:
    """Every file of a bundle; with the last of them the study has noted that it was made."""
    persons = _persons(study, items, done)
    firsts = list(dict.fromkeys(person.first for person in persons.values()))
    done.together = len(firsts)
    protocol = _for_readers(study, firsts)
    maps: dict[str, str] = {}
    scans: dict[str, CodedScan] = {}
    without: dict[str, str] = {}
    beyond: list[str] = []
    for number, item in enumerate(items):
        progress(number / len(items))
        person = persons.get(item.code)
        coded = CodedScan(
            participant=person.first if person else item.code,
            session=item.code if person else "",
            placement=item.placement,
            map_sha256="0" * 64,
        )
        scan = study.scan(*item.key)
        chi = read_map(scan.map)
        maps[item.code] = checksum_of(chi)
        scans[item.code] = coded.model_copy(update={"map_sha256": maps[item.code]})
        yield from files_of(study, scan, coded, chi, rater, magnitude, without)
        if reaches_beyond(scan, chi):
            beyond.append(item.code)
        if person is not None and person.matrix is not None:
            made = Transform(person.first, item.code, person.first, person.matrix)
            name = f"from-ses-{item.code}_to-ses-{person.first}_mode-image_xfm.json"
            start = f"sub-{person.first}"
            yield f"{start}/xfm/{start}_{name}", made.to_json().encode()
    if without:
        why = next(iter(without.values()))
        done.notes.append(
            f"{len(without)} scans go without a magnitude ({some(list(without))}): {why}"
        )
    if beyond:
        done.notes.append(
            f"The maps of {some(beyond)} hold values outside the brain and are sent as they are; look "
            "whether a face can be seen."
        )
    card = BundleCard(
        id=secrets.token_hex(8), rater=rater, protocol_sha256=protocol.sha256, scans=scans
    )
    described = {
        "Name": "Scans to be read",
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "napari-qsm", "Version": __version__}],
    }
    for name, text in (
        (CARD_FILE, card.to_json()),
        ("README.txt", _README.format(rater=rater)),
        (DESCRIPTION, json.dumps(described, indent=2) + "\n"),
        (IGNORE_FILE, "\n".join([*BIDS_IGNORE, CARD_FILE]) + "\n"),
        (PROTOCOL_FILE, protocol.to_yaml()),
        (f"reading/worklist-{rater}.tsv", list_text(items)),
    ):
        yield name, text.encode()
    _note(study, card, maps)


def _note(study: StudyFolder, card: BundleCard, maps: Mapping[str, str]) -> None:
    frozen = freeze(study.protocol_file)
    record = BundleRecord(
        id=card.id,
        rater=card.rater,
        at=datetime.now(UTC).replace(microsecond=0),
        protocol_sha256=card.protocol_sha256,
        study_sha256=frozen.sha256,
        rules_sha256=frozen.for_readers().sha256,
        maps=dict(maps),
    )
    path = record_file(study.root, card.rater, card.id)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, record.to_json())
    write_event(study.root, "bundle made", rater=card.rater, bundle=card.id, scans=len(maps))


def _for_readers(study: StudyFolder, firsts: Sequence[str]) -> Protocol:
    """The protocol that goes with a bundle: frozen, and free of names."""
    protocol = study.protocol.for_readers()
    if firsts:  # by the plan's order of visits a person's first is known
        protocol = protocol.model_copy(update={"analysis": {"visits": firsts}})
    text = protocol.to_yaml()
    for key in {scan.key for scan in study.scans}:
        for name in (f"sub-{key[0]}", f"ses-{key[1]}" if key[1] else ""):
            if name and re.search(rf"(?<![A-Za-z0-9]){name}(?![A-Za-z0-9])", text):
                raise QsmError(
                    f"The protocol names {name}, in its name, note or recipe; a bundle must name "
                    "nobody, so take it out first."
                )
    at = study.protocol.frozen.at if study.protocol.frozen else datetime.now(UTC)
    frozen = Frozen(sha256=protocol.sha256, at=at.replace(microsecond=0))
    return protocol.model_copy(update={"frozen": frozen})


@dataclass(frozen=True, eq=False)
class _Person:
    """Of a scan: the code of the person's first visit, and how points get there (None: it is that)."""

    first: str
    matrix: Array | None = None


def _persons(study: StudyFolder, items: Sequence[Item], done: Bundled) -> dict[str, _Person]:
    """Scans that must lie together, by code: those carried from a first visit that goes with them."""
    visits = visits_of(study)
    own = {item.key: item.code for item in items if item.reading == 1}
    found: dict[str, _Person] = {}
    apart: list[str] = []
    for item in items:
        sessions = [
            v for v in visits[item.participant] if study.scan(item.participant, v).is_reconstructed
        ]
        first = own.get((item.participant, sessions[0])) if sessions else None
        if item.placement != "carried" or first in (None, item.code) or item.reading > 1:
            continue
        assert first is not None
        try:
            matrix = points_between(study, item.participant, item.session, sessions[0])
        except QsmError:
            apart.append(item.code)
            continue
        found[first] = _Person(first)
        found[item.code] = _Person(first, matrix)
    if apart:
        done.notes.append(
            f"Of {len(apart)} scans shapes cannot be carried, as they are not registered to the first "
            f"visit ({some(apart)}); run 'napari-qsm study register' first if they should be."
        )
    return found
