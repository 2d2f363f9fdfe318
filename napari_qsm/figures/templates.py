"""Ready figures: the case report's two, a plate of regions, quality control, methods."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_qsm.anatomy import DEPTH_AXIS
from napari_qsm.errors import QsmError
from napari_qsm.figures.annotations import Annotation, Plane
from napari_qsm.figures.gather import Given, Loaded
from napari_qsm.figures.locator import LocatorPanel
from napari_qsm.figures.numbers import abbreviations
from napari_qsm.figures.other_maps_figure import other_maps
from napari_qsm.figures.panels import (
    ChartPanel,
    ImagePanel,
    Measured,
    MosaicPanel,
    TablePanel,
    TextPanel,
)
from napari_qsm.figures.parts import Cell, Display, HeadCrop, Regions, RegionsCrop, Source
from napari_qsm.figures.spec import LINE_ART_DPI, ColourBar, FigureSpec, Style, standard_displays
from napari_qsm.figures.subjects import Known, Subject, know
from napari_qsm.units import number

_ARROW_MM = (8.0, 5.0)  # outwards and to the front
#: Name to what it is called in the window.
TEMPLATES: Mapping[str, str] = {
    "case-report-1": "Case report, figure 1: maps, and the putamen outlined",
    "case-report-2": "Case report, figure 2: colour maps with arrows and circles",
    "fixed-shape-plate": "Plate of regions",
    "other-maps": "χ and the other maps of the scan: R2*, SWI, χ+ and χ−",
    "qc-montage": "All slices, for a check",
    "methods-and-results": "Methods and results table",
}


def from_template(
    name: str,
    subjects: Sequence[Subject],
    sources: Mapping[str, Source],
    given: Mapping[str, Given] | None = None,
    base: Path | str = ".",
    *,
    known: dict[str, Loaded] | None = None,
) -> FigureSpec:
    """Make a figure for these subjects; slices, arrows and circles come from their regions.

    Parameters
    ----------
    name : str
        A key of :data:`TEMPLATES`.
    subjects : sequence of Subject
        Usually the control, then the patient.
    sources, given, base
        As for :func:`napari_qsm.figures.draw.render`.
    known : dict, optional
        ``Cache.loaded``, so that the drawing need not read the files again.

    Raises
    ------
    QsmError
        For an unknown template, or regions that it needs and that aren't there.
    """
    if name not in TEMPLATES:
        raise QsmError(f"There is no template '{name}'; there are {', '.join(TEMPLATES)}.")
    if not subjects:
        raise QsmError("A template needs at least one subject: a control, a patient, or both.")
    people = [know(s, sources, given, base, known) for s in subjects]
    spec = _MAKERS[name](people)
    used = {key for panel in spec.panels for key, _ in panel.sources()}
    spec.sources = {key: source for key, source in sources.items() if key in used}
    return spec


def maps_and_putamen(people: Sequence[Known]) -> FigureSpec:
    """Figure 1 of the case report: A, grey maps; B, the putamen outlined; C, its numbers."""
    plain: list[ImagePanel] = []
    outlined: list[ImagePanel] = []
    titles: list[str] = []
    measured = []
    which: list[int] = []
    for person in people:
        putamen = person.needed("putamen")
        which += [label for label in putamen.values() if label not in which]
        measured.append(_measured(person))
        for index in person.two_slices(person.area(list(putamen.values()))):
            place: dict[str, Any] = {"map": person.subject.map, "slice_mm": person.slice_mm(index)}
            plain.append(ImagePanel(**place))
            regions = Regions(labels=person.subject.labels, which=tuple(sorted(putamen.values())))
            outlined.append(ImagePanel(**place, regions=regions))
            titles.append(person.subject.name)
    columns = len(titles)
    plain[0].letter, outlined[0].letter = "A", "B"
    outlined[-1].scale_bar = True
    table = TablePanel(
        letter="C",
        measured=tuple(measured),
        which=tuple(sorted(which)),
        columns=_table_columns(people),
        cell=Cell(row=2, column=0, columns=max(columns - 1, 1)),
    )
    return FigureSpec(
        panels=(*plain, *outlined, *_locator(people, row=2, column=columns - 1), table),
        columns=columns,
        column_titles=tuple(titles),
        colour_bars=(ColourBar(display="grey"),),
        displays={"grey": Display(window=(-0.1, 0.15))},
    )


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
    words = Cell(row=2, column=0, columns=max(columns - 1, 1))
    coloured[0].letter, inverted[0].letter = "A", "B"
    inverted[-1].scale_bar = True
    displays = standard_displays()
    del displays["grey"]
    return FigureSpec(
        panels=(
            *coloured,
            *inverted,
            *_locator(people, row=2, column=columns - 1),
            TextPanel(text=maxima(people), cell=words),
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


def plate_of_regions(people: Sequence[Known]) -> FigureSpec:
    """All regions on few axial slices, filled and named; the figure names those left out."""
    panels: list[ImagePanel] = []
    columns = 1
    shown_on: list[list[int]] = []
    for person in people:
        assert len(person.label_data)
        chosen = covering_slices(person)
        shown_on.append(chosen)
        columns = max(columns, min(len(chosen), 3 if len(people) == 1 else len(chosen)))
        # Every panel asks for every region: those that lie on no slice shown are told.
        every = tuple(person.areas())
        for index in chosen:
            panels.append(
                ImagePanel(
                    map=person.subject.map,
                    slice_mm=person.slice_mm(index),
                    title=person.subject.name,
                    crop=RegionsCrop(labels=person.subject.labels, margin_mm=25),
                    regions=Regions(
                        labels=person.subject.labels,
                        which=every,
                        style="both",
                        colours="table",
                        names="short",
                    ),
                )
            )
    panels[-1].scale_bar = True
    row = -(-len(panels) // columns)
    below: list[Any] = [*_locator(people, row=row, column=columns - 1)]
    shown = [
        person.labels.regions[label]
        for person, slices in zip(people, shown_on, strict=True)
        if person.labels is not None
        for label, area in person.areas().items()
        if area[slices].any() and label in person.labels.regions
    ]
    if meant := abbreviations(shown):
        cell = Cell(row=row, column=0, columns=max(columns - len(below), 1))
        below.append(TextPanel(text=f"{meant}.", cell=cell))
    return FigureSpec(
        panels=(*panels, *below),
        columns=columns,
        colour_bars=(ColourBar(display="grey"),),
        displays={"grey": Display()},
    )


def covering_slices(person: Known, most: int = 4) -> list[int]:
    """Few axial slices that show all regions well, or as many regions as they can.

    A region is shown well where it has at least half of its largest area. Where ``most`` slices
    can't show all of them so well, less will do, so that small regions aren't left out for the
    best slice of a large one.
    """
    areas = person.areas()
    tries: list[tuple[int, list[int]]] = []  # regions on none of the slices, and the slices
    for share in (1 / 2, 1 / 4, 1 / 10, 0.0):
        well = {n: (area > 0) & (area >= share * area.max()) for n, area in areas.items()}
        left = set(areas)
        chosen: list[int] = []
        while left and len(chosen) < most:
            gain = sum(well[n] * (1 + areas[n] / areas[n].max()) for n in left)
            index = int(gain.argmax())
            left -= {n for n in left if well[n][index]}
            chosen.append(index)
        if not left:
            return sorted(chosen)
        tries.append((sum(not area[chosen].any() for area in areas.values()), sorted(chosen)))
    return min(tries, key=lambda each: each[0])[1]


def all_slices(people: Sequence[Known]) -> FigureSpec:
    """Axial, coronal and sagittal mosaics of each subject."""
    planes: tuple[Plane, ...] = ("coronal", "sagittal")
    panels: list[MosaicPanel] = []
    for person in people:
        common: dict[str, Any] = {
            "map": person.subject.map,
            "crop": HeadCrop(margin_mm=2),
            "columns": 8,
        }
        first, last = person.reach(2)
        title = f"{person.subject.name}, axial"
        panels.append(MosaicPanel(**common, title=title, count=16, first_mm=first, last_mm=last))
        for plane in planes:
            first, last = person.reach(DEPTH_AXIS[plane])
            title = f"{person.subject.name}, {plane}"
            panels.append(
                MosaicPanel(
                    **common, title=title, plane=plane, count=8, first_mm=first, last_mm=last
                )
            )
    return FigureSpec(
        panels=tuple(panels),
        columns=1,
        colour_bars=(ColourBar(display="grey"),),
        displays={"grey": Display()},
    )


def methods_and_results(people: Sequence[Known]) -> FigureSpec:
    """How the maps were made, the numbers of the regions, and a chart of them."""
    person = people[0]
    measured = tuple(_measured(one) for one in people)
    putamen = person.nucleus("putamen")
    which = tuple(sorted(putamen.values()))
    return FigureSpec(
        panels=(
            TextPanel(letter="A", title="Methods", methods_of=person.subject.map),
            TablePanel(
                letter="B",
                title="Results",
                measured=measured,
                which=which,
                columns=_table_columns(people),
            ),
            ChartPanel(letter="C", title="Regions", measured=measured),
        ),
        columns=1,
        displays={},
        style=Style(dpi=LINE_ART_DPI),
    )


def _table_columns(people: Sequence[Known]) -> tuple[str, ...]:
    """The case report's columns; with two subjects also the second less the first."""
    columns: tuple[str, ...] = TablePanel.model_fields["columns"].default
    return (*columns, "difference") if len(people) == 2 else columns


def _locator(people: Sequence[Known], row: int, column: int) -> tuple[LocatorPanel, ...]:
    """Where the slices of these people lie, in a cell of its own; none without such a cell."""
    if column < 1:
        return ()
    magnitudes = tuple(person.subject.magnitude for person in people)
    return (
        LocatorPanel(
            title="Slices",
            maps=tuple(person.subject.map for person in people),
            images=magnitudes if all(magnitudes) else (),
            cell=Cell(row=row, column=column),
        ),
    )


def _measured(person: Known) -> Measured:
    _ = person.label_data
    return Measured(
        map=person.subject.map, labels=person.subject.labels, subject=person.subject.name
    )


_MAKERS: Mapping[str, Callable[[Sequence[Known]], FigureSpec]] = {
    "case-report-1": maps_and_putamen,
    "case-report-2": basal_ganglia_figure,
    "fixed-shape-plate": plate_of_regions,
    "other-maps": other_maps,
    "qc-montage": all_slices,
    "methods-and-results": methods_and_results,
}
