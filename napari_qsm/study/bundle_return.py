"""What comes back of a bundle: its readings in one file, and how they join the study.

Nothing joins unless all of it fits: the bundle is one that the study made, its protocol says what it
said, maps there and here hold the values that they held, and no reading here would be lost.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from napari_qsm.errors import FileError, QsmError
from napari_qsm.io.archive import read_member, unpack, write_archive
from napari_qsm.io.atomic import staged_folder
from napari_qsm.io.maps import read_map
from napari_qsm.io.plain_data import parse_json
from napari_qsm.io.targets import check_out_file
from napari_qsm.io.text import read_text
from napari_qsm.rois.shape_files import read_shapes
from napari_qsm.study.bundle_card import (
    CARD_FILE,
    LARGEST_CARD,
    BundleCard,
    BundleRecord,
    belongs_to,
    opened_bundle,
    parse_card,
    read_card,
    read_records,
)  # fmt: skip
from napari_qsm.study.folder import StudyFolder
from napari_qsm.study.protocol import PROTOCOL_FILE
from napari_qsm.study.reading_log import write_event
from napari_qsm.study.readings import (
    Reading,
    amended_labels,
    check_complete,
    checksum_of,
    load_labels,
    read_reading,
    write_submitted,
)  # fmt: skip
from napari_qsm.study.rows import some
from napari_qsm.study.study_scan import StudyScan, rater_label
from napari_qsm.study.worklist import Item, list_text, read_key, read_worklist
from napari_qsm.volume import Volume

_MOST_BYTES_A_READING = 200 * 10**6
_KEPT = Path("reading") / "amended"


@dataclass
class Returned:
    """Readings of a bundle: handed in, begun, and not begun.

    Attributes
    ----------
    rater : str
    done, begun, waiting : list of str
        Codes.
    """

    rater: str
    done: list[str] = field(default_factory=list)
    begun: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)


def return_bundle(bundle: Path, out: Path, *, overwrite: bool = False) -> Returned:
    """Write what was handed in of a bundle into one file to send back.

    Parameters
    ----------
    bundle : Path
        The bundle in which was read: its folder, or the archive beside it.
    out : Path
        The ``.zip``.
    overwrite : bool
        Whether an earlier one may be replaced.

    Raises
    ------
    QsmError
        If it is no bundle, a map or the protocol in it was changed, or nothing was handed in.
    """
    study = StudyFolder(opened_bundle(bundle))
    card = _card_of(study)
    check_out_file(
        out, overwrite=overwrite, is_ours=lambda p: p.suffix.lower() == ".zip", inputs=[bundle]
    )
    readings, state = _readings(study, card)
    if not readings:
        raise QsmError(
            f"Nothing in '{study.root.name}' was handed in yet, so there is nothing to send back."
        )
    for code, (scan, reading) in readings.items():
        if not scan.is_reconstructed:
            raise FileError(f"The map of {code} is missing in '{study.root.name}'.")
        volume = read_map(scan.map)
        if checksum_of(volume) != card.scans[code].map_sha256:
            raise FileError(
                f"The map of {code} in '{study.root.name}' was changed since it was sent; take it "
                "from the bundle again."
            )
        load_labels(study, reading, volume, scan.dseg(card.rater))  # refuses one that was changed
        check_complete(study, scan, reading)
    files = [study.root / CARD_FILE, study.protocol_file, study.worklist(card.rater)]
    for scan, reading in readings.values():
        dseg = scan.dseg(card.rater)
        files += [scan.shapes(card.rater), dseg, dseg.with_name(dseg.name[:-7] + ".tsv")]
        files += _amended(study.root, scan, reading)
    names = [(file.relative_to(study.root).as_posix(), file) for file in files if file.is_file()]
    write_archive(out, ((name, file.read_bytes()) for name, file in names))
    return state


@dataclass
class Merged:
    """What became of a returned bundle.

    Attributes
    ----------
    rater : str
    new, amended, known : list of str
        Codes whose reading came in, was replaced by an amended one, or was here already.
    open : int
        Codes of the bundle that were not handed in.
    """

    rater: str
    new: list[str] = field(default_factory=list)
    amended: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    open: int = 0


@dataclass(frozen=True)
class _Joining:
    """A reading that comes in: where it belongs, and what it replaces."""

    item: Item
    scan: StudyScan
    reading: Reading
    volume: Volume
    earlier: tuple[Path, ...] = ()
    replaces: bool = False


def merge_bundle(study: StudyFolder, returned: Path) -> Merged:
    """Bring the readings of a bundle back under the scans that they were made on.

    Parameters
    ----------
    study : StudyFolder
        Which the bundle was made from.
    returned : Path
        What ``study return`` wrote, or the folder of the bundle itself.

    Raises
    ------
    QsmError
        If it belongs to another study, a map or the protocol has changed, all of it was merged before,
        or a reading is another rater's, incomplete, or would replace one that was made here. Nothing
        is written then.
    """
    with _unpacked(returned) as root:
        source = StudyFolder(root)
        card = _card_of(source)
        record = _record_of(study, card, returned)
        readings, _ = _readings(source, card)
        if not readings:
            raise QsmError(f"'{returned.name}' holds no reading that was handed in.")
        out = Merged(card.rater, open=len(card.scans) - len(readings))
        joining = list(_joining(study, source, record, readings, out))
        if not joining:
            raise QsmError(
                f"All {len(out.known)} readings in '{returned.name}' were merged before; nothing "
                "is new."
            )
        _write(study, joining, record)
    for each in joining:
        record_ = each.reading.record
        write_event(
            study.root,
            "reading amended" if each.replaces else "reading submitted",
            scan=each.scan.stem, rater=record.rater, reading=each.item.reading,
            map_sha256=each.reading.chi_sha256, bundle=record.id,
            submitted_at=record_.submitted_at.isoformat() if record_.submitted_at else "",
            **({"reason": record_.amended[-1]} if each.replaces else {}),
        )  # fmt: skip
    write_event(
        study.root, "bundle merged", rater=card.rater, bundle=card.id, new=len(out.new),
        amended=len(out.amended), still_to_come=out.open,
    )  # fmt: skip
    return out


def _card_of(study: StudyFolder) -> BundleCard:
    card = read_card(study.root)
    if card is None:
        raise FileError(f"'{study.root.name}' is no bundle of scans to be read.")
    if study.protocol.sha256 != card.protocol_sha256:
        raise FileError(
            f"The protocol in the bundle of {card.rater} is not the one it was sent with; its "
            "readings cannot be taken."
        )
    return card


def _readings(
    study: StudyFolder, card: BundleCard
) -> tuple[dict[str, tuple[StudyScan, Reading]], Returned]:
    """What was handed in of a bundle, by code."""
    found: dict[str, tuple[StudyScan, Reading]] = {}
    state = Returned(card.rater)
    for code, coded in card.scans.items():
        scan = study.scan(coded.participant, coded.session)
        path = scan.shapes(card.rater)
        if not path.is_file():
            state.waiting.append(code)
            continue
        reading = read_reading(path)
        if reading.record.state != "submitted":
            state.begun.append(code)
            continue
        if reading.record.protocol_sha256 != card.protocol_sha256:
            raise FileError(f"The reading of {code} follows another protocol than its bundle.")
        if reading.chi_sha256 != coded.map_sha256:
            raise FileError(f"The reading of {code} was made on another map than its bundle's.")
        state.done.append(code)
        found[code] = scan, reading
    return found, state


def _amended(root: Path, scan: StudyScan, reading: Reading) -> list[Path]:
    """What a reading was before each of its amendments."""
    stem = scan.shapes(reading.record.rater).name.removesuffix("_shapes.json")
    count = len(reading.record.amended)
    names = [f"{stem}_{n}_shapes.json" for n in range(1, count + 1)]
    return [root / _KEPT / each for name in names for each in (name, amended_labels(name))]


@contextmanager
def _unpacked(returned: Path) -> Iterator[Path]:
    if returned.is_dir():
        yield returned
        return
    text = read_member(returned, CARD_FILE, LARGEST_CARD)
    if text is None:
        raise FileError(f"'{returned.name}' holds no readings of a bundle.")
    card = parse_card(text.decode("utf-8", "replace"), returned)
    largest = _MOST_BYTES_A_READING * (len(card.scans) + 1)
    with tempfile.TemporaryDirectory(prefix="napari-qsm-") as place:
        folder = Path(place) / "bundle"
        unpack(returned, folder, is_expected=belongs_to(card), largest=largest)
        if not (folder / PROTOCOL_FILE).is_file():
            raise FileError(f"'{returned.name}' lacks its '{PROTOCOL_FILE}'; have it sent again.")
        yield folder


def _record_of(study: StudyFolder, card: BundleCard, returned: Path) -> BundleRecord:
    """What the study knows of a bundle.

    Raises
    ------
    FileError
        If it did not make it, or has another protocol now.
    """
    if read_card(study.root) is not None:
        raise FileError(
            f"'{study.root.name}' is a bundle itself; merge into the study it came from."
        )
    records = [each for each in read_records(study.root, card.rater) if each.id == card.id]
    if not records:
        raise FileError(
            f"'{returned.name}' holds readings of {card.rater} from a bundle that was not made from "
            f"'{study.root.name}'; it belongs to another study."
        )
    record = records[0]
    if record.protocol_sha256 != card.protocol_sha256:
        raise FileError(
            f"'{returned.name}' follows another protocol than the bundle that was sent."
        )
    if study.protocol.for_readers().sha256 != record.rules_sha256:
        raise FileError(
            f"The protocol of '{study.root.name}' was amended since the bundle was made on "
            f"{record.at:%Y-%m-%d}, in what readers do; its readings follow the old one."
        )
    return record


def _joining(
    study: StudyFolder,
    source: StudyFolder,
    record: BundleRecord,
    readings: Mapping[str, tuple[StudyScan, Reading]],
    out: Merged,
) -> Iterator[_Joining]:
    key = read_key(study)
    changed = []
    found = []
    for code, (coded, reading) in readings.items():
        item = key.get(code)
        if item is None or item.rater != record.rater or code not in record.maps:
            raise FileError(f"Code {code} is not on the list of {record.rater}.")
        if reading.chi_sha256 != record.maps[code]:
            raise FileError(f"The reading of {code} was made on another map than the one sent.")
        scan = study.scan(*item.key)
        if not scan.is_reconstructed:
            raise FileError(f"The map of {scan.name}, which {code} stands for, is missing.")
        volume = read_map(scan.map)
        if checksum_of(volume) != record.maps[code]:
            changed.append(scan.name)
            continue
        said = {"number": item.reading, "protocol_sha256": record.study_sha256}
        own = replace(reading, record=reading.record.model_copy(update=said))
        own = load_labels(study, own, volume, coded.dseg(record.rater))
        check_complete(study, scan, own)
        before = _before(scan, item, own, record.rater)
        if before == own:
            out.known.append(code)
            continue
        (out.amended if before else out.new).append(code)
        earlier = tuple(_amended(source.root, coded, reading))
        found.append(_Joining(item, scan, own, volume, earlier, before is not None))
    if changed:
        raise FileError(
            f"The maps of {some(list(dict.fromkeys(changed)))} have changed since the bundle was made; bring them back "
            "as they were, or have them read anew."
        )
    yield from found


def _before(scan: StudyScan, item: Item, reading: Reading, rater: str) -> Reading | None:
    """The reading that the study holds already, if the one that comes in may stand in its place.

    Raises
    ------
    FileError
        If it may not.
    """
    path = scan.shapes(rater, item.reading)
    if not path.is_file():
        return None
    before = read_reading(path)
    old, new = before.record.amended, reading.record.amended
    if before == reading or (len(new) > len(old) and new[: len(old)] == old):
        return before
    raise FileError(
        f"The study holds another reading of {scan.name} by {rater} already ({item.code}); of two "
        "readings of one code only one can count."
    )


def _write(study: StudyFolder, joining: list[_Joining], record: BundleRecord) -> None:
    """All readings, what they were before amendments, and the list, together or not at all."""
    rater = record.rater
    items = read_worklist(study, rater)
    done = {each.item.code: each.reading.record for each in joining}
    for number, item in enumerate(items):
        if item.code in done:
            at = done[item.code]
            opened = at.opened_at.isoformat() if at.opened_at else item.opened
            submitted = at.submitted_at.isoformat() if at.submitted_at else ""
            items[number] = replace(item, state="submitted", opened=opened, submitted=submitted)
    with staged_folder(study.root, overwrite=True) as staging:
        for each in joining:
            folder = staging / each.scan.folder.relative_to(study.root)
            folder.mkdir(parents=True, exist_ok=True)
            write_submitted(folder, study, each.scan, each.reading, each.volume)
            for path in each.earlier:
                if path.is_file():
                    label = rater_label(rater, each.item.reading)
                    name = (
                        f"{each.scan.prefix}desc-{label}_{path.name.partition(f'desc-{rater}_')[2]}"
                    )
                    (staging / _KEPT).mkdir(parents=True, exist_ok=True)
                    is_text = path.suffix == ".json"
                    content = _renamed(path, each, record) if is_text else path.read_bytes()
                    (staging / _KEPT / name).write_bytes(content)
        (staging / "reading").mkdir(exist_ok=True)
        listed = staging / study.worklist(rater).relative_to(study.root)
        listed.write_text(list_text(items), "utf-8", newline="\n")


def _renamed(path: Path, each: _Joining, record: BundleRecord) -> bytes:
    """An earlier state of a reading, with the names that the study has for it."""
    read_shapes(path)  # refuses what is damaged
    said = parse_json(read_text(path, "reading"))
    said.setdefault("map", {})["name"] = f"{each.scan.prefix}Chimap"
    changes = {"number": each.item.reading, "protocol_sha256": record.study_sha256}
    said["reading"] = {**said.get("reading", {}), **changes}
    return (json.dumps(said, indent=2, ensure_ascii=False) + "\n").encode()
