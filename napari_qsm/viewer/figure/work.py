"""What the sections of the Figure panel share: the figure, its volumes, the chosen panel."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from psygnal import Signal

from napari_qsm.errors import QsmError
from napari_qsm.figures.gather import Given
from napari_qsm.figures.spec import FigureSpec
from napari_qsm.rois.region import RegionTable
from napari_qsm.session import MapEntry
from napari_qsm.session.figure.from_session import given_of, known_provenance
from napari_qsm.session.references import References
from napari_qsm.viewer import ui
from napari_qsm.viewer.figure.rendering import Preview, Renderer
from napari_qsm.viewer.services import Services
from napari_qsm.volume import Volume

BLINDED = "Blinded reading: figures name subjects and tell values, so they are hidden for now."


class FigureWork:
    """The figure being made.

    Attributes
    ----------
    context : Services
        Workspace, session and views.
    renderer : Renderer
        Draws previews.
    references : References
        Which maps are still what their files hold.
    preview : Preview or None
        The last drawing.
    """

    changed = Signal()  # the figure is another
    chosen_changed = Signal()  # another panel is chosen
    previewed = Signal()  # the preview was drawn, or could not be

    def __init__(self, context: Services) -> None:
        self.context = context
        self.session = context.session
        self.renderer = Renderer()
        self.references = References()
        self.revisions: Counter[str] = Counter()
        self.preview: Preview | None = None
        self.problem = ""
        self._chosen = -1
        self._watched = ui.Subscriptions()
        session = self.session
        self._heard = ui.Subscriptions()
        self._heard.connect(session.events.figure, to=self._on_figure)
        self._heard.connect(session.labels_edited, to=self._on_labels)
        self._heard.connect(session.events.blinded, to=self._on_blinded)
        self._heard.connect(
            session.maps.events.inserted, session.maps.events.removed, to=self._watch
        )
        self._heard.on_dispose(self._watched.dispose, self.renderer.dispose)
        self._watch()

    def dispose(self) -> None:
        """Stop listening."""
        self._heard.dispose()

    @property
    def spec(self) -> FigureSpec | None:
        """The figure; None if there is none yet."""
        figure = self.session.figure
        return figure if isinstance(figure, FigureSpec) and figure.panels else None

    @property
    def chosen(self) -> int:
        """Which panel is chosen, from 0; -1 if there is none."""
        spec = self.spec
        return -1 if spec is None else min(self._chosen, len(spec.panels) - 1)

    def choose(self, index: int) -> None:
        """Choose a panel."""
        if index != self._chosen:
            self._chosen = index
            self.chosen_changed.emit()

    def change(self, text: str, spec: FigureSpec | None, choose: int | None = None) -> None:
        """Put another figure in place of this one, so that it can be undone."""
        if choose is not None:
            self._chosen = choose
        if spec != self.session.figure:
            self.session.change(text, figure=spec)

    def attempt(self, call: Callable[[], Any]) -> Any:
        """Do something; say in a sentence why it could not be done."""
        try:
            return call()
        except QsmError as error:
            self.context.message(str(error))
        return None

    # -- volumes --------------------------------------------------------------------------

    def entry(self, key: str) -> MapEntry | None:
        """The session's entry behind a source."""
        return self.session.entry(key)

    def volume(self, key: str) -> Volume | None:
        """The volume behind a source, 3-D and canonical; None before a file was read."""
        entry = self.session.entry(key)
        if entry is not None:
            return entry.shown
        loaded = self.renderer.cache.loaded.get(key)
        return loaded.volume if loaded is not None else None

    def region_tables(self) -> dict[str, RegionTable]:
        """What labels of the figure's label maps mean: those with voxels, by its keys."""
        out: dict[str, RegionTable] = {}
        for key, source in self.spec.sources.items() if self.spec is not None else ():
            if source.role == "labels" and (loaded := self.renderer.cache.loaded.get(key)):
                there = loaded.present
                out[key] = {n: row for n, row in loaded.regions.items() if n in there}
        return out

    def given(self) -> dict[str, Given]:
        """The volumes that the figure takes from the session.

        Raises
        ------
        QsmError
            If one is no longer open.
        """
        spec = self.spec
        if spec is None:
            return {}
        return given_of(self.session, spec, self.revisions, self.known_provenance())

    def known_provenance(self) -> dict[str, dict[str, Any]]:
        """How the maps were made, by entry id: as the entry has it, or the file beside it."""
        return known_provenance(self.session)

    def draw(self) -> None:
        """Ask for a new preview."""
        spec = self.spec
        self.problem = ""
        if spec is None:
            self.renderer.forget()
            self.preview = None
            self.previewed.emit()
            return
        if self.session.blinded:
            self.renderer.forget()
            self.show_problem(BLINDED)
            return
        try:
            self.renderer.request(spec, self.given())
        except QsmError as error:
            self.renderer.forget()
            self.show_problem(str(error))

    def show_problem(self, sentence: str) -> None:
        """Show a sentence instead of a picture."""
        self.problem, self.preview = sentence, None
        self.previewed.emit()

    def show_preview(self, preview: Preview) -> None:
        """Show a picture."""
        if self.spec is not None and not self.session.blinded:
            self.problem, self.preview = "", preview
            self.previewed.emit()

    def _on_figure(self) -> None:
        self.changed.emit()

    def _watch(self, *_: Any) -> None:
        """Listen to the entries there are for other regions and replaced images."""
        self._watched.dispose()
        for entry in self.session.maps:
            self._watched.connect(entry.events.regions, entry.events.volume, to=self._on_content)

    def _on_content(self) -> None:
        if self.spec is not None:
            self.draw_later()

    def _on_blinded(self) -> None:
        # A figure names subjects and tells values, so a blinded reader sees none.
        if self.session.blinded:
            self.draw()
        else:
            self.draw_later()

    def _on_labels(self, key: str, box: object) -> None:
        spec = self.spec
        self.revisions[key] += 1
        if spec is not None and key in spec.sources:
            self.draw_later()

    def draw_later(self) -> None:
        """Replaced by the panel: draws when it is on show."""
