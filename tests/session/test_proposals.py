"""Proposed outlines in a session: apart from the user's own, accepted in one undo, remembered."""

import json

import numpy as np
import pytest

from napari_qsm.errors import QsmError
from napari_qsm.outlines.propose import Found, Proposal, region_list
from napari_qsm.registration.nuclei import AtlasFit
from napari_qsm.session import Session, proposals, regions
from napari_qsm.session.label_files import save_regions
from napari_qsm.session.records import entry_record
from napari_qsm.volume import Volume

_SHAPE = (20, 18, 12)
_PUTAMEN_L, _SEED = 3, 17


def proposal():
    labels = np.zeros(_SHAPE, np.uint8)
    labels[3:7, 4:9, 2:6] = _PUTAMEN_L
    labels[10:14, 4:9, 2:6] = 4
    labels[8:10, 12:14, 7:9] = _SEED
    rows = tuple(row for row in region_list() if row.index in (_PUTAMEN_L, 4, _SEED))
    fit = AtlasFit(np.eye(4), {}, 0.9, {1: 0.8})
    return Proposal(Volume(labels, np.eye(4)), rows, fit, {"Putamen L": Found(0.05, 0.9)}, {})


@pytest.fixture
def work():
    session = Session()
    chi = session.add(Volume(np.zeros(_SHAPE, np.float32), np.eye(4), unit="ppm", name="chi"))
    return session, chi, proposals.add_proposal(session, chi, proposal())


def test_proposed_outlines_are_a_label_map_of_their_own_and_say_so(work):
    session, chi, entry = work
    assert entry.name == "proposed" and session.painted == entry.id
    assert [row.name for row in regions.regions_of(entry)] == [
        "Putamen L (proposed)", "Putamen R (proposed)", "Thalamus seed L (proposed)",
    ]  # fmt: skip
    assert [row.side for row in regions.regions_of(entry)] == ["left", "right", "left"]
    assert "not accepted by anybody: Putamen L, Putamen R" in proposals.note_on(entry)
    assert "ppb" not in json.dumps(entry_record(entry))  # nor any value, for who reads blinded
    again = proposals.add_proposal(session, chi, proposal())
    assert session.case.of_role("labels") == [again]
    session.history.undo()
    assert entry in session.maps


def test_accepting_copies_into_the_users_map_in_one_undo(work):
    session, chi, entry = work
    own = regions.new_region_map(session, chi)
    own.labels[3:5, 4:9, 2:6] = 9  # the user's, partly where the putamen is proposed
    regions.list_labels(own)
    before, was = own.labels.copy(), entry.labels.copy()
    done = proposals.accept(session, entry, [_PUTAMEN_L])
    assert done.target is own and done.names == ("Putamen L",) and done.missed == 2 * 5 * 4
    label = next(k for k, row in own.regions.items() if row.name == "Putamen L")
    assert np.array_equal(own.labels == label, (was == _PUTAMEN_L) & (before == 0))
    assert (own.labels[before == 9] == 9).all()
    assert _PUTAMEN_L not in entry.regions and not (entry.labels == _PUTAMEN_L).any()
    session.history.undo()
    assert np.array_equal(own.labels, before) and np.array_equal(entry.labels, was)
    assert "Putamen L (proposed)" in [row.name for row in entry.regions.values()]
    assert proposals.provenance_now(own) == {}
    session.history.redo()
    assert proposals.provenance_now(own)["regions"].keys() == {"Putamen L"}


def test_what_is_drawn_already_is_not_drawn_over(work):
    session, chi, entry = work
    own = regions.new_region_map(session, chi)
    (index,) = regions.add_regions(session, own, [region_list()[_PUTAMEN_L - 1]])
    own.labels[0, 0, 0] = index
    with pytest.raises(QsmError, match="is drawn in"):
        proposals.accept(session, entry, [_PUTAMEN_L])
    done = proposals.accept(session, entry, [_PUTAMEN_L, 4])
    assert done.names == ("Putamen R",) and done.refused == ("Putamen L",)
    assert (own.labels == index).sum() == 1


def test_files_say_what_became_of_a_proposal(work, tmp_path):
    session, _, entry = work
    done = proposals.accept(session, entry, [_PUTAMEN_L, 4])
    own = done.target
    assert own.name == "regions chi"
    at = np.flatnonzero((own.labels == 1).ravel(order="F"))[:16]
    session.edit_labels(own, at, 0)  # 16 of 4 x 5 x 4 voxels erased
    dice = 2 * 64 / (64 + 80)
    save_regions(own, tmp_path / "own.nii.gz")
    said = json.loads((tmp_path / "own_provenance.json").read_text())
    assert said["state"] == "accepted" and "CIT168" in said["atlas"]
    assert said["regions"] == {
        "Putamen L": {"state": "edited", "dice": round(dice, 4)},
        "Putamen R": {"state": "accepted", "dice": 1.0},
    }
    assert "as proposed: Putamen R; edited: Putamen L (Dice 0.89)" in proposals.note_on(own)
    session.edit_labels(own, np.arange(own.labels.size), 0)
    save_regions(own, tmp_path / "own.nii.gz", overwrite=True)
    assert not (tmp_path / "own_provenance.json").exists()


def test_a_region_as_text_comes_back_and_nonsense_does_not():
    inside = np.random.default_rng(0).random(_SHAPE) > 0.7
    box, part = proposals.unpacked(proposals.packed(inside), _SHAPE)
    assert np.array_equal(part, inside[box]) and part.sum() == inside.sum()
    good = proposals.packed(inside)
    for wrong in (
        None, {}, {**good, "at": [5, 0, 0]}, {**good, "shape": [1 << 40] * 3},
        {**good, "voxels": "&&"}, {**good, "voxels": ""}, {**good, "at": "abc"},
    ):  # fmt: skip
        assert proposals.unpacked(wrong, _SHAPE) is None
