"""A patient at a visit, and the patients of a study."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated
from uuid import uuid4

from psygnal import EventedModel
from psygnal.containers import EventedList
from pydantic import ConfigDict, Field, PrivateAttr

from napari_qsm.figures.annotations import Annotation
from napari_qsm.qc.rating import Rating
from napari_qsm.rois.shapes import FixedShape
from napari_qsm.scan import Scan
from napari_qsm.study.entry import MapEntry, Role, unique_name
from napari_qsm.study.identity import Identity, case_name, identity_of
from napari_qsm.study.reconstruction import Reconstruction
from napari_qsm.study.scan_source import ScanSource, source_of_scan, sources_among
from napari_qsm.volume import Volume, same_grid

#: What cases without BIDS names are called, with a number behind it.
NEUTRAL_NAME = "Case"
Millimetres = Annotated[float, Field(allow_inf_nan=False)]


class Case(EventedModel):
    """One participant at one visit, with all that belongs to the place and the day.

    Attributes
    ----------
    id : str
        Stays the same for the life of the case.
    name : str
        What the user calls it: participant and visit, or a neutral word; never a path.
    participant, visit : str
        BIDS labels, without ``sub-`` and ``ses-``; empty where nothing tells them.
    folders : tuple of Path
        Where its files lie; what is opened from there later belongs to it.
    scan : Scan or None
        The scan that a reconstruction starts from.
    midline_mm : float or None
        Where the plane between the patient's sides lies, mm along the left-right axis of the
        display frame of :attr:`reference` (RAS x unless the scan is oblique); None until
        somebody has set it, because a guess would mirror to the wrong place.
    shapes : tuple of FixedShape
        Regions of fixed size that are objects, not paint.
    annotations : tuple of Annotation
        Arrows, circles and texts drawn in the views for figures.
    reconstruction : Reconstruction or None
        Inputs, recipe, and the state of every stage.
    ratings : tuple of Rating
        Verdicts on its maps, the latest last; each knows its map by checksum.
    painted : str
        Id of its label map that was drawn on last.
    labels_used : dict of str to str
        For maps for which somebody has chosen it, the id of the label map they are measured
        under.
    """

    model_config = ConfigDict(
        extra="forbid", arbitrary_types_allowed=True, validate_assignment=True
    )

    id: str = Field(default_factory=lambda: uuid4().hex, frozen=True, min_length=1)
    name: str = f"{NEUTRAL_NAME} 1"
    participant: str = ""
    visit: str = ""
    folders: tuple[Path, ...] = ()
    scan: Scan | None = None
    midline_mm: Millimetres | None = None
    shapes: tuple[FixedShape, ...] = ()
    annotations: tuple[Annotation, ...] = ()
    reconstruction: Reconstruction | None = None
    ratings: tuple[Rating, ...] = ()
    painted: str = ""
    labels_used: dict[str, str] = Field(default_factory=dict)

    #: Its entries, bottom first; the session keeps them in step with its own list.
    _maps: list[MapEntry] = PrivateAttr(default_factory=list)
    #: Id of the entry whose grid counts once entries were put in another order.
    _grid: str = PrivateAttr(default="")
    #: What the scans were found from, and the scans.
    _sources: tuple[tuple[object, ...], list[ScanSource]] = PrivateAttr(default=((), []))

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = object.__hash__

    # -- what is open of it -----------------------------------------------------------------

    @property
    def maps(self) -> list[MapEntry]:
        """Its entries, bottom first, as they are drawn."""
        return list(self._maps)

    @property
    def grid_of(self) -> MapEntry | None:
        """The entry whose grid its views are laid out in: the one that first was the bottom one."""
        return next((e for e in self._maps if e.id == self._grid), next(iter(self._maps), None))

    @property
    def reference(self) -> Volume | None:
        """The volume whose grid its views are laid out in."""
        entry = self.grid_of
        return None if entry is None else entry.shown

    @property
    def kept_grid(self) -> str:
        """Id of the entry of :attr:`grid_of`, where that is no longer the bottom one; else empty."""
        entry = self.grid_of
        return "" if entry is None or entry is self._maps[0] else entry.id

    @property
    def grid_name(self) -> str:
        """What the user calls the map of :attr:`grid_of`; empty without one."""
        entry = self.grid_of
        return "" if entry is None else entry.name

    def keep_grid(self, entry: MapEntry | None = None) -> None:
        """Stay in the grid of an entry, else in that of now, in whatever order entries come."""
        entry = entry or self.grid_of
        self._grid = "" if entry is None else entry.id

    def of_role(self, *roles: Role) -> list[MapEntry]:
        """Its entries with one of these roles, in drawing order."""
        return [entry for entry in self._maps if entry.role in roles]

    @property
    def is_empty(self) -> bool:
        """Whether nothing has been opened, drawn or written of it yet."""
        made = (self.shapes, self.annotations, self.ratings, self.participant, self.folders)
        return not (self._maps or any(made) or self.scan or self.midline_mm is not None)

    @property
    def raters(self) -> list[str]:
        """Who drew its label maps, each once, by name."""
        return sorted({entry.rater for entry in self.of_role("labels")} - {""})

    def labels_of(self, measured: MapEntry, rater: str = "") -> MapEntry | None:
        """The label map that a map is measured under; the only rule for it in the program.

        The one that was drawn on last counts, if it lies on the map's grid; then one that
        somebody chose for this map; then one on the map's grid; then the first there is.

        Parameters
        ----------
        measured : MapEntry
            A map of this case.
        rater : str
            Only label maps of this rater count; those of all raters unless given.

        Returns
        -------
        MapEntry or None
            None without a label map, and where this rater has none: numbers of one rater never
            stand under another's name.
        """
        if measured not in self._maps:
            return None
        labels = [e for e in self.of_role("labels") if not rater or e.rater == rater]
        fitting = [e for e in labels if same_grid(e.volume, measured.shown)]
        for candidates, key in (
            (fitting, self.painted),
            (labels, self.labels_used.get(measured.id, "")),
        ):
            found = next((e for e in candidates if key and e.id == key), None)
            if found is not None:
                return found
        return next(iter(fitting or labels), None)

    def use_labels(self, measured: MapEntry, labels: MapEntry | None) -> None:
        """Choose the label map that a map is measured under; None for none in particular."""
        chosen = {key: value for key, value in self.labels_used.items() if key != measured.id}
        if labels is not None:
            chosen[measured.id] = labels.id
            self.painted = ""
        self.labels_used = chosen

    def scan_sources(self) -> list[ScanSource]:
        """The scans among its images that can be reconstructed: first one read whole."""
        scan = self.scan
        images = tuple(
            (e.id, id(e.volume), e.role, bool(e.facts)) for e in self._maps if not e.provenance
        )
        key = (id(scan), self.title, *images)
        if key != self._sources[0]:
            whole = [] if scan is None else [source_of_scan(scan, self.title)]
            held = {id(v.data.base) for s in whole for v in (*s.phase, *s.magnitude)}
            others = [e for e in self._maps if id(e.volume.data.base) not in held]
            self._sources = key, whole + sources_among(others)
        return list(self._sources[1])

    # -- whose it is --------------------------------------------------------------------------

    @property
    def title(self) -> str:
        """Participant and visit; the name where nothing tells them."""
        return case_name(self.participant, self.visit) or self.name

    def is_of(self, who: Identity) -> bool | None:
        """Whether files belong to this case by their names and folders; None if unclear."""
        here = who.folder is not None and who.folder in self.folders
        if self.participant and who.participant:
            if self.participant != who.participant:
                return False
            if self.visit != who.visit:
                return False if self.visit and who.visit else None
            # Named by the program itself where no file tells a folder: that is sure enough.
            return True if here or who.folder is None or self._is_root(who.root) else None
        return True if here else None

    def _is_root(self, root: Path | None) -> bool:
        own = (identity_of(folder, is_folder=True) for folder in self.folders)
        return root is not None and any(each.root == root for each in own)

    def belongs(self, who: Identity) -> None:
        """Note that files of this identity belong to the case, and take over who it is."""
        if who.folder is not None and who.folder not in self.folders:
            self.folders = (*self.folders, who.folder)
        if who.participant and not self.participant:
            self.participant, self.visit = who.participant, who.visit


class Study(EventedModel):
    """The patients that are worked on.

    Attributes
    ----------
    cases : EventedList of Case
        In the order in which they were opened.
    """

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    cases: EventedList[Case] = Field(default_factory=EventedList)

    def __iter__(self) -> Iterator[Case]:  # type: ignore[override]
        return iter(list(self.cases))

    def case(self, key: str) -> Case | None:
        """The case with this id or, failing that, this name."""
        by_id = next((case for case in self.cases if case.id == key), None)
        return by_id or next((case for case in self.cases if case.name == key), None)

    def new_case(
        self, name: str = "", *, participant: str = "", visit: str = "", key: str = ""
    ) -> Case:
        """Add a case.

        Parameters
        ----------
        name : str
            Participant and visit, or a neutral word with a number, unless given; a number
            follows where another case has the name.
        participant, visit : str
            BIDS labels.
        key : str
            Id that it had when it was saved, kept where no other case has it.
        """
        free = bool(key) and all(case.id != key for case in self.cases)
        case = Case(
            id=key if free else uuid4().hex,
            name=self.free_name(name or case_name(participant, visit)),
            participant=participant,
            visit=visit,
        )
        self.cases.append(case)
        return case

    def free_name(self, name: str = "", besides: Case | None = None) -> str:
        """A name that no case has: the one wanted with a number, or a neutral word."""
        taken = {case.name for case in self.cases if case is not besides}
        if name:
            return unique_name(name, taken)
        number = 1
        while f"{NEUTRAL_NAME} {number}" in taken:
            number += 1
        return f"{NEUTRAL_NAME} {number}"
