"""A section of a panel that folds away under its heading."""

from __future__ import annotations

from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget

from napari_qsm.viewer.style import FOLDING


class Folding(QWidget):
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
        self._content = QWidget()
        self.body = QVBoxLayout(self._content)
        self.body.setContentsMargins(4, 2, 4, 4)
        self.body.setSpacing(5)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(2)
        outer.addWidget(self.heading)
        outer.addWidget(self._content)
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
