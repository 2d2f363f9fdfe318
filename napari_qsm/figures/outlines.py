"""The edges of regions on a slice, along the borders of their voxels."""

from __future__ import annotations

import numpy as np

from napari_qsm.arrays import Array


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
