"""Drawing where maps come, go, or cannot be drawn on."""

import numpy as np
import pytest
from qtpy.QtCore import QEvent, QPoint, Qt

from napari_qsm.volume import Volume
from tests.viewer.actions import LEFT, NONE, _send, child, click, press
from tests.viewer.conftest import affine_of, ramp, settle
from tests.viewer.drawn_on import (
    SHAPE,
    SIZE,
    begin,
    disc,
    entry_of,
    middle,
    open_map,
)

pytestmark = pytest.mark.window


@pytest.fixture
def work(workspace):
    open_map(workspace)
    begin(workspace)
    yield workspace
    child(workspace, "qsm.paint").painter.use("")


def test_deleting_what_is_drawn_on_ends_the_stroke(work):
    main = work.controller.main
    at = middle(work, main)
    press(work, "qsm.paint.brush")
    entry = entry_of(work)
    _send(main, QEvent.Type.MouseButtonPress, at, LEFT, LEFT, NONE)
    _send(main, QEvent.Type.MouseMove, at + QPoint(9, 9), LEFT, LEFT, NONE)
    work.viewer.layers.remove(work.controller.layers[entry.id])
    _send(main, QEvent.Type.MouseMove, at + QPoint(20, 9), LEFT, LEFT, NONE)
    _send(main, QEvent.Type.MouseButtonRelease, at, LEFT, Qt.MouseButton.NoButton, NONE)
    settle()
    assert work.session.painted == ""
    assert work.session.history.undo_text == "remove 'regions test'"  # the stroke lies below it
    assert "region map first" in child(work, "qsm.paint.says").text()
    click(main, at)  # nothing to draw in: a sentence, no error
    chi = work.session.entry("χ test")
    work.session.remove(chi)
    settle()
    assert "Open a map first" in child(work, "qsm.paint.says").text()


def test_a_new_map_is_made_only_when_asked_and_nothing_is_drawn_without(workspace):
    workspace.session.add(ramp(name="χ control"))
    workspace.tabs.setCurrentWidget(workspace.panels.regions)
    press(workspace, "qsm.paint.brush")
    main = workspace.controller.main
    click(main, QPoint(main.native.width() // 2, main.native.height() // 2))
    assert not workspace.session.of_role("labels")
    press(workspace, "qsm.regions.new")
    entry = workspace.session.entry("regions control")
    assert workspace.session.painted == entry.id
    click(main, QPoint(main.native.width() // 2, main.native.height() // 2))
    assert not entry.editable.any()  # no region chosen yet
    assert "Choose a region" in child(workspace, "qsm.paint.says").text()
    press(workspace, "qsm.regions.add")
    assert workspace.session.active_region == 1
    press(workspace, "qsm.paint.brush")


def test_labels_on_a_turned_grid_say_so_and_masks_are_painted(work):
    turned = Volume(
        np.zeros(SHAPE, np.uint8), affine_of(SHAPE, SIZE, degrees=(0, 0, 9)), name="turned"
    )
    entry = work.session.add(turned, role="labels", regions={1: "x"})
    work.session.painted, work.session.active_region = entry.id, 1
    press(work, "qsm.paint.brush")
    main = work.controller.main
    click(main, middle(work, main))
    assert not entry.editable.any()
    assert "turned against 'χ test'" in child(work, "qsm.paint.says").text()
    mask = work.session.add(
        Volume(np.zeros(SHAPE, np.uint8), affine_of(SHAPE, SIZE), name="brain"), role="mask"
    )
    work.session.painted = mask.id
    settle()
    assert "Paints the mask 'brain'" in child(work, "qsm.paint.says").text()
    at = middle(work, main)
    expected = disc(work, main, [at], 7.0)  # before the table's height changes that of the view
    click(main, at)
    np.testing.assert_array_equal(mask.editable == 1, expected)
