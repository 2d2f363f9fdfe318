"""Ready figures: the case report's two, a plate of regions, quality control, methods."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from napari_qsm.anatomy import DEPTH_AXIS
from napari_qsm.errors import QsmError
from napari_qsm.figures.annotations import Plane
from napari_qsm.figures.gather import Given, Loaded
from napari_qsm.figures.panels import (
    ChartPanel,
    ImagePanel,
    Measured,
    MosaicPanel,
    TablePanel,
    TextPanel,
)
from napari_qsm.figures.parts import Cell, Display, HeadCrop, Regions, RegionsCrop, Source
from napari_qsm.figures.report_figure_2 import basal_ganglia_figure
from napari_qsm.figures.spec import ColourBar, FigureSpec
from napari_qsm.figures.subjects import Known, Subject, know

#: Name to what it is called in the window.
TEMPLATES: Mapping[str, str] = {
    "case-report-1": "Case report, figure 1: maps, and the putamen outlined",
    "case-report-2": "Case report, figure 2: colour maps with arrows and circles",
    "fixed-shape-plate": "Plate of regions",
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
        cell=Cell(row=2, column=0, columns=columns),
    )
    return FigureSpec(
        panels=(*plain, *outlined, table),
        columns=columns,
        column_titles=tuple(titles),
        colour_bars=(ColourBar(display="grey"),),
        displays={"grey": Display(window=(-0.1, 0.15))},
    )


def plate_of_regions(people: Sequence[Known]) -> FigureSpec:
    """Every region once, on the axial slice where it is largest, filled and named."""
    panels: list[ImagePanel] = []
    columns = 1
    for person in people:
        assert len(person.label_data)
        chosen = covering_slices(person)
        columns = max(columns, min(len(chosen), 3 if len(people) == 1 else len(chosen)))
        for index, there in chosen:
            panels.append(
                ImagePanel(
                    map=person.subject.map,
                    slice_mm=person.slice_mm(index),
                    title=person.subject.name,
                    crop=RegionsCrop(labels=person.subject.labels, margin_mm=25),
                    regions=Regions(
                        labels=person.subject.labels,
                        which=there,
                        style="both",
                        colours="table",
                        names="short",
                    ),
                )
            )
    panels[-1].scale_bar = True
    return FigureSpec(
        panels=tuple(panels),
        columns=columns,
        colour_bars=(ColourBar(display="grey"),),
        displays={"grey": Display()},
    )


def covering_slices(person: Known, most: int = 4) -> list[tuple[int, tuple[int, ...]]]:
    """Few axial slices that show all regions well, each with the regions on it.

    A region is shown well where it has at least half of its largest area.
    """
    areas = person.areas()
    well = {label: area >= area.max() / 2 for label, area in areas.items()}
    left = set(areas)
    chosen: list[int] = []
    while left and len(chosen) < most:
        gain = sum(well[label] * (1 + areas[label] / areas[label].max()) for label in left)
        index = int(gain.argmax())
        left -= {label for label in left if well[label][index]}
        chosen.append(index)
    return [
        (index, tuple(label for label in areas if areas[label][index] > 0))
        for index in sorted(chosen)
    ]


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
            TablePanel(letter="B", title="Results", measured=measured, which=which),
            ChartPanel(letter="C", title="Regions", measured=measured),
        ),
        columns=1,
        displays={},
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
    "qc-montage": all_slices,
    "methods-and-results": methods_and_results,
}
