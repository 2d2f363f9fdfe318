"""Clusters too small to be coloured, in the views as in figures. Knows no Qt."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.clusters import small_clusters
from napari_qsm.session.history import FieldEdit
from napari_qsm.session.model import Session
from napari_qsm.study.display import MapDisplay
from napari_qsm.study.entry import MapEntry

_found: WeakKeyDictionary[MapEntry, tuple[Array, str, Array]] = WeakKeyDictionary()


def set_smallest_cluster(session: Session, entry: MapEntry, mm3: float) -> None:
    """Leave out smaller clusters of a map and of all whose colours are one with its; one undo."""
    linked = session.windows_linked and entry.follows_link
    text = "size of speckle"
    with session.history.group(text):
        for each in session.maps:
            before = each.display.smallest_cluster_mm3
            if (each is entry or (linked and each.follows_link)) and before != mm3:
                each.display.smallest_cluster_mm3 = mm3
                fields = {"smallest_cluster_mm3": before}, {"smallest_cluster_mm3": mm3}
                session.history.push(FieldEdit(each.display, *fields, of=each), text)


def speckle(entry: MapEntry, display: MapDisplay) -> Array:
    """The voxels of a map that a display leaves out; looked for anew once either is another.

    Parameters
    ----------
    entry : MapEntry
    display : MapDisplay
        Its own, or that of a map in whose colours it is drawn.

    Returns
    -------
    (x, y, z) ndarray of bool
    """
    stamp = f"{entry.echo} {display.model_dump_json()}"
    kept = _found.get(entry)
    if kept is None or kept[0] is not entry.volume.data or kept[1] != stamp:
        volume = entry.shown
        found = small_clusters(volume.data, display, float(np.prod(volume.voxel_size_mm)))
        if found is None:
            found = np.zeros(volume.shape, dtype=bool)
        kept = _found[entry] = (entry.volume.data, stamp, found)
    return kept[2]
