"""Figure: from a template or from views to a plate for a paper, with a live preview."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject, Qt, QTimer
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QAbstractSpinBox, QComboBox, QScrollArea, QVBoxLayout, QWidget
from superqt import QCollapsible

from napari_qsm.viewer import ui
from napari_qsm.viewer.figure.caption_box import CaptionBox
from napari_qsm.viewer.figure.export_box import ExportBox
from napari_qsm.viewer.figure.mark_box import MarkBox
from napari_qsm.viewer.figure.page_form import PageForm
from napari_qsm.viewer.figure.panel_form import PanelForm
from napari_qsm.viewer.figure.panel_list import PanelList
from napari_qsm.viewer.figure.preview_box import PreviewBox
from napari_qsm.viewer.figure.template_box import TemplateBox
from napari_qsm.viewer.figure.work import FigureWork
from napari_qsm.viewer.services import Services

_LATER_MS = 400


class FigurePanel(QWidget):
    """Template, preview, panels, page, marks, caption; and the export below them.

    Attributes
    ----------
    work : FigureWork
        The figure.
    templates, preview, export : QWidget
        Sections that scripts may use.
    """

    title = "Figure"

    def __init__(self, context: Services) -> None:
        super().__init__()
        self.setObjectName("qsm.figure")
        self._context = context
        self._stale = True
        work = self.work = FigureWork(context)
        work.draw_later = self._draw_later  # type: ignore[method-assign]
        self.templates = TemplateBox(work)
        self.preview = PreviewBox(work)
        self._panels = PanelList(work, self.templates)
        self._form = PanelForm(work)
        self._page = PageForm(work)
        self._marks = MarkBox(work)
        self._caption = CaptionBox(work)
        self.export = ExportBox(work, self._caption.commit)
        body = QWidget()
        layout = QVBoxLayout(body)
        layout.setContentsMargins(8, 6, 8, 6)
        layout.setSpacing(6)
        for widget in (self.templates, self.preview, self._panels):
            layout.addWidget(widget)
        for title, name, widget, is_open in (
            ("Chosen panel", "panel", self._form, True),
            ("Arrows and circles in the views", "marks", self._marks, False),
            ("Page", "page", self._page, False),
            ("Caption", "caption", self._caption, False),
        ):
            layout.addWidget(_folding(title, name, widget, is_open))
        layout.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(body)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        outer.addWidget(scroll, 1)
        outer.addWidget(self.export)
        self._wheels = _Wheels()
        for kind in (QComboBox, QAbstractSpinBox):
            for control in body.findChildren(kind):
                control.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
                control.installEventFilter(self._wheels)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_LATER_MS)
        self._timer.timeout.connect(self._draw)
        work.changed.connect(self._on_changed)
        work.chosen_changed.connect(self._on_chosen)
        work.previewed.connect(self._on_previewed)
        context.session.maps.events.inserted.connect(self._on_maps)
        context.session.maps.events.removed.connect(self._on_maps)
        self._on_changed()

    def dispose(self) -> None:
        """Stop listening and drawing."""
        session, work = self._context.session, self.work
        self._timer.stop()
        work.changed.disconnect(self._on_changed)
        work.chosen_changed.disconnect(self._on_chosen)
        work.previewed.disconnect(self._on_previewed)
        session.maps.events.inserted.disconnect(self._on_maps)
        session.maps.events.removed.disconnect(self._on_maps)
        for section in (
            self.templates,
            self.preview,
            self._panels,
            self._marks,
            self._caption,
        ):
            section.dispose()
        work.dispose()

    def showEvent(self, event: QShowEvent | None) -> None:
        """Draw what has changed while another tab was on top."""
        super().showEvent(event)
        if self._stale:
            self._draw()

    def _on_changed(self) -> None:
        self._refresh()
        self._draw()

    def _on_chosen(self) -> None:
        self._refresh()

    def _on_previewed(self) -> None:
        # Volumes of an opened spec are known from now on.
        self._panels.refresh()
        self._form.refresh()

    def _on_maps(self) -> None:
        self._refresh()
        self._draw_later()

    def _refresh(self) -> None:
        for section in (self._panels, self._form, self._page, self.export, self._caption):
            section.refresh()

    def _draw_later(self) -> None:
        self._stale = True
        if self.isVisible():
            self._timer.start()

    def _draw(self) -> None:
        self._stale = not self.isVisible()
        if self.isVisible() or self.work.spec is None:
            self.work.draw()


class _Wheels(QObject):
    """Lets the wheel scroll the panel, not change what happens to be under the pointer."""

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Pass the wheel on unless the control is in use."""
        if event is None or event.type() != QEvent.Type.Wheel or not isinstance(watched, QWidget):
            return False
        if watched.hasFocus():
            return False
        event.ignore()
        return True


def _folding(title: str, name: str, widget: QWidget, is_open: bool) -> QCollapsible:
    box = QCollapsible(title)
    box.setObjectName(f"qsm.figure.{name}_section")
    box.toggleButton().setStyleSheet(ui.FOLDING)
    box.toggleButton().setObjectName(f"qsm.figure.{name}_fold")
    box.addWidget(widget)
    for layout in (box.layout(), box.content().layout()):
        if layout is not None:
            layout.setContentsMargins(0, 2, 0, 2)
    if is_open:
        box.expand(animate=False)
    else:
        box.collapse(animate=False)
    return box
