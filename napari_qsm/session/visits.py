"""Visits of a person side by side: which are on show, and where a point of one lies in another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from napari_qsm.arrays import Array
from napari_qsm.registration.carry import carried
from napari_qsm.rois.shapes import FixedShape
from napari_qsm.session.model import Session
from napari_qsm.study.case import Case
from napari_qsm.study.entry import MapEntry
from napari_qsm.study.visit_link import VisitLink
from napari_qsm.study.visit_linking import study_of
from napari_qsm.study.visit_names import visit_order

#: As many as there are views for.
MOST_VISITS = 4


@dataclass(frozen=True, eq=False)
class ShapeAtVisit:
    """A fixed shape at a visit.

    Attributes
    ----------
    shape : FixedShape
        On the grid of that visit's map.
    source : Case or None
        The visit that it is carried from; None where it was placed at this one.
    of : str
        Id of the shape that was placed.
    note : str
        What was done to its turn on the way; empty for nothing.
    """

    shape: FixedShape
    source: Case | None = None
    of: str = ""
    note: str = ""


def visits_of_person(session: Session, case: Case) -> list[Case]:
    """Cases with a map that are known to be of one participant, in the order of time."""
    if not case.participant:
        return [case] if map_at(session, case) is not None else []
    own = [each for each in session.cases if each.participant == case.participant]
    own = [each for each in own if map_at(session, each) is not None]
    return sorted(own, key=lambda each: visit_order(each.visit))


def map_at(session: Session, case: Case) -> MapEntry | None:
    """The map of a visit: the one compared already, else the topmost that is ticked, else the last."""
    maps = case.of_role("map")
    compared = [entry for entry in maps if entry.id in session.compared]
    ticked = [entry for entry in maps if entry.display.visible]
    return next(iter(compared or ticked[::-1] or maps[::-1]), None)


def unopened_maps(session: Session, case: Case) -> list[tuple[str, Path]]:
    """Title and file of the person's other maps in the study that a case was opened from."""
    entry = map_at(session, case)
    folder = None if entry is None else study_of(entry.volume, case.participant)
    if folder is None:
        return []
    there = {each.visit for each in session.cases if each.participant == case.participant}
    scans = [s for s in folder.scans if s.participant == case.participant and s.is_reconstructed]
    scans = [scan for scan in scans if scan.session not in there]
    return [
        (scan.name, scan.map) for scan in sorted(scans, key=lambda scan: visit_order(scan.session))
    ]


def links_for(session: Session, cases: Sequence[Case]) -> tuple[VisitLink, ...]:
    """Links of these cases that are known already, brought to the first of them; else empty."""
    if not cases:
        return ()
    known = {link.case: link for link in session.visits if link.is_usable}
    if any(case.id not in known for case in cases) or session.visits[0].case != cases[0].id:
        return ()
    return tuple(known[case.id] for case in cases)


def show_visits(session: Session, links: tuple[VisitLink, ...]) -> None:
    """Put visits side by side by their links, the first one in the large view."""
    cases = {link.case: session.study.case(link.case) for link in links}
    maps = [map_at(session, case) for case in cases.values() if case is not None]
    session.visits = links
    if session.active_case not in cases:
        session.active_case = links[0].case
    session.compared = tuple(entry.id for entry in maps if entry is not None)
    session.mix = "side by side"
    session.layout = "compare"


def links_on_show(session: Session) -> Mapping[str, VisitLink]:
    """Links of the visits that stand side by side, by case; empty if none do.

    A blinded reader is not told which maps are of one person.
    """
    if session.blinded:
        return {}
    if session.layout != "compare" or session.mix != "side by side" or not session.visits:
        return {}
    entries = [session.entry(key) for key in session.compared]
    cases = {entry.case for entry in entries if entry is not None}
    known = {link.case: link for link in session.visits if link.is_usable}
    there = {*cases, session.active_case} <= set(known)
    return known if there and len(cases) > 1 else {}


def matrix_between(session: Session, source: str, target: str) -> Array | None:
    """Points of one case's head (RAS mm) to points of another's; None where it is not known.

    Two visits that only share the scanner's millimetres are not known to each other.
    """
    known = {link.case: link for link in session.visits if link.is_usable}
    if source not in known or target not in known:
        return None
    pair = known[source], known[target]
    if any(link.way == "position" for link in pair):
        return None
    return pair[1].matrix @ np.linalg.inv(pair[0].matrix)


def at_visit(session: Session, world_mm: npt.ArrayLike, case: str) -> Array:
    """Where a point of the active case (RAS mm) lies at a visit on show; as it is where none is."""
    return _moved(session, world_mm, session.active_case, case)


def from_visit(session: Session, world_mm: npt.ArrayLike, case: str) -> Array:
    """Where a point of a visit on show lies in the active case; the way back of :func:`at_visit`."""
    return _moved(session, world_mm, case, session.active_case)


def _moved(session: Session, world_mm: npt.ArrayLike, source: str, target: str) -> Array:
    point = np.asarray(world_mm, dtype=np.float64)
    links = links_on_show(session)
    if source == target or source not in links or target not in links:
        return point
    matrix = links[target].matrix @ np.linalg.inv(links[source].matrix)
    return point @ matrix[:3, :3].T + matrix[:3, 3]


def position_note(session: Session, case: str) -> str:
    """Said in views of a case that follows the scanner's millimetres alone; else empty."""
    entries = [session.entry(key) for key in session.compared]
    cases = {entry.case for entry in entries if entry is not None}
    if session.layout != "compare" or len(cases) < 2:
        return ""
    links = links_on_show(session)
    if links and links[case].way != "position":
        return ""
    return "linked by scanner position"


def shapes_at(session: Session, case: Case) -> list[ShapeAtVisit]:
    """Fixed shapes of a visit: those placed there, and those of other visits carried to it.

    A region that has a shape at the visit itself takes none from another; of several visits
    that have one, the first in order gives it. Nothing is carried by the scanner's millimetres.

    Parameters
    ----------
    session : Session
    case : Case
        One of the visits of ``session.visits``.
    """
    found = [ShapeAtVisit(shape, of=shape.id) for shape in case.shapes]
    taken = {shape.region_name for shape in case.shapes} - {""}
    target = map_at(session, case)
    if target is None:
        return found
    for link in session.visits:
        source = session.study.case(link.case)
        matrix = matrix_between(session, link.case, case.id)
        if source is None or source is case or matrix is None:
            continue
        entry = map_at(session, source)
        for shape in source.shapes if entry is not None else ():
            if shape.region_name in taken or entry is None:
                continue
            made = carried(shape, matrix, entry.shown, target.shown)
            found.append(ShapeAtVisit(made.shape, source, shape.id, made.note))
            taken |= {shape.region_name} - {""}
    return found
