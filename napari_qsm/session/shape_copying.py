"""Fixed shapes of one case at another: carried with the head, or left where the scanner has them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.errors import QsmError
from napari_qsm.registration.carry import carried
from napari_qsm.rois.shape_changes import Applied, applied
from napari_qsm.rois.shapes import FixedShape, indices_of
from napari_qsm.session.blinding import shown_case
from napari_qsm.session.model import Session
from napari_qsm.session.visits import map_at
from napari_qsm.study.case import Case
from napari_qsm.study.entry import MapEntry
from napari_qsm.study.visit_link import VisitLink
from napari_qsm.study.visit_linking import head_moved


def copy_shapes(
    session: Session,
    source: MapEntry,
    case: Case,
    shapes: Sequence[FixedShape],
    matrix: Array | None,
) -> Applied:
    """Put shapes of one map onto the map of another case; one undo takes it back.

    Parameters
    ----------
    session : Session
    source : MapEntry
        The map they were placed on.
    case : Case
        Gets them, beside those it has.
    shapes : sequence of FixedShape
    matrix : (4, 4) ndarray or None
        Points of the one head (RAS mm) to points of the other; None to keep the scanner's
        millimetres.

    Returns
    -------
    Applied
        Size and number of voxels stay where the voxels of both maps have one size.

    Raises
    ------
    QsmError
        If that case has no map, or has shapes for the same regions already.
    """
    target, name = map_at(session, case), shown_case(session, case)
    if target is None:
        raise QsmError(f"'{name}' has no map to place shapes on.")
    taken = {shape.region_name for shape in case.shapes} - {""}
    both = sorted(taken & {shape.region_name for shape in shapes})
    if both:
        raise QsmError(f"'{name}' has shapes for {', '.join(both)} already; delete them first.")
    counts = {shape.id: len(indices_of(shape, source.shown)) for shape in shapes}
    if matrix is None:
        found = applied(shapes, target.shown, counts=counts)
    else:
        made = [carried(shape, matrix, source.shown, target.shown) for shape in shapes]
        known = {new.shape.id: counts[s.id] for s, new in zip(shapes, made, strict=True)}
        there = applied([new.shape for new in made], target.shown, counts=known, copy=False)
        found = Applied(there.shapes, (*(new.note for new in made if new.note), *there.notes))
    session.change(f"copy shapes to {name}", case, shapes=(*case.shapes, *found.shapes))
    return found


def apart_words(link: VisitLink, shapes: Iterable[FixedShape]) -> str:
    """By how much two heads differ where shapes lie, in a sentence; or that it is not known.

    Parameters
    ----------
    link : VisitLink
        Of the second head, from the first.
    shapes : iterable of FixedShape
        In the first head.
    """
    if link.refusal:
        return f"By how much the heads differ is not known: {link.refusal}"
    places = np.array([shape.centre_mm for shape in shapes])
    moved = places @ link.matrix[:3, :3].T + link.matrix[:3, 3] - places
    far = np.linalg.norm(moved, axis=1)
    low, high = f"{far.min():.1f}", f"{far.max():.1f}"
    lies = low if low == high else f"{low} to {high}"
    return (
        f"There the same places of the head lie {lies} mm away, and the head is turned by "
        f"{link.turn_deg:.1f}°."
    )


def remember_link(session: Session, source: Case, link: VisitLink) -> None:
    """Keep what was found about another visit, as seen from ``source``, for the next time."""
    known = {each.case: each for each in session.visits if each.is_usable}
    if not link.is_usable or link.way == "position":
        return
    if source.id not in known:
        first = VisitLink(source.id, source.title, np.eye(4), "first")
        session.visits = (first, link)
        return
    start = session.study.case(session.visits[0].case)
    entry = None if start is None else map_at(session, start)
    if known[source.id].way != "position" and entry is not None:
        matrix = link.matrix @ known[source.id].matrix
        shift, turn = head_moved(matrix, entry.shown)
        kept = tuple(each for each in session.visits if each.case != link.case)
        session.visits = (*kept, replace(link, matrix=matrix, shift_mm=shift, turn_deg=turn))
