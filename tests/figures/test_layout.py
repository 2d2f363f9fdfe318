"""Where panels lie: equal, aligned, inside the page."""

from itertools import pairwise

import numpy as np
import pytest

from napari_qsm.errors import QsmError
from napari_qsm.figures.draw import render
from napari_qsm.figures.panels import ImagePanel, TablePanel, TextPanel
from napari_qsm.figures.parts import Box, Cell
from napari_qsm.figures.spec import ColourBar, FigureSpec, Style, standard_displays
from napari_qsm.figures.subjects import Subject
from napari_qsm.figures.templates import from_template
from tests.figures.makers import SOURCES, given

SUBJECTS = (
    Subject("Control", "control", "control-regions", "control-magnitude"),
    Subject("Patient", "patient", "patient-regions", "patient-magnitude"),
)


def grid(count, **more):
    panels = tuple(ImagePanel(map="control", slice_mm=3.0 * (i % 4)) for i in range(count))
    return FigureSpec(sources=SOURCES, panels=panels, **{"columns": 4, **more})


@pytest.mark.parametrize("name", ["case-report-1", "case-report-2"])
def test_the_plate_is_two_rows_of_four_equal_pictures(name):
    spec = from_template(name, SUBJECTS, SOURCES, given())
    pictures = [p for p in spec.panels if isinstance(p, ImagePanel)]
    assert [p.letter for p in pictures] == ["A", "", "", "", "B", "", "", ""]
    rects = render(spec, given(), preview=True).panels[: len(pictures)]
    sizes = np.array([(r.width, r.height) for r in rects])
    np.testing.assert_allclose(sizes - sizes[0], 0, atol=1e-9)
    for row in (rects[:4], rects[4:]):
        np.testing.assert_allclose([r.top for r in row], row[0].top)
    np.testing.assert_allclose([r.left for r in rects[:4]], [r.left for r in rects[4:]])
    gaps = [b.left - a.right for a, b in pairwise(rects[:4])]
    np.testing.assert_allclose(gaps, spec.style.gap_mm)


def test_figure_2_marks_the_coloured_row_and_inverts_the_other():
    spec = from_template("case-report-2", SUBJECTS, SOURCES, given())
    top, bottom = spec.panels[:4], spec.panels[4:8]
    for panel in top:
        assert panel.display == "colour" and panel.over.endswith("-magnitude")
        assert sorted(m.kind for m in panel.annotations) == ["arrow", "arrow", "circle", "circle"]
    assert {panel.display for panel in bottom} == {"inverted"}
    assert [p.slice_mm for p in top] == [p.slice_mm for p in bottom]
    assert spec.displays["inverted"].colouring == "inverted"


def test_panels_without_a_place_fill_the_free_cells():
    spec = grid(3, columns=2)
    spec.panels[2].cell = Cell(row=0, column=0)
    rects = render(spec, given(), preview=True).panels
    assert rects[2].left < rects[0].left and rects[2].top == rects[0].top
    assert rects[1].left == rects[2].left and rects[1].top > rects[2].top


def test_spans_and_fixed_heights():
    spec = grid(2, columns=2, style=Style(width_mm=100, height_mm=50))
    wide = TextPanel(text="words", cell=Cell(row=1, column=0, columns=2))
    spec.panels = (*spec.panels, wide)
    drawn = render(spec, given(), preview=True)
    assert drawn.height_mm == 50
    assert drawn.panels[2].right == pytest.approx(drawn.panels[1].right)
    assert drawn.pixels().shape[0] == int(50 / 25.4 * 110)


def test_free_boxes():
    spec = grid(2)
    spec.panels[0].box = Box(left_mm=5, top_mm=7, width_mm=60, height_mm=40)
    spec.panels[1].box = Box(left_mm=70, top_mm=7, width_mm=30, height_mm=40)
    drawn = render(spec, given(), preview=True)
    one = drawn.panels[0]
    assert (one.left, one.top, one.width, one.height) == (5, 7, 60, 40)
    assert drawn.height_mm == pytest.approx(47.3)
    spec.colour_bars = (ColourBar(display="grey"),)
    assert any("Colour bars" in note for note in render(spec, given(), preview=True).notes)
    spec.panels[1].box = Box(left_mm=150, top_mm=7, width_mm=30, height_mm=40)
    with pytest.raises(QsmError, match="reaches beyond the figure"):
        render(spec, given(), preview=True)


def test_bars_beside_different_rows_share_a_lane():
    spec = grid(4, columns=2, displays=standard_displays())
    for panel in spec.panels[2:]:
        panel.display = "inverted"
    one = render(spec, given(), preview=True)
    spec.colour_bars = (ColourBar(display="grey"),)
    single = render(spec, given(), preview=True)
    spec.colour_bars = (ColourBar(display="grey"), ColourBar(display="inverted"))
    shared = render(spec, given(), preview=True)
    spec.colour_bars = (ColourBar(display="grey", last=1), ColourBar(display="inverted"))
    beside = render(spec, given(), preview=True)
    widths = [d.panels[0].width for d in (one, single, shared, beside)]
    assert widths[0] > widths[1] and widths[2] > widths[3]
    titles = [w for w in shared.page.written if w.text == "χ (ppm)"]
    assert titles[0].rect.left == titles[1].rect.left


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"columns": 30}, "30 columns do not fit"),
        ({"style": Style(height_mm=11)}, "rows do not fit|make the figure higher"),
        ({"colour_bars": (ColourBar(display="colour"),)}, "which no panel uses"),
    ],
)
def test_impossible_pages(change, says):
    spec = grid(40 if "style" in change else 4, **change)
    with pytest.raises(QsmError, match=says):
        render(spec, given(), preview=True)


def test_columns_that_no_panel_lies_in_are_not_white():
    """One picture with its bar fills the page from edge to edge."""
    spec = grid(1, columns=3, colour_bars=(ColourBar(display="grey"),))
    drawn = render(spec, given(), preview=True)
    (panel,) = drawn.panels
    ends = [one.rect.right for one in drawn.page.written]
    assert panel.left < 1 and max(ends) > spec.style.width_mm - 2
    assert panel.right > 0.9 * spec.style.width_mm
    assert drawn.height_mm - panel.bottom < 1


@pytest.mark.parametrize(("width", "there"), [(174, True), (85, False)])
def test_the_places_of_slices_make_room_for_a_table_that_needs_it(width, there):
    spec = from_template("case-report-1", SUBJECTS, SOURCES, given())
    spec.style.width_mm = width
    drawn = render(spec, given(), preview=True)
    table = drawn.panels[-1]
    written = {one.text for one in drawn.page.written}
    assert ("Slices" in written) == there
    assert any("left out" in note for note in drawn.notes) != there
    whole = drawn.panels[3].right - drawn.panels[0].left
    assert (table.width < 0.8 * whole) == there
    # No number is shortened.
    assert not any("…" in text for text in written)


def test_two_panels_in_one_cell():
    spec = grid(2)
    for panel in spec.panels:
        panel.cell = Cell(row=0, column=0)
    with pytest.raises(QsmError, match="share the cell"):
        render(spec, given(), preview=True)


def test_a_low_table_is_refused():
    from napari_qsm.figures.panels import Measured

    table = TablePanel(
        measured=(Measured(map="control", labels="control-regions"),),
        box=Box(left_mm=0, top_mm=0, width_mm=100, height_mm=5),
    )
    with pytest.raises(QsmError, match="too low for a table"):
        render(FigureSpec(sources=SOURCES, panels=(table,)), given(), preview=True)
