"""Number fields take a decimal comma and a decimal point, whatever the language."""

import re
from pathlib import Path

import pytest
from qtpy.QtCore import QLocale
from qtpy.QtTest import QTest

from napari_qsm import viewer
from napari_qsm.recon.stages import Param, Setting
from napari_qsm.viewer import ui
from napari_qsm.viewer.figure.slice_spin import SliceSpin
from napari_qsm.viewer.forms import Control, setting_field

LANGUAGES = [QLocale("de_DE"), QLocale("en_US"), QLocale("fr_CH"), QLocale("ar_EG")]


@pytest.fixture(params=LANGUAGES, ids=lambda locale: locale.name())
def language(request):
    before = QLocale()
    QLocale.setDefault(request.param)
    yield request.param
    QLocale.setDefault(before)


def typed_into(field, text):
    field.selectAll()
    QTest.keyClicks(field, text)
    field.interpretText()
    return field.value()


@pytest.mark.parametrize(("text", "value"), [("1.5", 1.5), ("1,5", 1.5), ("-0,25", -0.25)])
def test_our_own_fields(qtbot, language, text, value):
    field = ui.NumberField()
    qtbot.addWidget(field)
    field.setRange(-10, 10)
    assert typed_into(field, text) == value
    field.setValue(0)
    line = field.lineEdit()
    line.selectAll()
    line.insert(text)  # as from the clipboard
    field.interpretText()
    assert field.value() == value


def test_settings_of_methods(qtbot, language):
    radius = Setting("radius_mm", float, 3.0, Param("Radius.", unit="mm", ge=0, le=50))
    heard = []
    control = Control(setting_field(radius), "radius", heard.append)
    qtbot.addWidget(control.widget)
    assert typed_into(control.widget, "2,5") == 2.5
    assert typed_into(control.widget, "1.5") == 1.5
    assert heard == [2.5, 1.5]


@pytest.mark.parametrize(
    ("text", "value"),
    [("1.5", 1.5), ("1,5", 1.5), ("I 3,0 mm", -3.0), ("−4.5", -4.5), ("nan", 0.0), ("-inf", 0.0)]
    + [("1.234,5", 0.0), ("", 0.0)],
)
def test_slices_of_figures(qtbot, language, text, value):
    field = SliceSpin()
    qtbot.addWidget(field)
    field.setRange(-6, 6)
    field.setSingleStep(1.5)
    field.lineEdit().setText(text)
    field.interpretText()
    assert field.value() == value


def test_no_field_of_the_window_has_another_rule():
    room = Path(viewer.__file__).parent
    made = [
        f"{path.name}: {line.strip()}"
        for path in room.rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.search(
            r"\bQDoubleSpinBox\(|\(QDoubleSpinBox\)|QDoubleValidator|getDouble|FloatSpin", line
        )
    ]
    assert sorted(made) == [
        "number_fields.py: class NumberField(QDoubleSpinBox):",
        "slice_spin.py: class SliceSpin(QDoubleSpinBox):",
    ]
