"""Number fields take a decimal comma and a decimal point, whatever the language."""

import pytest
from qtpy.QtCore import QLocale
from qtpy.QtTest import QTest

from napari_qsm.recon.stages import Param, Setting
from napari_qsm.viewer import ui
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
