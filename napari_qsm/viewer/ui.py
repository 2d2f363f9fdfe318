"""The parts that panels are put together from; used as ``ui.button(…)``.

A helper makes one control, names it and connects it. Names are ``qsm.<panel>.<control>``, in
full, so that they can be searched for. Slots hear only what the user does, not what code sets:
except :func:`check` and number fields, whose slots hear every change (use
:func:`superqt.utils.signals_blocked` while showing a state).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from qtpy.QtCore import Qt
from qtpy.QtGui import QAction, QIcon, QPaintEvent
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QLabel,
    QLineEdit,
    QMenu,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QToolButton,
    QWidget,
)
from superqt import QDoubleSlider
from superqt.utils import signals_blocked

from napari_qsm.viewer.layout import bring_into_view as bring_into_view
from napari_qsm.viewer.layout import column, panel
from napari_qsm.viewer.layout import form as form
from napari_qsm.viewer.layout import row as row
from napari_qsm.viewer.layout import scrolled as scrolled
from napari_qsm.viewer.number_fields import NumberField, spare_wheel

W = TypeVar("W", bound=QWidget)
ACCENT = "#2f7fd8"
#: Tool buttons that show whether they are on; napari's own theme shows neither.
TOOL_BUTTONS = (
    "QToolButton { border: 1px solid palette(mid); border-radius: 4px; padding: 2px 7px; }"
    " QToolButton:hover { border-color: #6fb1f5; }"
    f" QToolButton:checked {{ background: {ACCENT}; color: white; border-color: {ACCENT}; }}"
    " QToolButton:disabled { border-color: transparent; }"
    " QToolButton::menu-indicator { image: none; }"
)
#: Headings that fold, without napari's full-width accent.
FOLDING = (
    "QPushButton { background: transparent; border: none; border-top: 1px solid palette(mid);"
    " border-radius: 0; text-align: left; font-weight: bold; padding: 6px 0 2px 0; }"
)
_MAIN = (
    f"QPushButton {{ background: {ACCENT}; color: white; font-weight: bold; padding: 7px;"
    " border-radius: 4px; }"
    " QPushButton:hover { background: #4a93e6; }"
    " QPushButton:disabled { background: #6a7684; color: #d0d0d0; }"
)


# -- text ---------------------------------------------------------------------------------


def label(text: str, name: str = "", *, selectable: bool = False) -> QLabel:
    """Text in lines as wide as the panel allows."""
    made = QLabel(text)
    made.setObjectName(name)
    made.setWordWrap(True)
    if selectable:
        made.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return made


def quiet(text: str, name: str = "") -> QLabel:
    """Text that explains; contrast as any other text."""
    made = label(text, name)
    font = made.font()
    font.setItalic(False)
    made.setFont(font)
    made.setProperty("quiet", True)
    return made


class WholeLabel(QLabel):
    """A text that gives way where there is no room, whole: a part of it would be a stray letter."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.setMinimumWidth(1)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Show all of it, or nothing."""
        if self.width() >= self.sizeHint().width():
            super().paintEvent(event)


def heading(text: str) -> QLabel:
    """The title of a part of a panel."""
    made = QLabel(f"<b>{text}</b>")
    made.setContentsMargins(0, 4, 0, 0)
    return made


# -- controls -----------------------------------------------------------------------------


def named(widget: W, name: str, tip: str = "") -> W:
    """Give a widget its name and tooltip."""
    widget.setObjectName(name)
    if tip:
        widget.setToolTip(tip)
    return widget


def button(
    text: str, name: str, slot: Callable[[], Any], *, tip: str = "", main: bool = False
) -> QPushButton:
    """A button; ``main`` for the one of a panel that matters most."""
    made = named(QPushButton(text), name, tip)
    set_main(made, main)
    made.clicked.connect(lambda _=False: slot())
    return made


def set_main(button: QPushButton, main: bool) -> None:
    """Make a button the one of its panel that matters most, or one among others."""
    button.setStyleSheet(_MAIN if main else "")


def toggle(text: str, name: str, slot: Callable[[bool], Any], *, tip: str = "") -> QPushButton:
    """A button that stays down; its slot hears every change."""
    made = named(QPushButton(text), name, tip)
    made.setCheckable(True)
    made.toggled.connect(slot)
    return made


def tool(
    name: str,
    slot: Callable[[bool], Any],
    *,
    text: str = "",
    icon: QIcon | None = None,
    tip: str = "",
    checkable: bool = False,
) -> QToolButton:
    """A small button; its slot is told by a click whether it is on."""
    made = named(QToolButton(), name, tip)
    made.setText(text)
    made.setCheckable(checkable)
    made.setStyleSheet(TOOL_BUTTONS)
    if icon is not None:
        made.setIcon(icon)
    made.clicked.connect(lambda on=False: slot(on))
    return made


def check(
    text: str, name: str, slot: Callable[[bool], Any], *, on: bool = False, tip: str = ""
) -> QCheckBox:
    """A box to tick."""
    made = named(QCheckBox(text), name, tip)
    made.setChecked(on)
    made.toggled.connect(slot)
    return made


def line(
    name: str,
    slot: Callable[[], Any] | None = None,
    *,
    tip: str = "",
    example: str = "",
    longest: int = 200,
) -> QLineEdit:
    """A line to type in; the slot is called when the user has finished."""
    made = named(QLineEdit(), name, tip)
    made.setMaxLength(longest)
    made.setPlaceholderText(example)
    if slot is not None:
        made.editingFinished.connect(slot)
    return made


def combo(
    name: str,
    slot: Callable[[Any], Any],
    items: Iterable[tuple[Any, str]] = (),
    *,
    tip: str = "",
    characters: int = 10,
) -> QComboBox:
    """A choice among ``(data, text)``; the slot is given the data of what the user picks.

    It is as narrow as ``characters`` demands and takes what room there is.
    """
    made = named(QComboBox(), name, tip)
    made.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    made.setMinimumContentsLength(characters)
    made.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    for data, text in items:
        made.addItem(text, data)
    made.activated.connect(lambda _=0: slot(made.currentData()))
    spare_wheel(made)
    return made


def show_choices(box: QComboBox, items: Sequence[tuple[Any, str]], chosen: Any) -> None:
    """Offer these ``(data, text)`` and choose one, in silence; nothing is touched without need."""
    known = [(box.itemData(i), box.itemText(i)) for i in range(box.count())]
    with signals_blocked(box):
        if known != list(items):
            box.clear()
            for data, text in items:
                box.addItem(text, data)
        box.setCurrentIndex(next((i for i, item in enumerate(items) if item[0] == chosen), -1))


def number(
    name: str,
    slot: Callable[[float], Any],
    low: float,
    high: float,
    *,
    value: float | None = None,
    step: float = 1.0,
    decimals: int = 2,
    suffix: str = "",
    tip: str = "",
    buttons: bool = True,
) -> NumberField:
    """A field for a number with a decimal comma or point; the slot hears every change."""
    made = named(NumberField(), name, tip)
    made.setDecimals(decimals)
    made.setRange(low, high)
    made.setSingleStep(step)
    made.setSuffix(suffix)
    if value is not None:
        made.setValue(value)
    if not buttons:
        made.setButtonSymbols(QAbstractSpinBox.ButtonSymbols.NoButtons)
    made.valueChanged.connect(slot)
    return made


def whole_number(
    name: str,
    slot: Callable[[int], Any],
    low: int,
    high: int,
    *,
    value: int | None = None,
    suffix: str = "",
    tip: str = "",
) -> QSpinBox:
    """A field for a whole number; the slot hears every change."""
    made = named(QSpinBox(), name, tip)
    made.setRange(low, high)
    made.setSuffix(suffix)
    made.setKeyboardTracking(False)
    if value is not None:
        made.setValue(value)
    made.valueChanged.connect(slot)
    spare_wheel(made)
    return made


def slider(
    name: str, slot: Callable[[float], Any], low: float, high: float, *, tip: str = ""
) -> QDoubleSlider:
    """A slider; the slot hears every change."""
    made = named(QDoubleSlider(Qt.Orientation.Horizontal), name, tip)
    made.setRange(low, high)
    made.valueChanged.connect(slot)
    spare_wheel(made)
    return made


# -- menus --------------------------------------------------------------------------------


def menu_button(
    text: str, name: str, fill: Callable[[QMenu], Any], *, tip: str = ""
) -> QToolButton:
    """A button whose menu, ``<name>.menu``, is filled anew each time it opens."""
    made = named(QToolButton(), name, tip)
    made.setText(f"{text} ▾")
    made.setStyleSheet(TOOL_BUTTONS)
    made.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
    menu = named(QMenu(made), f"{name}.menu")
    menu.setToolTipsVisible(True)

    def refill() -> None:
        menu.clear()
        fill(menu)

    menu.aboutToShow.connect(refill)
    made.setMenu(menu)
    return made


def menu_entry(
    menu: QMenu, text: str, name: str, slot: Callable[..., Any], *, checked: bool | None = None
) -> QAction:
    """Add an entry; one with ``checked`` can be ticked and tells its slot whether it is."""
    action = QAction(text.replace("&", "&&"), menu)
    action.setObjectName(name)
    if checked is None:
        action.triggered.connect(lambda _=False: slot())
    else:
        action.setCheckable(True)
        action.setChecked(checked)
        action.triggered.connect(lambda on=False: slot(on))
    menu.addAction(action)
    return action


# -- parts of a panel ---------------------------------------------------------------------


class Section(QWidget):
    """A heading that shows and hides the body below it.

    superqt's collapsible fixes the height of its content and cuts texts that need another
    line; this one only hides.

    Attributes
    ----------
    body : QVBoxLayout
        Where controls go.
    heading : QPushButton
        Checked while the section is open; its ``toggled`` tells.
    """

    def __init__(self, title: str, name: str, *, is_open: bool) -> None:
        super().__init__()
        self.setObjectName(name)
        self._title = title
        self.heading = QPushButton()
        self.heading.setObjectName(f"{name}.fold")
        self.heading.setCheckable(True)
        self.heading.setStyleSheet(FOLDING)
        self.body = column(spacing=5, margins=(4, 2, 4, 4))
        self._content = panel(self.body)
        self.setLayout(column(self.heading, self._content, spacing=2))
        self.heading.toggled.connect(self._on_toggled)
        self.heading.setChecked(is_open)
        self._on_toggled(is_open)

    @property
    def is_open(self) -> bool:
        """Whether the body is shown."""
        return bool(self.heading.isChecked())

    def set_open(self, is_open: bool) -> None:
        """Show or hide the body."""
        self.heading.setChecked(is_open)

    def _on_toggled(self, is_open: bool) -> None:
        self._content.setVisible(is_open)
        self.heading.setText(f"{'▾' if is_open else '▸'} {self._title}")
        if is_open and self.isVisible():
            bring_into_view(self)


class Subscriptions:
    """What a panel listens to; one :meth:`dispose` ends it all.

    Signals of psygnal, of Qt and of napari alike; senders outlive the panel. A panel's own
    controls go with it and need no entry here.
    """

    def __init__(self) -> None:
        self._connected: list[tuple[Any, Callable[..., Any]]] = []
        self._calls: list[Callable[[], Any]] = []

    def connect(self, *signals: Any, to: Callable[..., Any]) -> None:
        """Call ``to`` at each of these signals."""
        for signal in signals:
            signal.connect(to)
            self._connected.append((signal, to))

    def on_dispose(self, *calls: Callable[[], Any]) -> None:
        """Call these at the end too, such as the ``dispose`` of the parts of a panel."""
        self._calls.extend(calls)

    def dispose(self) -> None:
        """Stop listening; a second time does nothing."""
        calls, self._calls = self._calls, []
        for call in calls:
            call()
        connected, self._connected = self._connected, []
        for signal, slot in connected:
            signal.disconnect(slot)
