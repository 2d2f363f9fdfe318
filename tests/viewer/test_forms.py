"""Forms take type, bounds and choices from a pydantic model or from a method's signature."""

from typing import Literal

import pytest
from pydantic import BaseModel, Field
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QCheckBox, QComboBox, QDoubleSpinBox, QLabel, QLineEdit, QSpinBox

from napari_qsm.recon.stages import Param, Setting
from napari_qsm.viewer.forms import Form, schema_field, setting_field


class Page(BaseModel):
    """A model that has a field of each kind."""

    columns: int = Field(default=2, ge=1, le=40)
    width_mm: float = Field(default=174.0, ge=20, le=1200)
    title: str = Field(default="", max_length=5)
    ground: Literal["light", "dark"] = "light"
    letters: bool = True
    limit: float | None = None


@pytest.fixture
def page(qtbot):
    heard = []
    fields = [
        schema_field(Page, "columns", "Columns", high=12),
        schema_field(Page, "width_mm", "Width", unit="mm"),
        schema_field(Page, "title", "Title"),
        schema_field(
            Page, "ground", "Ground", key="paper", words={"light": "white", "dark": "black"}
        ),
        schema_field(Page, "letters", "R and L"),
        schema_field(Page, "limit", "Limit", words={None: "none", 0.5: "half"}),
    ]
    form = Form(fields, "page", lambda *each: heard.append(each), {"columns": QLabel("rows")})
    qtbot.addWidget(form)
    form.show()
    return form, heard


def test_controls_are_what_the_model_says(page):
    form, heard = page
    columns = form.findChild(QSpinBox, "page.columns")
    assert (columns.minimum(), columns.maximum()) == (1, 12)
    width = form.findChild(QDoubleSpinBox, "page.width_mm")
    assert (width.minimum(), width.maximum(), width.suffix()) == (20, 1200, " mm")
    assert form.findChild(QLineEdit, "page.title").maxLength() == 5
    ground = form.findChild(QComboBox, "page.paper")
    assert [ground.itemText(i) for i in range(ground.count())] == ["white", "black"]
    assert form.findChild(QCheckBox, "page.letters").text() == "R and L"
    assert form.values()["columns"] == 2 and form.values()["width_mm"] == 174
    assert heard == []


def test_a_form_shows_in_silence_and_tells_what_is_typed(page):
    form, heard = page
    model = Page(columns=3, width_mm=85.5, title="abc", ground="dark", letters=False, limit=0.5)
    form.show_values(model.model_dump())
    assert form.values() == model.model_dump() and heard == []
    width = form.findChild(QDoubleSpinBox, "page.width_mm")
    width.selectAll()
    QTest.keyClicks(width, "114,5")
    QTest.keyClick(width, Qt.Key.Key_Return)
    assert heard == [("width_mm", 114.5)]
    title = form.findChild(QLineEdit, "page.title")
    title.selectAll()
    QTest.keyClicks(title, " two longer")
    QTest.keyClick(title, Qt.Key.Key_Return)
    assert heard[1:] == [("title", "two")]
    box = form.findChild(QCheckBox, "page.letters")
    QTest.mouseClick(box, Qt.MouseButton.LeftButton, pos=box.rect().center())
    box.setChecked(True)
    assert heard[2:] == [("letters", True)]


def test_a_value_that_is_not_offered_is_offered_once_it_is_shown(page):
    form, heard = page
    form.show_values({"limit": 0.25})
    assert form.values()["limit"] == 0.25 and heard == []


@pytest.mark.parametrize(
    ("default", "low", "text"),
    [(12.0, 0.0, "12.0"), (5e-05, 1e-07, "0.000050"), (200000.0, 0.0, "200000")],
)
def test_numbers_are_written_exactly_and_bounds_are_not_rounded(qtbot, default, low, text):
    setting = Setting("value", float, default, Param("What.", ge=low, le=1e6))
    form = Form([setting_field(setting)], "f", print)
    qtbot.addWidget(form)
    field = form.controls["value"].widget
    assert field.text() == text and field.value() == default
    form.show_values({"value": 3 * default})
    assert form.values()["value"] == pytest.approx(3 * default)
