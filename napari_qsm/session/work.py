"""What of a session is somebody's work: news of it, and whether it has been saved."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from psygnal import Signal

from napari_qsm.arrays import Box
from napari_qsm.rois.region import name_of
from napari_qsm.session.model import Session
from napari_qsm.study.case import Case
from napari_qsm.study.entry import MapEntry

#: Fields of a case that a person makes.
CASE_FIELDS = (
    "shapes",
    "annotations",
    "midline_mm",
    "reconstruction",
    "ratings",
    "name",
    "participant",
    "visit",
    "labels_used",
)
#: Those among them whose loss would be the loss of something drawn or written.
DRAWN_FIELDS = ("shapes", "annotations", "notes", "ratings")


class Work:
    """Listens to a session for everything that must not be lost.

    Parameters
    ----------
    session : Session
        Listened to until :meth:`stop`.

    Attributes
    ----------
    painted : Signal
        Values of a label map or mask changed: id of the entry, and the box of the changes.
    made : Signal
        Something else that is work changed: its name, and the id of its case; empty for what
        belongs to the session.
    """

    painted = Signal(str, object)
    made = Signal(str, str)

    def __init__(self, session: Session) -> None:
        self._session = session
        self._heard: dict[str, tuple[MapEntry, Callable[[], None]]] = {}
        session.labels_edited.connect(self._on_labels)
        session.case_edited.connect(self._on_case)
        session.events.notes.connect(self._on_notes)
        session.events.figure.connect(self._on_figure)
        session.maps.events.inserted.connect(self._on_maps)
        session.maps.events.removed.connect(self._on_maps)
        self._on_maps()

    def stop(self) -> None:
        """Listen no longer."""
        session = self._session
        session.labels_edited.disconnect(self._on_labels)
        session.case_edited.disconnect(self._on_case)
        session.events.notes.disconnect(self._on_notes)
        session.events.figure.disconnect(self._on_figure)
        session.maps.events.inserted.disconnect(self._on_maps)
        session.maps.events.removed.disconnect(self._on_maps)
        for entry, call in self._heard.values():
            entry.events.regions.disconnect(call)
        self._heard.clear()

    def _on_labels(self, key: str, box: Box) -> None:
        self.painted.emit(key, box)

    def _on_case(self, key: str, name: str) -> None:
        if name in CASE_FIELDS:
            self.made.emit(name, key)

    def _on_notes(self) -> None:
        self.made.emit("notes", "")

    def _on_figure(self) -> None:
        self.made.emit("figure", "")

    def _on_regions(self, entry: MapEntry) -> None:
        self.made.emit("regions", entry.case)

    def _on_maps(self) -> None:
        here = {entry.id: entry for entry in self._session.maps}
        for gone in set(self._heard) - set(here):
            entry, call = self._heard.pop(gone)
            entry.events.regions.disconnect(call)
        for key in set(here) - set(self._heard):
            call = partial(self._on_regions, here[key])
            here[key].events.regions.connect(call)
            self._heard[key] = (here[key], call)
        self.made.emit("maps", "")


class DirtyTracker:
    """Whether something drawn or written has changed since the session was saved.

    Parameters
    ----------
    session : Session
        Listened to until :meth:`stop`.

    Attributes
    ----------
    changed : Signal
        The answer is another one: True or False.
    """

    changed = Signal(bool)

    def __init__(self, session: Session) -> None:
        self._work = Work(session)
        self._session = session
        self._count = 0
        self._saved = 0
        self._painted: set[str] = set()
        self._cases: set[str] = set()
        self._work.painted.connect(self._on_painted)
        self._work.made.connect(self._on_made)

    @property
    def is_unsaved(self) -> bool:
        """Whether saving now would keep something that is not saved yet."""
        return self._count != self._saved

    @property
    def cases(self) -> list[Case]:
        """The cases of which something drawn or written is not saved."""
        return [case for case in self._session.cases if case.id in self._cases]

    @property
    def count(self) -> int:
        """Grows with each change; hand it to :meth:`saved` once that state is on the disk."""
        return self._count

    def more(self) -> None:
        """There is something unsaved, for example work that was restored."""
        self._cases.update(case.id for case in self._session.cases)
        self._more()

    def saved(self, count: int | None = None) -> None:
        """The state at ``count``, or of now, is on the disk."""
        self._saved = self._count if count is None else count
        if not self.is_unsaved:
            self._cases.clear()
        self.changed.emit(self.is_unsaved)

    def stop(self) -> None:
        """Listen no longer."""
        self._work.stop()

    def _on_painted(self, key: str, box: Box) -> None:
        self._painted.add(key)
        entry = self._session.entry(key)
        if entry is not None:
            self._cases.add(entry.case)
        self._more()

    def _on_made(self, name: str, case: str) -> None:
        if name == "maps":  # what was drawn on went away with its map: nothing left to save
            here = {entry.id for entry in self._session.maps}
            if self._painted and not self._painted & here and not self._has_drawn():
                self._painted.clear()
                self.saved()
        elif name in DRAWN_FIELDS or name == "regions":
            self._cases.add(case)
            self._more()

    def _has_drawn(self) -> bool:
        cases = self._session.cases
        drawn = any(case.shapes or case.annotations or case.ratings for case in cases)
        return bool(self._session.notes) or drawn

    def _more(self) -> None:
        was = self.is_unsaved
        self._count += 1
        if not was:
            self.changed.emit(True)


def region_names(entry: MapEntry, labels: Iterable[int]) -> list[str]:
    """Names of regions by their labels, for sentences."""
    return [name_of(entry.regions, label) for label in sorted(labels) if label]
