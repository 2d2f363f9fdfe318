"""Heads of visits brought together: by the study's transform, by magnitudes, by maps, or not at all."""

import json
from dataclasses import replace

import numpy as np
import pytest

from napari_qsm.errors import Cancelled
from napari_qsm.phantom import make_head
from napari_qsm.rois.shapes import FixedShape, snap, voxels_of
from napari_qsm.session import Session
from napari_qsm.session.records import apply_session, session_record
from napari_qsm.session.visits import (
    links_for,
    links_on_show,
    matrix_between,
    position_note,
    shapes_at,
    show_visits,
    visits_of_person,
)
from napari_qsm.study.visit_link import VisitLink
from napari_qsm.study.visit_linking import VisitImages, images_of, link_visits
from napari_qsm.volume import Volume
from tests.registration.heads import TINY, nuclei_mm, placed, rigid

MOTION = rigid((6, -4, 8), (5, -7, 4))


@pytest.fixture(scope="module")
def heads():
    """One head, and the same after it moved, on a grid that moved along."""
    head = make_head("control", **TINY)
    return head, head, MOTION @ head.chi.affine


def apart_mm(matrix, head):
    """How far the nuclei of a head are from where they truly lie after MOTION."""
    points = np.c_[nuclei_mm(head), np.ones(len(nuclei_mm(head)))]
    return np.linalg.norm((points @ (matrix - MOTION).T)[:, :3], axis=1).max()


def test_magnitudes_that_are_open_are_registered(heads):
    first, moved, affine = heads
    session = Session()
    for number, (head, place) in enumerate(((first, None), (moved, affine))):
        case = session.case_called(f"sub-01 ses-t{number}", participant="01", visit=f"t{number}")
        chi, mag = head.chi, head.scan.magnitude[0]
        if place is not None:
            chi, mag = placed(chi, place), placed(mag, place)
        session.add(mag, role="magnitude", case=case, name=f"mag{number}")
        session.add(Volume(chi.data, chi.affine, unit="ppm"), role="map", case=case)
    cases = visits_of_person(session, session.case)
    assert [case.visit for case in cases] == ["t0", "t1"]
    told = []
    images = [images_of(case, case.of_role("map")[0]) for case in cases]
    links = link_visits(images, progress=told.append)
    assert (links[0].way, links[1].way, links[1].of) == ("first", "registration", "magnitudes")
    assert apart_mm(links[1].matrix, first) < 0.3
    assert links[1].turn_deg == pytest.approx(
        np.degrees(np.arccos((np.trace(MOTION[:3, :3]) - 1) / 2)), abs=0.2
    )
    assert links[1].picture.startswith(b"\x89PNG") and "correlation 1.00" in links[1].words
    assert told == sorted(told) and told[0] >= 0 and told[-1] <= 1
    show_visits(session, links)
    assert set(links_on_show(session)) == {case.id for case in cases}
    assert links_for(session, cases) == links and not links_for(session, cases[::-1])


def test_maps_are_registered_where_no_magnitude_is_open(heads):
    first, moved, affine = heads
    one = VisitImages("a", "sub-01 ses-t0", "01", "t0", first.chi)
    other = VisitImages("b", "sub-01 ses-t1", "01", "t1", placed(moved.chi, affine))
    _, link = link_visits([one, other])
    assert link.of == "maps" and "look at the checkerboard" in link.doubt
    assert apart_mm(link.matrix, first) < 0.5


def test_what_does_not_fit_is_refused_in_a_sentence_and_shown_by_position_on_a_word_only(heads):
    first, _, _ = heads
    noise = np.random.default_rng(0).random((24, 28, 20)).astype(np.float32)
    one = VisitImages("a", "sub-01 ses-t0", "01", "t0", first.chi, first.scan.magnitude[:1])
    odd = Volume(noise, np.diag([6.0, 6.0, 6.0, 1.0]))
    small = VisitImages("b", "sub-01 ses-t1", "01", "t1", first.chi, (odd,))
    _, link = link_visits([small, replace(small, echoes=(odd.with_data(noise[::-1, ::-1]),))])
    assert link.refusal.endswith(".") and not link.is_usable
    asked = link.by_position()
    assert asked.is_usable and asked.way == "position" and np.allclose(asked.matrix, np.eye(4))
    other = VisitImages("c", "sub-02 ses-t0", "02", "t0", first.chi, first.scan.magnitude[:1])
    _, link = link_visits([one, other])
    assert "another person" in link.refusal


def test_stopping_is_no_refusal(heads):
    first, _, _ = heads
    one = VisitImages("a", "sub-01 ses-t0", "01", "t0", first.chi, first.scan.magnitude[:1])

    def stop(fraction):
        if fraction:
            raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        link_visits([one, replace(one, case="b", visit="t1")], progress=stop)


def grid(first):
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    affine[:3, 3] = first
    return Volume(np.zeros((40, 44, 30), np.float32), affine, unit="ppm")


@pytest.fixture
def three():
    """Three visits with empty maps; the head turned and moved each time."""
    session = Session()
    matrices = [np.eye(4), MOTION, rigid((-3, 2, 5), (-4, 3, -2))]
    links = []
    for number, matrix in enumerate(matrices):
        case = session.case_called(f"sub-01 ses-t{number}", participant="01", visit=f"t{number}")
        session.add(grid((-40 + number, -58 - number, -20)), role="map", case=case)
        links.append(VisitLink(case.id, case.title, matrix, "registration" if number else "first"))
    show_visits(session, tuple(links))
    return session, matrices


def test_shapes_are_carried_where_a_visit_has_none_of_its_own(three):
    session, matrices = three
    cases = session.cases
    volumes = [case.of_role("map")[0].volume for case in cases]
    left = snap(
        FixedShape(kind="sphere", size_mm=(8,), centre_mm=(12, -8, 6), region_name="Putamen L"),
        volumes[0],
    )
    right = snap(
        FixedShape(kind="sphere", size_mm=(6,), centre_mm=(-9, -6, 5), region_name="Putamen R"),
        volumes[1],
    )
    cases[0].shapes, cases[1].shapes = (left,), (right,)
    found = {each.shape.region_name: each for each in shapes_at(session, cases[2])}
    assert found["Putamen L"].source is cases[0] and found["Putamen R"].source is cases[1]
    for name, shape, number in (("Putamen L", left, 0), ("Putamen R", right, 1)):
        whole = matrices[2] @ np.linalg.inv(matrices[number])
        true = (whole @ [*shape.centre_mm, 1])[:3]
        made = found[name].shape
        assert (np.abs(np.array(made.centre_mm) - true) <= 1.01).all()
        assert len(voxels_of(made, volumes[2])) == len(voxels_of(shape, volumes[number]))
    own = shapes_at(session, cases[0])
    assert [each.source for each in own] == [None, cases[1]] and own[0].shape is left


def test_nothing_is_carried_by_the_scanners_millimetres(three):
    session, _ = three
    cases, links = session.cases, session.visits
    cases[0].shapes = (
        FixedShape(kind="sphere", size_mm=(8,), centre_mm=(12, -8, 6), region_name="Putamen L"),
    )
    assert position_note(session, cases[1].id) == ""
    show_visits(session, (links[0], links[1].by_position(), links[2]))
    notes = [position_note(session, case.id) for case in cases]
    assert notes == ["", "linked by scanner position", ""]
    assert shapes_at(session, cases[1]) == [] and len(shapes_at(session, cases[2])) == 1
    assert matrix_between(session, cases[0].id, cases[1].id) is None
    session.visits = ()  # maps of two cases that are compared as any others
    notes = {position_note(session, case.id) for case in cases}
    assert notes == {"linked by scanner position"}
    session.blinded = True
    session.visits = links
    assert not links_on_show(session)


def test_a_saved_session_knows_where_the_heads_lie(three, tmp_path):
    session, matrices = three
    record = json.loads(json.dumps(session_record(session, tmp_path)))
    again, ids = Session(), {}
    for case in session.cases:
        new = again.case_called(case.name, participant=case.participant, visit=case.visit)
        (entry,) = case.of_role("map")
        ids[case.id], ids[entry.id] = new.id, again.add(entry.volume, role="map", case=new).id
    assert apply_session(record, again, ids, tmp_path, fresh=True) == []
    assert set(links_on_show(again)) == {case.id for case in again.cases}
    for case, matrix in zip(again.cases, matrices, strict=True):
        assert np.allclose(matrix_between(again, again.cases[0].id, case.id), matrix)
    assert [link.title for link in again.visits] == [case.title for case in again.cases]
    for odd in ({"matrix": [[1]]}, {"way": "guess"}, {"case": "gone"}, {"quality": 3}):
        record["visits"][1] = record["visits"][1] | odd
        other = Session()
        apply_session(record, other, ids, tmp_path, fresh=True)
        assert other.visits == ()
