"""What the sections of the Figure panel share: the figure, its volumes, the chosen panel."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from psygnal import Signal

from napari_qsm.errors import FileError, QsmError
from napari_qsm.figures.gather import Given
from napari_qsm.figures.spec import FigureSpec
from napari_qsm.io.formats import stem
from napari_qsm.io.sidecar import read_json
from napari_qsm.session import MapEntry
from napari_qsm.session.figure.from_session import given_of
from napari_qsm.session.references import References
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
        self._heard: list[MapEntry] = []
        self.session.events.figure.connect(self._on_figure)
        self.session.labels_edited.connect(self._on_labels)
        self.session.events.blinded.connect(self._on_blinded)
        self.session.maps.events.inserted.connect(self._on_maps)
        self.session.maps.events.removed.connect(self._on_maps)
        self._on_maps()

    def dispose(self) -> None:
        """Stop listening."""
        self.session.events.figure.disconnect(self._on_figure)
        self.session.labels_edited.disconnect(self._on_labels)
        self.session.events.blinded.disconnect(self._on_blinded)
        self.session.maps.events.inserted.disconnect(self._on_maps)
        self.session.maps.events.removed.disconnect(self._on_maps)
        self._hear([])
        self.renderer.dispose()

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
        out: dict[str, dict[str, Any]] = {}
        for entry in self.session.of_role("map"):
            said = dict(entry.provenance) or _beside(entry.volume)
            if said:
                out[entry.id] = said
        return out

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

    def _on_maps(self) -> None:
        self._hear(list(self.session.maps))

    def _hear(self, entries: list[MapEntry]) -> None:
        """Listen to these entries for other regions and replaced images, and to no others."""
        for entry in self._heard:
            if entry not in entries:
                entry.events.regions.disconnect(self._on_content)
                entry.events.volume.disconnect(self._on_content)
        for entry in entries:
            if entry not in self._heard:
                entry.events.regions.connect(self._on_content)
                entry.events.volume.connect(self._on_content)
        self._heard = entries

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


def _beside(volume: Volume) -> dict[str, Any]:
    """What ``provenance.json`` beside a map's file says."""
    path = volume.origin
    if path is None:
        return {}
    name = stem(path)
    prefix = name.rpartition("_")[0] + "_" if "_" in name else ""
    for candidate in (f"{prefix}provenance.json", "provenance.json"):
        if (path.parent / candidate).is_file():
            try:
                return read_json(path.parent / candidate)
            except (FileError, ValueError):
                return {}
    return {}
