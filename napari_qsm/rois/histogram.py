"""How the values of regions are spread, as counts in bins that any two people share."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.errors import MetadataError
from napari_qsm.units import column_word, factor

if TYPE_CHECKING:
    import pandas as pd

#: Breadth of a bin in ppb: about the noise of a voxel, and a tenth of what iron makes of a nucleus.
BIN_PPB = 5.0
#: A range of values in more bins than these is no tissue's.
_MOST_BINS = 20_000


def bins(values: Array, width: float) -> tuple[Array, Array]:
    """Counts in bins whose edges are multiples of their width.

    Parameters
    ----------
    values : (n,) ndarray
        May hold NaN, which is left out.
    width : float
        In the unit of the values.

    Returns
    -------
    edges : (bins + 1,) ndarray
        Empty where there is no value. A value on an edge counts above it.
    counts : (bins,) ndarray of int

    Raises
    ------
    MetadataError
        If the width is not positive, or far too small for the values.

    Examples
    --------
    >>> edges, counts = bins(np.array([1.0, 5.0, 12.0]), 5.0)
    >>> edges.tolist(), counts.tolist()
    ([0.0, 5.0, 10.0, 15.0], [1, 1, 1])
    """
    if not (math.isfinite(width) and width > 0):
        raise MetadataError(f"Bins are {width:g} broad; a positive breadth is needed.")
    finite = np.asarray(values, np.float64)[np.isfinite(values)]
    if not finite.size:
        return np.empty(0), np.empty(0, np.int64)
    # Half a billionth of a bin: values that were written in decimal lie on the edge they name.
    at = np.floor(finite / width + 5e-10)
    low, high = at.min(), at.max()
    if high - low >= _MOST_BINS:
        raise MetadataError(
            f"Bins of {width:g} would be more than {_MOST_BINS}; take a larger breadth."
        )
    counts = np.bincount((at - low).astype(np.int64))
    return (low + np.arange(counts.size + 1)) * width, counts


def histogram_frame(
    rows: Iterable[tuple[int, str, str, Array]],
    *,
    unit: str,
    factor_: float = 1.0,
    width: float | None = None,
) -> pd.DataFrame:
    """Histograms of regions as a long table.

    Parameters
    ----------
    rows : iterable of (label, name, side, values)
        Values in the map's own unit.
    unit : str
        Of the table.
    factor_ : float
        From the map's unit to that of the table.
    width : float, optional
        Breadth of a bin in the table's unit; for susceptibilities :data:`BIN_PPB` unless given.

    Returns
    -------
    DataFrame
        ``label, name, side, from_UNIT, to_UNIT, voxels, share``; bins between a region's
        smallest and largest value, empty ones too.

    Raises
    ------
    MetadataError
        If a breadth is needed and none is given, see :func:`bins`.
    """
    import pandas as pd

    if width is None:
        if unit not in ("ppm", "ppb"):
            raise MetadataError(f"Say how broad bins in '{unit or 'unknown unit'}' are to be.")
        width = BIN_PPB * factor("ppb", unit)
    kept = []
    for label, name, side, values in rows:
        edges, counts = bins(np.asarray(values, np.float64) * factor_, width)
        total = max(int(counts.sum()), 1)
        for n, count in enumerate(counts.tolist()):
            ends = (round(float(edges[n]), 12), round(float(edges[n + 1]), 12))
            kept.append((label, name, side, *ends, count, count / total))
    word = column_word(unit)
    names = [f"from_{word}", f"to_{word}"] if word else ["from", "to"]
    return pd.DataFrame(kept, columns=["label", "name", "side", *names, "voxels", "share"])
