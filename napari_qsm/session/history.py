"""Undo and redo of everything that a person draws or renames, in one order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from psygnal import EventedModel, Signal

from napari_qsm.arrays import Array
from napari_qsm.study.case import Case
from napari_qsm.study.entry import MapEntry

#: Oldest edits are forgotten beyond these.
_MAX_STEPS = 500
_MAX_BYTES = 512 * 2**20


class Desk(Protocol):
    """What edits need of the session that they are taken back in."""

    painted: str
    active_region: int
    active_case: str

    def write_labels(self, entry: MapEntry, at: Array, values: Array) -> None:
        """Write label values and tell everybody, without an undo."""

    def remove(self, entry: MapEntry, *, forget: bool = True) -> None:
        """Take an entry out, with or without its history."""

    def put_back(self, removal: Removal) -> None:
        """Bring an entry back that was taken out."""


class Edit(Protocol):
    """Something that was done and can be taken back."""

    def apply(self, session: Desk, *, back: bool) -> None:
        """Take it back, or do it again."""

    @property
    def nbytes(self) -> int:
        """Memory it holds."""

    @property
    def entry(self) -> MapEntry | None:
        """The entry that it changed; None for what belongs to none."""

    @property
    def case(self) -> str:
        """Id of the case that it changed; empty for what belongs to no case."""


@dataclass
class LabelEdit:
    """Voxels of a label map before and after.

    Attributes
    ----------
    entry : MapEntry
        The label map or mask.
    at : (n,) ndarray of intp
        Flat positions, x fastest (Fortran order over x, y, z).
    before, after : (n,) ndarray
        Values.
    """

    entry: MapEntry
    at: Array
    before: Array
    after: Array

    @property
    def nbytes(self) -> int:
        """Memory it holds."""
        return int(self.at.nbytes + self.before.nbytes + self.after.nbytes)

    @property
    def case(self) -> str:
        """Id of the case that the label map belongs to."""
        return self.entry.case

    def apply(self, session: Desk, *, back: bool) -> None:
        """Write the values before, or after."""
        values = self.before if back else self.after
        session.write_labels(self.entry, self.at, values)


@dataclass
class FieldEdit:
    """Fields of an evented model before and after; ``of`` is the entry whose part the model is."""

    target: EventedModel
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    of: MapEntry | None = None

    @property
    def nbytes(self) -> int:
        """Small: fields hold names and places, not images."""
        return 1024

    @property
    def entry(self) -> MapEntry | None:
        """The entry whose fields these are, if they are those of an entry."""
        return self.target if isinstance(self.target, MapEntry) else self.of

    @property
    def case(self) -> str:
        """Id of the case whose fields these are."""
        if isinstance(self.target, Case):
            return self.target.id
        return self.entry.case if self.entry is not None else ""

    def apply(self, session: Desk, *, back: bool) -> None:
        """Set the fields as they were before, or after."""
        self.target.update(dict(self.before if back else self.after))


@dataclass
class Removal:
    """An entry that was taken out, with all that hung on it.

    Attributes
    ----------
    entry : MapEntry
        With its values.
    owner : Case
        Goes with its last entry, and comes back with it.
    at : int
        Its place in the drawing order.
    case_fields, session_fields : dict
        What named it in case and session.
    """

    entry: MapEntry
    owner: Case
    at: int
    case_fields: Mapping[str, Any]
    session_fields: Mapping[str, Any]

    @property
    def nbytes(self) -> int:
        """Memory it holds."""
        return int(self.entry.volume.data.nbytes)

    @property
    def case(self) -> str:
        """Id of the case that it belonged to."""
        return self.owner.id

    def apply(self, session: Desk, *, back: bool) -> None:
        """Bring the entry back, or take it out again."""
        if back:
            session.put_back(self)
        else:
            session.remove(self.entry, forget=False)


@dataclass
class _Step:
    """What one undo takes back."""

    text: str
    edits: list[Edit] = field(default_factory=list)

    @property
    def nbytes(self) -> int:
        return sum(edit.nbytes for edit in self.edits)


class History:
    """The edits of one session.

    Attributes
    ----------
    changed : Signal
        What can be undone or redone is another.
    """

    changed = Signal()

    def __init__(self, session: Desk) -> None:
        self._session = session
        self._done: list[_Step] = []
        self._undone: list[_Step] = []
        self._open: _Step | None = None
        self._depth = 0

    @property
    def undo_text(self) -> str:
        """What the next undo takes back; empty if there is nothing."""
        return self._done[-1].text if self._done else ""

    @property
    def redo_text(self) -> str:
        """What the next redo does again; empty if there is nothing."""
        return self._undone[-1].text if self._undone else ""

    @property
    def removed(self) -> list[MapEntry]:
        """Entries that an undo could still bring back."""
        steps = [*self._done, *([self._open] if self._open is not None else [])]
        edits = [edit for step in steps for edit in list(step.edits)]
        return [edit.entry for edit in edits if isinstance(edit, Removal)]

    @property
    def is_open(self) -> bool:
        """Whether a group is being gathered, for example during a stroke."""
        return self._open is not None

    def push(self, edit: Edit, text: str) -> None:
        """Remember an edit that was just done."""
        if self._open is not None:
            self._open.edits.append(edit)
            return
        self._keep(_Step(text, [edit]))

    def begin(self, text: str) -> None:
        """Gather all edits until :meth:`end` into one undo; calls nest."""
        if self._depth == 0:
            self._open = _Step(text)
        self._depth += 1

    def end(self) -> None:
        """Close the group; one without edits leaves no trace."""
        if self._depth == 0:
            return
        self._depth -= 1
        if self._depth:
            return
        step, self._open = self._open, None
        if step is not None and step.edits:
            step.edits = _merged(step.edits)
            if step.edits:
                self._keep(step)

    @contextmanager
    def group(self, text: str) -> Iterator[None]:
        """All edits inside are one undo."""
        self.begin(text)
        try:
            yield
        finally:
            self.end()

    def undo(self) -> str:
        """Take the last step back; returns what it was, empty if there was none."""
        self.close()
        return self._move(self._done, self._undone, back=True)

    def redo(self) -> str:
        """Do the last undone step again; returns what it was, empty if there was none."""
        self.close()
        return self._move(self._undone, self._done, back=False)

    def forget(self, entry: MapEntry) -> None:
        """Drop edits of a map that has left the session, even in the midst of a stroke."""
        self._drop(lambda edit: edit.entry is entry)

    def forget_case(self, case: Case) -> None:
        """Drop edits of a case that is closed."""
        self._drop(lambda edit: edit.case == case.id)

    def _drop(self, gone: Callable[[Edit], bool]) -> None:
        if self._open is not None:
            self._open.edits = [edit for edit in self._open.edits if not gone(edit)]
        for stack in (self._done, self._undone):
            for step in stack:
                step.edits = [edit for edit in step.edits if not gone(edit)]
            stack[:] = [step for step in stack if step.edits]
        self.changed.emit()

    def clear(self) -> None:
        """Forget everything."""
        self._done.clear()
        self._undone.clear()
        self._open, self._depth = None, 0
        self.changed.emit()

    def close(self) -> None:
        """End a group that is still open, such as a stroke in the midst of which something goes."""
        while self._depth:
            self.end()

    def _move(self, source: list[_Step], target: list[_Step], *, back: bool) -> str:
        if not source:
            return ""
        step = source.pop()
        there = [edit for edit in step.edits if not isinstance(edit, Removal)]
        touched = next((edit.case for edit in there if edit.case), "")
        if touched:  # what changes must be seen to change
            self._session.active_case = touched
        target.append(step)  # first: what was removed is never unknown
        for edit in reversed(step.edits) if back else step.edits:
            edit.apply(self._session, back=back)
        self.changed.emit()
        return step.text

    def _keep(self, step: _Step) -> None:
        self._done.append(step)
        self._undone.clear()
        held = sum(each.nbytes for each in self._done)
        while len(self._done) > 1 and (len(self._done) > _MAX_STEPS or held > _MAX_BYTES):
            held -= self._done.pop(0).nbytes
        self.changed.emit()


def _merged(edits: list[Edit]) -> list[Edit]:
    """Runs of edits of one thing as one edit: first state before, last state after."""
    merged: list[Edit] = []
    run: list[LabelEdit] = []
    for edit in edits:
        last = merged[-1] if merged else None
        if isinstance(edit, LabelEdit):
            if run and run[-1].entry is not edit.entry:
                merged += _merged_labels(run)
                run = []
            run.append(edit)
            continue
        if run:
            merged += _merged_labels(run)
            run = []
            last = merged[-1] if merged else None
        if (
            isinstance(last, FieldEdit)
            and isinstance(edit, FieldEdit)
            and last.target is edit.target
            and set(last.before) == set(edit.before)
        ):
            merged[-1] = FieldEdit(edit.target, last.before, edit.after)
        else:
            merged.append(edit)
    return merged + (_merged_labels(run) if run else [])


def _merged_labels(run: list[LabelEdit]) -> list[LabelEdit]:
    at = np.concatenate([edit.at for edit in run])
    places, first = np.unique(at, return_index=True)
    last = at.size - 1 - np.unique(at[::-1], return_index=True)[1]
    before = np.concatenate([edit.before for edit in run])[first]
    after = np.concatenate([edit.after for edit in run])[last]
    differ = before != after
    if not differ.any():
        return []
    return [LabelEdit(run[0].entry, places[differ], before[differ], after[differ])]
