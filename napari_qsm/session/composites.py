"""Arrays that are computed slice by slice: turned grids and two maps in one picture.

napari asks such an array only for the slice it draws, so no second copy of a map is kept.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from napari_qsm.anatomy import DisplayFrame
from napari_qsm.arrays import Array
from napari_qsm.volume import Volume


class LazyArray:
    """What napari needs of an array; the subclass computes blocks of it.

    Axes are napari's (z, y, x).
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def nbytes(self) -> int:
        """Bytes the whole array would take."""
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.asarray(self[(slice(None),) * self.ndim], dtype=dtype)

    def __getitem__(self, key: Any) -> Array:
        if not isinstance(key, tuple):
            key = (key,)
        if Ellipsis in key:
            at = key.index(Ellipsis)
            fill = (slice(None),) * (self.ndim - len(key) + 1)
            key = key[:at] + fill + key[at + 1 :]
        key = key + (slice(None),) * (self.ndim - len(key))
        axes, drop = [], []
        for axis, (part, length) in enumerate(zip(key, self.shape, strict=True)):
            if isinstance(part, slice):
                axes.append(np.arange(*part.indices(length)))
            else:
                axes.append(np.atleast_1d(np.asarray(part)))
                if np.ndim(part) == 0:
                    drop.append(axis)
        block = self.block(axes)
        return block[tuple(0 if axis in drop else slice(None) for axis in range(self.ndim))]

    def block(self, axes: list[Array]) -> Array:
        """The values at the outer product of index lists, shape (len(z), len(y), len(x))."""
        raise NotImplementedError


class TurnedGrid(LazyArray):
    """A volume whose axes are turned against the views', read at the nearest voxel.

    Attributes
    ----------
    scale, translate : (x, y, z)
        Where the array lies, in display mm.
    """

    def __init__(self, volume: Volume, frame: DisplayFrame) -> None:
        self._volume = volume
        matrix = frame.display_of(volume)
        corners = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)])
        corners = (corners * (np.array(volume.shape) - 1)) @ matrix[:3, :3].T + matrix[:3, 3]
        step = frame.size_mm
        # The lattice of the reference is kept, so that both slices lie at one depth.
        first = np.floor((corners.min(axis=0) - frame.origin_mm) / step)
        last = np.ceil((corners.max(axis=0) - frame.origin_mm) / step)
        self.scale = step
        self.translate = frame.origin_mm + first * step
        count = (last - first + 1).astype(int)
        self.shape = (int(count[2]), int(count[1]), int(count[0]))
        inverse = np.linalg.inv(matrix)
        self._step = inverse[:3, :3] * step
        self._start = inverse[:3, :3] @ self.translate + inverse[:3, 3]
        kind = volume.data.dtype
        self.dtype = kind if kind.kind in "iub" else np.dtype(np.float32)

    def block(self, axes: list[Array]) -> Array:
        """Nearest voxels; NaN (zero for whole numbers) outside the volume."""
        z, y, x = np.meshgrid(*axes, indexing="ij", sparse=True)
        inside = np.ones(np.broadcast_shapes(z.shape, y.shape, x.shape), dtype=bool)
        index = []
        for axis in range(3):
            s = self._step[axis]
            at = np.rint(s[0] * x + s[1] * y + s[2] * z + self._start[axis]).astype(np.intp)
            inside &= (at >= 0) & (at < self._volume.shape[axis])
            index.append(at)
        empty = 0 if self.dtype.kind in "iub" else np.nan
        out = np.full(inside.shape, empty, dtype=self.dtype)
        out[inside] = self._volume.data[tuple(at[inside] for at in index)]
        return out


class MixedMaps(LazyArray):
    """Two maps on one grid in one picture: a checkerboard or a curtain.

    Attributes
    ----------
    kind : {"checkerboard", "curtain"}
        How they share the picture.
    tile_mm : float
        Side of a square of the checkerboard.
    edge : float
        Where the curtain ends, as a part of the picture's width from its low end.
    """

    def __init__(
        self,
        first: Any,
        second: Any,
        voxel_mm: tuple[float, float, float],
        kind: Literal["checkerboard", "curtain"],
    ) -> None:
        self._first, self._second, self._voxel_mm = first, second, voxel_mm
        self.shape = tuple(first.shape)
        self.dtype = np.dtype(np.float32)
        self.kind = kind
        self.tile_mm = 20.0
        self.edge = 0.5

    def with_maps(self, first: Any, second: Any) -> MixedMaps:
        """Two other arrays on the same grid, in the same pattern."""
        made = MixedMaps(first, second, self._voxel_mm, self.kind)
        made.tile_mm, made.edge = self.tile_mm, self.edge
        return made

    def block(self, axes: list[Array]) -> Array:
        """The first map where the pattern is even, else the second."""
        grid = np.ix_(*axes)
        box = tuple(slice(int(a.min()), int(a.max()) + 1) for a in axes)
        local = np.ix_(*(a - a.min() for a in axes))
        first = np.asarray(self._first[box], dtype=np.float32)[local]
        second = np.asarray(self._second[box], dtype=np.float32)[local]
        if self.kind == "curtain":
            # The drawn horizontal axis is x, but y in the sagittal view, where x is fixed.
            axis = 1 if len(axes[2]) == 1 else 2
            take_second = grid[axis] >= self.edge * self.shape[axis]
        else:
            parity: Any = 0
            for axis, indices in enumerate(grid):
                if len(axes[axis]) > 1:
                    parity = parity + np.floor(indices * self._voxel_mm[axis] / self.tile_mm)
            take_second = np.mod(parity, 2) == 1
        return np.where(take_second, second, first)
