"""A ready figure of χ and the maps beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.errors import QsmError
from napari_qsm.figures.layout import lay_out
from napari_qsm.figures.other_maps import OTHER_MAPS, display_of_values
from napari_qsm.figures.page import Page, settings
from napari_qsm.figures.panels import ImagePanel
from napari_qsm.figures.parts import BoxCrop, Cell, Crop, Display, RegionsCrop
from napari_qsm.figures.plans import plan_figure
from napari_qsm.figures.slices import view_of
from napari_qsm.figures.spec import WIDTHS_MM, ColourBar, FigureSpec, Style
from napari_qsm.figures.subjects import Known

#: As high as journals print.
_PAGE_MM = 240.0


def other_maps(people: Sequence[Known]) -> FigureSpec:
    """The same slices of χ and of every map beside it, a row each with a bar of its own.

    Raises
    ------
    QsmError
        If a subject has none.
    """
    for person in people:
        if not person.others:
            raise QsmError(
                f"{person.subject.name} has no map beside χ; make R2*, SWI or χ-separation of its "
                "scan first ('reconstruct --also r2star,swi', in the window 'Other maps of this "
                "scan')."
            )
    quantities = [q for q in OTHER_MAPS if any(q in person.others for person in people)]
    displays = {"grey": Display()}
    places: list[tuple[Known, dict[str, Any]]] = []
    for person in people:
        crop: Crop = box_of_head(person)
        weights = np.count_nonzero(person.map.volume.data, axis=(0, 1))
        if person.labels is not None and person.labels.present:
            crop = RegionsCrop(labels=person.subject.labels, margin_mm=11)
            weights = person.area(list(person.labels.present))
        slices = person.two_slices(weights) if len(people) > 1 else _four_slices(weights)
        places += [(person, {"slice_mm": person.slice_mm(n), "crop": crop}) for n in slices]
    panels: list[ImagePanel] = []
    rows = ["χ"]
    for column, (person, place) in enumerate(places):
        panels.append(ImagePanel(map=person.subject.map, cell=Cell(row=0, column=column), **place))
    for row, quantity in enumerate(quantities, 1):
        rows.append(OTHER_MAPS[quantity].symbol)
        shown = [display_of_values(quantity, p.others[quantity].volume)
                 for p in people if quantity in p.others]  # fmt: skip
        displays[quantity] = max(shown, key=lambda each: each.window[1])
        for column, (person, place) in enumerate(places):
            if quantity in person.others:
                key = person.others[quantity].key
                cell = Cell(row=row, column=column)
                panels.append(ImagePanel(map=key, display=quantity, cell=cell, **place))
    first: dict[int, ImagePanel] = {}
    for panel in panels:
        assert panel.cell is not None
        first.setdefault(panel.cell.row, panel)
    for letter, panel in zip("ABCDEFG", first.values(), strict=False):
        panel.letter = letter
    panels[-1].scale_bar = True
    spec = FigureSpec(
        panels=tuple(panels),
        columns=len(places),
        row_titles=tuple(rows),
        column_titles=tuple(person.subject.name for person, _ in places),
        colour_bars=tuple(ColourBar(display=name) for name in displays),
        displays=displays,
    )
    loaded = [each for p in people for each in (p.map, p.labels, *p.others.values()) if each]
    plan = plan_figure(spec.model_copy(update={"sources": {}}), {each.key: each for each in loaded})
    for width_mm in sorted(WIDTHS_MM, reverse=True):
        spec.style = Style(width_mm=width_mm)
        with settings():
            plan = replace(plan, spec=spec)
            if lay_out(plan, Page(spec.style, 10.0, 72)).height_mm <= _PAGE_MM:
                break
    return spec


def _four_slices(weights: Array) -> list[int]:
    """Axial slices that part what is weighed into five."""
    total = np.cumsum(weights) / max(weights.sum(), 1)
    return sorted({int(np.searchsorted(total, part)) for part in (0.2, 0.4, 0.6, 0.8)})


def box_of_head(person: Known) -> BoxCrop:
    """The part of axial slices that the χ map fills, for other maps of the scan as well."""
    view = view_of(ImagePanel(map=person.subject.map, slice_index=1), person.map, {}, "χ")
    centre = person.frame.world_to_display(person.map.volume.voxel_to_world(np.zeros(3)))
    centre[:2] = view.centre
    return BoxCrop(centre_mm=person.world(centre), size_mm=view.size)
