"""Two raters drew on one map: one choice, and table, figure, views and tools follow it."""

import numpy as np
import pytest

from napari_qsm.figures.draw import render
from napari_qsm.session.figure.from_session import given_of, make, wanted
from napari_qsm.session.label_choice import apart, called, choices, choose_labels
from napari_qsm.session.table.numbers import Numbers
from tests.session.test_one_rule import drawing, two_raters  # noqa: F401


def voxels_and_mean(measured, labels):
    inside = measured.volume.data[np.asarray(labels.editable) == 1].astype(np.float64)
    return inside.size, inside.mean()


def of_the_figure(session, measured):
    given = given_of(session, session.figure, {}, {})
    table = render(session.figure, given, dpi=72).table
    row = table[table["name"] == "Putamen L"].iloc[0]
    return int(row["voxels"]), row["mean_ppm"]


def of_the_table(session, measured):
    numbers = Numbers(session)
    row = numbers.rows([numbers.shown(measured)], ranks=True, shapes=False)[0]
    return row.measures[measured.id].voxels, row.measures[measured.id].mean


def test_everything_follows_the_choice(two_raters):  # noqa: F811
    session, measured, first, second = two_raters
    session.figure = make(wanted(session, "case-report-1", [("Patient", measured)], {}, {}), {})
    assert choices(session, measured) == [(first.id, "AA"), (second.id, "BB")]
    assert session.labels_of(measured) is second and of_the_figure(session, measured)[0] == 216
    choose_labels(session, measured, first)
    assert session.labels_of(measured) is first and session.painted == first.id
    assert (first.display.visible, second.display.visible) == (True, False)
    truth = voxels_and_mean(measured, first)
    assert truth[0] == 64
    for found in (of_the_table(session, measured), of_the_figure(session, measured)):
        assert found == pytest.approx(truth, rel=1e-6)
    assert apart(session, session.figure) == []
    session.history.undo()  # of the figure, which then says what it holds
    (said,) = apart(session, session.figure)
    assert "'BB'" in said and "in the table with 'AA'" in said


def test_a_figure_that_compares_raters_stays(two_raters):  # noqa: F811
    session, measured, first, second = two_raters
    spec = make(wanted(session, "case-report-1", [("Patient", measured)], {}, {}), {})
    both = {**spec.sources, first.id: spec.sources[second.id]}
    session.figure = spec.model_copy(update={"sources": both})
    before = session.figure
    choose_labels(session, measured, first)
    assert session.figure is before and apart(session, before) != []


def test_a_label_map_on_another_grid_can_be_chosen_and_painting_it_is_no_detour(two_raters):  # noqa: F811
    session, measured, first, _ = two_raters
    coarse = drawing(np.s_[0:0, 0:0, 0:0], np.s_[0:0, 0:0, 0:0], shape=(12, 14, 8))
    other = session.add(coarse, role="labels", name="CC", case=session.case_of(measured))
    choose_labels(session, measured, other)
    assert session.labels_of(measured) is other
    choose_labels(session, measured, first)
    assert session.labels_of(measured) is first


def test_a_rater_is_named_where_the_name_does_not_tell(two_raters):  # noqa: F811
    session, _, first, _ = two_raters
    first.name = "nuclei"
    assert called(session, first) == "nuclei (AA)"
    session.blinded = True
    assert "AA" not in called(session, first)
