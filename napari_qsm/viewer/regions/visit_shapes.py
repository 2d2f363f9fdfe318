"""Fixed shapes in views of visits side by side: placed ones solid, those only carried broken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from napari_qsm.rois.region import shape_colour
from napari_qsm.session.visits import ShapeAtVisit, links_on_show, map_at, shapes_at
from napari_qsm.viewer.canvas.controller import Controller
from napari_qsm.viewer.canvas.overlay_items import Patch
from napari_qsm.viewer.canvas.slice_view import SliceView
from napari_qsm.viewer.regions.shape_drawing import Sections, patch_of


@dataclass(frozen=True, eq=False)
class _Known:
    """Shapes of a visit, as long as nothing that they follow from has changed."""

    made_of: tuple[Any, ...]
    shapes: list[ShapeAtVisit]
    sections: Sections


class VisitShapes:
    """Finds the shapes of each visit once and draws them many times."""

    def __init__(self, controller: Controller) -> None:
        self._controller = controller
        self._session = controller.session
        self._known: dict[str, _Known] = {}

    @property
    def on_show(self) -> bool:
        """Whether visits stand side by side."""
        return bool(links_on_show(self._session))

    def patches(self, view: SliceView, *, placed: bool) -> list[Patch]:
        """The shapes of a view's visit on its slice; ``placed`` also for those not carried."""
        known = self._known_in(view)
        if known is None or view.is_3d:
            return []
        case = self._session.study.case(self._controller.case_in(view))
        entry = None if case is None else map_at(self._session, case)
        labels = None if entry is None else self._session.labels_of(entry)
        regions = {} if labels is None else labels.regions
        found = []
        for each in known.shapes:
            if each.source is None and not placed:
                continue
            section = known.sections.of(each.shape, view.plane, view.depth_mm)
            if section is not None:
                patch = patch_of(section, view)
                patch.colour = shape_colour(each.shape.region_name, each.shape.region, regions)
                patch.dashed = each.source is not None
                found.append(patch)
        return found

    def _known_in(self, view: SliceView) -> _Known | None:
        session = self._session
        key, frame = self._controller.case_in(view), self._controller.frame_in(view)
        case = session.study.case(key)
        entry = None if case is None else map_at(session, case)
        if not self.on_show or case is None or entry is None or frame is None:
            return None
        cases = [session.study.case(link.case) for link in session.visits]
        maps = [None if each is None else map_at(session, each) for each in cases]
        made_of = (
            session.visits,
            frame.reference,
            *(None if each is None else each.shapes for each in cases),
            *(None if each is None else each.shown for each in maps),
        )
        known = self._known.get(key)
        if known is None or not _same(known.made_of, made_of):
            known = _Known(made_of, shapes_at(session, case), Sections(entry.shown, frame))
            self._known[key] = known
        return known


def _same(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    return len(one) == len(other) and all(a is b for a, b in zip(one, other, strict=True))
