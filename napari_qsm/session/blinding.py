"""What a blinded reader may see: neither whose map it is nor its values."""

from __future__ import annotations

import hashlib

from napari_qsm.session.entries import MapEntry
from napari_qsm.session.model import Session

#: Stands where a value would.
HIDDEN = "hidden"


def hides_values(session: Session, entry: MapEntry) -> bool:
    """Whether values of this map are kept from the reader."""
    return session.blinded and entry.role not in ("labels", "mask")


def shown_name(session: Session, entry: MapEntry) -> str:
    """What an entry is called in the table; a blinded reader must not learn whose it is."""
    if not session.blinded:
        return entry.name
    kind = {"map": "map", "magnitude": "magnitude", "labels": "regions"}.get(entry.role, "image")
    if entry.is_susceptibility:
        kind = "χ"
    case = case_of(session, entry)
    return f"{kind}, {case}" if case else kind


def case_of(session: Session, entry: MapEntry) -> str:
    """``"case A"`` and so on; the letters follow neither name nor order of subjects.

    Maps without a group are a case each; label maps and other images without one are none.
    """
    cases = sorted({_case_key(each) for each in session} - {""}, key=_scrambled)
    key = _case_key(entry)
    if not key:
        return ""
    number = cases.index(key)
    return f"case {chr(ord('A') + number % 26)}{number // 26 or ''}"


def _case_key(entry: MapEntry) -> str:
    return entry.group or (entry.name if entry.role == "map" else "")


def _scrambled(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
