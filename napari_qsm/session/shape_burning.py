"""Fixed shapes written into a label map of the session."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_qsm.errors import QsmError
from napari_qsm.rois.rasterise import rasterise
from napari_qsm.rois.shapes import FixedShape
from napari_qsm.session import MapEntry, Session, regions
from napari_qsm.volume import check_same_grid


@dataclass(frozen=True)
class Burnt:
    """What burning has done.

    Attributes
    ----------
    shapes, voxels : int
        How many shapes were written, and how many voxels have changed.
    notes : tuple of str
        Sentences about shapes or voxels that were left as they are.
    """

    shapes: int
    voxels: int
    notes: tuple[str, ...]


def burn(
    session: Session,
    measured: MapEntry,
    labels: MapEntry | None,
    shapes: list[FixedShape],
    *,
    clear_first: bool = False,
    over_others: bool = False,
    keep_shapes: bool = False,
) -> Burnt:
    """Write shapes into a label map, in one undo.

    Parameters
    ----------
    session : Session
        Where all of these live.
    measured : MapEntry
        The map on whose grid the shapes have their voxels.
    labels : MapEntry or None
        The label map; one is made on the map's grid if there is none.
    shapes : list of FixedShape
        What to write. A region is found by its name, and made if there is none of that name.
    clear_first : bool
        Take away what these regions held before, so that each is its shapes and no more.
    over_others : bool
        Write over voxels that belong to other regions, unless those are locked.
    keep_shapes : bool
        Leave the shapes as objects too.

    Returns
    -------
    Burnt

    Raises
    ------
    QsmError
        If there is nothing to write.
    GeometryError
        If label map and map do not share a grid.
    """
    if not shapes:
        raise QsmError("There is no shape to write; place one first.")
    if labels is None:
        labels = _new_labels(session, measured)
    check_same_grid(labels.volume, measured.shown)
    change, written, notes = rasterise(
        labels.labels,
        labels.regions,
        shapes,
        measured.shown,
        clear_first=clear_first,
        over_others=over_others,
    )
    with session.history.group(change.text):
        changed = regions.apply(session, labels, change)
        if not keep_shapes:
            gone = {shape.id for shape in written}
            case = session.case_of(measured)
            rest = tuple(shape for shape in case.shapes if shape.id not in gone)
            session.change(change.text, case, shapes=rest)
    return Burnt(len(written), changed, tuple(notes))


def _new_labels(session: Session, measured: MapEntry) -> MapEntry:
    volume = measured.shown
    empty = volume.with_data(np.zeros(volume.shape, np.uint16), unit="", name="regions")
    case = session.case_of(measured)
    selected = session.selected
    labels = session.add(empty, role="labels", name=f"regions {case.name}", case=case)
    session.selected = selected
    return labels
