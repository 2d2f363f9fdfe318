"""Forms from data: the settings of a method, the fields of a pydantic model.

A :class:`Field` says what is asked for; it comes from :func:`setting_field` or
:func:`schema_field`, with the type, bounds and choices that are stated there and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QLineEdit,
    QSizePolicy,
    QSpinBox,
    QWidget,
)
from superqt.utils import signals_blocked

from napari_qsm.recon.stages import Setting
from napari_qsm.session.stage_texts import label_of, tooltip_of
from napari_qsm.viewer import ui

_NO_LIMIT = 1e9


@dataclass(frozen=True)
class Field:
    """One value, and how it is asked for.

    Attributes
    ----------
    name : str
        In the model or the method.
    key : str
        Last part of the control's object name.
    kind : type
        bool, int, float or str.
    label, tip : str
        Before the control, or beside a box to tick; and its tooltip.
    choices : tuple of (value, text)
        For a choice.
    low, high : float
        Bounds of a number.
    unit : str
        Behind a number.
    default : value
        Sets the steps and decimals of a number.
    longest : int
        Characters of a text.
    step : float or None
        Of a number; from the size of the default unless given.
    """

    name: str
    key: str
    kind: type
    label: str
    tip: str = ""
    choices: tuple[tuple[Any, str], ...] = ()
    low: float = -_NO_LIMIT
    high: float = _NO_LIMIT
    unit: str = ""
    default: Any = None
    longest: int = 200
    step: float | None = None


def setting_field(setting: Setting) -> Field:
    """What a method's signature says of one of its settings."""
    param = setting.param
    return Field(
        setting.name,
        setting.name,
        setting.type,
        label_of(setting),
        tooltip_of(setting),
        tuple((choice, choice) for choice in param.choices),
        -_NO_LIMIT if param.ge is None else param.ge,
        _NO_LIMIT if param.le is None else param.le,
        param.unit,
        setting.default,
    )


def schema_field(
    model: type[BaseModel],
    name: str,
    label: str,
    *,
    key: str = "",
    tip: str = "",
    words: Mapping[Any, str] | None = None,
    low: float | None = None,
    high: float | None = None,
    step: float | None = None,
    unit: str = "",
    kind: type | None = None,
) -> Field:
    """What a pydantic model says of one of its fields.

    Parameters
    ----------
    model : type
        The model.
    name : str
        Of the field; ``X | None`` counts as ``X``.
    label, tip, unit, step
        See :class:`Field`.
    key : str
        The field's name unless given.
    words : mapping, optional
        Texts of the choices, in the order offered; for a ``Literal`` the values themselves
        unless given. Another type becomes a choice by them.
    low, high : float, optional
        Bounds narrower than the model's.
    kind : type, optional
        int, where only whole ones of a number are offered.
    """
    info = model.model_fields[name]
    of_literal = get_origin(info.annotation) is Literal
    kinds = [
        kind for kind in get_args(info.annotation) or (info.annotation,) if kind is not NoneType
    ]
    bounds: dict[str, Any] = {}
    for rule in info.metadata:
        for limit in ("ge", "le", "max_length"):
            if hasattr(rule, limit):
                bounds[limit] = getattr(rule, limit)
    texts = words or ({value: str(value) for value in kinds} if of_literal else {})
    return Field(
        name,
        key or name,
        kind or (str if of_literal else kinds[0]),
        label,
        tip,
        tuple(texts.items()),
        bounds.get("ge", -_NO_LIMIT) if low is None else low,
        bounds.get("le", _NO_LIMIT) if high is None else high,
        unit,
        info.get_default(call_default_factory=False),
        bounds.get("max_length", 200),
        step,
    )


class Control:
    """The widget of a field.

    Attributes
    ----------
    field : Field
    widget : QWidget
        Named ``<form>.<key>``.
    """

    def __init__(self, field: Field, name: str, changed: Callable[[Any], None]) -> None:
        self.field = field
        self.widget: QWidget
        tip = field.tip
        if field.choices:
            self.widget = ui.combo(name, changed, field.choices, tip=tip, characters=5)
        elif field.kind is bool:
            self.widget = ui.check(field.label, name, changed, tip=tip)
        elif field.kind is str:
            line = ui.line(name, tip=tip, longest=field.longest)
            line.editingFinished.connect(lambda: changed(line.text().strip()))
            self.widget = line
        else:
            suffix = f" {field.unit}" if field.unit else ""
            if field.kind is int:
                low, high = int(field.low), int(field.high)
                self.widget = ui.whole_number(name, changed, low, high, suffix=suffix, tip=tip)
            else:
                step = field.step or _step(float(field.default or 0.0), field.high)
                self.widget = ui.number(
                    name, changed, field.low, field.high, step=step, suffix=suffix, tip=tip
                )
            if field.default is not None:
                self.show(field.default)

    @property
    def value(self) -> Any:
        """What it says now."""
        widget = self.widget
        if isinstance(widget, QComboBox):
            return widget.currentData()
        if isinstance(widget, QCheckBox):
            return widget.isChecked()
        if isinstance(widget, QLineEdit):
            return widget.text().strip()
        assert isinstance(widget, QSpinBox | QDoubleSpinBox)
        return widget.value()

    def show(self, value: Any) -> None:
        """Show a value, in silence; a choice that is not offered yet is offered from now on."""
        widget = self.widget
        with signals_blocked(widget):
            if isinstance(widget, QComboBox):
                if widget.findData(value) < 0:
                    unit = f" {self.field.unit}" if self.field.unit else ""
                    text = f"{value:g}" if isinstance(value, float) else str(value)
                    widget.addItem(text + unit, value)
                widget.setCurrentIndex(widget.findData(value))
            elif isinstance(widget, QCheckBox):
                widget.setChecked(bool(value))
            elif isinstance(widget, QLineEdit):
                if widget.text() != value:
                    widget.setText(value)
            elif isinstance(widget, QDoubleSpinBox):
                default = self.field.default
                decimals = [_decimals(v) for v in (value, default) if v is not None]
                widget.setDecimals(max(decimals))
                widget.setRange(self.field.low, self.field.high)  # which fewer decimals round
                widget.setValue(value)
            elif isinstance(widget, QSpinBox):
                widget.setValue(round(value))


class Form(QWidget):
    """Fields below each other behind their labels.

    Parameters
    ----------
    fields : iterable of Field
    name : str
        Of the form; the control of a field is called ``name.key``.
    changed : callable
        Called with a field's name and the value that the user has given it.
    beside : mapping, optional
        Widgets behind the controls of some fields, by the field's name.
    """

    def __init__(
        self,
        fields: Iterable[Field],
        name: str,
        changed: Callable[[str, Any], None],
        beside: Mapping[str, QWidget] | None = None,
    ) -> None:
        super().__init__()
        self.setObjectName(name)
        self.controls: dict[str, Control] = {}
        layout = ui.form()
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.setLayout(layout)
        for field in fields:
            control = Control(field, f"{name}.{field.key}", self._hear(field.name, changed))
            control.widget.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
            control.widget.setMinimumWidth(84)
            self.controls[field.name] = control
            if isinstance(control.widget, QCheckBox):
                layout.addRow(control.widget)
                continue
            title = ui.label(field.label)
            title.setToolTip(field.tip)
            extra = (beside or {}).get(field.name)
            if extra is None:
                layout.addRow(title, control.widget)
            else:
                layout.addRow(title, ui.row((control.widget, 1), (extra, 1)))

    @staticmethod
    def _hear(name: str, changed: Callable[[str, Any], None]) -> Callable[[Any], None]:
        return lambda value: changed(name, value)

    def show_values(self, values: Mapping[str, Any]) -> None:
        """Show values, in silence."""
        for name, value in values.items():
            self.controls[name].show(value)

    def values(self) -> dict[str, Any]:
        """What the controls say."""
        return {name: control.value for name, control in self.controls.items()}


def _decimals(value: float) -> int:
    """Digits behind the point that write a number exactly, and one more to change a small one by.

    Examples
    --------
    >>> _decimals(12.0), _decimals(0.65), _decimals(5e-05), _decimals(2e5)
    (1, 3, 6, 0)
    """
    exponent = Decimal(repr(float(value))).normalize().as_tuple().exponent
    digits = max(-int(exponent), 0) if isinstance(exponent, int) else 0
    return min(digits + (abs(value) < 1000), 12)


def _step(default: float, high: float) -> float:
    """A tenth of the default's size, or of the range if the default is zero."""
    size = abs(default)
    if size == 0:
        return 1.0 if high > 5 else 0.05
    step = 10.0 ** (Decimal(repr(size)).adjusted())
    return step if step < size else step / 10
