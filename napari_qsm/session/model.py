"""The session itself: what is loaded, drawn on and looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Literal

import numpy as np
from psygnal import EventedModel, Signal
from pydantic import PrivateAttr

from napari_qsm.anatomy import Plane
from napari_qsm.arrays import Array
from napari_qsm.figures.spec import FigureSpec
from napari_qsm.io.whole_numbers import as_labels
from napari_qsm.rois.region import Region, region_table
from napari_qsm.session.history import FieldEdit, History, LabelEdit, Removal
from napari_qsm.session.open_cases import OpenCases
from napari_qsm.session.references import SavedAs
from napari_qsm.study.case import Case
from napari_qsm.study.display import LINKED_FIELDS, MapDisplay, first_display
from napari_qsm.study.entry import MapEntry, Role, copy_display, guess_role, unique_name
from napari_qsm.units import SusceptibilityUnit
from napari_qsm.volume import Volume

Layout = Literal["three", "one", "volume", "compare"]
Mix = Literal["side by side", "checkerboard", "curtain"]


class Session(OpenCases):
    """One piece of work: the cases that are open, their maps, and how they are looked at.

    What it knows of cases and entries is told by :class:`~napari_qsm.session.open_cases.OpenCases`.

    Attributes
    ----------
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
    active_region : int
        The label that drawing tools write; 0 if none is chosen.
    figure : FigureSpec or None
        The figure being made.
    blinded : bool
        Whether values are hidden until a region is locked.
    notes : str
        The user's own words.
    history : History
        Undo and redo; not a field, and not saved.
    """

    #: Values of a label map or mask changed, by a tool, undo, napari or code; sends the
    #: entry's id and the :data:`~napari_qsm.session.history.Box` that holds all changes.
    labels_edited: ClassVar[Signal] = Signal(str, object)

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
    active_region: int = 0
    figure: FigureSpec | None = None
    blinded: bool = False
    notes: str = ""

    _history: History | None = PrivateAttr(default=None)
    #: Where it was saved last; :mod:`napari_qsm.session.folder` keeps it.
    _saved: SavedAs | None = PrivateAttr(default=None)
    #: Label values as they were last seen, to tell what an edit from outside has changed.
    _seen: dict[str, Array] = PrivateAttr(default_factory=dict)

    @property
    def history(self) -> History:
        """Undo and redo of this session."""
        if self._history is None:
            self._history = History(self)
        return self._history

    # -- entries --------------------------------------------------------------------------

    def add(
        self,
        volume: Volume,
        *,
        role: Role | None = None,
        name: str = "",
        regions: Mapping[int, Region | str] | None = None,
        display: MapDisplay | None = None,
        case: Case | None = None,
        rater: str = "",
        linked: bool = True,
        select: bool = True,
        key: str = "",
    ) -> MapEntry:
        """Add a volume; the entry is selected if it is the first or a map, and its case shown.

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
        case : Case, optional
            The case that it belongs to; the active one unless given.
        rater : str
            Who drew a label map.
        linked : bool
            Whether its window follows the link between susceptibility maps.
        select : bool
            Whether selection and active case may change.
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
        case = case or self.case
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
            regions=region_table(regions),
            case=case.id,
            rater=rater,
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
        if select:
            self.active_case = case.id
            if not self.selected or role == "map":
                self.selected = entry.id
        return entry

    def _place_for(self, role: Role) -> int:
        """Where a new entry goes in the drawing order: images stay below label maps."""
        if role in ("labels", "mask"):
            return len(self.maps)
        drawn_over = (i for i, e in enumerate(self.maps) if e.role in ("labels", "mask"))
        return next(drawn_over, len(self.maps))

    def discard(self, entry: MapEntry) -> None:
        """Take an entry out as :meth:`remove` does, so that it can be undone."""
        if entry not in self.maps:
            return
        case = self.case_of(entry)
        names = ("painted", "selected", "compared", "active_case")
        removal = Removal(
            entry,
            case,
            self.maps.index(entry),
            {"painted": case.painted, "labels_used": dict(case.labels_used)},
            {name: getattr(self, name) for name in names},
        )
        # First remembered, then gone: what keeps work in a thread never misses it.
        self.history.push(removal, f"remove '{entry.name}'")
        self.remove(entry, forget=False)

    def put_back(self, removal: Removal) -> None:
        """Bring back what :meth:`discard` took out; what the history itself uses."""
        entry, case = removal.entry, removal.owner
        if case not in self.study.cases:
            self.study.cases.append(case)
        self.maps.insert(min(removal.at, len(self.maps)), entry)
        if entry.editable is not None:
            self.watch(entry)
        case.update(dict(removal.case_fields))
        for name, value in removal.session_fields.items():
            setattr(self, name, value)
        if entry.editable is not None:
            self.labels_edited.emit(entry.id, tuple(slice(0, n) for n in entry.editable.shape))

    def remove(self, entry: MapEntry, *, forget: bool = True) -> None:
        """Take an entry out; the selection moves to another map of its case.

        A case that nothing is left of goes too, unless it is the only one.

        Parameters
        ----------
        entry : MapEntry
        forget : bool
            Whether edits of the entry can no longer be undone.
        """
        if entry not in self.maps:
            return
        case = self.case_of(entry)
        self.maps.remove(entry)
        self._seen.pop(entry.id, None)
        if forget:
            self.history.forget(entry)
        if self.painted == entry.id:
            self.painted = ""
        self.compared = tuple(key for key in self.compared if key != entry.id)
        if self.selected == entry.id:
            rest = case.of_role("map") or case.maps
            self.selected = rest[-1].id if rest else ""
        if case.painted == entry.id:
            case.painted = ""
        used = {k: v for k, v in case.labels_used.items() if entry.id not in (k, v)}
        if used != case.labels_used:
            case.labels_used = used
        lasting = case.shapes or case.annotations or case.ratings
        if not case.maps and not lasting and len(self.study.cases) > 1:
            self.study.cases.remove(case)

    def close_case(self, case: Case) -> None:
        """Take a case and everything of it out of the session; its files stay where they are."""
        if case not in self.study.cases:
            return
        at = self.study.cases.index(case)
        others = [each for each in self.study.cases if each is not case]
        if case is self.case and others:
            self.active_case = others[min(at, len(others) - 1)].id
        with self.no_work():
            for entry in case.maps:
                self.remove(entry)
        if case in self.study.cases:
            fresh = None if others else self.study.new_case()
            self.study.cases.remove(case)
            if fresh is not None:
                fresh.name = self.study.free_name(besides=fresh)
        self.history.forget_case(case)

    def forget_folder(self) -> None:
        """The folder it was saved in is no longer its own; the next save needs a place."""
        self._saved = None

    # -- drawing --------------------------------------------------------------------------

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
        data = entry.labels
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
        places = _places(at, entry.labels.shape)
        entry.labels[places] = values
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
        if seen is None or seen.shape != entry.labels.shape:
            self.watch(entry)
            return False
        changed = seen != entry.labels
        if not changed.any():
            return False
        at = np.flatnonzero(changed.ravel(order="F"))
        places = _places(at, changed.shape)
        before, after = seen[places], np.array(entry.labels[places])
        seen[places] = after
        self.history.push(LabelEdit(entry, at, before, after), text)
        box = tuple(slice(int(p.min()), int(p.max()) + 1) for p in places)
        self.labels_edited.emit(entry.id, box)
        return True

    def watch(self, entry: MapEntry) -> None:
        """Keep a copy of a label map's values, so that edits from outside can be told."""
        self._seen[entry.id] = np.array(entry.labels, order="F")

    def change(self, text: str, target: EventedModel | None = None, **fields: Any) -> None:
        """Set fields of the session, of a case or of an entry, so that it can be undone.

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
