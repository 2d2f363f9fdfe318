"""``layer.data = array``, by a script or a plugin: the session takes the new values over."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Labels, Layer

from napari_qsm.errors import GeometryError
from napari_qsm.io.whole_numbers import as_labels
from napari_qsm.session import MapEntry, Session
from napari_qsm.viewer.contributions import VOLUME_KEY

if TYPE_CHECKING:
    from napari_qsm.viewer.canvas.layers import Drawn


def take_new_data(session: Session, entry: MapEntry, layer: Layer, own: Drawn) -> None:
    """Bring an entry up to an array that somebody gave its layer.

    New labels are written into the array that is there, as one edit that can be undone; the
    layer then shows that array again. A new image replaces the entry's.

    Parameters
    ----------
    session : Session
        Its history learns of new labels.
    entry : MapEntry
        What the layer shows.
    layer : Layer
        A layer of the viewer.
    own : Drawn
        What the layer shows if nobody interferes.

    Raises
    ------
    GeometryError
        If the array has another size; the layer shows its own again.
    FileError
        If new labels are no labels; likewise.
    """
    given = layer.data
    if given is own.data or not isinstance(own.data, np.ndarray):
        return
    if isinstance(given, np.ndarray) and np.shares_memory(given, own.data):
        return
    if np.shape(given) != own.data.shape:
        layer.data = own.data
        sizes = " x ".join(map(str, np.shape(given)[::-1]))
        raise GeometryError(
            f"'{entry.name}' cannot take an array of {sizes} voxels; add it as a layer of its own."
        )
    new = np.asarray(given).transpose(2, 1, 0)
    if isinstance(layer, Labels):
        layer.data = own.data
        values = as_labels(entry.volume.with_data(new))
        at = np.flatnonzero((values != entry.editable).ravel(order="F"))
        session.edit_labels(entry, at, values.ravel(order="F")[at], "labels replaced")
        return
    if entry.volume.data.ndim == 4:
        every = np.array(entry.volume.data)
        every[..., entry.echo] = new
        new = every
    volume = replace(entry.volume, data=new)
    layer.metadata[VOLUME_KEY] = volume
    entry.volume = volume
