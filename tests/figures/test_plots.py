"""Distributions: drawn where the values lie, nothing cut off, in any ink."""

import numpy as np
import pytest

from napari_qsm.figures.lettering import Lettering, Rect
from napari_qsm.figures.plots import (
    Group,
    boxes_height,
    distributions_height,
    draw_boxes,
    draw_distributions,
    draw_histogram,
    plot_page,
)
from napari_qsm.rois.sums import measures_of


def group(name, color, values, dashed=False):
    values = np.asarray(values, float)
    return Group(name, color, values, measures_of(values), "0.034 ± 0.005 ppm", dashed)


def inked(page, color):
    """Rows and columns of pixels in a colour, in mm."""
    wanted = [int(color[n : n + 2], 16) for n in (1, 3, 5)]
    rgba = page.pixels()
    found = (np.abs(rgba[..., :3].astype(int) - wanted).max(axis=2) < 12) & (rgba[..., 3] > 200)
    rows, columns = np.nonzero(found)
    scale = page.rect.width / rgba.shape[1]
    return rows * scale, columns * scale


def test_bars_are_as_high_as_counts_and_zero_is_in_its_place():
    page = plot_page(100, 40, dpi=254, ink="#111111", ground="#ffffff")
    counts = [0, 4, 8, 2]
    plot = draw_histogram(page, page.rect, [-2, -1, 0, 1, 2], counts, "x", colour="#ff0000")
    rows, columns = inked(page, "#ff0000")
    step = plot.width / 4
    for n, count in enumerate(counts):
        inside = (columns > plot.left + n * step + 0.2) & (
            columns < plot.left + (n + 1) * step - 0.5
        )
        high = plot.bottom - rows[inside].min() if count else 0.0
        assert high == pytest.approx(plot.height * count / 8, abs=0.2)


@pytest.mark.parametrize("draw", ["histogram", "boxes"])
def test_everything_lies_on_the_page(draw):
    rng = np.random.default_rng(2)
    groups = [
        group("Globus pallidus R of a patient with a very long name", "#ff0000", rng.normal(0, 1, 400)),
        group("Caudate L", "#0000ff", rng.normal(3, 2, 90), dashed=True),
    ]  # fmt: skip
    height, paint = {
        "histogram": (distributions_height, draw_distributions),
        "boxes": (boxes_height, draw_boxes),
    }[draw]
    page = plot_page(70, height(Lettering("DejaVu Sans", 8), groups), ink="#111111")
    paint(page, page.rect, groups, "ppm")
    assert all(page.rect.holds(one.rect, 0.3) for one in page.written)
    places = [one.rect for one in page.written]
    assert not any(a.overlaps(b) for i, a in enumerate(places) for b in places[:i])
    said = [one.text for one in page.written]
    assert "ppm" in said and any(text.startswith("Caudate L") for text in said)
    assert inked(page, "#ff0000")[0].size and inked(page, "#0000ff")[0].size


def test_a_box_spans_the_quartiles():
    values = np.arange(101.0)
    page = plot_page(100, 40, dpi=254, ink="#111111", ground="#ffffff")
    draw_boxes(page, page.rect, [group("a", "#ff0000", values)], "ms")
    _, columns = inked(page, "#ff0000")
    # The axis runs from -4 to 104: whiskers to the extremes.
    plot = Rect(2.5, 1, 95, 1)
    ends = [plot.left + (value + 4) / 108 * plot.width for value in (0, 100)]
    assert (columns.min(), columns.max()) == pytest.approx(ends, abs=0.4)


def test_without_a_ground_the_page_is_clear():
    page = plot_page(50, 30, ink="#111111")
    draw_histogram(page, page.rect, [0, 1, 2], [1, 2], "x", colour="#ff0000")
    assert page.pixels()[..., 3].min() == 0
