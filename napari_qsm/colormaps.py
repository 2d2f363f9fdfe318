"""How numbers become colours, in the window and in figures alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, Protocol

import numpy as np

from napari_qsm.arrays import Array

Colouring = Literal["grey", "inverted", "colour", "both sides"]


class Coloured(Protocol):
    """How a map is coloured: a window of the session or a display of a figure."""

    @property
    def colouring(self) -> Colouring:
        """Grey, inverted, one colormap, or one for each sign."""

    @property
    def colormap(self) -> str:
        """Colormap of ``"colour"``."""

    @property
    def window(self) -> tuple[float, float]:
        """Values at the ends of the colours."""

    @property
    def threshold_low(self) -> float | None:
        """Value below which the map is transparent."""

    @property
    def threshold_high(self) -> float | None:
        """Value above which the map is transparent."""


#: As many steps as the graphics card's own table has.
STEPS = 1024


@dataclass(frozen=True)
class Colormap:
    """A colormap on offer, with the words that describe it."""

    name: str
    title: str
    kind: str


COLORMAPS: tuple[Colormap, ...] = (
    Colormap("magma", "Magma", "even steps, for iron from zero up"),
    Colormap("inferno", "Inferno", "even steps"),
    Colormap("viridis", "Viridis", "even steps, safe for colour-blind readers"),
    Colormap("cividis", "Cividis", "even steps, safe for colour-blind readers"),
    Colormap("coolwarm", "Cool–warm", "two-sided, zero in the middle"),
    Colormap("RdBu_r", "Red–blue", "two-sided, zero in the middle"),
    Colormap("jet", "Jet", "uneven steps; only for comparison with older papers"),
)


_registered: dict[str, Callable[[Array], Array]] = {}


def register_colormap(name: str, colours: Callable[[Array], Array]) -> None:
    """Make a colormap of the viewer known by name: a function from 0..1 to (n, 4) RGBA."""
    _registered[name] = colours


@lru_cache(maxsize=64)
def _named(name: str) -> Array:
    """(STEPS, 4) float32 RGBA of a named colormap."""
    position = np.linspace(0, 1, STEPS)
    if name in ("gray", "grey"):
        return _opaque(np.repeat(position[:, None], 3, axis=1))
    if name == "gray_r":
        return _opaque(np.repeat(position[::-1, None], 3, axis=1))
    if name in _registered:
        return np.asarray(_registered[name](position), dtype=np.float32)
    import matplotlib

    return matplotlib.colormaps[name](position).astype(np.float32)


def _opaque(rgb: Array) -> Array:
    return np.concatenate([rgb, np.ones((len(rgb), 1))], axis=1).astype(np.float32)


#: Stops of the two-sided colouring, from zero outwards; lightness grows evenly on both
#: sides, so that equal |values| look equally bright.
_POSITIVE = ((0.35, 0.02, 0.02), (0.85, 0.16, 0.05), (1.0, 0.58, 0.05), (1.0, 0.95, 0.55))
_NEGATIVE = ((0.02, 0.06, 0.40), (0.05, 0.30, 0.85), (0.15, 0.68, 0.95), (0.70, 0.98, 0.98))


def _side(stops: tuple[tuple[float, float, float], ...], magnitude: Array) -> Array:
    at = np.linspace(0, 1, len(stops))
    table = np.array(stops)
    return np.stack([np.interp(magnitude, at, table[:, c]) for c in range(3)], axis=1)


def effective_window(display: Coloured) -> tuple[float, float]:
    """The values at the ends of the colours; both-sides colouring is symmetric about zero."""
    low, high = display.window
    if display.colouring == "both sides":
        high = max(abs(low), abs(high))
        low = -high
    if not high > low:
        high = low + max(abs(low) * 1e-6, 1e-9)
    return low, high


def lookup_table(display: Coloured) -> Array:
    """Colours of ``STEPS`` even steps through the window.

    Returns
    -------
    ndarray, shape (STEPS, 4), float32
        RGBA; alpha is 0 where a threshold hides the value. The map's opacity is not
        part of it.
    """
    low, high = effective_window(display)
    values = low + (np.arange(STEPS) + 0.5) / STEPS * (high - low)
    if display.colouring == "both sides":
        outer = _side(_POSITIVE, np.clip(values / high, 0, 1))
        inner = _side(_NEGATIVE, np.clip(-values / high, 0, 1))
        table = _opaque(np.where(values[:, None] >= 0, outer, inner))
        compared = np.abs(values)
    else:
        table = _named(colormap_name(display)).copy()
        compared = values
    table[:, 3] = np.where(_shown(display, compared), table[:, 3], 0)
    return table


def _shown(display: Coloured, compared: Array) -> Array:
    shown = np.ones(compared.shape, dtype=bool)
    if display.threshold_low is not None:
        shown &= compared >= display.threshold_low
    if display.threshold_high is not None:
        shown &= compared <= display.threshold_high
    return shown


def colormap_name(display: Coloured) -> str:
    """The colormap behind a one-sided colouring."""
    return {"grey": "gray", "inverted": "gray_r"}.get(display.colouring, display.colormap)


def end_colours(display: Coloured) -> tuple[Array, Array]:
    """RGBA of values beyond the low and the high end of the window.

    They take the colour of that end unless a threshold inside the window hides them. A
    threshold beyond the window acts at the window's end.
    """
    table = lookup_table(display)
    first, last = table[0].copy(), table[-1].copy()
    low, high = effective_window(display)
    both = display.colouring == "both sides"
    if display.threshold_low is not None and not both and display.threshold_low > low:
        first[3] = 0
    if display.threshold_high is not None and display.threshold_high < high:
        last[3] = 0
        if both:
            first[3] = 0
    return first, last


def over_grey(
    display: Coloured, grey: tuple[float, float]
) -> tuple[tuple[float, float], Array, tuple[Array, Array]]:
    """A map's colours with its own grey where a threshold hides the value.

    Parameters
    ----------
    display : Coloured
    grey : (low, high)
        Values drawn black and white.

    Returns
    -------
    window : (low, high)
        Values at the ends of the table: both windows lie within.
    table : (STEPS, 4) ndarray, float32
    ends : (ndarray, ndarray)
        RGBA of values beyond.
    """
    own = effective_window(display)
    low, high = min(own[0], grey[0]), max(own[1], grey[1])
    step = (high - low) / STEPS
    values = low + (np.arange(-1, STEPS + 1) + 0.5) * step
    table = colours(values, display)
    level = np.clip((values - grey[0]) / (grey[1] - grey[0]), 0, 1)[:, None]
    hidden = table[:, 3:] == 0
    table[:, :3] = np.where(hidden, level, table[:, :3])
    table[:, 3] = 1
    return (low, high), table[1:-1], (table[0], table[-1])


def has_thresholds(display: Coloured) -> bool:
    """Whether anything is made transparent."""
    return display.threshold_low is not None or display.threshold_high is not None


def colour_steps(values: Array, low: float, high: float, steps: int = STEPS) -> Array:
    """Which step of a colour table each value takes.

    Parameters
    ----------
    values : ndarray
    low, high : float
        Values at the ends of the table.
    steps : int
        Length of the table.

    Returns
    -------
    ndarray of whole numbers, shape values.shape
        0 for what is not finite, 1 below ``low``, 2 for the table's first step and so on,
        ``steps + 2`` above ``high``.
    """
    values = np.asarray(values)
    if values.dtype == bool:
        values = values.astype(np.uint8)
    lost = ~np.isfinite(values) if values.dtype.kind == "f" else np.zeros((), bool)
    with np.errstate(over="ignore", invalid="ignore"):
        position = (values - low) / (high - low) * steps
    if lost.any():
        position[lost] = 0
    above = position > steps
    out: Array = (np.clip(position, -1, steps - 1) + 2).astype(np.intp)
    out[above] = steps + 2
    if lost.any():
        out[lost] = 0
    return out


def colours(values: Array, display: Coloured) -> Array:
    """RGBA of values, as the window draws them; NaN is transparent.

    Parameters
    ----------
    values : ndarray
        In the volume's unit.
    display : Display
        Window, colormap and thresholds.

    Returns
    -------
    ndarray, shape values.shape + (4,), float32
    """
    low, high = effective_window(display)
    table = lookup_table(display)
    first, last = end_colours(display)
    every = np.vstack([np.zeros_like(first), first, table, last])
    out: Array = every[colour_steps(values, low, high)]
    return out
