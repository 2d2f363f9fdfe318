"""'Copy all to': fixed shapes go to another case with the head, or after a question."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from napari_qsm.arrays import Array
from napari_qsm.errors import QsmError
from napari_qsm.rois.shape_changes import Applied
from napari_qsm.rois.shapes import FixedShape
from napari_qsm.session import Case, MapEntry
from napari_qsm.session.blinding import shown_case
from napari_qsm.session.shape_copying import apart_words, copy_shapes, remember_link
from napari_qsm.session.visits import map_at, matrix_between
from napari_qsm.study.visit_link import VisitLink
from napari_qsm.study.visit_linking import images_of, link_visits
from napari_qsm.viewer.dialogs import Answer, ask
from napari_qsm.viewer.services import Services


def copy_all(
    services: Services,
    entry: MapEntry,
    case: Case,
    shapes: Sequence[FixedShape],
    report: Callable[[str, Applied], None],
) -> None:
    """Carry shapes to another case where its head is known; else find it, and ask.

    Parameters
    ----------
    entry : MapEntry
        The map they were placed on.
    case : Case
        Where they go.
    shapes : sequence of FixedShape
    report : callable
        Hears what was done, and what to look at.
    """
    session = services.session
    source = session.case_of(entry)
    target, name = map_at(session, case), shown_case(session, case)
    if target is None:
        raise QsmError(f"'{name}' has no map to place shapes on.")

    def copy(matrix: Array | None) -> None:
        found = copy_shapes(session, entry, case, shapes, matrix)
        how = "at the same millimetres of the scanner" if matrix is None else "with the head"
        report(f"Copied {len(found.shapes)} shapes to '{name}', {how}.", found)

    known = matrix_between(session, source.id, case.id)
    if known is not None:
        copy(known)
        return
    own = shown_case(session, source)
    images = images_of(source, entry, own), images_of(case, target, name)

    def work(progress: Any, cancelled: Any) -> VisitLink:
        step = "Finding by how much the heads differ"
        return link_visits(images, progress=lambda part: progress(part, step))[1]

    def done(link: VisitLink) -> None:
        if case not in session.cases or source not in session.cases:
            return
        try:
            answer = _asked(services, name, link, shapes)
            if answer == "carry":
                remember_link(session, source, link)
                copy(link.matrix)
            elif answer == "copy":
                copy(None)
        except QsmError as error:
            services.message(str(error))

    services.run("Finding by how much the heads differ", work, done)


def _asked(services: Services, name: str, link: VisitLink, shapes: Sequence[FixedShape]) -> str:
    """``"carry"``, ``"copy"`` or ``"cancel"``."""
    answers = [
        Answer("copy", "Copy at the scanner's millimetres"),
        Answer("cancel", "Cancel", "no"),
    ]
    more = (
        "Shapes at the same millimetres of the scanner lie at the same place of the head only "
        "if it lay the same way."
    )
    if link.is_usable:
        answers.insert(0, Answer("carry", "Carry with the head"))
        more += f" {link.words}"
    return ask(
        services.window,
        "qsm.shapes.apart",
        "Copy shapes",
        f"No transform leads to '{name}'. {apart_words(link, shapes)}",
        more,
        answers,
        default="carry" if link.is_usable else "cancel",
    )
