"""The parts that panels are put together from, by mouse and keyboard."""

import re
from importlib.resources import files

import pytest
from psygnal import Signal
from qtpy.QtCore import QLocale, QPoint, QPointF, Qt, QTimer
from qtpy.QtGui import QWheelEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QLabel, QSpinBox

from napari_qsm.viewer import ui
from napari_qsm.viewer.dialogs import Answer, ask
from napari_qsm.viewer.icons import icon, is_dark, pixmap
from tests.viewer.actions import Answers

ESCAPE = Qt.Key.Key_Escape
NAMES = sorted(
    each.name.removesuffix(".svg")
    for each in (files("napari_qsm.viewer") / "svg").iterdir()
    if each.name.endswith(".svg")
)


@pytest.fixture(params=["de_DE", "en_US", "fr_FR", "ar_EG"])
def language(request):
    """A computer whose language writes numbers in its own way."""
    before = QLocale()
    QLocale.setDefault(QLocale(request.param))
    yield
    QLocale.setDefault(before)


@pytest.mark.parametrize(
    ("typed", "value"),
    [("0.5", 0.5), ("0,5", 0.5), ("-12,25", -12.25), ("1234.5", 1234.5), ("7", 7.0)],
)
def test_a_number_is_typed_with_a_comma_or_a_point(qtbot, language, typed, value):
    heard = []
    field = ui.number("qsm.test.number", heard.append, -1e4, 1e4, value=3, suffix=" mm")
    qtbot.addWidget(field)
    field.show()
    field.selectAll()
    QTest.keyClicks(field, typed)
    assert heard == []  # a number half typed is none
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert field.value() == value
    assert heard == [value]
    assert field.text() == f"{value:.2f} mm"


@pytest.mark.parametrize("typed", ["1.234,5", "1,234.5", "1..5"])
def test_separators_of_thousands_are_not_read_as_something_else(qtbot, language, typed):
    field = ui.number("qsm.test.number", lambda _: None, -1e6, 1e6, value=3)
    qtbot.addWidget(field)
    field.show()
    field.selectAll()
    QTest.keyClicks(field, typed)
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert field.value() not in (12345.0, 1234.5 * 1000, 15.0)
    assert field.text().count(".") == 1


def turn(widget):
    middle = widget.rect().center()
    event = QWheelEvent(
        QPointF(middle),
        QPointF(widget.mapToGlobal(middle)),
        QPoint(0, 0),
        QPoint(0, 120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(widget, event)


@pytest.mark.parametrize("kind", ["number", "whole", "combo", "slider"])
def test_the_wheel_changes_nothing_that_was_not_clicked(qtbot, kind):
    def nothing(value):
        pass

    made = {
        "number": lambda: ui.number("qsm.test.a", nothing, 0, 10, value=5),
        "whole": lambda: ui.whole_number("qsm.test.a", nothing, 0, 10, value=5),
        "combo": lambda: ui.combo("qsm.test.a", nothing, [(1, "a"), (2, "b"), (3, "c")]),
        "slider": lambda: ui.slider("qsm.test.a", nothing, 0, 10),
    }[kind]()
    body = ui.panel(ui.column(made, QSpinBox()))
    qtbot.addWidget(body)
    with qtbot.waitActive(body):
        body.show()
        body.activateWindow()
    if kind == "combo":
        made.setCurrentIndex(1)
    if kind == "slider":
        made.setValue(5)
    value = made.currentIndex if kind == "combo" else made.value
    before = value()
    body.findChildren(QSpinBox)[-1].setFocus()
    turn(made)
    assert value() == before
    made.setFocus()
    turn(made)
    assert value() != before


def test_a_choice_tells_what_the_user_picks_and_nothing_else(qtbot):
    heard = []
    box = ui.combo("qsm.test.combo", heard.append, [("a", "A"), ("b", "B")])
    qtbot.addWidget(box)
    ui.show_choices(box, [("b", "B"), ("c", "C")], "c")
    assert box.currentText() == "C"
    ui.show_choices(box, [("b", "B"), ("c", "C")], "gone")
    assert box.currentIndex() == -1
    assert heard == []
    box.show()
    box.setFocus()
    QTest.keyClick(box, Qt.Key.Key_Down)
    assert heard == ["b"]


def test_an_answer_is_the_button_and_escape_leaves_all_as_it_is(qtbot):
    asked = (
        Answer("go", "Go on", "destroys"),
        Answer("other", "Another"),
        Answer("no", "No", "no"),
    )
    for key in ("go", "other", "no"):
        answers = Answers(f"qsm.test.ask.{key}")
        assert ask(None, "qsm.test.ask", "Title", "Replace 'a<b>&c'?", "More", asked) == key
        answers.done()
        assert "a&lt;b&gt;&amp;c" in answers.texts[0]

    timer = QTimer()
    timer.timeout.connect(lambda: QTest.keyClick(QApplication.activeModalWidget(), ESCAPE))
    timer.start(100)
    assert ask(None, "qsm.test.ask", "Title", "Question?", "", asked) == "no"
    timer.stop()


def test_subscriptions_end_together(qtbot):
    class Model:
        changed = Signal(int)
        renamed = Signal(int)

    class Panel:
        def hear(self, value):
            heard.append(value)

    heard, closed = [], []
    model, panel, field = Model(), Panel(), QSpinBox()
    kept = ui.Subscriptions()
    kept.connect(model.changed, model.renamed, field.valueChanged, to=panel.hear)
    kept.connect(model.changed, to=lambda value: heard.append(-value))
    kept.on_dispose(lambda: closed.append(True))
    model.changed.emit(1)
    model.renamed.emit(2)
    field.setValue(3)
    assert heard == [1, -1, 2, 3]
    kept.dispose()
    kept.dispose()
    model.changed.emit(4)
    field.setValue(5)
    assert heard == [1, -1, 2, 3]
    assert closed == [True]
    field.deleteLater()


def test_a_section_folds(qtbot):
    section = ui.Section("Title", "qsm.test.section", is_open=False)
    qtbot.addWidget(section)
    inside = QLabel("inside")
    section.body.addWidget(inside)
    section.show()
    assert not inside.isVisible()
    QTest.mouseClick(section.heading, Qt.MouseButton.LeftButton)
    assert inside.isVisible()
    assert section.is_open


def test_a_text_without_room_is_left_out_whole(qtbot):
    title = ui.WholeLabel("<b>Regions</b> on")
    qtbot.addWidget(title)

    def colours(width):
        title.resize(width, 30)
        picture = title.grab().toImage()
        places = ((x, y) for x in range(picture.width()) for y in range(picture.height()))
        return {picture.pixel(*place) for place in places}

    wanted = title.sizeHint().width()
    assert len(colours(wanted)) > 1
    assert len(colours(wanted - 1)) == len(colours(8)) == 1


def test_every_icon_that_is_named_exists_and_every_one_shows_something(qtbot):
    assert len(NAMES) > 20
    for name in NAMES:
        picture = pixmap(name, "#ff0000", 20).toImage()
        seen = [
            picture.pixelColor(x, y).alpha()
            for x in range(picture.width())
            for y in range(picture.height())
        ]
        assert max(seen) > 200 or name in ("eye-off", "lock-open"), name
        assert 0.02 < sum(alpha > 60 for alpha in seen) / len(seen) <= 1, name
    sources = (files("napari_qsm") / "viewer").rglob("*.py")
    used = {
        name
        for source in sources
        for name in re.findall(r"\b(?:icon|pixmap)\(\"([\w-]+)\"", source.read_text("utf-8"))
    }
    assert used <= set(NAMES)


def test_icons_take_the_ink_of_the_theme_and_colours_stay_true(qtbot):
    assert is_dark("dark")
    assert not is_dark("light")

    def at(picture, x, y):
        image = picture.pixmap(18, 18).toImage()
        return image.pixelColor(int(x * image.width()), int(y * image.height()))

    assert at(icon("eye", True), 0.5, 0.5).lightness() > 200
    assert at(icon("eye", False), 0.5, 0.5).lightness() < 60
    assert at(icon("swatch", colour="#aa5533"), 0.5, 0.5).name() == "#aa5533"
