"""Commands by key, menu and palette, and keys of one's own choice."""

import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QComboBox, QLabel, QMenu

from napari_qsm.session.settings import load_settings, save_settings
from napari_qsm.viewer.commands import COMMANDS
from napari_qsm.viewer.key_sets import KEY_SETS, chosen_keys, digits, key_in, taken_keys
from tests.viewer.actions import key, press
from tests.viewer.conftest import ramp, settle

pytestmark = pytest.mark.window


@pytest.fixture
def keys(workspace):
    """The workspace's keys; its own ones come back afterwards."""
    yield workspace.keys
    if load_settings().get("keys"):
        workspace.keys.reset()
        save_settings({"keys": {}})


def shown(name):
    """The dialog of that name which is open."""
    return next(
        (w for w in QApplication.topLevelWidgets() if w.objectName() == name and w.isVisible()),
        None,
    )


def entries(workspace):
    """The entries of all menus by their commands, as they are when their menu opens."""
    window = workspace.viewer.window._qt_window
    menu = window.findChild(QMenu, "qsm.menu")
    assert menu.menuAction() in window.menuBar().actions()
    found = {}

    def collect(menu):
        menu.aboutToShow.emit()
        for action in menu.actions():
            if action.menu() is not None:
                collect(action.menu())
            if action.objectName():
                found[action.objectName()] = action

    collect(menu)
    return found


def test_every_command_is_in_a_menu_and_no_key_means_two_things(workspace, keys):
    found = entries(workspace)
    filled = {command.id for command in COMMANDS if command.fill is not None}
    assert {command.id for command in COMMANDS} - filled <= set(found)
    for name in KEY_SETS:
        taken = [key_in(command, name) for command in COMMANDS if key_in(command, name)]
        assert len(set(taken)) == len(taken)
    titles = [command.title for command in COMMANDS]
    assert len(set(titles)) == len(titles)
    # In plain napari the keys of a program stay napari's.
    for command in COMMANDS:
        if command.reach == "program":
            assert found.get(command.id) is None or not found[command.id].shortcut().toString()


def test_the_menu_offers_only_what_makes_sense_and_does_it(workspace):
    assert not entries(workspace)["qsm.next_map"].isEnabled()
    workspace.session.add(ramp())
    found = entries(workspace)
    assert found["qsm.next_map"].isEnabled()
    assert not found["qsm.close_outline"].isEnabled()
    assert found["qsm.slice_up"].shortcut().toString() == "PgUp"
    assert found["qsm.unit"].shortcut().toString() == "U"
    before = workspace.session.unit
    found["qsm.unit"].trigger()
    assert workspace.session.unit != before
    assert found["qsm.undo"].text() == "Undo" and not found["qsm.undo"].isEnabled()
    press(workspace, "qsm.regions.new")
    case = workspace.session.case
    workspace.session.change("name of the case", case, name="sub-07")
    found = entries(workspace)
    assert found["qsm.undo"].text() == "Undo: name of the case" and found["qsm.undo"].isEnabled()
    found["qsm.undo"].trigger()
    assert case.name != "sub-07"
    assert entries(workspace)["qsm.redo"].text() == "Redo: name of the case"


def test_the_palette_finds_a_command_by_a_part_of_its_name(workspace):
    workspace.session.add(ramp())
    key(workspace.controller.main, "F2")
    palette = shown("qsm.palette")
    assert palette is not None
    QTest.keyClicks(palette.text, "pp")
    listed = [palette.list.item(row).text() for row in range(palette.list.count())]
    assert "Ppm or ppb   [U]" in listed and all("pp" in text.lower() for text in listed)
    before = workspace.session.crosshair_visible
    palette.text.clear()
    QTest.keyClicks(palette.text, "crosshair hid")
    QTest.keyClick(palette.text, Qt.Key.Key_Return)
    settle()
    assert workspace.session.crosshair_visible is not before
    assert shown("qsm.palette") is None


def test_a_key_is_changed_kept_and_given_back(workspace, keys):
    workspace.session.add(ramp())
    keys.edit()
    editor = shown("qsm.keys")
    says = editor.findChild(QLabel, "qsm.keys.says")

    def set_to(name, pressed):
        field = editor.findChild(type(editor._fields["qsm.unit"]), f"qsm.keys.{name}")
        QTest.keyClick(field, pressed)
        field.editingFinished.emit()
        settle()

    set_to("unit", Qt.Key.Key_F8)
    assert load_settings()["keys"] == {"qsm.unit": "F8"}
    before = workspace.session.unit
    key(workspace.controller.main, "U")
    assert workspace.session.unit == before
    key(workspace.controller.main, "F8")
    assert workspace.session.unit != before
    assert any("F8" in action.shortcut().toString() for action in entries(workspace).values())
    workspace.help.open()
    assert "<b>F8</b>" in workspace.help.findChild(QLabel, "qsm.help.text").text()
    workspace.help.hide()
    # One that means something already, and one of napari's, are refused.
    set_to("crosshair", Qt.Key.Key_F8)
    assert "already means: ppm or ppb" in says.text()
    assert "V" in taken_keys()
    set_to("crosshair", Qt.Key.Key_V)
    assert "napari" in says.text()
    assert load_settings()["keys"] == {"qsm.unit": "F8"}
    QTest.mouseClick(editor.findChild(type(press_button(editor)), "qsm.keys.unit.none"), LEFT)
    assert "qsm.unit" not in {command.id for command, _ in keys.bound}
    QTest.mouseClick(press_button(editor), LEFT)
    before = workspace.session.unit
    key(workspace.controller.main, "U")
    assert workspace.session.unit != before
    assert load_settings()["keys"] == {}
    editor.close()


def test_sets_of_keys_that_hands_know(workspace, keys):
    workspace.session.add(ramp())
    keys.edit()
    editor = shown("qsm.keys")
    chosen = editor.findChild(QComboBox, "qsm.keys.set")
    says = editor.findChild(QLabel, "qsm.keys.digits")
    assert says.text() == "Digits: 1 to 9 choose the region of that place."
    QTest.keyClick(editor._fields["qsm.unit"], Qt.Key.Key_F8)
    editor._fields["qsm.unit"].editingFinished.emit()
    chosen.setCurrentText("ITK-SNAP")
    chosen.activated.emit(chosen.currentIndex())
    settle()
    assert says.text().startswith("Digits: 1 no tool") and "4 brush" in says.text()
    assert load_settings()["key_set"] == "itksnap" and load_settings()["keys"] == {}
    assert chosen_keys()["qsm.crosshair"] == "X" and chosen_keys()["qsm.region_1"] == ""
    workspace.help.open()
    text = workspace.help.findChild(QLabel, "qsm.help.text").text()
    assert digits(chosen_keys()) in text and "<b>4</b>" in text
    workspace.help.hide()
    keys.use_set("qsm")
    editor.close()


LEFT = Qt.MouseButton.LeftButton


def press_button(editor):
    from qtpy.QtWidgets import QPushButton

    return editor.findChild(QPushButton, "qsm.keys.reset")


def test_drawing_keys_count_on_their_tab_alone(workspace):
    workspace.session.add(ramp())
    workspace.tabs.setCurrentWidget(workspace.panels.regions)
    press(workspace, "qsm.regions.new")
    paint = workspace.panels.regions.paint
    workspace.viewer.window._qt_window.activateWindow()
    settle()
    key(workspace.controller.main, "B")
    settle()
    assert paint.options.kind == "brush"
    key(workspace.controller.main, "Escape")
    settle()
    assert paint.options.kind == ""
    workspace.tabs.setCurrentWidget(workspace.panels.data)
    settle()
    key(workspace.controller.main, "B")
    settle()
    assert paint.options.kind == ""
