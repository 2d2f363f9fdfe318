"""A bundle is read as any study is: shapes carried between visits under codes, and back."""

import numpy as np
import pytest

from napari_qsm.errors import QsmError
from napari_qsm.session.reading.desk import Desk
from napari_qsm.study.bundle import make_bundle
from napari_qsm.study.bundle_card import opened_bundle
from napari_qsm.study.bundle_return import merge_bundle, return_bundle
from napari_qsm.study.readings import read_reading
from napari_qsm.study.worklist import assign, read_key
from tests.session.reading_study import NAMES, make_study, move


def hand_in(desk, work, shift=0.0):
    """Place every region where it is suggested, or else on its side, and hand in."""
    places = {}
    while work.step is not None:
        held, step = work.held, work.step
        places[step.region_name] = None if held is None else held.centre_mm
        if held is None:
            side = -1 if step.side == "left" else 1
            work.place((side * 20.0 + shift, NAMES.index(step.region_name) * 4.0, 0.0))
        work.take()
    for flag in work.unanswered:
        work.answer(flag, "looked at")
    work.submit()
    desk.handed_in(work)
    return places


def test_visits_of_a_person_are_read_one_after_the_other_and_carried(tmp_path):
    visits = [("01", "t0"), ("01", "t1"), ("02", "t0")]
    study = make_study(tmp_path / "s", visits, raters=(), suggested=False)
    turn = np.eye(4)
    turn[:3, 3] = (4.0, -2.0, 2.0)  # points of t1 to points of t0
    move(study, "01", "t1", turn)
    assign(study, "BB", seed=2)
    make_bundle(study, "BB", tmp_path / "for-BB.zip")
    root = opened_bundle(tmp_path / "for-BB.zip", "BB")
    with pytest.raises(QsmError, match="a bundle for BB, not for AA"):
        Desk(root, "AA")
    desk = Desk(root, "BB")
    assert "BB, 0 of 3 read. Next scan: " in desk.words
    codes = {}
    key = read_key(study)
    placed = {}
    for _ in visits:
        work = desk.open_next()
        suggested = hand_in(desk, work)
        codes[key[work.code].key] = work.code
        placed[key[work.code].key] = (suggested, work.shapes)
    desk.close()
    assert all(codes.values())
    # First visits had nothing to start from but the other side; the later one had the reader's own, moved.
    first = placed["01", "t0"][0]
    assert [name for name in NAMES if first[name] is None] == ["Caudate L", "Putamen L"]
    for name in NAMES:
        before = placed["01", "t0"][1][name].centre_mm
        there = placed["01", "t1"][0][name]
        assert there == pytest.approx(np.subtract(before, (4.0, -2.0, 2.0)))
    return_bundle(root, tmp_path / "BB.zip")
    assert len(merge_bundle(study, tmp_path / "BB.zip").new) == 3
    for participant, session in visits:
        scan = study.scan(participant, session)
        reading = read_reading(scan.shapes("BB"))
        own = placed[participant, session][1]
        assert {s.region_name: s.centre_mm for s in reading.shapes} == {
            name: shape.centre_mm for name, shape in own.items()
        }
