"""The shapes of a typical person at every visit, as a plate of maps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from napari_qsm.errors import QsmError
from napari_qsm.figures.locator import LocatorPanel
from napari_qsm.figures.panels import ImagePanel, TextPanel
from napari_qsm.figures.parts import Cell, Source
from napari_qsm.figures.spec import FigureSpec
from napari_qsm.figures.subjects import Subject
from napari_qsm.figures.templates import from_template
from napari_qsm.study.cohort import Cohort
from napari_qsm.study.folder import StudyFolder

#: Visits on one page.
_MOST_VISITS = 4
#: Of a page for so many, so that a few slices fit on it.
_WIDTHS_MM = {1: 85.0, 2: 114.0}


def plate_of_visits(
    study: StudyFolder, cohort: Cohort, rater: str, warn: Callable[[str], None]
) -> FigureSpec | None:
    """The template ``fixed-shape-plate`` with the visits of the person nearest to the medians.

    Parameters
    ----------
    study : StudyFolder
    cohort : Cohort
    rater : str
        Whose readings are shown.
    warn : callable
        Told why there is no plate.

    Returns
    -------
    FigureSpec or None
        None if nobody has maps and burnt shapes of every visit.
    """
    visits = cohort.visits[:_MOST_VISITS]
    for person in typical(cohort):
        subjects, sources = [], {}
        for visit in visits:
            scan = study.scan(person, visit)
            labels = scan.dseg(rater)
            if not scan.is_reconstructed or labels.name not in scan.files:
                break
            key = visit or "map"
            name = visit or "visit"  # never the participant's label
            sources[key] = Source(path=scan.map.as_posix(), role="map", name=name)
            sources[f"{key}-regions"] = Source(
                path=labels.as_posix(), role="labels", name=f"{name}: regions"
            )
            subjects.append(Subject(name, key, f"{key}-regions"))
        if len(subjects) == len(visits):
            try:
                spec = from_template("fixed-shape-plate", subjects, sources)
            except QsmError as error:
                warn(f"There is no plate of shapes: {error}")
                return None
            return arranged(spec, len(visits))
    warn("There is no plate of shapes: nobody has a map and burnt shapes of every visit.")
    return None


def arranged(spec: FigureSpec, visits: int) -> FigureSpec:
    """Visits side by side, their slices below each other, in ppb, with room for names of regions.

    Parameters
    ----------
    spec : FigureSpec
        Pictures by visit, then slice; where slices lie and what names mean go below them.
    visits : int
        How many.
    """
    maps: list[str] = []
    seen: Counter[str] = Counter()
    panels: list[Any] = []
    for panel in (p for p in spec.panels if isinstance(p, ImagePanel)):
        if panel.map not in maps:
            maps.append(panel.map)
        cell = Cell(row=seen[panel.map], column=maps.index(panel.map))
        seen[panel.map] += 1
        panels.append(panel.model_copy(update={"cell": cell}))
    row, column = max(seen.values()), visits - 1
    beside = [p for p in spec.panels if isinstance(p, LocatorPanel)][: visits > 1]
    panels += [p.model_copy(update={"cell": Cell(row=row, column=column)}) for p in beside]
    words = Cell(row=row, column=0, columns=visits - len(beside))
    panels += [
        p.model_copy(update={"cell": words}) for p in spec.panels if isinstance(p, TextPanel)
    ]
    style = spec.style.model_copy(update={"width_mm": _WIDTHS_MM.get(visits, 174.0)})
    changes = {"panels": tuple(panels), "columns": visits, "unit": "ppb", "style": style}
    return spec.model_copy(update=changes)


def typical(cohort: Cohort) -> list[str]:
    """Participants who are followed, those nearest to the medians of all regions first.

    Distances are in units of the interquartile range of each region and visit; missing values
    count as far away.
    """
    total = np.zeros(len(cohort.followed))
    for region in cohort.regions:
        wide = cohort.over_visits(region)
        q1, median, q3 = np.nanpercentile(wide, [25, 50, 75], axis=0)
        spread = np.where(q3 > q1, q3 - q1, 1.0)
        total += np.nan_to_num(np.abs(wide - median) / spread, nan=10.0).sum(axis=1)
    return [cohort.followed[at] for at in np.argsort(total, kind="stable")]
