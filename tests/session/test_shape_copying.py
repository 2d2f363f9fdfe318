"""Shapes for another visit: carried with the head, or left at the scanner's millimetres on a word."""

import numpy as np
import pytest

from napari_qsm.errors import QsmError
from napari_qsm.rois.shapes import FixedShape, snap, voxels_of
from napari_qsm.session import Session
from napari_qsm.session.shape_copying import apart_words, copy_shapes, remember_link
from napari_qsm.session.visits import matrix_between
from napari_qsm.study.visit_link import VisitLink
from napari_qsm.volume import Volume
from tests.registration.heads import rigid

MOTION = rigid((3, -2, 4), (6, -5, 3))


def grid(at):
    affine = np.diag([1.5, 1.5, 2.0, 1.0])
    affine[:3, 3] = at
    return Volume(np.ones((50, 60, 36), np.float32), affine, unit="ppm")


@pytest.fixture
def pair():
    """Two cases with a map each, and shapes at the first."""
    session = Session()
    for number, at in enumerate(((-38, -60, -20), (-36, -62, -19))):
        case = session.case_called(f"Visit {number}")
        session.add(grid(at), role="map", case=case)
    first, second = session.cases
    volume = first.of_role("map")[0].volume
    first.shapes = tuple(
        snap(FixedShape(kind="sphere", size_mm=(7,), centre_mm=at, region_name=name), volume)
        for name, at in (("Putamen L", (-20, -8, 6)), ("Putamen R", (21, -6, 5)))
    )
    return session, first, second


def test_they_go_where_the_head_went_with_as_many_voxels_and_one_undo(pair):
    session, first, second = pair
    entry = first.of_role("map")[0]
    found = copy_shapes(session, entry, second, first.shapes, MOTION)
    assert second.shapes == found.shapes and found.notes == ()
    for before, after in zip(first.shapes, second.shapes, strict=True):
        true = (MOTION @ [*before.centre_mm, 1])[:3]
        assert (np.abs(np.array(after.centre_mm) - true) <= [0.76, 0.76, 1.01]).all()
        counts = [
            len(voxels_of(shape, case.of_role("map")[0].volume))
            for shape, case in ((before, first), (after, second))
        ]
        assert counts[0] == counts[1]
        assert after.id != before.id and after.region_name == before.region_name
    with pytest.raises(QsmError, match="Putamen L, Putamen R already"):
        copy_shapes(session, entry, second, first.shapes, MOTION)
    session.history.undo()
    assert second.shapes == ()


def test_without_a_transform_they_keep_the_scanners_millimetres(pair):
    session, first, second = pair
    copy_shapes(session, first.of_role("map")[0], second, first.shapes, None)
    for before, after in zip(first.shapes, second.shapes, strict=True):
        apart = np.abs(np.array(after.centre_mm) - before.centre_mm)
        assert (apart <= [0.76, 0.76, 1.01]).all()


def test_by_how_much_heads_differ_is_said_where_the_shapes_lie(pair):
    _, first, second = pair
    link = VisitLink(second.id, "", MOTION, "registration", turn_deg=5.38)
    far = [np.linalg.norm((MOTION @ [*s.centre_mm, 1])[:3] - s.centre_mm) for s in first.shapes]
    words = apart_words(link, first.shapes)
    assert f"{min(far):.1f} to {max(far):.1f} mm" in words and "5.4°" in words
    odd = VisitLink(second.id, "", np.eye(4), "registration", refusal="The images don't fit.")
    assert "not known: The images don't fit." in apart_words(odd, first.shapes)


def test_what_was_found_is_known_the_next_time(pair):
    session, first, second = pair
    assert matrix_between(session, first.id, second.id) is None
    remember_link(session, first, VisitLink(second.id, "", MOTION, "registration"))
    assert np.allclose(matrix_between(session, first.id, second.id), MOTION)
    assert np.allclose(matrix_between(session, second.id, first.id), np.linalg.inv(MOTION))
    third = session.study.new_case("Visit 2")
    session.add(grid((-37, -61, -20)), role="map", case=third)
    further = rigid((-2, 1, 3), (1, 2, -4))
    remember_link(session, second, VisitLink(third.id, "", further, "registration"))
    assert np.allclose(matrix_between(session, first.id, third.id), further @ MOTION)
    assert session.visits[0].case == first.id and len(session.visits) == 3
