"""Regions that are painted by hand rather than placed: in a protocol, and as a reading's label map.

A region of the protocol with ``method: painted`` has no shape. Its label is its number in the protocol,
counted over all regions and sides; the label map of a reading is ``..._desc-<rater>_dseg.nii.gz``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.errors import FileError, GeometryError
from napari_qsm.io.region import Region, default_color
from napari_qsm.io.segmentation import read_labels
from napari_qsm.outlines.propose import is_seed
from napari_qsm.rois.canonical_grid import nearest
from napari_qsm.rois.guided import Step, steps_of
from napari_qsm.rois.shapes import Side
from napari_qsm.volume import Volume

#: Regions that are outlined in parts.
_PARTS = {"Globus pallidus": ("Globus pallidus externus", "Globus pallidus internus")}
_ROW = frozenset(["name", "sides", "method"])
_LETTER: Mapping[Side, str] = {"left": " L", "right": " R", "": ""}


def plain_region(name: str, side: str) -> str:
    """A region of a protocol without its letter of side."""
    return name.removesuffix(f" {side[0].upper()}") if side else name


@dataclass(frozen=True)
class PaintedStep:
    """One region to be painted.

    Attributes
    ----------
    region_name : str
        With its side: "Caudate L".
    side : {"left", "right", ""}
        The patient's side.
    """

    region_name: str
    side: Side = ""

    @property
    def plain_name(self) -> str:
        """Without its side."""
        return plain_region(self.region_name, self.side)

    @property
    def words(self) -> str:
        """The step for people: "left caudate, painted"."""
        plain = self.plain_name
        name = f"{self.side} {plain[:1].lower()}{plain[1:]}" if self.side else plain
        return f"{name}, painted"


def is_painted(row: Mapping[str, Any]) -> bool:
    """Whether a row of a protocol's regions is one that is painted."""
    return isinstance(row, Mapping) and row.get("method") == "painted"


def all_steps(rows: Sequence[Mapping[str, Any]], who: str) -> tuple[Step | PaintedStep, ...]:
    """What is placed and painted in every scan, in the order of the protocol.

    Raises
    ------
    FileError
        If a row is impossible, or two have one name.
    """
    steps: list[Step | PaintedStep] = []
    for row in rows:
        steps += _painted(row, who) if is_painted(row) else steps_of([row], who)
    names = [step.region_name for step in steps]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise FileError(f"'{who}' names {', '.join(twice)} twice.")
    return tuple(steps)


def _painted(row: Mapping[str, Any], who: str) -> list[PaintedStep]:
    if not row.get("name"):
        raise FileError(f"A region in '{who}' has no name.")
    name, sides = str(row["name"]), row.get("sides", [])
    unknown = sorted(str(key) for key in row if key not in _ROW)
    if unknown:
        raise FileError(
            f"'{name}' in '{who}' is painted, so it has no shape; take out {', '.join(unknown)}."
        )
    if not isinstance(sides, list) or any(side not in ("left", "right") for side in sides):
        raise FileError(f"'{name}' in '{who}': sides must be a list of left and right.")
    return [PaintedStep(name + _LETTER[side], side) for side in sides or [""]]


def with_methods(said: dict[str, Any], who: str) -> dict[str, Any]:
    """A protocol as people write it, its ``method`` for all regions without a shape given to each.

    Raises
    ------
    FileError
        For a method that there is not.
    """
    said = dict(said)
    whole, rows = said.pop("method", None), said.get("regions")
    if whole not in (None, "painted"):
        raise FileError(
            f"'{who}': the method can only be 'painted' (regions with a shape need none)."
        )
    for row in rows if isinstance(rows, list | tuple) else ():
        if isinstance(row, Mapping) and row.get("method", "painted") != "painted":
            raise FileError(
                f"'{row.get('name')}' in '{who}': the method can only be 'painted' (a shape needs none)."
            )
    if whole and isinstance(rows, list | tuple):
        said["regions"] = [
            {**row, "method": "painted"}
            if isinstance(row, Mapping) and not {"kind", "size_mm"} & set(row)
            else row
            for row in rows
        ]
    return said


# -- label maps ---------------------------------------------------------------------------


def label_numbers(steps: Iterable[Step | PaintedStep]) -> dict[str, int]:
    """Label of each region, by its name with side."""
    return {step.region_name: number for number, step in enumerate(steps, 1)}


def painted_regions(steps: Sequence[Step | PaintedStep]) -> list[Region]:
    """The regions of a label map that are painted."""
    numbers = label_numbers(steps)
    return [
        Region(n, step.region_name, step.side, default_color(n))
        for step in steps
        if isinstance(step, PaintedStep) and (n := numbers[step.region_name])
    ]


def only_painted(labels: Volume, steps: Sequence[Step | PaintedStep]) -> Volume:
    """A label map without the labels of shapes, uint16."""
    own = [region.index for region in painted_regions(steps)]
    values = np.asarray(labels.data)
    return labels.with_data(np.where(np.isin(values, own), values, 0).astype(np.uint16))


def painted_voxels(
    labels: Volume, steps: Sequence[Step | PaintedStep]
) -> tuple[dict[str, int], dict[str, str]]:
    """Voxels of each painted region that has any, and a checksum of where they lie.

    The checksum tells the grid's shape and the voxels, axes turned to RAS, and not the label, which is
    another one once the protocol has other regions.
    """
    shape, at = labels.to_canonical().shape, indices_by_label(labels)
    own = {r.name: at[r.index].astype("<i4") for r in painted_regions(steps) if r.index in at}
    sums = {
        name: hashlib.sha256(f"{shape}".encode() + voxels.tobytes()).hexdigest()
        for name, voxels in own.items()
    }
    return {name: len(voxels) for name, voxels in own.items()}, sums


def read_painted(path: Path, steps: Sequence[Step | PaintedStep], grid: Volume) -> Volume:
    """The painted regions of a reading's label map, in the axis order of ``grid``.

    Regions are known by their names in the table beside it, where there is one, as their labels follow the
    protocol.

    Raises
    ------
    FileError
        If it is missing, no label map, or on another grid.
    """
    if not path.is_file():
        raise FileError(f"The label map '{path.name}' of a painted reading is missing.")
    labels, table = read_labels(path)
    try:
        labels = labels.like(grid)
    except GeometryError as error:
        raise FileError(f"'{path.name}' does not lie on the grid of its map: {error}") from None
    before = {region.name: region.index for region in table}
    values = np.asarray(labels.data)
    now = np.zeros(max(int(values.max()), *before.values(), len(steps)) + 1, np.uint16)
    for region in painted_regions(steps):
        now[before.get(region.name, 0 if table else region.index)] = region.index
    now[0] = 0
    return labels.with_data(now[values])


def indices_by_label(labels: Volume) -> dict[int, Array]:
    """Voxels of each label, (n, 3), in an array whose axes are turned to RAS."""
    values = np.asarray(labels.to_canonical().data)
    at = np.argwhere(values)
    own = values[tuple(at.T)]
    return {int(label): at[own == label] for label in np.unique(own)}


# -- first contours -----------------------------------------------------------------------


def outlined_contours(
    labels: Volume, regions: Iterable[Region], steps: Sequence[Step | PaintedStep]
) -> Volume | None:
    """Proposed outlines as labels of painted regions; None where none of them is wanted.

    Parameters
    ----------
    labels : Volume
        Of :func:`napari_qsm.outlines.propose.propose_outlines`.
    regions : iterable of Region
        What its labels mean. Balls to start from are no outlines.
    steps : sequence of Step or PaintedStep
        Of the protocol; regions are known by their names.
    """
    known = {region.name: region.index for region in regions if not is_seed(region)}
    values = np.zeros(labels.shape, np.uint16)
    for region in painted_regions(steps):
        name = plain_region(region.name, region.side)
        parts = [f"{part}{region.name.removeprefix(name)}" for part in _PARTS.get(name, (name,))]
        if all(part in known for part in parts):
            values[np.isin(labels.data, [known[part] for part in parts])] = region.index
    return labels.with_data(values, unit="", name="") if values.any() else None


def carried_contours(labels: Volume, matrix: Array, grid: Volume) -> Volume:
    """Labels of one visit in another's head: each voxel takes the label in which its centre lies.

    Parameters
    ----------
    labels : Volume
        Of the first visit.
    matrix : (4, 4) ndarray
        Points of that visit to points of the other, world RAS mm; rigid.
    grid : Volume
        Of the other visit's map.
    """
    moved = Volume(labels.data, matrix @ labels.affine)
    return grid.with_data(nearest(moved, grid).volume.data.astype(np.uint16), unit="", name="")
