"""Whether the images of a DICOM series make whole volumes."""

from __future__ import annotations

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.errors import FileError
from napari_qsm.io.dicom_headers import DicomSeries

#: Slices may be this part of their distance off their place.
_OFF = 0.1


def check_planes(series: DicomSeries) -> None:
    """Refuse a series with missing or doubled slices, which would give a distorted volume.

    Raises
    ------
    FileError
        Naming the series, and how many slices are where.
    """
    volumes: dict[tuple[object, ...], list[float]] = {}
    for file in series.files:
        for plane in file.planes:
            if not plane.part:
                continue
            normal = np.cross(plane.orientation[:3], plane.orientation[3:])
            place = float(np.dot(normal, plane.position_mm))
            key = (plane.part, round(plane.echo_time_ms, 3))
            volumes.setdefault(key, []).append(place)
    most = max((len(places) for places in volumes.values()), default=0)
    for (part, echo), places in volumes.items():
        who = f"Series {series.label}, {part} at TE {echo:g} ms,"
        _check_distances(np.sort(np.array(places)), who)
        if len(places) != most:
            raise FileError(
                f"{who} has {len(places)} slices where others of the series have {most}; slices "
                "are missing. Copy the whole series from the scanner again."
            )


def _check_distances(places: Array, who: str) -> None:
    steps = np.diff(places)
    if not steps.size:
        return
    step = float(np.median(steps))
    if step <= 0 or (steps < 0.01 * step).any():
        doubled = int((steps < max(0.01 * step, 1e-4)).sum())
        raise FileError(
            f"{who} has {doubled} places with more than one image (a repeated or doubled "
            "acquisition); keep one in the folder."
        )
    gaps = np.flatnonzero(np.abs(steps - step) > _OFF * step)
    if gaps.size:
        wide = float(steps[gaps[0]])
        lacking = f"about {round(wide / step) - 1} slices are missing" if wide > 1.5 * step else ""
        raise FileError(
            f"{who} has slices {step:.2f} mm apart but {wide:.2f} mm after slice "
            f"{int(gaps[0]) + 1}; {lacking or 'they make no regular volume'}. Copy the whole "
            "series from the scanner again."
        )
