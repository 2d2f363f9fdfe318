"""Number fields: one rule for the decimal sign, and a wheel that scrolls what was not clicked."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QLocale, QObject, Qt
from qtpy.QtGui import QValidator
from qtpy.QtWidgets import (
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QDoubleSpinBox,
    QScrollBar,
    QWidget,
)

#: What Qt changes when the wheel is turned over it.
_TURNED = (QAbstractSlider, QAbstractSpinBox, QComboBox)


class NumberField(QDoubleSpinBox):
    """A number, typed with a decimal comma or point, whatever the language of the computer.

    Qt reads a point as a separator of thousands where the language writes a comma, so that
    "0.5" would become 5; here both are the decimal sign, and separators of thousands are none.
    """

    def __init__(self) -> None:
        super().__init__()
        self.setLocale(_plain_numbers())
        self.setKeyboardTracking(False)
        spare_wheel(self)

    def validate(self, text: str | None, pos: int) -> tuple[QValidator.State, str, int]:
        """A comma is a point."""
        state, valid, at = super().validate((text or "").replace(",", "."), pos)
        return state, valid, at

    def valueFromText(self, text: str | None) -> float:
        """A comma is a point."""
        return float(super().valueFromText((text or "").replace(",", ".")))


def _plain_numbers() -> QLocale:
    plain = QLocale.c()
    plain.setNumberOptions(
        QLocale.NumberOption.OmitGroupSeparator | QLocale.NumberOption.RejectGroupSeparator
    )
    return plain


class _NoWheel(QObject):
    """Keeps the wheel, turned to scroll a panel, from changing a value on its way."""

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Leave the wheel to whatever scrolls."""
        if (
            event is not None
            and event.type() == QEvent.Type.Wheel
            and isinstance(watched, QWidget)
            and not watched.hasFocus()
        ):
            event.ignore()
            return True
        return False


def spare_wheel(widget: QWidget) -> None:
    """Let the wheel scroll the panel unless this control was clicked first."""
    if widget.findChild(_NoWheel, options=Qt.FindChildOption.FindDirectChildrenOnly) is not None:
        return
    widget.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    widget.installEventFilter(_NoWheel(widget))


def spare_wheels(root: QWidget) -> None:
    """Do so for every control in a widget that a wheel would change."""
    for widget in root.findChildren(QWidget):
        if isinstance(widget, _TURNED) and not isinstance(widget, QScrollBar):
            spare_wheel(widget)
