"""Statistics that follow a label map while it is being drawn.

Each slice keeps which of its voxels carry a label, and for each map the count, mean and moments
of every label in it. An edit costs the slices it touches; everything else is put together from
parts. Measuring from scratch is an edit that reaches everywhere: both take the same path, so
their results are equal to the last bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import nan

import numpy as np

from napari_qsm.arrays import Array, Box
from napari_qsm.errors import FileError, GeometryError
from napari_qsm.rois.measures import Measures
from napari_qsm.rois.sums import Parts

Voxel = tuple[int, int, int]

_MAX_LABEL = 65535
_EMPTY = np.empty(0, np.int64)


class LiveStatistics:
    """Numbers of every label on any number of maps.

    Parameters
    ----------
    labels : (x, y, z) ndarray of int
        Watched, not copied: after an edit, :meth:`update` reads it again. Best in Fortran
        order, in which a slice lies in one piece.
    maps : mapping of str to (x, y, z) ndarray, optional
        Maps on the same grid, by any key.

    Raises
    ------
    GeometryError
        If a map has another shape.
    FileError
        If labels are negative or larger than 65535.

    Examples
    --------
    >>> labels = np.zeros((3, 3, 2), np.uint16)
    >>> live = LiveStatistics(labels, {"chi": np.ones((3, 3, 2))})
    >>> labels[0, :, 1] = 4
    >>> sorted(live.update((slice(0, 1), slice(0, 3), slice(1, 2))))
    [4]
    >>> live.measures("chi", 4).voxels, live.measures("chi", 4).mean
    (3, 1.0)
    """

    def __init__(self, labels: Array, maps: Mapping[str, Array] | None = None) -> None:
        self._labels = labels
        depth = labels.shape[2]
        self._at: list[Array] = [_EMPTY] * depth
        self._rows_at: list[Array] = [_EMPTY] * depth
        self._row_of = np.full(_MAX_LABEL + 1, -1, np.int64)
        self._label_of: list[int] = []
        self._counts = np.zeros((0, depth), np.int64)
        self._maps: dict[str, _Map] = {}
        self._known: dict[tuple[str, int], Measures] = {}
        self._rows_for(np.unique(labels[labels != 0]))  # all rows at once: growing costs a copy
        self.update()
        for key, values in (maps or {}).items():
            self.set_map(key, values)

    @property
    def labels(self) -> list[int]:
        """Labels that have a voxel, ascending."""
        counts = self._counts.sum(axis=1)
        return sorted(label for label, n in zip(self._label_of, counts, strict=True) if n)

    @property
    def keys(self) -> tuple[str, ...]:
        """The maps."""
        return tuple(self._maps)

    def set_map(self, key: str, values: Array) -> None:
        """Add a map, or give one other values."""
        if values.shape != self._labels.shape:
            raise GeometryError(
                f"A map of {values.shape} voxels cannot be measured under labels of "
                f"{self._labels.shape}."
            )
        limits = self._maps[key].high if key in self._maps else HighFrom()
        self.remove_map(key)
        made = self._maps[key] = _Map(values, len(self._label_of))
        self._fill(made, limits)

    def set_high(self, key: str, limits: HighFrom) -> None:
        """Say above which value of a map voxels are the high part of their region."""
        made = self._maps[key]
        if made.high != limits:
            self._known = {known: value for known, value in self._known.items() if known[0] != key}
            self._fill(made, limits)

    def _fill(self, made: _Map, limits: HighFrom) -> None:
        made.set_high(limits, self._label_of)
        for place in range(made.values.shape[2]):
            made.fill(place, self._at[place], self._rows_at[place])

    def remove_map(self, key: str) -> None:
        """Forget a map."""
        self._maps.pop(key, None)
        self._known = {known: value for known, value in self._known.items() if known[0] != key}

    def update(self, box: Box | None = None) -> frozenset[int]:
        """Read a part of the labels again.

        Parameters
        ----------
        box : three slices, optional
            Voxels that may have changed; everywhere unless given.

        Returns
        -------
        frozenset of int
            Labels that have gained, lost or moved a voxel.
        """
        spans = [
            range(*part.indices(size))
            for part, size in zip(box or (slice(None),) * 3, self._labels.shape, strict=True)
        ]
        if not all(spans):
            return frozenset()
        changed: set[int] = set()
        for place in spans[2]:
            changed |= self._read_slice(place, spans[0], spans[1])
        self._known = {key: value for key, value in self._known.items() if key[1] not in changed}
        return frozenset(changed)

    def voxels(self, label: int) -> int:
        """How many voxels a label has."""
        row = self._row(label)
        return 0 if row is None else int(self._counts[row].sum())

    def measures(self, key: str, label: int, *, ranks: bool = False) -> Measures:
        """Numbers of one label on one map.

        Parameters
        ----------
        key : str
            The map.
        label : int
            The label; one without voxels has no numbers.
        ranks : bool
            Whether the median and whatever else needs every value of the label is wanted.
        """
        known = self._known.get((key, label))
        if known is None or (ranks and not known.ranks):
            known = self.pooled(key, [label], ranks=ranks)
            self._known[key, label] = known
        return known

    def measure_all(self, key: str) -> None:
        """Work out every label on one map, percentiles included, for :meth:`measures` to give.

        One sort for all of them; asking for one label after the other reads every slice anew.
        """
        made = self._maps[key]
        rows = np.concatenate([_EMPTY, *self._rows_at])
        # Rows of 16 bits are brought together by their digits, without comparing them.
        narrow = rows.astype(np.uint16) if len(self._label_of) <= _MAX_LABEL else rows
        values = np.concatenate([np.empty(0), *made.taken])[np.argsort(narrow, kind="stable")]
        ends = np.cumsum(np.bincount(rows, minlength=len(self._label_of)))
        for row, label in enumerate(self._label_of):
            own = values[ends[row - 1] if row else 0 : ends[row]]
            self._known[key, label] = made.parts.measures([row], own, made.limits)

    def pooled(self, key: str, labels: Iterable[int], *, ranks: bool = False) -> Measures:
        """Numbers of several labels taken as one region."""
        labels = sorted(set(labels))
        rows = [row for row in map(self._row, labels) if row is not None]
        values = self.values(key, labels) if ranks else None
        made = self._maps[key]
        return made.parts.measures(rows, values, made.limits)

    def values(self, key: str, labels: Iterable[int]) -> Array:
        """Values of some labels on a map, float64, slice by slice; may hold NaN."""
        rows = [row for row in map(self._row, labels) if row is not None]
        taken = self._maps[key].taken
        found = []
        for place in np.flatnonzero(self._counts[rows].any(axis=0)):
            here = self._rows_at[place]
            inside = here == rows[0] if len(rows) == 1 else np.isin(here, rows)
            found.append(taken[place][inside])
        return np.concatenate(found) if found else np.empty(0)

    def places(self, label: int) -> Array:
        """Where a label lies: (n, 3) ndarray of x, y, z, slice by slice."""
        row = self._row(label)
        if row is None:
            return np.empty((0, 3), np.int64)
        across, found = self._labels.shape[0], [np.empty((0, 3), np.int64)]
        for place in np.flatnonzero(self._counts[row]):
            y, x = np.divmod(self._at[place][self._rows_at[place] == row], across)
            found.append(np.stack([x, y, np.full_like(x, place)], axis=1))
        return np.concatenate(found)

    def centre(self, label: int) -> Voxel | None:
        """The voxel of a label that lies nearest to its centre of mass, on the slice through it.

        Returns
        -------
        (x, y, z) or None
            None if the label has no voxel.
        """
        row = self._row(label)
        if row is None or not self._counts[row].any():
            return None
        per_slice = self._counts[row]
        middle = float((per_slice * np.arange(per_slice.size)).sum()) / float(per_slice.sum())
        places = np.flatnonzero(per_slice)
        place = int(places[np.argmin(np.abs(places - middle))])
        across = self._labels.shape[0]
        y, x = np.divmod(self._at[place][self._rows_at[place] == row], across)
        nearest = int(np.argmin((x - x.mean()) ** 2 + (y - y.mean()) ** 2))
        return int(x[nearest]), int(y[nearest]), place

    def _row(self, label: int) -> int | None:
        row = int(self._row_of[label]) if 0 < label <= _MAX_LABEL else -1
        return row if row >= 0 else None

    def _read_slice(self, place: int, across: range, up: range) -> set[int]:
        """Find the labelled voxels of a part of a slice, and measure the slice if they differ."""
        width = self._labels.shape[0]
        # Rows of y first: flat positions come out ascending.
        part = self._labels[across.start : across.stop, up.start : up.stop, place].T
        y, x = np.nonzero(part)
        rows = self._rows_for(part[y, x])
        at = (y + up.start) * width + (x + across.start)
        old_y, old_x = np.divmod(self._at[place], width)
        if not self._at[place].size:  # nothing was there: no need to look for what differs
            if not at.size:
                return set()
            return self._keep_slice(place, at, rows, {self._label_of[r] for r in np.unique(rows)})
        inside = (
            (old_x >= across.start)
            & (old_x < across.stop)
            & (old_y >= up.start)
            & (old_y < up.stop)
        )
        old_at, old_rows = self._at[place][inside], self._rows_at[place][inside]
        if np.array_equal(old_at, at) and np.array_equal(old_rows, rows):
            return set()
        size = len(self._label_of)
        differ = np.setxor1d(old_at * size + old_rows, at * size + rows, assume_unique=True)
        changed = {self._label_of[row] for row in np.unique(differ % size)}
        at = np.concatenate([self._at[place][~inside], at])
        rows = np.concatenate([self._rows_at[place][~inside], rows])
        order = np.argsort(at, kind="stable")
        return self._keep_slice(place, at[order], rows[order], changed)

    def _keep_slice(self, place: int, at: Array, rows: Array, changed: set[int]) -> set[int]:
        self._at[place], self._rows_at[place] = at, rows
        self._counts[:, place] = np.bincount(rows, minlength=len(self._counts))
        for each in self._maps.values():
            each.fill(place, self._at[place], self._rows_at[place])
        return changed

    def _rows_for(self, found: Array) -> Array:
        """Row of each label, with a new row for a label that was never seen."""
        if not found.size:
            return _EMPTY
        if found.min() < 0 or found.max() > _MAX_LABEL:
            raise FileError(
                f"The label map holds values from {found.min()} to {found.max()}; labels must lie "
                f"within 0-{_MAX_LABEL}."
            )
        rows = self._row_of[found]
        if (rows >= 0).all():
            return rows
        for label in np.unique(found[rows < 0]).tolist():
            self._row_of[label] = len(self._label_of)
            self._label_of.append(label)
        size = len(self._label_of)
        grown = np.zeros((size, self._counts.shape[1]), np.int64)
        grown[: len(self._counts)] = self._counts
        self._counts = grown
        for each in self._maps.values():
            each.parts.grow(size)
            each.set_high(each.high, self._label_of)
        return self._row_of[found]


@dataclass(frozen=True)
class HighFrom:
    """Values above which voxels are the high part of their region, in the unit of the map.

    Attributes
    ----------
    of_all : float or None
        For every label that ``by_label`` does not name; None for no such value.
    by_label : mapping of int to float
    """

    of_all: float | None = None
    by_label: Mapping[int, float] = field(default_factory=dict)

    def rows(self, labels: list[int]) -> Array | None:
        """(labels,) ndarray with NaN for none; None if no label has one."""
        if self.of_all is None and not self.by_label:
            return None
        rest = nan if self.of_all is None else self.of_all
        return np.array([self.by_label.get(label, rest) for label in labels], dtype=np.float64)


class _Map:
    """One map: its values at the labelled voxels, and what they come to."""

    def __init__(self, values: Array, rows: int) -> None:
        self.values = values
        self.high = HighFrom()
        self.limits: Array | None = None
        self.parts = Parts(rows, values.shape[2])
        self.taken: list[Array] = [np.empty(0)] * values.shape[2]

    def set_high(self, limits: HighFrom, labels: list[int]) -> None:
        self.high, self.limits = limits, limits.rows(labels)

    def fill(self, place: int, at: Array, rows: Array) -> None:
        y, x = np.divmod(at, self.values.shape[0])
        self.taken[place] = self.values[:, :, place][x, y].astype(np.float64)
        self.parts.fill(place, rows, self.taken[place], self.limits)
