"""Words on figures: none collides with another, none is cut off; captions tell the truth."""

import itertools

import numpy as np
import pytest

from napari_qsm.errors import QsmError
from napari_qsm.figures.annotations import Annotation
from napari_qsm.figures.draw import render
from napari_qsm.figures.gather import Given
from napari_qsm.figures.lettering import Lettering, characters, spaced_ticks
from napari_qsm.figures.numbers import plain_region, sided_region
from napari_qsm.figures.page import settings as page_settings
from napari_qsm.figures.panels import ChartPanel, ImagePanel, Measured, MosaicPanel, TextPanel
from napari_qsm.figures.parts import Box, Cell, Display, Regions, Source
from napari_qsm.figures.spec import WIDTHS_MM, ColourBar, FigureSpec, Style
from napari_qsm.figures.templates import TEMPLATES, from_template
from napari_qsm.io.label_table import Region
from tests.figures.makers import OTHERS, SOURCES, SUBJECTS, given, labels, two_panels, volume

LONG = "Nucleus accumbens septi with an exceedingly long name, left hemisphere (second rater)"


def check_words(drawn):
    """Every text lies on the page; no two share a place; none is too small to read."""
    page = drawn.page
    assert page.written
    for one in page.written:
        assert page.rect.holds(one.rect), one.text
        assert one.size_pt >= 6
    for one, other in itertools.combinations(page.written, 2):
        assert not one.rect.overlaps(other.rect), (one.text, other.text)


def long_names():
    regions = {n: Region(n, f"{LONG} {n}", "", "#ff8800") for n in (1, 2, 3, 4)}
    more = {}
    for name in ("control", "patient"):
        more[f"{name}-regions"] = Given(volume(labels(), name="labels"), regions)
    return given(**more)


@pytest.mark.parametrize("width", [70, 85, 174])
@pytest.mark.parametrize("ground", ["light", "dark"])
def test_long_names_neither_collide_nor_leave_the_page(width, ground):
    measured = tuple(
        Measured(map=name, labels=f"{name}-regions", subject=f"{name} {LONG}")
        for name in ("control", "patient")
    )
    line = Annotation(
        kind="text", plane="axial", at_mm=(25, 24, 0), text="a word in the corner", id="t"
    )
    spec = FigureSpec(
        sources={k: s.model_copy(update={"name": LONG}) for k, s in SOURCES.items()},
        displays={"grey": Display()},
        panels=(
            ImagePanel(
                map="control",
                slice_mm=0,
                letter="A",
                title=LONG,
                regions=Regions(labels="control-regions", names="full"),
                scale_bar=True,
                annotations=(line,),
            ),
            ImagePanel(map="patient", slice_mm=0, title="short"),
            ChartPanel(letter="B", title=LONG, measured=measured),
            ChartPanel(letter="C", chart="boxes", measured=measured),
            TextPanel(text=f"{LONG} {'x' * 200}", letter="D"),
        ),
        column_titles=(LONG, LONG + " 2"),
        row_titles=(LONG, LONG, "third"),
        colour_bars=(
            ColourBar(display="grey", title=LONG),
            ColourBar(display="grey", where="bottom"),
        ),
        style=Style(width_mm=width, ground=ground),
    )
    drawn = render(spec, long_names(), preview=True)
    check_words(drawn)
    drawn.pixels()


@pytest.mark.parametrize("name", TEMPLATES)
@pytest.mark.parametrize("width", WIDTHS_MM)
def test_templates_fit_their_page(name, width):
    spec = from_template(name, SUBJECTS, SOURCES | OTHERS, given())
    spec.style.width_mm = width
    drawn = render(spec, given(), preview=True)
    check_words(drawn)
    pictures = [
        rect
        for panel, rect in zip(spec.panels, drawn.panels, strict=True)
        if isinstance(panel, ImagePanel | MosaicPanel)
    ]
    letters = [one for one in drawn.page.written if one.size_pt > spec.style.size_pt]
    assert {one.text for one in letters} == {panel.letter for panel in spec.panels} - {""}
    for letter in letters:  # above their pictures, never among the letters of the sides
        assert not any(letter.rect.overlaps(picture) for picture in pictures), letter.text


def test_letters_asked_smaller_are_drawn_as_journals_print_them():
    spec = two_panels(size_pt=5)
    mark = Annotation(kind="text", plane="axial", at_mm=(0, 9, 0), text="x", size_pt=4, id="t")
    spec.panels[0].annotations = (mark,)
    drawn = render(spec, given(), preview=True)
    check_words(drawn)
    assert any("4 pt are drawn with 6 pt" in note for note in drawn.notes)
    assert drawn.spec == spec


def test_measured_widths_are_those_that_are_drawn():
    """The ruler against matplotlib's own box of a drawn text."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    page = render(two_panels(), given()).page
    canvas = FigureCanvasAgg(page.figure)
    with page_settings():
        canvas.draw()
        for one, text in zip(page.written, page.axes.texts, strict=True):
            box = text.get_window_extent(canvas.get_renderer())
            assert box.width / page.figure.dpi * 25.4 == pytest.approx(one.rect.width, abs=0.35)


def test_texts_are_made_smaller_before_they_are_shortened():
    pen = Lettering("DejaVu Sans", 7)
    assert pen.fitted("Putamen", 100, 7) == ("Putamen", 7)
    text, size = pen.fitted("Putamen", pen.width("Putamen", 7) * 0.9, 7)
    assert text == "Putamen" and 6 <= size < 7
    text, size = pen.fitted("Putamen", pen.width("Putamen", 6) * 0.7, 7)
    assert text.endswith("…") and size == 6
    assert pen.width(text, size) <= pen.width("Putamen", 6) * 0.7
    for line in pen.wrapped(LONG * 3, 30, 7):
        assert pen.width(line, 7) <= 30


def test_words_that_do_not_fit_are_refused_not_cut():
    spec = FigureSpec(
        panels=(TextPanel(text=LONG * 20, box=Box(left_mm=1, top_mm=1, width_mm=40, height_mm=10)),)
    )
    with pytest.raises(QsmError, match="too small for its words"):
        render(spec, {})


def test_signs_are_written_as_they_are_and_unknown_ones_are_told():
    spec = two_panels()
    spec.panels[0].title = r"$\alpha$ & <b> 50 % χ µ ± 漢"
    drawn = render(spec, given(), preview=True)
    assert any(one.text == spec.panels[0].title for one in drawn.page.written)
    assert any("漢" in note for note in drawn.notes)
    drawn.pixels()


def test_a_font_that_is_not_there_is_said():
    with pytest.raises(QsmError, match="'No Such Font' is not on this computer"):
        render(two_panels(font="No Such Font"), given())


def test_names_of_regions():
    assert plain_region("ctx-lh-insula", "left") == "ctx insula"
    assert plain_region("Left", "left") == "Left"
    assert sided_region("GP L", "left") == "Left GP"
    assert sided_region("Substantia nigra R", "right") == "Right substantia nigra"


def test_the_caption_tells_window_unit_sides_slices_and_making():
    said = render(two_panels(), given(), preview=True).caption
    for words in (
        "(A) Control, axial slice S 0.0 mm",
        "Window grey: −0.1 to 0.2 ppm.",
        "The patient's right is on the left of the page (radiological view).",
        "left putamen, right putamen",
        "SD is that of a sample",
        "without interpolation",
        "Maps: napari-qsm 0.0.1, unwrapping: Laplacian",
        "Mean of the whole mask",
        "Drawn with napari-qsm",
    ):
        assert words in said
    spec = two_panels()
    spec.unit, spec.radiological = "ppb", False
    spec.displays["grey"].interpolation = "linear"
    spec.panels[1].unlocked_window = (0.0, 0.05)
    said = render(spec, given(), preview=True).caption
    for words in ("−100 to 200 ppb", "(neurological view)", "linear interpolation"):
        assert words in said
    assert "Panels with a window of their own: panel B: 0 to 50 ppb." in said
    spec.caption = "My own words."
    said = render(spec, given(), preview=True).caption
    assert said == "My own words. Panels with a window of their own: panel B: 0 to 50 ppb."
    spec.panels[1].unlocked_window = None
    assert render(spec, given(), preview=True).caption == "My own words."


def test_without_letters_the_caption_still_says_which_side_is_which():
    spec = two_panels()
    for panel in spec.panels[:2]:
        panel.orientation_letters = False
    drawn = render(spec, given(), preview=True)
    assert not {"L", "P"} & {one.text for one in drawn.page.written}
    assert "right is on the left of the page" in drawn.caption
    spec.caption = "My own words."
    assert "right is on the left of the page" in render(spec, given(), preview=True).caption


def test_unknown_sides_are_question_marks():
    from dataclasses import replace

    lost = {
        name: replace(one, volume=replace(one.volume, orientation_known=False))
        for name, one in given().items()
    }
    drawn = render(two_panels(), lost, preview=True)
    texts = [one.text for one in drawn.page.written]
    assert "?" in texts and "R" not in texts
    assert "sides are unknown" in drawn.caption


def test_the_table_is_written_as_in_the_case_report():
    from napari_qsm.units import rounded

    texts = [one.text for one in render(two_panels(), given(), preview=True).page.written]
    inside = labels() == 1
    count = int(inside.sum())
    assert "Left putamen" in texts and f"{count:,}" in texts
    assert rounded(count * 1.5 * 1.2 * 3.0, 1) in [t.replace(",", "") for t in texts]
    spread = given()["control"].volume.data[inside].astype(np.float64)
    assert f"{rounded(spread.mean(), 3)} ± {rounded(spread.std(ddof=1), 3)}" in texts


def test_a_region_that_is_only_a_part_is_called_so_everywhere():
    spec = two_panels()
    spec.called = {"Putamen": "putamen core"}
    chart = ChartPanel(measured=spec.panels[2].measured, which=(1, 2, 3))
    spec.panels = (*spec.panels, chart)
    drawn = render(spec, given(), preview=True)
    texts = " ".join(one.text for one in drawn.page.written)
    assert texts.count("Left putamen core") == 2 and "Left globus" in texts
    assert "Regions drawn: left putamen core, right putamen core." in drawn.caption
    assert list(drawn.table["name"])[:2] == ["Putamen L", "Putamen R"]  # files keep the names
    # So is a region whose own name says it.
    assert sided_region("Putamen core L", "left") == "Left putamen core"


def test_short_names_are_explained_once():
    spec = two_panels()
    spec.panels[1].regions = Regions(labels="control-regions", names="short")
    meant = "GP, globus pallidus; Put, putamen."
    assert meant in render(spec, given(), preview=True).caption
    words = TextPanel(text=meant, cell=Cell(row=2, column=0, columns=2))
    spec.panels = (*spec.panels, words)
    assert meant not in render(spec, given(), preview=True).caption
    spec.panels[1].regions = Regions(labels="control-regions", names="full")
    assert "GP," not in render(spec, given(), preview=True).caption


@pytest.mark.parametrize("length", [8.0, 12.0, 15.5, 60.0])
def test_a_bar_long_enough_for_two_numbers_has_two(length):
    marks = spaced_ticks(-0.1, 0.15, length, 3.0)
    assert len(marks) >= 2 and all(-0.1 <= mark <= 0.15 for mark in marks)
    gaps = np.diff(marks) / 0.25 * length
    assert (gaps >= 3.0 - 1e-9).all() and len(marks) <= 7


def test_a_row_of_one_mosaic_writes_letters_once():
    panel = MosaicPanel(map="control", count=4, columns=4)
    spec = FigureSpec(displays={"grey": Display()}, panels=(panel,), columns=1)
    spec.sources = {"control": Source(name="Control")}
    texts = [one.text for one in render(spec, given(), preview=True).page.written]
    assert texts.count("R") == 1 and texts.count("L") == 1


def test_the_font_that_comes_with_the_program_has_the_widths_of_arial():
    """Advance widths of Arial in parts of 2048, from its published metrics (as Helvetica's AFM)."""
    pen = Lettering("Arimo", 10)
    arial = {"a": 1139, "i": 455, "m": 1706, "M": 1706, "0": 1139, " ": 569, "W": 1933, "p": 1139}
    for letter, wide in arial.items():
        # Between two others, as ink ends before the advance does.
        mm = pen.width(f"n{letter * 20}n", 10) - pen.width("nn", 10)
        assert mm == pytest.approx(20 * wide / 2048 * 10 * 25.4 / 72, rel=0.01), letter
    assert {ord(c) for c in "χµ²³×−±°…"} <= characters("Arimo")


def test_an_svg_is_read_in_letters_of_the_same_widths_where_the_font_is_not_at_hand():
    drawn = render(two_panels(), given())
    assert "'Arimo', Arial" in drawn.page.svg()
    assert "DejaVu Sans" not in drawn.page.svg().split("'Arimo', Arial")[0]
