"""Regions of one slice as closed lines: along voxels, and as polygons with few corners."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from napari_qsm.arrays import Array
from napari_qsm.errors import QsmError

#: A line through the middles of voxels' edges passes every centre at no less than the square
#: root of an eighth of a voxel; moved by less than that, it changes no voxel.
_SLACK = 0.35


def outlines(inside: Array) -> list[Array]:
    """Closed paths around the voxels of a region.

    Parameters
    ----------
    inside : ndarray of bool, shape (n, m)
        The region on a slice.

    Returns
    -------
    list of ndarray, shape (k, 2)
        Corners in index coordinates of both axes, where voxel (i, j) reaches from
        (i - 0.5, j - 0.5) to (i + 0.5, j + 0.5). The region lies on the left of the path;
        holes have paths of their own. The last corner is not the first repeated.
    """
    solid = np.pad(np.asarray(inside, dtype=bool), 1)
    # Directed edges between grid corners, inside on the left: corner -> next corner.
    after: dict[tuple[int, int], list[tuple[int, int]]] = {}

    def add(starts: Array, step: tuple[int, int]) -> None:
        for a, b in starts.tolist():
            after.setdefault((a, b), []).append((a + step[0], b + step[1]))

    body = solid[1:-1, 1:-1]
    i_low = np.argwhere(body & ~solid[:-2, 1:-1])
    i_high = np.argwhere(body & ~solid[2:, 1:-1])
    j_low = np.argwhere(body & ~solid[1:-1, :-2])
    j_high = np.argwhere(body & ~solid[1:-1, 2:])
    add(j_low, (1, 0))  # along +i below the voxel
    add(i_high + np.array((1, 0)), (0, 1))
    add(j_high + np.array((1, 1)), (-1, 0))
    add(i_low + np.array((0, 1)), (0, -1))
    paths = []
    while after:
        start = min(after)
        path = [start]
        step = (0, 0)
        here = start
        while True:
            nexts = after[here]
            there = _turn_left(here, step, nexts)
            nexts.remove(there)
            if not nexts:
                del after[here]
            new = (there[0] - here[0], there[1] - here[1])
            if new == step:
                path[-1] = there
            else:
                path.append(there)
            step, here = new, there
            if here == start:
                break
        corners = path[:-1]
        # The start may lie in the middle of a straight run.
        if len(corners) > 2 and _straight(corners[-1], corners[0], corners[1]):
            corners = corners[1:]
        paths.append(np.array(corners, dtype=float) - 0.5)
    return paths


def polygon_round(inside: Array, near: tuple[int, int]) -> tuple[Array, Array]:
    """A piece of a region on one slice as a polygon that goes round the same voxels.

    Parameters
    ----------
    inside : (n, m) ndarray of bool
        The region on the slice.
    near : (i, j)
        The piece that holds this voxel or lies nearest to it.

    Returns
    -------
    corners : (k, 2) ndarray
        Index coordinates. A voxel's centre lies inside the polygon if the voxel belongs to the
        piece or to a hole of it.
    piece : (n, m) ndarray of bool
        The piece, without its holes. Voxels are of one piece if they share an edge.

    Raises
    ------
    QsmError
        If the region has nothing on the slice.

    Notes
    -----
    The line through the middles of the voxels' outer edges, which cuts the corners of stairs,
    simplified as Douglas and Peucker do [1]_ within 0.35 voxels. No centre lies nearer to the
    line than that, so that none changes its side.

    References
    ----------
    .. [1] Douglas DH, Peucker TK. Algorithms for the reduction of the number of points required
       to represent a digitized line or its caricature. Cartographica 1973;10(2):112-122.
       doi:10.3138/FM57-6770-U75U-7727
    """
    inside = np.asarray(inside, dtype=bool)
    if not inside.any():
        raise QsmError("The region has nothing on this slice.")
    pieces, _ = ndimage.label(inside)
    places = np.argwhere(inside)
    nearest = places[np.argmin(((places - near) ** 2).sum(axis=1))]
    piece = pieces == pieces[tuple(nearest)]
    solid = ndimage.binary_fill_holes(piece)
    (line,) = (path for path in outlines(solid) if _area(path) > 0)
    return _simplified(_middles(line)), piece


def _middles(path: Array) -> Array:
    """Middles of the voxels' edges that a line along voxels consists of."""
    parts = []
    for start, end in zip(path, np.roll(path, -1, axis=0), strict=True):
        count = int(np.abs(end - start).sum())
        parts.append(start + (np.arange(count)[:, None] + 0.5) * (end - start) / count)
    return np.vstack(parts)


def _area(path: Array) -> float:
    first, second = path.T
    return float(np.sum(first * np.roll(second, -1) - np.roll(first, -1) * second) / 2)


def _simplified(path: Array) -> Array:
    """A closed line with fewer corners, all of them its own, nowhere farther than the slack."""
    far = int(np.argmax(((path - path[0]) ** 2).sum(axis=1)))
    closed = np.vstack([path, path[:1]])
    keep = np.zeros(len(closed), dtype=bool)
    keep[[0, far]] = True
    parts = [(0, far), (far, len(path))]
    while parts:
        first, last = parts.pop()
        if last - first < 2:
            continue
        away = _distance(closed[first + 1 : last], closed[first], closed[last])
        worst = int(np.argmax(away))
        if away[worst] > _SLACK:
            middle = first + 1 + worst
            keep[middle] = True
            parts += [(first, middle), (middle, last)]
    return path[keep[:-1]]


def _distance(points: Array, start: Array, end: Array) -> Array:
    """Of points from the straight line between two others."""
    way = end - start
    length2 = float(way @ way)
    along = np.clip((points - start) @ way / length2, 0, 1) if length2 else np.zeros(len(points))
    return np.asarray(np.linalg.norm(points - start - along[:, None] * way, axis=1))


def _turn_left(
    here: tuple[int, int], step: tuple[int, int], nexts: list[tuple[int, int]]
) -> tuple[int, int]:
    """Where two voxels touch at a corner only, each keeps a path of its own."""
    if len(nexts) == 1 or step == (0, 0):
        return nexts[0]
    left = (here[0] - step[1], here[1] + step[0])
    return left if left in nexts else nexts[0]


def _straight(a: tuple[int, int], b: tuple[int, int], c: tuple[int, int]) -> bool:
    return (b[0] - a[0]) * (c[1] - b[1]) == (b[1] - a[1]) * (c[0] - b[0])
