"""Grid: voxels in the world, the finer cells they are made of, and boxes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise, product

import numpy as np

from napari_qsm.arrays import Array, Box
from napari_qsm.errors import GeometryError
from napari_qsm.phantom.shapes import Point
from napari_qsm.recon.parallel import threads
from napari_qsm.recon.stages import Progress, no_progress
from napari_qsm.volume import voxel_size_mm

#: Middle of the default field of view in world mm; the anterior commissure is the origin.
CENTER_MM = (0.0, -15.5, 10.0)


@dataclass(frozen=True, eq=False)
class Grid:
    """A regular grid of cells.

    Attributes
    ----------
    shape : tuple of int
        Cells along the three axes.
    affine : (4, 4) ndarray
        Index of a cell's centre to world RAS mm.
    """

    shape: tuple[int, int, int]
    affine: Array

    @property
    def size_mm(self) -> Point:
        """Edge lengths of a cell."""
        return voxel_size_mm(self.affine)

    @property
    def whole(self) -> Box:
        """The box of all cells."""
        nx, ny, nz = self.shape
        return slice(0, nx), slice(0, ny), slice(0, nz)

    def coordinates(self, box: Box) -> tuple[Array, Array, Array]:
        """World x, y, z in mm of the cells in a box, float32, ready to broadcast."""
        axes = [
            np.arange(s.start, s.stop, dtype=np.float64).reshape(
                [-1 if a == i else 1 for a in range(3)]
            )
            for i, s in enumerate(box)
        ]
        world = []
        for row in self.affine[:3]:
            # An axis that does not contribute is left out, which keeps upright grids cheap.
            total = np.full((1, 1, 1), row[3])
            for step, index in zip(row[:3], axes, strict=True):
                if step != 0:
                    total = total + step * index
            world.append(total.astype(np.float32))
        return world[0], world[1], world[2]

    def box_around(self, low_mm: Sequence[float], high_mm: Sequence[float]) -> Box | None:
        """The cells that a box in the world touches, or None where it lies outside the grid."""
        corners = np.array(list(product(*zip(low_mm, high_mm, strict=True))))
        inverse = np.linalg.inv(self.affine)
        index = corners @ inverse[:3, :3].T + inverse[:3, 3]
        low = np.maximum(np.floor(index.min(axis=0)).astype(int), 0)
        high = np.minimum(np.ceil(index.max(axis=0)).astype(int) + 1, self.shape)
        if (low >= high).any():
            return None
        return slice(low[0], high[0]), slice(low[1], high[1]), slice(low[2], high[2])

    def finer(self, factors: Sequence[int]) -> Grid:
        """The grid whose cells are those of this one cut into ``factors`` pieces along each axis."""
        f = np.asarray(factors, dtype=np.float64)
        affine = self.affine.copy()
        affine[:3, :3] = self.affine[:3, :3] / f
        affine[:3, 3] = self.affine[:3, 3] + self.affine[:3, :3] @ (0.5 / f - 0.5)
        shape = tuple(int(n * k) for n, k in zip(self.shape, factors, strict=True))
        return Grid((shape[0], shape[1], shape[2]), affine)


def make_grid(
    shape: Sequence[int], voxel_size: Sequence[float], b0_direction: Sequence[float]
) -> Grid:
    """Grid centred on the head, turned so that B0 (world z) has the given direction in its axes.

    Raises
    ------
    GeometryError
        For shapes, voxel sizes and directions that are impossible.
    """
    if len(shape) != 3 or any(int(n) != n or n < 8 for n in shape):
        raise GeometryError(
            f"The head needs a grid of three whole numbers of at least 8 voxels, not {tuple(shape)}."
        )
    sizes = np.asarray(voxel_size, dtype=np.float64)
    if sizes.shape != (3,) or not np.isfinite(sizes).all() or (sizes <= 0).any():
        raise GeometryError(f"Voxel sizes must be three positive mm, not {tuple(voxel_size)}.")
    b = np.asarray(b0_direction, dtype=np.float64)
    if b.shape != (3,) or not np.isfinite(b).all() or np.linalg.norm(b) == 0:
        raise GeometryError(f"The B0 direction must be three numbers, not {tuple(b0_direction)}.")
    affine = np.eye(4)
    affine[:3, :3] = _turn(b / np.linalg.norm(b)) * sizes
    n = np.array([int(k) for k in shape])
    affine[:3, 3] = np.array(CENTER_MM) - affine[:3, :3] @ ((n - 1) / 2)
    return Grid((int(n[0]), int(n[1]), int(n[2])), affine)


def _turn(b: Array) -> Array:
    """Smallest rotation R with ``R.T @ z = b``, so its last row is ``b``."""
    bx, by, bz = b
    if bz <= -1 + 1e-12:
        return np.diag([1.0, -1.0, -1.0])
    if bx == 0 and by == 0:
        return np.eye(3)
    k = 1 / (1 + bz)
    return np.array(
        [[1 - k * bx * bx, -k * bx * by, -bx], [-k * bx * by, 1 - k * by * by, -by], [bx, by, bz]]
    )


def block_mean(fine: Array, factors: Sequence[int]) -> Array:
    """Mean over the cells of each voxel; the dtype is kept."""
    fx, fy, fz = factors
    if (fx, fy, fz) == (1, 1, 1):
        return fine.copy()
    out = fine[::fx, ::fy, ::fz].copy()
    for i, j, k in product(range(fx), range(fy), range(fz)):
        if i or j or k:
            out += fine[i::fx, j::fy, k::fz]
    out *= fine.dtype.type(1 / (fx * fy * fz))
    return out


def spread(coarse: Array, factors: Sequence[int]) -> Array:
    """Each voxel's value in all of its cells."""
    out = coarse
    for axis, factor in enumerate(factors):
        if factor > 1:
            out = np.repeat(out, factor, axis=axis)
    return out


def slabs(box: Box, cells: int = 400_000) -> Iterator[Box]:
    """Cut a box across its first axis into parts of about ``cells`` cells, to fit the cache."""
    x, y, z = box
    step = max(1, cells // ((y.stop - y.start) * (z.stop - z.start)))
    for start in range(x.start, x.stop, step):
        yield slice(start, min(start + step, x.stop)), y, z


def blocks(grid: Grid) -> Iterator[Box]:
    """Slabs cut along the last axis too, as most of the head's parts are high up or low down."""
    nz = grid.shape[2]
    pieces = min(12, nz)
    edges = [nz * i // pieces for i in range(pieces + 1)]
    for x, y, _ in slabs(grid.whole, 3_000_000):
        for low, high in pairwise(edges):
            yield x, y, slice(low, high)


def for_each(
    boxes: Iterable[Box], work: Callable[[Box], None], progress: Progress = no_progress
) -> None:
    """Do the same work on many boxes, in threads.

    The work on a box may depend on nothing but the box, so that the number of threads cannot
    change the result.
    """
    boxes = list(boxes)
    with ThreadPoolExecutor(threads()) as pool:
        try:
            for done, _ in enumerate(pool.map(work, boxes), start=1):
                progress(done / len(boxes))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
