"""How maps are coloured: windows, ramps, thresholds."""

from __future__ import annotations

from typing import Literal

import numpy as np
from psygnal import EventedModel
from pydantic import ConfigDict, Field

from napari_qsm.colormaps import Colouring
from napari_qsm.volume import Volume

#: Of the edges of regions; lines of 1 are thin.
WIDEST_OUTLINE = 5
Role = Literal["map", "magnitude", "phase", "mask", "labels", "other"]


class MapDisplay(EventedModel):
    """How one map is coloured.

    Attributes
    ----------
    colouring : {"grey", "inverted", "colour", "both sides"}
        ``"both sides"`` colours negative and positive values with ramps of their own.
    colormap : str
        Name of the ramp used by ``"colour"``.
    window : (low, high)
        Values at the two ends of the ramp, in the volume's own unit.
    threshold_low, threshold_high : float or None
        Values below and above which the map is transparent; with ``"both sides"`` they
        act on the absolute value.
    other_thresholds : dict
        The two thresholds of each colouring that it is not shown in now: another colouring has
        thresholds of its own.
    smallest_cluster_mm3 : float
        Clusters of what thresholds leave are transparent below this volume, as in figures; 0
        shows all.
    opacity : float
        0 to 1.
    visible : bool
        Whether the map is drawn at all.
    outline : bool
        Whether only the edges of regions are drawn.
    outline_width : int
        How broad these edges are: 1.5 pixels of the screen each, in figures 0.8 points.
    """

    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    colouring: Colouring = "grey"
    colormap: str = "magma"
    window: tuple[float, float] = (0.0, 1.0)
    threshold_low: float | None = None
    threshold_high: float | None = None
    other_thresholds: dict[Colouring, tuple[float | None, float | None]] = Field(
        default_factory=dict
    )
    smallest_cluster_mm3: float = Field(default=0.0, ge=0, le=100_000)
    opacity: float = Field(default=1.0, ge=0, le=1)
    visible: bool = True
    outline: bool = False
    outline_width: int = Field(default=1, ge=1, le=WIDEST_OUTLINE)


#: What the link button keeps equal between maps: all that turns a number into a colour.
LINKED_FIELDS = (
    "colouring",
    "colormap",
    "window",
    "threshold_low",
    "threshold_high",
    "other_thresholds",
    "smallest_cluster_mm3",
)


def sampled(volume: Volume, limit: int = 400_000) -> np.ndarray:
    """Finite, non-zero values of a volume, thinned evenly to about ``limit``."""
    data = volume.data[..., 0] if volume.data.ndim == 4 else volume.data
    step = max(1, round((data.size / limit) ** (1 / 3)))
    values = np.asarray(data[::step, ::step, ::step]).ravel()
    if values.dtype.kind == "f":
        values = values[np.isfinite(values)]
    return values[values != 0]


def auto_window(
    volume: Volume, *, symmetric: bool = False, percentiles: tuple[float, float] = (1.0, 99.0)
) -> tuple[float, float]:
    """A window from percentiles of the finite, non-zero values, in the volume's unit.

    Parameters
    ----------
    volume : Volume
        May hold NaN, zeros only, or huge values.
    symmetric : bool
        Put zero in the middle.
    percentiles : (low, high)
        In percent.

    Returns
    -------
    (low, high)
        Always ``low < high``; (0, 1) where there is no value to go by.
    """
    values = sampled(volume)
    if values.size == 0:
        return (0.0, 1.0)
    low, high = (float(v) for v in np.percentile(values.astype(np.float64), percentiles))
    if symmetric:
        high = max(abs(low), abs(high))
        low = -high
    if not high > low:
        spread = abs(low) * 0.5 or 1.0
        low, high = low - spread, high + spread
    return low, high


def first_display(volume: Volume, role: Role) -> MapDisplay:
    """How a volume is shown before anybody chose."""
    if role == "map":
        scale = 1e3 if volume.unit == "ppb" else 1.0
        return MapDisplay(window=(-0.1 * scale, 0.2 * scale))
    if role in ("mask", "labels"):
        return MapDisplay(window=(0.0, 1.0), opacity=0.5)
    if role == "phase":
        return MapDisplay(window=auto_window(volume, symmetric=True))
    low, high = auto_window(volume)
    if role == "magnitude":  # head room above white matter, so that its folds stay visible
        return MapDisplay(window=(min(0.0, low), 1.25 * high if high > 0 else high))
    return MapDisplay(window=(low, high))
