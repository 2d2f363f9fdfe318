"""Regions as one DICOM segmentation, after their sides were checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_qsm._version import __version__
from napari_qsm.arrays import Array
from napari_qsm.errors import GeometryError
from napari_qsm.io.dicom_out.codes import code, side_code, structure_code
from napari_qsm.io.dicom_out.images import MAKER, _coded
from napari_qsm.io.dicom_out.libraries import need_highdicom
from napari_qsm.io.region import Region, default_color, rgb, side_of
from napari_qsm.rois.pairs import place_of
from napari_qsm.volume import Volume

#: How far the middle of a region may lie on the other side of the head before its name is doubted.
WRONG_SIDE_MM = 3.0


@dataclass(frozen=True)
class Segment:
    """One region with voxels.

    Attributes
    ----------
    number : int
        Of the segment, from 1.
    label : int
        Value in the label map.
    name, side, color : str
    uid : str
        By which numbers refer to it.
    """

    number: int
    label: int
    name: str
    side: str
    color: str
    uid: str


def segments_of(labels: Array, regions: Mapping[int, Region]) -> list[Segment]:
    """The regions that have voxels, in the order of their labels."""
    from pydicom.uid import generate_uid

    out = []
    for number, label in enumerate((int(v) for v in np.unique(labels) if v), 1):
        region = regions.get(label)
        name = region.name if region else f"region {label}"
        side = (region.side if region else "") or side_of(name)
        colour = region.color if region else default_color(label)
        out.append(Segment(number, label, name, side, colour, generate_uid(prefix=None)))
    return out


def check_sides(labels: Volume, segments: Sequence[Segment], brain: Volume) -> None:
    """Refuse regions that lie on the other side of the head than their name says.

    Left and right of one structure are compared with each other, and a region that stands alone
    with the middle of the brain.

    Parameters
    ----------
    labels : Volume
        Label map.
    segments : sequence of Segment
    brain : Volume
        True where the map holds values, on the same grid.

    Raises
    ------
    GeometryError
        Naming the regions.
    """
    inside = np.argwhere(np.asarray(brain.data, dtype=bool))
    middle = float(brain.voxel_to_world(inside.mean(axis=0))[0]) if len(inside) else 0.0
    at: dict[tuple[str, str], tuple[float, str]] = {}
    for segment in segments:
        if {segment.side, side_of(segment.name)} == {"left", "right"}:
            raise GeometryError(
                f"The region '{segment.name}' is noted as {segment.side}, which its name contradicts; "
                "nothing was written."
            )
        if segment.side not in ("left", "right"):
            continue
        voxels = np.argwhere(labels.data == segment.label)
        x = float(labels.voxel_to_world(voxels.mean(axis=0))[0])
        at[(place_of(segment.name, segment.side)[0], segment.side)] = (x, segment.name)
    for (plain, side), (x, name) in at.items():
        other = at.get((plain, "left" if side == "right" else "right"))
        away = x - (other[0] if other else middle)
        away = away if side == "right" else -away
        if away < (0.0 if other else -WRONG_SIDE_MM):
            against = f"'{other[1]}'" if other else "the middle of the map"
            raise GeometryError(
                f"The region '{name}' is called {side} but lies to the "
                f"{'left' if side == 'right' else 'right'} of {against}. Look at the sides of "
                "labels and map; nothing was written."
            )


def segmentation(
    frames: Array, segments: Sequence[Segment], images: Sequence[Any], *, series: int
) -> Any:
    """Regions as one object, on the planes of the map's images.

    Parameters
    ----------
    frames : (n, rows, columns) ndarray
        Labels.
    segments : sequence of Segment
    images : sequence of Dataset
        What :func:`~napari_qsm.io.dicom_out.images.map_images` made.
    series : int
    """
    need_highdicom()
    from highdicom import AlgorithmIdentificationSequence
    from highdicom.color import CIELabColor
    from highdicom.seg import Segmentation, SegmentDescription
    from pydicom.uid import generate_uid

    numbers = np.zeros(int(frames.max()) + 1, np.uint16)
    for segment in segments:
        numbers[segment.label] = segment.number
    tool = AlgorithmIdentificationSequence(
        name="napari-qsm",
        family=code("123109", "DCM", "Manual Processing"),
        version=__version__,
    )
    described = []
    for segment in segments:
        one = SegmentDescription(
            segment_number=segment.number,
            segment_label=segment.name[:64],
            segmented_property_category=code("91723000", "SCT", "Anatomical Structure"),
            segmented_property_type=structure_code(segment.name, segment.side),
            algorithm_type="SEMIAUTOMATIC",
            algorithm_identification=tool,
            tracking_uid=segment.uid,
            tracking_id=segment.name[:64],
            display_color=CIELabColor.from_rgb(*rgb(segment.color)),
        )
        side = side_code(segment.side)
        if side is not None:
            one.SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence = [
                _coded(side.value, side.scheme_designator, side.meaning)
            ]
        described.append(one)
    made = Segmentation(
        source_images=list(images),
        pixel_array=numbers[frames],
        segmentation_type="BINARY",
        segment_descriptions=described,
        series_instance_uid=generate_uid(prefix=None),
        series_number=series,
        sop_instance_uid=generate_uid(prefix=None),
        instance_number=1,
        content_label="QSM_REGIONS",
        content_description="Regions in which QSM was measured",
        **MAKER,
    )
    made.SeriesDescription = "QSM regions, not for diagnosis"
    return made
