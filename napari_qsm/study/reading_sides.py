"""Whether left and right of a reading are where they should be."""

from __future__ import annotations

from napari_qsm.errors import FileError
from napari_qsm.rois.shape_table import region_name
from napari_qsm.study.folder import StudyFolder
from napari_qsm.study.painted import indices_by_label, label_numbers
from napari_qsm.study.readings import Reading
from napari_qsm.study.rows import some
from napari_qsm.study.study_scan import StudyScan


def sides_of(study: StudyFolder, reading: Reading) -> dict[str, dict[str, float]]:
    """How far to the right each region's sides lie, mm, by its name without side."""
    places: dict[str, dict[str, float]] = {}
    for shape in reading.shapes:
        if shape.side:
            places.setdefault(region_name(shape), {})[shape.side] = shape.centre_mm[0]
    if reading.labels is not None:
        numbers = label_numbers(study.protocol.all_steps())
        grid, found = reading.labels.to_canonical(), indices_by_label(reading.labels)
        for step in study.protocol.painted():
            at = found.get(numbers[step.region_name])
            if step.side and at is not None:
                x = float(grid.voxel_to_world(at.mean(axis=0))[0])
                places.setdefault(step.plain_name, {})[step.side] = x
    return places


def swapped_sides(places: dict[str, dict[str, float]]) -> list[str]:
    """Regions whose left side lies further right than their right one, as a swapped file has it."""
    return [name for name, at in places.items() if len(at) == 2 and not at["left"] < at["right"]]


def check_sides(study: StudyFolder, scan: StudyScan, reading: Reading) -> None:
    """Refuse a reading in which most regions have left and right the wrong way round.

    Raises
    ------
    FileError
        Naming the scan, the rater and regions.
    """
    places = sides_of(study, reading)
    swapped = swapped_sides(places)
    pairs = sum(len(sides) == 2 for sides in places.values())
    if swapped and len(swapped) > pairs / 2:
        raise FileError(
            f"{scan.name}, {reading.label}: left lies right of right in {some(swapped)}; the sides of "
            "this reading, or of its map, are swapped."
        )
