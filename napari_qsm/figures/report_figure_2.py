"""Figure 2 of the case report: colour maps with arrows and circles, and inverted images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from napari_qsm.figures.annotations import Annotation
from napari_qsm.figures.panels import ImagePanel, TextPanel
from napari_qsm.figures.parts import Cell, RegionsCrop
from napari_qsm.figures.spec import ColourBar, FigureSpec, standard_displays
from napari_qsm.figures.subjects import Known
from napari_qsm.units import number

_ARROW_MM = (8.0, 5.0)  # outwards and to the front


def basal_ganglia_figure(people: Sequence[Known]) -> FigureSpec:
    """Figure 2 of the case report.

    A, colour over the magnitude with arrows on the putamen and circles on the globus
    pallidus; B, the same slices inverted; below, the maxima of the globus pallidus.
    """
    coloured: list[ImagePanel] = []
    inverted: list[ImagePanel] = []
    titles: list[str] = []
    for person in people:
        putamen, pallidum = person.needed("putamen"), person.needed("pallidum")
        around = [*putamen.values(), *pallidum.values()]
        for other in ("caudate", "thalamus"):
            around += person.nucleus(other).values()
        both = np.minimum(person.area(list(putamen.values())), person.area(list(pallidum.values())))
        crop = RegionsCrop(labels=person.subject.labels, which=tuple(sorted(around)), margin_mm=11)
        for index in person.two_slices(both):
            place: dict[str, Any] = {
                "map": person.subject.map,
                "slice_mm": person.slice_mm(index),
                "crop": crop,
            }
            coloured.append(
                ImagePanel(
                    **place,
                    display="colour",
                    over=person.subject.magnitude,
                    annotations=marks(person, index, putamen, pallidum),
                )
            )
            inverted.append(ImagePanel(**place, display="inverted"))
            titles.append(person.subject.name)
    columns = len(titles)
    coloured[0].letter, inverted[0].letter = "A", "B"
    inverted[-1].scale_bar = True
    displays = standard_displays()
    del displays["grey"]
    return FigureSpec(
        panels=(
            *coloured,
            *inverted,
            TextPanel(text=maxima(people), cell=Cell(row=2, column=0, columns=columns)),
        ),
        columns=columns,
        column_titles=tuple(titles),
        colour_bars=(ColourBar(display="colour"), ColourBar(display="inverted")),
        displays=displays,
    )


def marks(
    person: Known, index: int, putamen: dict[str, int], pallidum: dict[str, int]
) -> tuple[Annotation, ...]:
    """An arrow at the outer edge of each putamen, a circle around each globus pallidus."""
    out = []
    for side, label in putamen.items():
        points = person.on_slice(label, index)
        if len(points) == 0 or not side:
            continue
        outwards = 1.0 if side == "right" else -1.0  # display x grows to the right
        middle = points.mean(axis=0)
        reach = max(2.0, person.frame.size_mm[1])  # at least one row of voxels
        near = points[np.abs(points[:, 1] - middle[1]) <= reach]
        edge = (near[:, 0] * outwards).max() * outwards + 0.8 * outwards
        tip = np.array([edge, middle[1], middle[2]])
        tail = tip + np.array([outwards * _ARROW_MM[0], _ARROW_MM[1], 0.0])
        out.append(
            Annotation(
                kind="arrow",
                plane="axial",
                at_mm=person.world(tip),
                to_mm=person.world(tail),
                width_pt=1.2,
                meaning="putamen",
                id=f"putamen-{side}",
            )
        )
    for side, label in pallidum.items():
        points = person.on_slice(label, index)
        if len(points) == 0:
            continue
        area = len(points) * person.frame.size_mm[0] * person.frame.size_mm[1]
        radius = round(float(np.clip(1.15 * np.sqrt(area / np.pi), 3.0, 12.0)), 1)
        out.append(
            Annotation(
                kind="circle",
                plane="axial",
                at_mm=person.world(points.mean(axis=0)),
                radii_mm=(radius, radius),
                meaning="globus pallidus",
                id=f"pallidum-{side or 'both'}",
            )
        )
    return tuple(out)


def maxima(people: Sequence[Known]) -> str:
    """The largest susceptibility in the globus pallidus, as the case report tells it."""
    said = []
    for person in people:
        factor = 1e-3 if person.map.volume.unit == "ppb" else 1.0
        sides = []
        for side, label in person.needed("pallidum").items():
            inside = person.map.volume.data[person.label_data == label]
            largest = float(np.nanmax(inside)) * factor
            sides.append(f"{side or 'whole'} {number(largest, 'ppm')}")
        said.append(f"{person.subject.name.lower()}, {' and '.join(sides)} ppm")
    return (
        "Arrows: putamen. Circles: globus pallidus. Largest susceptibility in the globus "
        f"pallidus: {'; '.join(said)}."
    )
