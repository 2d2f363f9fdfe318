"""Names of regions along the edges of a picture, on leaders that cross neither each other nor words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Literal

import numpy as np
from scipy.optimize import linear_sum_assignment

from napari_qsm.arrays import Array
from napari_qsm.figures.frame import PAD_MM, Frame
from napari_qsm.figures.lettering import Rect, Side

#: Between a name and its leader, and the least between a name's end and its region, mm.
_GAP_MM, _LEAST_LEADER_MM = 0.4, 1.2
#: Share of a picture's width that names may take where their regions leave no more.
_MOST_WIDTH = 0.36


@dataclass(frozen=True)
class Name:
    """What is written for a region, and where the region's outline is nearest to the edge.

    Attributes
    ----------
    text : str
    bare : str
        Without the side, which the edge tells where room is short.
    at : (x, y)
        Page mm.
    colour : str
        Of the leader.
    """

    text: str
    bare: str
    at: tuple[float, float]
    colour: str


@dataclass(frozen=True, eq=False)
class _Placed:
    name: Name
    text: str
    rect: Rect
    middle: float
    leader: Array  # (n, 2), page mm, from the word to the region


def write_column(frame: Frame, edge: Literal["left", "right"], names: Sequence[Name]) -> list[str]:
    """Write names along one edge; returns those for which there was no room.

    Names stand in the places along the edge that are nearest to their regions. Which name takes
    which place is the matching of least total length; of straight leaders from one column, that
    one has no crossings, as uncrossing two leaders shortens both together. Whatever would cross
    a word nevertheless, because its region lies under the column, is left out.
    """
    names = sorted(names, key=lambda name: name.at[1])
    lost: list[Name] = []
    while names:
        placed = _place(frame, edge, names)
        if placed is None:  # more names than lines: the one in the densest place goes
            gaps = [
                abs(names[i].at[1] - names[max(i - 1, 0)].at[1])
                + abs(names[min(i + 1, len(names) - 1)].at[1] - names[i].at[1])
                for i in range(len(names))
            ]
            lost.append(names.pop(int(np.argmin(gaps))))
            continue
        worst = _worst(frame, placed)
        if worst is None:
            for one in placed:
                _draw(frame, edge, one)
            break
        lost.append(worst)
        names.remove(worst)
    return [name.text for name in lost]


def _place(frame: Frame, edge: str, names: Sequence[Name]) -> list[_Placed] | None:
    """Where names stand; None where there are fewer free lines than names."""
    page, rect, size = frame.page, frame.rect, frame.page.small_pt
    inwards = 1.0 if edge == "left" else -1.0
    at = rect.left + PAD_MM if edge == "left" else rect.right - PAD_MM
    across: Side = "left" if edge == "left" else "right"
    room = min(abs(name.at[0] - at) for name in names) - _LEAST_LEADER_MM - _GAP_MM
    texts = [name.text for name in names]
    if max(page.width(text, size) for text in texts) > room:
        texts = [name.bare for name in names]
    texts = [page.fitted(t, max(room, rect.width * _MOST_WIDTH), size)[0] for t in texts]
    breadth = max(page.width(text, size) for text in texts)
    step = page.line_height(size)
    heights = np.arange(rect.top + 0.5 + step / 2, rect.bottom - 0.5 - step / 2 + 1e-9, step / 6)
    box = [page.text_rect(at, y, "", size_pt=size, level="middle") for y in heights]
    left = at if edge == "left" else at - breadth
    places = [Rect(left, one.top, breadth, one.height) for one in box]
    free = [
        y
        for y, place in zip(heights.tolist(), places, strict=True)
        if not any(place.overlaps(taken, -0.15) for taken in frame.taken)
    ]
    lines = _lines(free, [name.at[1] for name in names], step)
    if lines is None:
        return None
    start = at + inwards * (breadth + _GAP_MM)
    ends = np.array([name.at for name in names])
    lengths = np.hypot(ends[:, :1] - start, ends[:, 1:] - np.array(lines)[None])
    out = []
    for number, line in zip(*linear_sum_assignment(lengths), strict=True):
        name, middle = names[number], lines[line]
        spot = page.text_rect(
            at, middle, texts[number], size_pt=size, across=across, level="middle"
        )
        near = (spot.right if edge == "left" else spot.left) + inwards * _GAP_MM
        leader = [(near, middle), (start, middle), name.at]
        if (name.at[0] - start) * inwards < 0:  # its region reaches under the column
            leader = [(near, middle), name.at]
        out.append(_Placed(name, texts[number], spot, middle, np.array(leader)))
    return out


def _lines(free: list[float], wanted: list[float], step: float) -> list[float] | None:
    """Places at least a step apart, one for each wanted height, least far from them in all."""
    spots = np.array(free)
    best = np.zeros(len(spots) + 1)  # of the wanted so far, with places before this one
    chosen: list[Array] = []
    for height in wanted:
        cost = np.full(len(spots) + 1, np.inf)
        took = np.full(len(spots) + 1, -1)
        for at, spot in enumerate(spots):
            before = int(np.searchsorted(spots, spot - step + 1e-6, side="right")) if chosen else at
            this = best[before] + abs(spot - height)
            cost[at + 1], took[at + 1] = min((cost[at], took[at]), (this, at))
        best = cost
        chosen.append(took)
    if not np.isfinite(best[-1]):
        return None
    out: list[float] = []
    end = len(spots)
    for took in reversed(chosen):
        at = int(took[end])
        out.append(float(spots[at]))
        end = int(np.searchsorted(spots, spots[at] - step + 1e-6, side="right"))
    return out[::-1]


def _worst(frame: Frame, placed: Sequence[_Placed]) -> Name | None:
    """The name whose leader, or whose word, is in most others' way; None where none is."""
    faults = [0.0] * len(placed)
    for (i, one), (j, other) in combinations(enumerate(placed), 2):
        bad = int(crossing(one.leader, other.leader))
        bad += over(one.leader, other.rect) + over(other.leader, one.rect)
        faults[i] += bad
        faults[j] += bad
    for i, one in enumerate(placed):
        faults[i] += sum(over(one.leader, taken) for taken in frame.taken)
        faults[i] += one.rect.holds(Rect(*one.name.at, 0, 0))  # the word hides its region's end
    if not any(faults):
        return None
    return placed[int(np.argmax(faults))].name


def crossing(one: Array, other: Array) -> bool:
    """Whether two polylines cross."""
    return any(_cross(a, b, c, d) for a, b in pairwise(one) for c, d in pairwise(other))


def _cross(a: Array, b: Array, c: Array, d: Array) -> bool:
    def turn(p: Array, q: Array, r: Array) -> float:
        return float((q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0]))

    return turn(a, b, c) * turn(a, b, d) < 0 and turn(c, d, a) * turn(c, d, b) < 0


def over(line: Array, rect: Rect) -> bool:
    """Whether a polyline runs through a rectangle."""
    low, high = np.array([rect.left, rect.top]), np.array([rect.right, rect.bottom])
    for a, b in pairwise(line):
        way = b - a
        with np.errstate(divide="ignore", invalid="ignore"):
            ends = np.sort(np.stack([(low - a) / way, (high - a) / way]), axis=0)
        still = way == 0
        if (still & ((a <= low) | (a >= high))).any():
            continue
        first = np.where(still, 0.0, ends[0]).max()
        last = np.where(still, 1.0, ends[1]).min()
        if max(first, 0.0) < min(last, 1.0):
            return True
    return False


def _draw(frame: Frame, edge: str, one: _Placed) -> None:
    page = frame.page
    across: Side = "left" if edge == "left" else "right"
    at = one.rect.left if edge == "left" else one.rect.right
    frame.write([(at, one.middle, across, "middle")], one.text, size_pt=page.small_pt)
    page.lines([one.leader], "#000000", 1.0, clip=frame.rect, alpha=0.6, zorder=3.4)
    page.lines([one.leader], one.name.colour, 0.5, clip=frame.rect, zorder=3.5)
