"""What of a session is somebody's work: news of it, and whether it has been saved."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

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
#: All news of :attr:`Work.made` that counts as unsaved, with what it is called.
UNSAVED_WORK = {
    "shapes": "Regions",
    "regions": "Regions",
    "annotations": "Marks",
    "notes": "Notes",
    "ratings": "Ratings",
    "results": "Results",
    "removed": "Maps",
}
#: What is worth being kept in the background from then on; the rest is kept along with it.
STARTS_KEEPING = {*UNSAVED_WORK, "midline_mm", "figure"}


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
        belongs to the session. ``"results"`` is a computed map, ``"removed"`` one that held work
        and went.
    """

    painted = Signal(str, object)
    made = Signal(str, str)

    def __init__(self, session: Session) -> None:
        self._session = session
        self._heard: dict[str, tuple[MapEntry, Callable[[], None], Callable[[], None]]] = {}
        for signal, call in self._connections():
            signal.connect(call)
        self._on_maps()

    def _connections(self) -> list[tuple[Any, Callable[..., None]]]:
        session = self._session
        return [
            (session.labels_edited, self._on_labels),
            (session.case_edited, self._on_case),
            (session.settled, self._on_maps),
            (session.events.notes, self._on_notes),
            (session.events.figure, self._on_figure),
            (session.maps.events.inserted, self._on_maps),
            (session.maps.events.removed, self._on_maps),
        ]

    def stop(self) -> None:
        """Listen no longer."""
        for signal, call in self._connections():
            signal.disconnect(call)
        for key in list(self._heard):
            self._leave(key)

    def _on_labels(self, key: str, box: Box) -> None:
        if self._session.takes_work:
            self.painted.emit(key, box)

    def _tell(self, name: str, case: str) -> None:
        if self._session.takes_work:
            self.made.emit(name, case)

    def _on_case(self, key: str, name: str) -> None:
        if name in CASE_FIELDS:
            self._tell(name, key)

    def _on_notes(self) -> None:
        self._tell("notes", "")

    def _on_figure(self) -> None:
        self._tell("figure", "")

    def _on_regions(self, entry: MapEntry) -> None:
        self._tell("regions", entry.case)

    def _on_provenance(self, entry: MapEntry) -> None:
        if entry.provenance and not entry.preview:
            self._tell("results", entry.case)

    def _leave(self, key: str) -> MapEntry:
        entry, regions, provenance = self._heard.pop(key)
        entry.events.regions.disconnect(regions)
        entry.events.provenance.disconnect(provenance)
        return entry

    def _on_maps(self) -> None:
        here = {entry.id: entry for entry in self._session.maps}
        for gone in set(self._heard) - set(here):
            entry = self._leave(gone)
            if holds_work(entry):
                self._tell("removed", "")
        for key in set(here) - set(self._heard):
            entry = here[key]
            regions, provenance = (
                partial(self._on_regions, entry),
                partial(self._on_provenance, entry),
            )
            entry.events.regions.connect(regions)
            entry.events.provenance.connect(provenance)
            self._heard[key] = (entry, regions, provenance)
            self._on_provenance(entry)  # one that came back
        self._tell("maps", "")


def holds_work(entry: MapEntry) -> bool:
    """Whether an entry holds something drawn or computed, which no file of the user's has."""
    if entry.preview:
        return False
    return bool(entry.provenance) or (entry.editable is not None and bool(entry.labels.any()))


class DirtyTracker:
    """Whether something drawn, written or computed has changed since the session was saved.

    Parameters
    ----------
    session : Session
        Listened to until :meth:`stop`.

    Attributes
    ----------
    changed : Signal
        The answer may be another one: True or False.
    """

    changed = Signal(bool)

    def __init__(self, session: Session) -> None:
        self._work = Work(session)
        self._session = session
        self._count = 0
        self._saved = 0
        self._kinds: dict[str, None] = {}
        self._cases: set[str] = set()
        self._work.painted.connect(self._on_painted)
        self._work.made.connect(self._on_made)
        session.settled.connect(self._on_settled)

    @property
    def is_unsaved(self) -> bool:
        """Whether saving now would keep something that is not saved yet."""
        return self._count != self._saved

    @property
    def sentence(self) -> str:
        """What is unsaved: ``"Regions and results changed since the last save"``."""
        first, *rest = list(self._kinds) or ["Regions"]
        names = [first, *(name.lower() for name in rest)]
        listed = " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
        return f"{listed} changed since the last save"

    @property
    def cases(self) -> list[Case]:
        """The cases of which something drawn, written or computed is not saved."""
        return [case for case in self._session.cases if case.id in self._cases]

    @property
    def count(self) -> int:
        """Grows with each change; hand it to :meth:`saved` once that state is on the disk."""
        return self._count

    def more(self) -> None:
        """There is something unsaved, for example work that was restored."""
        self._cases.update(case.id for case in self._session.cases)
        self._more("Regions")

    def saved(self, count: int | None = None) -> None:
        """The state at ``count``, or of now, is on the disk."""
        self._saved = self._count if count is None else count
        if not self.is_unsaved:
            self._cases.clear()
            self._kinds.clear()
        self.changed.emit(self.is_unsaved)

    def stop(self) -> None:
        """Listen no longer."""
        self._session.settled.disconnect(self._on_settled)
        self._work.stop()

    def _on_settled(self) -> None:
        """A session was read, or a case closed, and with it what was not saved of it."""
        open_now = {case.id for case in self._session.cases if not case.is_empty}
        self._cases &= {*open_now, ""}
        if self.is_unsaved and not self._cases:
            self.saved()
        else:
            self.changed.emit(self.is_unsaved)

    def _on_painted(self, key: str, box: Box) -> None:
        entry = self._session.entry(key)
        if entry is not None:
            self._cases.add(entry.case)
        self._more("Regions")

    def _on_made(self, name: str, case: str) -> None:
        if name in UNSAVED_WORK:
            self._cases.add(case)
            self._more(UNSAVED_WORK[name])

    def _more(self, kind: str) -> None:
        was, new = self.is_unsaved, kind not in self._kinds
        self._kinds[kind] = None
        self._count += 1
        if new or not was:
            self.changed.emit(True)


def region_names(entry: MapEntry, labels: Iterable[int]) -> list[str]:
    """Names of regions by their labels, for sentences."""
    return [name_of(entry.regions, label) for label in sorted(labels) if label]
