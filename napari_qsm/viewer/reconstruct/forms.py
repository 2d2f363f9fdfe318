"""Forms made by magicgui from the signature of a method."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from magicgui.widgets import Widget, create_widget
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QSizePolicy,
    QSpinBox,
    QWidget,
)

from napari_qsm.recon.stages import Method, Setting
from napari_qsm.session.stage_texts import label_of, tooltip_of
from napari_qsm.viewer import ui

_NO_LIMIT = 1e9


class SettingsForm(QWidget):
    """The settings of one method.

    Parameters
    ----------
    method : Method
        Its signature gives labels, units, bounds, choices and help.
    values : mapping
        Setting to value.
    name : str
        Of the form; the control of a setting is called ``name.setting``.
    changed : callable
        Called with the setting's name and its new value.
    """

    def __init__(
        self,
        method: Method,
        values: Mapping[str, Any],
        name: str,
        changed: Callable[[str, Any], None],
    ) -> None:
        super().__init__()
        self.setObjectName(name)
        self.method = method
        self._filling = False
        self._changed = changed
        self.widgets: dict[str, Widget] = {}
        layout = QFormLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setVerticalSpacing(4)
        layout.setHorizontalSpacing(8)
        layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for setting in method.settings.values():
            widget = setting_widget(setting)
            native = widget.native
            native.setObjectName(f"{name}.{setting.name}")
            native.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
            native.setMinimumWidth(84)
            if isinstance(native, QAbstractSpinBox | QComboBox):
                ui.spare_wheel(native)
            self.widgets[setting.name] = widget
            layout.addRow(label_of(setting), native)
            label = layout.labelForField(native)
            if label is not None:
                label.setToolTip(tooltip_of(setting))
            widget.changed.connect(self._hear(setting.name))
        self.show_values(values)

    def show_values(self, values: Mapping[str, Any]) -> None:
        """Show other values, without calling back."""
        self._filling = True
        try:
            for key, value in values.items():
                widget = self.widgets[key]
                if isinstance(widget.native, QDoubleSpinBox):
                    widget.native.setDecimals(
                        max(_decimals(value), _decimals(self.method.settings[key].default))
                    )
                if widget.value != value:
                    widget.value = value
        finally:
            self._filling = False

    def values(self) -> dict[str, Any]:
        """What the controls say, each in its setting's type."""
        return {
            name: self.method.settings[name].check(widget.value, name)
            for name, widget in self.widgets.items()
        }

    def _hear(self, name: str) -> Callable[[Any], None]:
        def heard(value: Any) -> None:
            if not self._filling:
                self._changed(name, self.method.settings[name].check(value, name))

        return heard


def setting_widget(setting: Setting) -> Widget:
    """The magicgui widget of one setting, with unit, bounds, choices and help."""
    param = setting.param
    options: dict[str, Any] = {"tooltip": tooltip_of(setting)}
    if param.choices:
        options["choices"] = list(param.choices)
        return create_widget(setting.default, widget_type="ComboBox", options=options)
    if setting.type in (int, float):
        options["min"] = -_NO_LIMIT if param.ge is None else param.ge
        options["max"] = _NO_LIMIT if param.le is None else param.le
        if setting.type is int:
            options = {**options, "min": int(options["min"]), "max": int(options["max"])}
        else:
            options["step"] = _step(setting)
    widget = create_widget(setting.default, annotation=setting.type, options=options)
    native = widget.native
    if isinstance(native, QDoubleSpinBox):
        ui.take_both_signs(native)
    if isinstance(native, QDoubleSpinBox | QSpinBox):
        native.setKeyboardTracking(False)
        if param.unit:
            native.setSuffix(f" {param.unit}")
    return widget


def _decimals(value: float) -> int:
    """Digits behind the point that write a number exactly, and one more to change it by.

    Examples
    --------
    >>> _decimals(12.0), _decimals(0.65), _decimals(5e-05)
    (1, 3, 6)
    """
    exponent = Decimal(repr(float(value))).normalize().as_tuple().exponent
    digits = max(-int(exponent), 0) if isinstance(exponent, int) else 0
    return min(digits + 1, 12)


def _step(setting: Setting) -> float:
    """A tenth of the default's size, or of the range if the default is zero."""
    size = abs(float(setting.default))
    if size == 0:
        top = setting.param.le
        return 1.0 if top is None or top > 5 else 0.05
    step = 10.0 ** (Decimal(repr(size)).adjusted())
    return step if step < size else step / 10
