"""Proposed outlines in a session: a label map of their own, until somebody accepts them.

What was proposed is kept, packed, in the provenance of the label map that it went into, so that
what became of it can be told whenever that is saved or its numbers are exported.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from napari_qsm.arrays import Array, bounding_box
from napari_qsm.errors import QsmError
from napari_qsm.outlines.propose import Proposal
from napari_qsm.rois import edit
from napari_qsm.rois.region import Region, free_label, region_of
from napari_qsm.session import regions
from napari_qsm.session.history import FieldEdit
from napari_qsm.session.model import Session
from napari_qsm.study.entry import MapEntry
from napari_qsm.volume import Volume, same_grid

#: What the label map is called, and how the name of a region says that nobody has accepted it yet.
NAME, MARK = "proposed", " (proposed)"
#: Where provenance says what was proposed.
KEY = "outlines"


@dataclass(frozen=True)
class Accepted:
    """What became of an acceptance.

    Attributes
    ----------
    target : MapEntry
        The label map that took the outlines over.
    names : tuple of str
        Regions that it took over.
    refused : tuple of str
        Regions that stay proposed because they are drawn there already.
    missed : int
        Voxels that were left to regions drawn there already.
    """

    target: MapEntry
    names: tuple[str, ...]
    refused: tuple[str, ...]
    missed: int


def is_proposal(entry: MapEntry) -> bool:
    """Whether an entry holds outlines that nobody has accepted."""
    said = entry.provenance.get(KEY)
    return entry.role == "labels" and isinstance(said, dict) and said.get("state") == "proposed"


def proposal_of(session: Session) -> MapEntry | None:
    """The proposed outlines of the case on show; None without."""
    return next((e for e in session.case.of_role("labels") if is_proposal(e)), None)


def inputs_for(session: Session, entry: MapEntry) -> tuple[Volume, Volume | None, Volume | None]:
    """Map, brain mask and magnitude that outlines of a map are proposed from.

    Raises
    ------
    QsmError
        If the entry is no susceptibility map.
    """
    if not entry.is_susceptibility:
        raise QsmError(f"Outlines are proposed in a susceptibility map; '{entry.name}' is none.")
    chi = entry.shown
    if chi.unit == "ppb":
        chi = chi.with_data(np.asarray(chi.data, np.float32) * np.float32(1e-3), unit="ppm")
    case = session.case_of(entry)
    masks = [e for e in case.of_role("mask") if same_grid(e.volume, entry.shown)]
    mask = masks[0].volume.with_data(masks[0].labels.copy()) if masks else None
    magnitude = next((e.volume for e in case.of_role("magnitude")), None)
    return chi, mask, magnitude


def add_proposal(session: Session, entry: MapEntry, proposal: Proposal) -> MapEntry:
    """Add proposed outlines beside the map they were made for, in place of earlier ones.

    Parameters
    ----------
    session, entry : Session, MapEntry
        The map that ``proposal`` was made from.
    proposal : Proposal
        From :func:`~napari_qsm.outlines.propose.propose_outlines`.

    Returns
    -------
    MapEntry
        A label map; it is the one in hand.
    """
    case = session.case_of(entry)
    for old in case.of_role("labels"):
        if is_proposal(old):
            session.discard(old)
    rows = {r.index: replace(r, name=r.name + MARK) for r in proposal.regions}
    added = session.add(proposal.labels, role="labels", name=NAME, regions=rows, case=case)
    record = proposal.record()
    record.pop("nuclei")  # values of the map, which a blinded reader must not find
    kept = {
        str(r.index): {"name": r.name, **packed(added.labels == r.index)} for r in rows.values()
    }
    added.provenance = {KEY: {**record, "regions": kept}}
    session.painted = added.id
    session.active_region = min(rows, default=0)
    return added


def accept(session: Session, entry: MapEntry, labels: Iterable[int]) -> Accepted:
    """Copy proposed outlines into the user's label map and take them out of the proposal; one undo.

    Parameters
    ----------
    session, entry : Session, MapEntry
        ``entry`` is a proposal.
    labels : iterable of int
        Its regions that are accepted, as they are now.

    Returns
    -------
    Accepted
        The label map is the last one of this case on that grid; a new one where there is none.
        Voxels of other regions there stay as they are.

    Raises
    ------
    QsmError
        If nothing could be taken over.
    """
    wanted = [label for label in labels if (entry.labels == label).any()]
    if not is_proposal(entry) or not wanted:
        raise QsmError("There is no proposed outline to accept here.")
    target = _target(session, entry)
    names: list[str] = []
    refused: list[str] = []
    missed = 0
    text = f"accept {_plain(region_of(entry.regions, wanted[0]))}"
    with session.history.group(text if len(wanted) == 1 else "accept outlines"):
        for label in wanted:
            row = region_of(entry.regions, label)
            name = _plain(row)
            change = _taken_over(entry, target, label, name)
            if change is None:
                refused.append(name)
                continue
            regions.apply(session, target, change)
            _note_origin(session, entry, target, label, change.regions[0])
            regions.apply(session, entry, edit.delete(entry.labels, entry.regions, [label]))
            names.append(name)
            missed += change.missed
    if not names:
        raise QsmError(
            f"'{refused[0]}' is drawn in '{target.name}' already; delete it there first, or keep "
            "yours."
        )
    return Accepted(target, tuple(names), tuple(refused), missed)


def _plain(row: Region) -> str:
    return row.name.removesuffix(MARK)


def _target(session: Session, entry: MapEntry) -> MapEntry:
    case = session.case_of(entry)
    own = [
        e
        for e in case.of_role("labels")
        if e is not entry and not is_proposal(e) and same_grid(e.volume, entry.volume)
    ]
    drawn = next((e for e in own if e.id == case.painted), None)
    if drawn is not None or own:
        return drawn or own[-1]
    like = next((e for e in case.of_role("map") if same_grid(e.shown, entry.volume)), entry)
    painted, active = session.painted, session.active_region
    made = regions.new_region_map(session, like)
    session.painted, session.active_region = painted, active
    return made


def _taken_over(entry: MapEntry, target: MapEntry, label: int, name: str) -> edit.Change | None:
    """The edit that draws an outline in the user's label map; None where that has it."""
    table = target.regions
    known = next((k for k, r in table.items() if r.name.casefold() == name.casefold()), 0)
    if known and (target.labels == known).any():
        return None
    index = known or free_label(target.labels, table)
    row = replace(region_of(entry.regions, label), index=index, name=name)
    at = edit.positions(entry.labels, label)
    free = edit.may_write(target.labels.ravel(order="F")[at], index, protect=True)
    return edit.Change(
        f"accept {name}",
        {} if known else {index: row},
        at[free],
        np.full(int(free.sum()), index),
        regions=(index,),
        missed=int((~free).sum()),
    )


def _note_origin(
    session: Session, entry: MapEntry, target: MapEntry, label: int, index: int
) -> None:
    """Keep what was proposed with the label map that took it over, as part of the same undo."""
    source = entry.provenance[KEY]
    known = target.provenance.get(KEY)
    known = known if isinstance(known, dict) else {}
    record = {key: value for key, value in source.items() if key not in ("regions", "state")}
    said = source["regions"].get(str(label), {})
    own = {**known.get("regions", {}), str(index): said}
    after = {**target.provenance, KEY: {**record, "state": "accepted", "regions": own}}
    done = FieldEdit(target, {"provenance": target.provenance}, {"provenance": after})
    done.apply(session, back=False)
    session.history.push(done, "accept")


def became(entry: MapEntry) -> dict[str, float]:
    """For each region that was proposed and is still there, by name, its Dice with the proposal."""
    said = entry.provenance.get(KEY)
    kept = said.get("regions") if isinstance(said, dict) else None
    out: dict[str, float] = {}
    if not isinstance(kept, dict) or not kept:
        return out
    voxels = np.bincount(entry.labels.ravel(order="K"))
    for key, each in kept.items():
        label = int(key) if str(key).isdecimal() else 0
        if label not in entry.regions or label >= len(voxels) or not voxels[label]:
            continue
        found = unpacked(each, entry.labels.shape)
        if found is not None:
            box, before = found
            common = np.count_nonzero((entry.labels[box] == label) & before)
            out[_plain(entry.regions[label])] = 2 * common / int(voxels[label] + before.sum())
    return out


def provenance_now(entry: MapEntry) -> dict[str, Any]:
    """How the outlines of a label map came to be, as files keep it; empty if all are drawn."""
    found = became(entry)
    if not found:
        return {}
    source = {k: v for k, v in entry.provenance[KEY].items() if k != "regions"}
    mark = "proposed" if is_proposal(entry) else "accepted"
    return {
        **source,
        "regions": {
            name: {"state": mark if dice == 1 else "edited", "dice": round(dice, 4)}
            for name, dice in found.items()
        },
    }


def note_on(entry: MapEntry | None) -> str:
    """A sentence for tables on outlines that were proposed; empty without any."""
    said = provenance_now(entry) if entry is not None else {}
    if not said:
        return ""
    version = said.get("software", {}).get("napari-qsm", "")
    rows = said["regions"].items()
    same = [name for name, each in rows if each["state"] != "edited"]
    edited = [
        f"{name} (Dice {each['dice']:.2f})" for name, each in rows if each["state"] == "edited"
    ]
    parts = []
    if same:
        word = "proposed, not accepted by anybody" if said["state"] == "proposed" else "as proposed"
        parts.append(f"{word}: {', '.join(same)}")
    if edited:
        parts.append(f"edited: {', '.join(edited)}")
    return f"Outlines proposed by napari-qsm {version} from an atlas, {'; '.join(parts)}"


def packed(inside: Array) -> dict[str, Any]:
    """A region as text: where its box lies, how large it is, and its voxels."""
    box = bounding_box(inside)
    part = np.ascontiguousarray(inside[box])
    bits = zlib.compress(np.packbits(part).tobytes(), 9)
    return {
        "at": [int(each.start) for each in box],
        "shape": list(part.shape),
        "voxels": base64.b64encode(bits).decode("ascii"),
    }


def unpacked(said: Any, shape: tuple[int, ...]) -> tuple[tuple[slice, ...], Array] | None:
    """What :func:`packed` packed, in a grid of this shape: its box, and its voxels there.

    None for anything else: files may hold whatever they like.
    """
    try:
        at, size = ([int(n) for n in said[key]] for key in ("at", "shape"))
        if any(
            a < 0 or n < 1 or a + n > whole for a, n, whole in zip(at, size, shape, strict=True)
        ):
            return None
        count = int(np.prod(size))
        bits = base64.b64decode(said["voxels"], validate=True)
        # No more than the box holds, whatever the text says.
        text = zlib.decompressobj().decompress(bits, count // 8 + 1)
        inside = np.unpackbits(np.frombuffer(text, np.uint8))[:count] > 0
    except (KeyError, TypeError, ValueError, OverflowError, zlib.error):
        return None
    if inside.size != count:
        return None
    return tuple(slice(a, a + n) for a, n in zip(at, size, strict=True)), inside.reshape(size)
