"""Fields in which layers of plain napari are chosen, where their names can be told apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from magicgui.widgets import create_widget
from napari.layers import Layer
from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QAbstractItemView, QComboBox, QListWidget, QSizePolicy

#: Pixels for the name of a layer.
_NAME_WIDTH = 150
#: Names that a list shows without being scrolled: those of a usual scan with its echoes.
_ROWS = 5
#: Pixels of a box beside the text in it.
_ROUND_TEXT = 48


class WholeTextBox(QComboBox):
    """A box that shows all of the text chosen, and is no wider for longer ones it offers."""

    def __init__(self) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.currentIndexChanged.connect(self.updateGeometry)

    def minimumSizeHint(self) -> QSize:
        """As wide as the text chosen, in the font that napari gives it once it is in its window."""
        self.ensurePolished()
        width = self.fontMetrics().horizontalAdvance(self.currentText()) + _ROUND_TEXT
        return QSize(width, super().minimumSizeHint().height())


def layer_chooser(name: str, layers: Callable[[Any], list[Layer]], *, several: bool) -> Any:
    """A magicgui field for one layer or none, or for several in a list.

    Parameters
    ----------
    name : str
        Of the field and of its widget.
    layers : callable
        What there is to choose from.
    several : bool
        For several.
    """
    options: dict[str, Any] = {"choices": layers}
    if not several:
        options["nullable"] = True
    kind = "Select" if several else "ComboBox"
    chooser = create_widget(widget_type=kind, options=options, name=name)
    native = chooser.native
    policy = native.sizePolicy()
    policy.setHorizontalPolicy(QSizePolicy.Policy.Ignored)
    native.setSizePolicy(policy)
    native.setMinimumWidth(_NAME_WIDTH)
    if isinstance(native, QListWidget):
        chooser.tooltip = "One layer for each echo, in their order; Ctrl + click for several"
        # Names of echoes differ in their middle or at their end.
        native.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        native.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    return chooser


def show_names(native: QListWidget | QComboBox) -> None:
    """Say whole names where the mouse rests, and bring what is chosen into sight."""
    if isinstance(native, QComboBox):
        native.setToolTip(native.currentText() if native.currentIndex() > 0 else "")
        return
    items = [item for row in range(native.count()) if (item := native.item(row)) is not None]
    for item in items:
        item.setToolTip(item.text())
    rows = min(max(len(items), 2), _ROWS)
    native.setFixedHeight(rows * max(native.sizeHintForRow(0), 16) + 2 * native.frameWidth() + 4)
    first = next((item for item in items if item.isSelected()), None)
    if first is not None:
        native.scrollToItem(first, QAbstractItemView.ScrollHint.PositionAtTop)
