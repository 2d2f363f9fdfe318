"""The cases that are open, their entries, and which of them are chosen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from psygnal import EmissionInfo, EventedModel, Signal, SignalGroup
from psygnal.containers import EventedList
from pydantic import ConfigDict, Field, PrivateAttr

from napari_qsm.study.case import Case, Study
from napari_qsm.study.entry import MapEntry, Role
from napari_qsm.volume import Volume


class CaseEvents(SignalGroup):
    """Fields of the active case: one changed, or another case became the active one."""

    name = Signal()
    scan = Signal()
    midline_mm = Signal()
    shapes = Signal()
    annotations = Signal()
    reconstruction = Signal()
    ratings = Signal()


class OpenCases(EventedModel):
    """The part of a session that knows whose entry is whose.

    There always is an active case, if only an empty one that the next files fill.

    Attributes
    ----------
    maps : EventedList of MapEntry
        Of all cases, bottom first, as they are drawn.
    study : Study
        The patients at their visits; see :attr:`case`.
    selected : str
        Id of the map that tools and panels act on; empty if there is none.
    active_case : str
        Id of the case whose entries are drawn, in its own grid.
    painted : str
        Id of the label map or mask that drawing tools write into; empty if there is none.
    compared : tuple of str
        Ids of the maps put side by side, first the one in the large view.
    hidden_regions : tuple of str
        Ids of the label maps and masks that were hidden together, and come back together.
    """

    model_config = ConfigDict(
        extra="forbid", arbitrary_types_allowed=True, validate_assignment=True
    )

    #: A field of any case changed; sends the case's id and the field's name.
    case_edited: ClassVar[Signal] = Signal(str, str)
    #: Changes are over that were nobody's work, for example what a saved session held.
    settled: ClassVar[Signal] = Signal()

    maps: EventedList[MapEntry] = Field(default_factory=EventedList)
    study: Study = Field(default_factory=Study)
    selected: str = ""
    active_case: str = ""
    painted: str = ""
    compared: tuple[str, ...] = ()
    hidden_regions: tuple[str, ...] = ()

    _case_events: CaseEvents = PrivateAttr(default_factory=CaseEvents)
    #: The map that was selected last in each case.
    _last: dict[str, str] = PrivateAttr(default_factory=dict)
    _no_work: int = PrivateAttr(default=0)

    def __init__(self, **data: Any) -> None:
        super().__init__(**data)
        self.maps.events.inserted.connect(self._deal_maps)
        self.maps.events.removed.connect(self._deal_maps)
        self.maps.events.moved.connect(self._on_moved)
        self.study.cases.events.inserted.connect(self._on_case_added)
        self.study.cases.events.removed.connect(self._on_case_removed)
        self.events.active_case.connect(self._on_active_case)
        self.events.selected.connect(self._on_selected)
        self.events.painted.connect(self._on_painted)
        for case in self.study:
            case.events.connect(self._on_case_event)
        if not self.study.cases:
            self.study.new_case()
        if self.study.case(self.active_case) is None:
            self.active_case = self.study.cases[0].id

    @contextmanager
    def no_work(self) -> Iterator[None]:
        """What changes inside is nobody's work: it is read, closed or only looked at."""
        self._no_work += 1
        try:
            yield
        finally:
            self._no_work -= 1
            if not self._no_work:
                self.settled.emit()

    @property
    def takes_work(self) -> bool:
        """Whether changes are somebody's work now."""
        return not self._no_work

    @property
    def case(self) -> Case:
        """The active case."""
        return self.study.case(self.active_case) or self.study.cases[0]

    @property
    def cases(self) -> list[Case]:
        """All cases, in the order in which they were opened."""
        return list(self.study.cases)

    @property
    def case_events(self) -> CaseEvents:
        """News of the active case, whichever it is."""
        return self._case_events

    def case_of(self, entry: MapEntry) -> Case:
        """The case that an entry belongs to."""
        return self.study.case(entry.case) or self.case

    def labels_of(self, measured: MapEntry, rater: str = "") -> MapEntry | None:
        """The label map that a map is measured under; see :meth:`Case.labels_of`."""
        return self.case_of(measured).labels_of(measured, rater)

    def case_called(self, name: str, *, participant: str = "", visit: str = "") -> Case:
        """The case of this name; the empty one takes it, or a new one is made, if there is none."""
        known = self.study.case(name)
        if known is not None:
            return known
        if self.case.is_empty:
            self.case.name = self.study.free_name(name, besides=self.case)
            self.case.participant, self.case.visit = participant, visit
            return self.case
        return self.study.new_case(name, participant=participant, visit=visit)

    def step_case(self, steps: int = 1) -> Case:
        """Make the next case the active one, round the end; returns it."""
        cases = self.cases
        case = cases[(cases.index(self.case) + steps) % len(cases)]
        self.active_case = case.id
        return case

    def _on_case_added(self, index: int, case: Case) -> None:
        case.events.connect(self._on_case_event)

    def _on_case_removed(self, index: int, case: Case) -> None:
        case.events.disconnect(self._on_case_event)
        self._last.pop(case.id, None)
        if self.study.case(self.active_case) is None and self.study.cases:
            self.active_case = self.study.cases[min(index, len(self.study.cases) - 1)].id

    def _on_case_event(self, info: EmissionInfo) -> None:
        name = info.signal.name
        source = info.signal.instance
        case = source if isinstance(source, Case) else getattr(source, "instance", None)
        if not isinstance(case, Case):
            return
        self.case_edited.emit(case.id, name)
        if case.id == self.active_case and name in self._case_events:
            self._case_events[name].emit()

    def _on_active_case(self) -> None:
        case = self.case
        selected = self.entry(self.selected)
        if selected is None or selected.case != case.id:
            own = {entry.id for entry in case.maps}
            last = self._last.get(case.id, "")
            maps = case.of_role("map") or case.maps
            self.selected = last if last in own else (maps[-1].id if maps else "")
        painted = self.entry(self.painted)
        if painted is None or painted.case != case.id:
            known = self.entry(case.painted)
            self.painted = known.id if known is not None else ""
        for name in self._case_events:
            self._case_events[name].emit()

    def _on_selected(self) -> None:
        entry = self.selected_entry
        if entry is not None:
            self._last[entry.case] = entry.id
            if self.study.case(entry.case) is not None:
                self.active_case = entry.case

    def _on_painted(self) -> None:
        entry = self.painted_entry
        if entry is not None and entry.role == "labels":
            self.case_of(entry).painted = entry.id

    def _on_moved(self) -> None:
        """The order is a matter of what lies over what; grids and millimetres stay."""
        for case in self.study.cases:
            case.keep_grid()
        self._deal_maps()

    def _deal_maps(self) -> None:
        """Give every case its entries, in drawing order."""
        for case in self.study.cases:
            case._maps = [entry for entry in self.maps if entry.case == case.id]

    # -- entries --------------------------------------------------------------------------

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
        """The volume whose grid the views are laid out in: that of the active case."""
        own = self.case.reference
        return own if own is not None or not self.maps else self.maps[0].shown

    def place_over(self, entry: MapEntry, below: MapEntry | None) -> None:
        """Draw an entry right over another one of its case, or at the bottom.

        Images stay below label maps and masks, which would else be hidden: one that is put
        higher becomes the topmost image, and a label map that is put lower the lowest of these.

        Parameters
        ----------
        entry : MapEntry
        below : MapEntry or None
            What it shall lie on; None for nothing.
        """
        others = [each for each in self.case_of(entry).maps if each is not entry]
        place = others.index(below) + 1 if below in others else 0
        images = sum(each.editable is None for each in others)
        place = min(place, images) if entry.editable is None else max(place, images)
        if not others:
            return
        at = self.maps.index(entry)
        to = self.maps.index(others[place - 1]) + 1 if place else self.maps.index(others[0])
        if to not in (at, at + 1):
            self.maps.move(at, to)

    def is_shown(self, entry: MapEntry) -> bool:
        """Whether an entry is ticked and belongs to the active case."""
        return entry.display.visible and entry.case == self.active_case

    def of_role(self, *roles: Role) -> list[MapEntry]:
        """Entries with one of these roles, in drawing order."""
        return [entry for entry in self.maps if entry.role in roles]

    @property
    def painted_entry(self) -> MapEntry | None:
        """The label map or mask that drawing tools write into."""
        entry = self.entry(self.painted) if self.painted else None
        return entry if entry is not None and entry.editable is not None else None
