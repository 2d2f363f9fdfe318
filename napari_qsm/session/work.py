"""What of a session is somebody's work: news of it, and whether it has been saved."""

from __future__ import annotations

from typing import Any

from psygnal import Signal

from napari_qsm.arrays import Box
from napari_qsm.session.entries import MapEntry
from napari_qsm.session.model import Session

#: Fields of the session that a person makes.
WORK_FIELDS = (
    "shapes",
    "annotations",
    "notes",
    "figure",
    "midline_mm",
    "reconstruction",
    "ratings",
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
        Something else that is work changed: its name.
    """

    painted = Signal(str, object)
    made = Signal(str)

    def __init__(self, session: Session) -> None:
        self._session = session
        self._heard: list[MapEntry] = []
        session.labels_edited.connect(self._on_labels)
        for name in WORK_FIELDS:
            getattr(session.events, name).connect(getattr(self, f"_on_{name}"))
        session.maps.events.inserted.connect(self._on_maps)
        session.maps.events.removed.connect(self._on_maps)
        self._on_maps()

    def stop(self) -> None:
        """Listen no longer."""
        session = self._session
        session.labels_edited.disconnect(self._on_labels)
        for name in WORK_FIELDS:
            getattr(session.events, name).disconnect(getattr(self, f"_on_{name}"))
        session.maps.events.inserted.disconnect(self._on_maps)
        session.maps.events.removed.disconnect(self._on_maps)
        for entry in self._heard:
            entry.events.regions.disconnect(self._on_regions)
        self._heard.clear()

    def _on_labels(self, key: str, box: Box) -> None:
        self.painted.emit(key, box)

    def _on_shapes(self) -> None:
        self.made.emit("shapes")

    def _on_annotations(self) -> None:
        self.made.emit("annotations")

    def _on_notes(self) -> None:
        self.made.emit("notes")

    def _on_figure(self) -> None:
        self.made.emit("figure")

    def _on_midline_mm(self) -> None:
        self.made.emit("midline_mm")

    def _on_reconstruction(self) -> None:
        self.made.emit("reconstruction")

    def _on_ratings(self) -> None:
        self.made.emit("ratings")

    def _on_regions(self) -> None:
        self.made.emit("regions")

    def _on_maps(self) -> None:
        here = list(self._session.maps)
        for entry in self._heard:
            if entry not in here:
                entry.events.regions.disconnect(self._on_regions)
        for entry in here:
            if entry not in self._heard:
                entry.events.regions.connect(self._on_regions)
        self._heard = here
        self.made.emit("maps")


class Unsaved:
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
        self._work.painted.connect(self._on_painted)
        self._work.made.connect(self._on_made)

    @property
    def is_unsaved(self) -> bool:
        """Whether saving now would keep something that is not saved yet."""
        return self._count != self._saved

    @property
    def count(self) -> int:
        """Grows with each change; hand it to :meth:`saved` once that state is on the disk."""
        return self._count

    def more(self) -> None:
        """There is something unsaved, for example work that was restored."""
        self._more()

    def saved(self, count: int | None = None) -> None:
        """The state at ``count``, or of now, is on the disk."""
        self._saved = self._count if count is None else count
        self.changed.emit(self.is_unsaved)

    def stop(self) -> None:
        """Listen no longer."""
        self._work.stop()

    def _on_painted(self, key: str, box: Box) -> None:
        self._painted.add(key)
        self._more()

    def _on_made(self, name: str) -> None:
        if name == "maps":  # what was drawn on went away with its map: nothing left to save
            here = {entry.id for entry in self._session.maps}
            if self._painted and not self._painted & here and not self._has_drawn():
                self._painted.clear()
                self.saved()
        elif name in DRAWN_FIELDS or name == "regions":
            self._more()

    def _has_drawn(self) -> bool:
        return any(bool(getattr(self._session, name)) for name in DRAWN_FIELDS)

    def _more(self) -> None:
        was = self.is_unsaved
        self._count += 1
        if not was:
            self.changed.emit(True)


def region_names(entry: MapEntry, labels: Any) -> list[str]:
    """Names of regions by their labels, for sentences."""
    from napari_qsm.rois.statistics import region_name

    names = []
    for label in sorted(int(label) for label in labels if label):
        region = entry.regions.get(label)
        names.append(region_name(region) if region is not None else f"region {label}")
    return names
