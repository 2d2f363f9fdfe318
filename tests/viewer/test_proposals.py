"""Proposed outlines in the window: asked for, marked, accepted region by region, taken back."""

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_qsm.errors import QsmError
from napari_qsm.outlines.propose import Proposal, region_list
from napari_qsm.registration.nuclei import AtlasFit
from napari_qsm.session import proposals
from napari_qsm.viewer.regions import proposals as box
from napari_qsm.volume import Volume
from tests.viewer.actions import cell, child, press
from tests.viewer.conftest import SHAPE, affine_of, settle

pytestmark = pytest.mark.window

_LABELS = {3: (slice(15, 20), slice(10, 17), slice(6, 10)), 4: (slice(4, 9), slice(10, 18), slice(6, 10)),
           17: (slice(13, 15), slice(3, 6), slice(8, 10))}  # fmt: skip


def made(chi, **_):
    """Return a proposal without a fit: two outlines and a ball to start from."""
    labels = np.zeros(SHAPE, np.uint8)
    for label, at in _LABELS.items():
        labels[at] = label
    rows = tuple(row for row in region_list() if row.index in _LABELS)
    return Proposal(
        chi.with_data(labels, unit=""), rows, AtlasFit(np.eye(4), {}, 0.9, {1: 0.8}), {}, {}
    )


@pytest.fixture
def proposed(workspace, qtbot, monkeypatch):
    """A map, and the outlines that its button has proposed."""
    monkeypatch.setattr(box, "propose_outlines", made)
    values = np.random.default_rng(1).normal(0.08, 0.03, SHAPE).astype(np.float32)
    chi = workspace.session.add(Volume(values, affine_of(), unit="ppm", name="χ one"))
    workspace.tabs.setCurrentWidget(workspace.panels.regions)
    settle()
    assert child(workspace, "qsm.proposals.propose").isVisible()
    assert not child(workspace, "qsm.proposals.accept").isVisible()
    press(workspace, "qsm.proposals.propose")
    qtbot.waitUntil(lambda: proposals.proposal_of(workspace.session) is not None, timeout=20000)
    settle()
    return workspace, chi, proposals.proposal_of(workspace.session)


def names_in_table(workspace):
    workspace.table_panel.settle()
    model = child(workspace, "qsm.stats.table").model()
    titles = [model.headerData(i, Qt.Orientation.Horizontal) for i in range(model.columnCount())]
    at = next(i for i, title in enumerate(titles) if "region" in str(title).lower())
    table = child(workspace, "qsm.stats.table")
    return [cell(table, row, at) for row in range(model.rowCount())]


def test_outlines_are_marked_until_they_are_accepted(proposed):
    workspace, _, entry = proposed
    session = workspace.session
    assert workspace.panels.regions.list.entry is entry
    assert [n for n in names_in_table(workspace) if "(proposed)" in n] == names_in_table(workspace)
    assert "look at every" in workspace.central.message.text.lower()
    session.active_region = 3
    press(workspace, "qsm.proposals.accept")
    (own,) = [e for e in session.of_role("labels") if e is not entry]
    assert own.regions[1].name == "Putamen L" and (own.labels == 1).sum() == 5 * 7 * 4
    assert session.active_region == 4  # the next one
    press(workspace, "qsm.proposals.accept_all")
    settle()
    assert session.painted == own.id
    assert names_in_table(workspace) == ["Putamen L", "Putamen R"]
    assert [row.name for row in entry.regions.values()] == ["Thalamus seed L (proposed)"]
    (table,) = workspace.table_panel.actions_.exported()
    assert "as proposed: Putamen L, Putamen R" in " ".join(table.about.values())
    session.history.undo()
    assert (entry.labels == 4).sum() == 5 * 8 * 4 and not (own.labels == 2).any()


def test_discarding_takes_them_away_and_can_be_undone(proposed):
    workspace, _, entry = proposed
    press(workspace, "qsm.proposals.discard")
    assert entry not in workspace.session.maps
    assert child(workspace, "qsm.proposals.propose").isVisible()
    workspace.session.history.undo()
    assert entry in workspace.session.maps


def test_blinded_readers_see_no_numbers_of_proposals(proposed):
    workspace, _, _ = proposed
    workspace.session.blinded = True
    settle()
    workspace.table_panel.settle()
    assert all(row.hidden for row in workspace.table_panel.rows())


def test_a_refusal_is_a_sentence(proposed, qtbot, monkeypatch):
    workspace, _, _ = proposed
    press(workspace, "qsm.proposals.discard")

    def refuse(chi, **_):
        raise QsmError("No outlines are proposed: the sign.")

    monkeypatch.setattr(box, "propose_outlines", refuse)
    press(workspace, "qsm.proposals.propose")
    message = workspace.central.message
    qtbot.waitUntil(lambda: "the sign" in message.text, timeout=20000)
    assert child(workspace, "qsm.proposals.propose").isEnabled()
