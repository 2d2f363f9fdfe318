"""Templates made from the session show regions as the views do."""

import pytest

from napari_qsm.figures.spec import Style
from napari_qsm.session import Session
from napari_qsm.session.figure.from_session import make, wanted
from tests.figures.makers import REGIONS, chi, labels, volume


@pytest.fixture
def session():
    made = Session()
    made.add(volume(chi(), unit="ppm", name="χ"), role="map")
    made.add(volume(labels(), name="regions"), role="labels", regions=REGIONS)
    return made


def figure_of(session, template, style=None):
    return make(wanted(session, template, [], {}, {}), {}, style)


def test_colours_width_and_strength_are_those_of_the_views(session):
    (entry,) = session.of_role("labels")
    session.set_display(entry, outline=True, outline_width=3, opacity=0.8)
    for template, style in (("case-report-1", "outline"), ("fixed-shape-plate", "outline")):
        drawn = [p.regions for p in figure_of(session, template).panels if hasattr(p, "regions")]
        drawn = [regions for regions in drawn if regions is not None]
        assert drawn
        for regions in drawn:
            assert (regions.colours, regions.opacity, regions.style) == ("table", 0.8, style)
            assert regions.width_pt == pytest.approx(3 * 0.8)
    session.set_display(entry, outline=False)
    plate = figure_of(session, "fixed-shape-plate").panels[0].regions
    assert plate.style == "both"  # filled in the views, and named with an edge in the plate


def test_a_template_of_lines_and_words_keeps_the_dots_that_journals_ask_for(session):
    session.entry(session.of_role("map")[0].id).provenance = {"methods": "By formula."}
    from napari_qsm.session.figure.from_session import known_provenance

    what = wanted(session, "methods-and-results", [], {}, known_provenance(session))
    assert make(what, {}, Style(width_mm=85)).style == Style(width_mm=85, dpi=600)
    assert figure_of(session, "case-report-1", Style(width_mm=85)).style.dpi == 300
