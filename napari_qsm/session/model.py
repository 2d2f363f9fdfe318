"""The session itself: what is loaded, drawn on and looked at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar, Literal

import numpy as np
from psygnal import EventedModel, Signal
from psygnal.containers import EventedList
from pydantic import ConfigDict, Field, PrivateAttr

from napari_qsm.anatomy import Plane
from napari_qsm.arrays import Array
from napari_qsm.io.whole_numbers import as_labels
from napari_qsm.scan import Scan
from napari_qsm.session.display import LINKED_FIELDS, MapDisplay, copy_display, first_display
from napari_qsm.session.entries import MapEntry, Role, guess_role, together, unique_name
from napari_qsm.session.history import FieldEdit, History, LabelEdit
from napari_qsm.units import SusceptibilityUnit
from napari_qsm.volume import Volume

Layout = Literal["three", "one", "volume", "compare"]
Mix = Literal["side by side", "checkerboard", "curtain"]


class Session(EventedModel):
    """One piece of work: the maps that are loaded and how they are looked at.

    Attributes
    ----------
    maps : EventedList of MapEntry
        Bottom first, as they are drawn.
    scan : Scan or None
        The scan that a reconstruction starts from.
    selected : str
        Id of the map that tools and panels act on; empty if there is none.
    active_group : str
        The group of entries that is drawn.
    crosshair_mm : (x, y, z)
        RAS mm of the linked cursor.
    unit : {"ppm", "ppb"}
        Unit in which susceptibilities are written, everywhere.
    radiological : bool
        True where the patient's right is drawn on the left.
    views_linked : bool
        Whether zoom and pan are shared by the views.
    windows_linked : bool
        Whether all susceptibility maps share window, colours and thresholds.
    layout : {"three", "one", "volume", "compare"}
        What the view area shows.
    large_plane : {"axial", "coronal", "sagittal"}
        The plane of the large view.
    compared : tuple of str
        Ids of the maps put side by side, first the one in the large view.
    mix : {"side by side", "checkerboard", "curtain"}
        How they are compared.
    painted : str
        Id of the label map or mask that drawing tools write into; empty if there is none.
    active_region : int
        The label that drawing tools write; 0 if none is chosen.
    midline_mm : float or None
        Where the plane between the patient's sides lies, mm along the left-right axis of
        the reference's display frame (RAS x unless the scan is oblique); None until somebody
        has set it, because a guess would mirror to the wrong place.
    shapes : tuple of FixedShape
        Regions of fixed size that are objects, not paint.
    annotations : tuple of Annotation
        Arrows, circles and texts drawn in the views for figures.
    figure : FigureSpec or None
        The figure being made.
    reconstruction : Reconstruction or None
        What the Reconstruct panel works on: inputs, recipe, states and results.
    ratings : tuple of Rating
        Verdicts on maps, the latest last; each knows its map by checksum.
    blinded : bool
        Whether values are hidden until a region is locked.
    notes : str
        The user's own words.
    history : History
        Undo and redo; not a field, and not saved.
    """

    model_config = ConfigDict(
        extra="forbid", arbitrary_types_allowed=True, validate_assignment=True
    )

    #: Values of a label map or mask changed, by a tool, undo, napari or code; sends the
    #: entry's id and the :data:`~napari_qsm.session.history.Box` that holds all changes.
    labels_edited: ClassVar[Signal] = Signal(str, object)

    maps: EventedList = Field(default_factory=EventedList)
    scan: Scan | None = None
    selected: str = ""
    active_group: str = ""
    crosshair_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    crosshair_visible: bool = True
    unit: SusceptibilityUnit = "ppm"
    radiological: bool = True
    views_linked: bool = True
    windows_linked: bool = True
    layout: Layout = "three"
    large_plane: Plane = "axial"
    compared: tuple[str, ...] = ()
    mix: Mix = "side by side"
    painted: str = ""
    active_region: int = 0
    midline_mm: float | None = None
    shapes: tuple[Any, ...] = ()
    annotations: tuple[Any, ...] = ()
    figure: Any = None
    reconstruction: Any = None
    ratings: tuple[Any, ...] = ()
    blinded: bool = False
    notes: str = ""

    _history: Any = PrivateAttr(default=None)
    #: Where it was saved last; :mod:`napari_qsm.session.folder` keeps it.
    _saved: Any = PrivateAttr(default=None)
    #: Label values as they were last seen, to tell what an edit from outside has changed.
    _seen: dict[str, Array] = PrivateAttr(default_factory=dict)

    @property
    def history(self) -> History:
        """Undo and redo of this session."""
        if self._history is None:
            self._history = History(self)
        return self._history

    def __iter__(self) -> Iterator[MapEntry]:  # type: ignore[override]
        return iter(list(self.maps))

    def entry(self, key: str) -> MapEntry | None:
        """The entry with this id or, failing that, this name."""
        for entry in self.maps:
            if entry.id == key:
                return entry
        return next((entry for entry in self.maps if entry.name == key), None)

    @property
    def lasting(self) -> list[MapEntry]:
        """The entries that are saved: all but previews."""
        return [entry for entry in self.maps if not entry.preview]

    @property
    def selected_entry(self) -> MapEntry | None:
        """The entry that panels act on."""
        return self.entry(self.selected) if self.selected else None

    @property
    def reference(self) -> Volume | None:
        """The volume whose grid the views are laid out in: the bottom one."""
        return self.maps[0].shown if self.maps else None

    def is_shown(self, entry: MapEntry) -> bool:
        """Whether an entry is ticked and belongs to what is drawn now."""
        return entry.display.visible and entry.group in ("", self.active_group)

    def labels_for(self, entry: MapEntry) -> MapEntry | None:
        """The label map that goes with a map: one of its own group before any other."""
        candidates = [e for e in self.of_role("labels") if together(e, entry)]
        own = [e for e in candidates if e.group == entry.group]
        return next(iter(own or candidates), None)

    def of_role(self, *roles: Role) -> list[MapEntry]:
        """Entries with one of these roles, in drawing order."""
        return [entry for entry in self.maps if entry.role in roles]

    def add(
        self,
        volume: Volume,
        *,
        role: Role | None = None,
        name: str = "",
        regions: dict[int, Any] | None = None,
        display: MapDisplay | None = None,
        group: str = "",
        linked: bool = True,
        key: str = "",
    ) -> MapEntry:
        """Add a volume; the entry is selected if it is the first or a map.

        Parameters
        ----------
        volume : Volume
            In any axis order; it is turned to canonical order without a copy.
        role : str, optional
            Guessed from the unit and the name unless given.
        name : str
            The volume's own name unless given; made unique with a number.
        regions : dict, optional
            What label values mean.
        display : MapDisplay, optional
            Chosen from the role and the values unless given.
        group : str
            What it belongs to; see :class:`MapEntry`.
        linked : bool
            Whether its window follows the link between susceptibility maps.
        key : str
            Id that it had when it was saved, kept where no other entry has it.

        Returns
        -------
        MapEntry
            The new entry, on top of ``maps`` but below label maps and masks.

        Raises
        ------
        FileError
            If a label map or mask holds fractions or negative values.
        """
        role = role or guess_role(volume)
        if role == "map" and not volume.unit:
            volume = replace(volume, unit="ppm")
        volume = volume.to_canonical()
        editable = None
        if role in ("labels", "mask"):
            kind = np.uint16 if role == "labels" else np.uint8  # room for regions to come
            # Its own copy; x fastest, so that axial slices are whole pieces of memory.
            editable = np.array(as_labels(volume), dtype=kind, order="F")
            volume = replace(volume, data=editable)
        known: dict[str, Any] = {"id": key} if key and all(e.id != key for e in self.maps) else {}
        entry = MapEntry(
            **known,
            name=unique_name(name or volume.name or role, (e.name for e in self.maps)),
            role=role,
            volume=volume,
            editable=editable,
            regions=dict(regions or {}),
            group=group,
            linked=linked,
            display=display or first_display(volume, role),
        )
        if display is None and entry.follows_link and self.windows_linked:
            other = next((e for e in self.maps if e.follows_link), None)
            if other is not None:
                copy_display(other, entry)
        self.maps.insert(self._place_for(role), entry)
        if editable is not None:
            self.watch(entry)
        if group:
            self.active_group = group
        if not self.selected or role == "map":
            self.selected = entry.id
        return entry

    def _place_for(self, role: Role) -> int:
        """Where a new entry goes in the drawing order: images stay below label maps."""
        if role in ("labels", "mask"):
            return len(self.maps)
        drawn_over = (i for i, e in enumerate(self.maps) if e.role in ("labels", "mask"))
        return next(drawn_over, len(self.maps))

    def remove(self, entry: MapEntry) -> None:
        """Take an entry out; the selection moves to another map."""
        if entry not in self.maps:
            return
        self.maps.remove(entry)
        self._seen.pop(entry.id, None)
        self.history.forget(entry)
        if self.painted == entry.id:
            self.painted = ""
        self.compared = tuple(key for key in self.compared if key != entry.id)
        if self.selected == entry.id:
            rest = self.of_role("map") or list(self.maps)
            self.selected = rest[-1].id if rest else ""

    # -- drawing --------------------------------------------------------------------------

    @property
    def painted_entry(self) -> MapEntry | None:
        """The label map or mask that drawing tools write into."""
        entry = self.entry(self.painted) if self.painted else None
        return entry if entry is not None and entry.editable is not None else None

    def edit_labels(
        self, entry: MapEntry, at: Array, values: Array | int, text: str = "drawing"
    ) -> int:
        """Write label values so that it can be undone.

        Parameters
        ----------
        entry : MapEntry
            A label map or mask of this session.
        at : (n,) ndarray of int
            Flat positions in ``entry.editable`` (x, y, z), x fastest (Fortran order), each
            once.
        values : int or (n,) ndarray
            New values.
        text : str
            What the undo is called; inside :meth:`History.group` the group's name counts.

        Returns
        -------
        int
            How many voxels have changed.
        """
        data = entry.editable
        at = np.asarray(at, dtype=np.intp).ravel()
        before = data[_places(at, data.shape)]
        after = np.broadcast_to(np.asarray(values, dtype=data.dtype), at.shape)
        differ = before != after
        if not differ.any():
            return 0
        edit = LabelEdit(entry, at[differ], before[differ], np.array(after[differ]))
        self.write_labels(entry, edit.at, edit.after)
        self.history.push(edit, text)
        return int(edit.at.size)

    def write_labels(self, entry: MapEntry, at: Array, values: Array) -> None:
        """Write label values and tell everybody, without an undo; what the history itself uses."""
        places = _places(at, entry.editable.shape)
        entry.editable[places] = values
        seen = self._seen.get(entry.id)
        if seen is not None:
            seen[places] = values
        box = tuple(slice(int(p.min()), int(p.max()) + 1) for p in places)
        self.labels_edited.emit(entry.id, box)

    def take_outside_edit(self, entry: MapEntry, text: str = "drawing") -> bool:
        """Find out what somebody wrote straight into ``entry.editable``, and remember it.

        Returns
        -------
        bool
            Whether anything had changed.
        """
        seen = self._seen.get(entry.id)
        if seen is None or seen.shape != entry.editable.shape:
            self.watch(entry)
            return False
        changed = seen != entry.editable
        if not changed.any():
            return False
        at = np.flatnonzero(changed.ravel(order="F"))
        places = _places(at, changed.shape)
        before, after = seen[places], np.array(entry.editable[places])
        seen[places] = after
        self.history.push(LabelEdit(entry, at, before, after), text)
        box = tuple(slice(int(p.min()), int(p.max()) + 1) for p in places)
        self.labels_edited.emit(entry.id, box)
        return True

    def watch(self, entry: MapEntry) -> None:
        """Keep a copy of a label map's values, so that edits from outside can be told."""
        self._seen[entry.id] = np.array(entry.editable, order="F")

    def change(self, text: str, target: EventedModel | None = None, **fields: Any) -> None:
        """Set fields of the session, or of an entry, so that it can be undone.

        Examples
        --------
        >>> session = Session()
        >>> session.change("note", notes="seen twice")
        >>> session.history.undo(), session.notes
        ('note', '')
        """
        target = self if target is None else target
        before = {name: getattr(target, name) for name in fields}
        target.update(fields)
        self.history.push(FieldEdit(target, before, fields), text)

    def set_display(self, entry: MapEntry, **changes: Any) -> None:
        """Change how an entry is shown and, while windows are linked, all maps like it."""
        entry.display.update(changes)
        shared = {key: value for key, value in changes.items() if key in LINKED_FIELDS}
        if not (shared and self.windows_linked and entry.follows_link):
            return
        for other in self.maps:
            if other is not entry and other.follows_link:
                copy_display(entry, other, fields=tuple(shared))


def _places(at: Array, shape: tuple[int, ...]) -> tuple[Array, ...]:
    return tuple(np.unravel_index(at, shape, order="F"))
