"""Figure: from a template or from views to a plate for a paper, with a live preview."""

from __future__ import annotations

from qtpy.QtCore import QTimer
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QWidget

from napari_qsm.viewer import ui
from napari_qsm.viewer.figure.caption_box import CaptionBox
from napari_qsm.viewer.figure.export_box import ExportBox
from napari_qsm.viewer.figure.forms import PageForm, PanelForm
from napari_qsm.viewer.figure.mark_box import MarkBox
from napari_qsm.viewer.figure.names_box import NamesBox
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
        self._stale = True
        work = self.work = FigureWork(context)
        work.draw_later = self._draw_later  # type: ignore[method-assign]
        self.templates = TemplateBox(work)
        self.preview = PreviewBox(work)
        self._panels = PanelList(work, self.templates)
        self._form = PanelForm(work)
        self._page = PageForm(work)
        self._marks = MarkBox(work)
        self._names = NamesBox(work)
        self._caption = CaptionBox(work)
        self.export = ExportBox(work, self._caption.commit)
        sections = []
        for title, name, widget, is_open in (
            ("Chosen panel", "panel", self._form, True),
            ("Arrows and circles in the views", "marks", self._marks, False),
            ("Names of regions", "called", self._names, False),
            ("Page", "page", self._page, False),
            ("Caption", "caption", self._caption, False),
        ):
            section = ui.Section(title, f"qsm.figure.{name}_section", is_open=is_open)
            section.heading.setObjectName(f"qsm.figure.{name}_fold")
            section.body.addWidget(widget)
            section.body.setContentsMargins(0, 2, 0, 2)
            sections.append(section)
        body = ui.column(
            self.templates,
            self.preview,
            self._panels,
            *sections,
            None,
            spacing=6,
            margins=(8, 6, 8, 6),
        )
        scroll = ui.scrolled(ui.panel(body))
        self.setLayout(ui.column((scroll, 1), self.export, spacing=0))
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_LATER_MS)
        self._timer.timeout.connect(self._draw)
        self._heard = ui.Subscriptions()
        maps = context.session.maps.events
        self._heard.connect(work.changed, to=self._on_changed)
        self._heard.connect(work.chosen_changed, to=self._refresh)
        self._heard.connect(work.previewed, to=self._on_previewed)
        self._heard.connect(maps.inserted, maps.removed, to=self._on_maps)
        self._heard.on_dispose(
            self._timer.stop,
            self.templates.dispose,
            self.preview.dispose,
            self._panels.dispose,
            self._marks.dispose,
            self._names.dispose,
            self._caption.dispose,
            work.dispose,
        )
        self._on_changed()

    def dispose(self) -> None:
        """Stop listening and drawing."""
        self._heard.dispose()

    def showEvent(self, event: QShowEvent | None) -> None:
        """Draw what has changed while another tab was on top."""
        super().showEvent(event)
        if self._stale:
            self._draw()

    def _on_changed(self) -> None:
        self._refresh()
        self._draw()

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
