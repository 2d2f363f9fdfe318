"""Undo and redo of what is drawn, against arrays kept aside."""

import numpy as np
import pytest

from napari_qsm.session import Session
from napari_qsm.volume import Volume

SHAPE = (7, 6, 5)


@pytest.fixture
def drawn():
    session = Session()
    data = np.zeros(SHAPE, np.uint8)
    entry = session.add(Volume(data, np.diag([1.0, 1, 2, 1]), name="regions"), role="labels")
    return session, entry


def flat(*voxels):
    return np.ravel_multi_index(np.transpose(voxels), SHAPE, order="F")


def test_one_edit_and_its_undo(drawn):
    session, entry = drawn
    told = []
    session.labels_edited.connect(lambda key, box: told.append((key, box)))
    assert session.edit_labels(entry, flat((1, 2, 3), (4, 2, 3)), 300, "dot") == 2
    assert entry.editable[1, 2, 3] == entry.editable[4, 2, 3] == 300
    assert entry.editable.sum() == 600 and entry.volume.data.sum() == 600
    assert told == [(entry.id, (slice(1, 5), slice(2, 3), slice(3, 4)))]
    assert session.history.undo() == "dot" and not entry.editable.any()
    assert session.history.redo() == "dot" and entry.editable.sum() == 600
    assert session.history.redo() == ""


def test_a_group_is_one_undo_however_often_it_crosses_itself(drawn):
    session, entry = drawn
    with session.history.group("stroke"):
        for value in (1, 2, 3):
            session.edit_labels(entry, flat((1, 1, 1), (2, value, 1)), value)
        session.change("name", entry, name="other")
    assert entry.editable[1, 1, 1] == 3 and entry.name == "other"
    assert session.history.undo() == "stroke"
    assert not entry.editable.any() and entry.name == "regions"
    session.history.redo()
    assert entry.editable[1, 1, 1] == 3 and entry.name == "other"
    assert session.history.undo_text == "stroke"


def test_writing_what_is_there_leaves_no_step(drawn):
    session, entry = drawn
    assert session.edit_labels(entry, flat((0, 0, 0)), 0) == 0
    with session.history.group("back and forth"):
        session.edit_labels(entry, flat((0, 0, 0)), 1)
        session.edit_labels(entry, flat((0, 0, 0)), 0)
    assert session.history.undo_text == ""


def test_edits_from_outside_join_the_same_history(drawn):
    session, entry = drawn
    session.edit_labels(entry, flat((0, 0, 0)), 1)
    entry.editable[3:5, 2, 2] = 7
    assert session.take_outside_edit(entry, "script")
    assert not session.take_outside_edit(entry)
    session.edit_labels(entry, flat((3, 2, 2)), 0)
    for text, total in (("drawing", 15), ("script", 1), ("drawing", 0)):
        assert session.history.undo() == text
        assert entry.editable.sum() == total


def test_long_random_work_is_undone_to_the_start_and_redone_to_the_end(drawn):
    session, entry = drawn
    rng = np.random.default_rng(0)
    states = [entry.editable.copy()]
    for _ in range(60):
        at = rng.choice(entry.editable.size, rng.integers(1, 40), replace=False)
        values = rng.integers(0, 4, at.size)
        if session.edit_labels(entry, at, values):
            states.append(entry.editable.copy())
    end = states[-1]
    for state in states[-2::-1]:
        session.history.undo()
        np.testing.assert_array_equal(entry.editable, state)
    while session.history.redo():
        pass
    np.testing.assert_array_equal(entry.editable, end)


def test_a_removed_map_takes_its_steps_along(drawn):
    session, entry = drawn
    session.edit_labels(entry, flat((0, 0, 0)), 1)
    session.change("note", notes="seen")
    session.remove(entry)
    assert session.history.undo() == "note" and session.history.undo() == ""


def test_a_map_removed_in_the_midst_of_a_stroke_comes_back_and_then_the_stroke_is_undone(drawn):
    session, entry = drawn
    session.history.begin("stroke")
    session.edit_labels(entry, flat((1, 2, 3), (1, 2, 4)), 7)
    session.discard(entry)
    session.history.end()  # the hand lets go of the button
    assert entry not in session.maps and not session.history.is_open
    assert session.history.undo() == "remove 'regions'"
    assert entry in session.maps
    assert np.argwhere(entry.editable == 7).tolist() == [[1, 2, 3], [1, 2, 4]]
    assert session.history.undo() == "stroke" and not entry.editable.any()
