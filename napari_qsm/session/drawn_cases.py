"""What is drawn in the open cases, what is taken out of them, and how that is undone."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from psygnal import EventedModel, Signal
from pydantic import PrivateAttr

from napari_qsm.arrays import Array
from napari_qsm.session.history import FieldEdit, History, LabelEdit, Removal
from napari_qsm.session.open_cases import OpenCases
from napari_qsm.study.entry import MapEntry


class DrawnCases(OpenCases):
    """The part of a session through which changes of drawings and entries go, to be undone.

    Attributes
    ----------
    active_region : int
        The label that drawing tools write; 0 if none is chosen.
    history : History
        Undo and redo; not a field, and not saved.
    """

    #: Values of a label map or mask changed, by a tool, undo, napari or code; sends the
    #: entry's id and the :data:`~napari_qsm.arrays.Box` that holds all changes.
    labels_edited: ClassVar[Signal] = Signal(str, object)

    active_region: int = 0

    _history: History | None = PrivateAttr(default=None)
    #: Label values as they were last seen, to tell what an edit from outside has changed.
    _seen: dict[str, Array] = PrivateAttr(default_factory=dict)

    @property
    def history(self) -> History:
        """Undo and redo of this session."""
        if self._history is None:
            self._history = History(self)
        return self._history

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
        self.history.close()  # a stroke ends here: bringing the map back is an undo of its own
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
        >>> from napari_qsm.session import Session
        >>> session = Session()
        >>> session.change("note", notes="seen twice")
        >>> session.history.undo(), session.notes
        ('note', '')
        """
        target = self if target is None else target
        before = {name: getattr(target, name) for name in fields}
        target.update(fields)
        self.history.push(FieldEdit(target, before, fields), text)


def _places(at: Array, shape: tuple[int, ...]) -> tuple[Array, ...]:
    return tuple(np.unravel_index(at, shape, order="F"))
