"""What a blinded reader may see: neither whose map it is nor its values."""

from __future__ import annotations

import hashlib

from napari_qsm.session.model import Session
from napari_qsm.study.case import Case
from napari_qsm.study.entry import MapEntry

#: Stands where a value would.
HIDDEN = "hidden"


def hides_values(session: Session, entry: MapEntry) -> bool:
    """Whether values of this map are kept from the reader."""
    return session.blinded and entry.role not in ("labels", "mask")


def hides_region(session: Session, labels: MapEntry | None, name: str) -> bool:
    """Whether a region's numbers must not be shown yet: reading blind, and it is not locked."""
    regions = labels.regions.values() if labels is not None else ()
    return session.blinded and not any(r.locked and name and r.name == name for r in regions)


def shown_name(session: Session, entry: MapEntry) -> str:
    """What an entry is called in the table; a blinded reader must not learn whose it is."""
    if not session.blinded:
        return entry.name
    alike = [e for e in session if e.case == entry.case and _kind(e) == _kind(entry)]
    number = f" {alike.index(entry) + 1}" if len(alike) > 1 else ""
    return f"{_kind(entry)}{number}, {case_of(session, entry)}"


def _kind(entry: MapEntry) -> str:
    if entry.is_susceptibility:
        return "χ"
    return {"map": "map", "magnitude": "magnitude", "labels": "regions"}.get(entry.role, "image")


def case_of(session: Session, entry: MapEntry) -> str:
    """``"case A"`` and so on; the letters follow neither name nor order of the cases."""
    number = _letters(session).index(entry.case)
    return f"case {chr(ord('A') + number % 26)}{number // 26 or ''}"


def shown_case(session: Session, case: Case) -> str:
    """What a case is called; a blinded reader sees its letter."""
    if not session.blinded:
        return case.name
    number = _letters(session).index(case.id)
    return f"Case {chr(ord('A') + number % 26)}{number // 26 or ''}"


def _letters(session: Session) -> list[str]:
    """Ids of the cases in the order of their letters."""
    return [case.id for case in sorted(session.cases, key=lambda c: _scrambled(c.name))]


def _scrambled(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
