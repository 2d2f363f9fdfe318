"""Arrows, circles, lines and words on a slice, and the scale bar."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_qsm.anatomy import DisplayFrame
from napari_qsm.arrays import Array
from napari_qsm.figures.annotations import Annotation
from napari_qsm.figures.frame import Frame
from napari_qsm.figures.lettering import MIN_PT, MM_PER_PT, Level, Rect, Side
from napari_qsm.units import with_unit
from napari_qsm.volume import Volume

#: Extra width of the dark edge that parts a mark from its ground, in points.
_EDGE_PT = 0.7


def draw_marks(
    frame: Frame, annotations: Sequence[Annotation], volume: Volume, who: str
) -> list[str]:
    """Draw marks on a slice of a volume; returns what the user should know."""
    layout = DisplayFrame(volume)
    marks = [(mark, _points(frame, layout, mark)) for mark in annotations]
    for mark, points in marks:
        _draw(frame, mark, points)
    notes = []
    # Words come last, so that they find places beside all marks.
    for mark, points in marks:
        words = _words(mark)
        if not words:
            continue
        size = _letters(frame, mark)
        if not frame.write(_beside(frame, mark, points), words, size_pt=size, colour=mark.colour):
            notes.append(f"{who}: no room for the words '{words}'.")
    return notes


def _points(frame: Frame, layout: DisplayFrame, mark: Annotation) -> Array:
    """Ends of an arrow or line, or the middle, in page mm; shape (n, 2)."""
    ends = [mark.at_mm] if mark.to_mm is None else [mark.at_mm, mark.to_mm]
    return np.array([frame.at(layout.world_to_display(end)) for end in ends])


def _letters(frame: Frame, mark: Annotation) -> float:
    """Size of a mark's letters, points."""
    return max(mark.size_pt or frame.page.size_pt, MIN_PT)


def _words(mark: Annotation) -> str:
    if mark.text.strip() or mark.kind != "line" or not mark.length:
        return mark.text.strip()
    assert mark.length_mm is not None
    return with_unit(mark.length_mm, "mm")


def _draw(frame: Frame, mark: Annotation, points: Array) -> None:
    page, width = frame.page, mark.width_pt
    edge = "#000000" if mark.colour != "#000000" else "#ffffff"
    if mark.kind == "arrow":
        body = arrow(points[1], points[0], width * MM_PER_PT)
        page.lines([body], edge, _EDGE_PT, clip=frame.rect, closed=True, fill=edge, zorder=4)
        page.lines(
            [body], mark.colour, 0.0, clip=frame.rect, closed=True, fill=mark.colour, zorder=4.1
        )
        return
    if mark.kind == "text":
        return
    closed = mark.kind != "line"
    if closed:
        assert mark.radii_mm is not None
        turn = np.linspace(0, 2 * np.pi, 97)[:-1]
        radii = np.array(mark.radii_mm) * frame.scale
        path = points[0] + np.stack([np.cos(turn), np.sin(turn)], axis=1) * radii
    else:
        path = points
    page.lines([path], edge, width + _EDGE_PT, clip=frame.rect, closed=closed, alpha=0.7, zorder=4)
    page.lines([path], mark.colour, width, clip=frame.rect, closed=closed, zorder=4.1)


def arrow(tail: Array, tip: Array, width_mm: float) -> Array:
    """Corners of an arrow, in page mm; its head is never longer than the arrow."""
    along = tip - tail
    length = float(np.hypot(*along))
    along = along / max(length, 1e-9)
    aside = np.array([-along[1], along[0]])
    head = min(max(5.0 * width_mm, 1.2), length)
    half = 0.42 * head
    neck = tip - along * head
    return np.array(
        [
            tail + aside * width_mm / 2,
            neck + aside * width_mm / 2,
            neck + aside * half,
            tip,
            neck - aside * half,
            neck - aside * width_mm / 2,
            tail - aside * width_mm / 2,
        ]
    )


def _beside(
    frame: Frame, mark: Annotation, points: Array
) -> list[tuple[float, float, Side, Level]]:
    """Where the words of a mark may stand, best first."""
    x, y = (float(v) for v in points[0])
    if mark.kind == "text":
        size = _letters(frame, mark)
        half = frame.page.width(mark.text.strip(), size) / 2 + 0.1
        x = float(min(max(x, frame.rect.left + half), frame.rect.right - half))
        line = frame.page.line_height(size)
        low, high = frame.rect.top + line / 2, frame.rect.bottom - line / 2
        steps = (0, line, -line, 2 * line, -2 * line)
        return [(x, float(np.clip(y + s, low, high)), "center", "middle") for s in steps]
    gap_x = gap_y = 0.6
    if mark.kind in ("circle", "ellipse"):
        assert mark.radii_mm is not None
        gap_x += mark.radii_mm[0] * frame.scale
        gap_y += mark.radii_mm[1] * frame.scale
    elif mark.kind == "arrow":  # beyond its tail
        x, y = (float(v) for v in points[1])
    else:
        x, y = (float(v) for v in points.mean(axis=0))
    places: list[tuple[float, float, Side, Level]] = [
        (x + gap_x, y, "left", "middle"),
        (x - gap_x, y, "right", "middle"),
        (x, y - gap_y, "center", "bottom"),
        (x, y + gap_y, "center", "top"),
    ]
    outwards = x < frame.rect.left + frame.rect.width / 2
    if outwards:
        places[0], places[1] = places[1], places[0]
    return places


def draw_scale_bar(frame: Frame, length_mm: float, size_pt: float) -> bool:
    """A bar of a round length in the lower right corner, its length above it.

    Returns
    -------
    bool
        Whether there was room for both; a bar without its length is not drawn.
    """
    width, thick = length_mm * frame.scale, 0.45
    rect, text = frame.rect, f"{length_mm:g} mm"
    for raised in (0.0, frame.page.line_height(size_pt)):
        top = rect.bottom - 1.2 - thick - raised
        bar = Rect(rect.right - 1.2 - width, top, width, thick)
        places: list[tuple[float, float, Side, Level]] = [
            (bar.left + width / 2, top - 0.35, "center", "bottom"),
            (bar.right, top - 0.35, "right", "bottom"),
        ]
        if any(bar.overlaps(taken, -0.15) for taken in frame.taken):
            continue
        if frame.write(places, text, size_pt=size_pt):
            break
    else:
        return False
    ink, edge = frame.ink(bar)
    if edge is not None:
        around = Rect(bar.left - 0.2, bar.top - 0.2, width + 0.4, thick + 0.4)
        frame.page.fill(around, edge, alpha=0.75, zorder=3.9)
    frame.page.fill(bar, ink, zorder=4)
    frame.taken.append(bar)
    return True
